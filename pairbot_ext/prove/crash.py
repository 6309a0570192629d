"""Killed between the two legs: a process of its own dies where it hurts most, and this one finds out.

The child makes both intents durable, sends leg A and kills itself with SIGKILL on hearing the answer, before
a word of it is recorded: leg A is filled and nobody knows, leg B was never sent.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pairbot_ext.journal.ledger import read_ledger
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Role
from pairbot_ext.prove.claims import NotShownError, Said
from pairbot_ext.prove.stage import Keys, Stage
from pairbot_ext.recovery.flatten import close_together, ours_from_journal, plan_flatten
from pairbot_ext.support.clock import SystemClock
from pairbot_ext.venue.binance.sites import Site

CHILD_SECS = 120
SETTLE_MS = 15_000
"""For asking what became of both orders: the window of the one never sent has to pass."""


def killed_between_the_legs(stage: Stage) -> Said:
    """See the module."""
    said = Said()
    directory = stage.directory / "killed"
    directory.mkdir()
    said.facts["died of"] = _run_child(stage, directory)
    keys = Keys(stage.client.apiKey, stage.client.secret)
    after = Stage(stage.site, keys, stage.legs, directory, stage.clock, np.random.default_rng())
    with closing(after):
        after.recorder = stage.recorder
        after.open()
        left = [
            order for trade in after.journal.open_pair_trades() for order in after.journal.orders_of(trade.id)
        ]
        said.facts["found in the journal"] = f"{len(left)} orders, " + ", ".join(
            f"{order.leg} {order.status}" for order in sorted(left, key=lambda order: order.leg)
        )
        for order in sorted(left, key=lambda order: order.leg):
            said.facts[f"leg {order.leg}, asked"] = str(after.guard.settle(order, SETTLE_MS).status)
        after.journal.flush()
        pairs = read_ledger(after.engine, only_open=True)
        ours = ours_from_journal(after.venue, after.client, pairs, after.clock.now_ms())
        plan = plan_flatten(after.held(), ours)
        said.facts["to close"] = (
            ", ".join(f"{each.side} leg {each.leg}" for each in plan.closings) or "nothing"
        )
        outcomes = [text for _, text in close_together(after.venue, after.client, plan.closings, after.lanes)]
        said.facts["closed"] = ", ".join(text.partition(":")[0] for text in outcomes) or "nothing"
        said.facts["left"] = "nothing" if not after.held() else "something"
    return said


def _run_child(stage: Stage, directory: Path) -> str:
    plan = {"site": asdict(stage.site), "legs": stage.legs, "directory": str(directory)}
    keys = {"key": stage.client.apiKey, "secret": stage.client.secret}
    child = subprocess.run(
        [sys.executable, "-m", "pairbot_ext.prove.crash"],
        # Through a pipe: neither the list of processes nor the environment shows the keys.
        input=json.dumps(plan | keys),
        text=True,
        capture_output=True,
        timeout=CHILD_SECS,
        check=False,
    )
    if child.returncode == -signal.SIGKILL:
        return "SIGKILL"
    raise NotShownError(f"the process to be killed ended by itself with {child.returncode}")


def die_between_the_legs(stage: Stage) -> None:
    """The child's part; does not return where leg A is answered."""
    stage.open()
    trade = stage.pair_trade()
    orders = [stage.intent(trade, leg, Role.ENTRY) for leg in Leg]
    stage.journal.add_orders(orders)

    def die(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    stage.client.on_rest_response = die
    stage.guard.transmit(orders[0])


def main() -> None:
    """`python -m pairbot_ext.prove.crash`, what to do on standard input."""
    plan = json.load(sys.stdin)
    stage = Stage(
        Site(**plan["site"]), Keys(plan["key"], plan["secret"]), (plan["legs"][0], plan["legs"][1]),
        Path(plan["directory"]), SystemClock(), np.random.default_rng(),
    )  # fmt: skip
    die_between_the_legs(stage)


if __name__ == "__main__":
    main()
