"""Does the suite notice when a guard is gone? `python tests/execution/mutants.py` (`make mutants`).

Each mutant removes one safety property from a copy of the package; the named tests must then fail. A mutant
that survives is a test that is missing. Nothing in the checkout is changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[2]
COPIED = ("pairbot_ext", "tests", "strategies", "config.json", "pyproject.toml", "pairs_config.json")


@dataclass(frozen=True)
class Mutant:
    """One guard removed.

    :param old, new: replaced in `file`, which must hold `old` exactly once.
    :param tests: pytest arguments; at least one of these tests must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def _execution(name: str) -> str:
    return f"tests/execution/{name}"


MUTANTS = (
    Mutant(
        "intent row",
        "pairbot_ext/execution/journal.py",
        "                    self._commit(order_write(order))\n"
        "                except SQLAlchemyError as error:\n"
        "                    self._degrade(error)\n"
        "                    if not order.reduce_only:",
        "                    pass\n"
        "                except SQLAlchemyError as error:\n"
        "                    self._degrade(error)\n"
        "                    if not order.reduce_only:",
        (_execution("test_restart_and_recovery.py"), "-k", "kill_9"),
    ),
    Mutant(
        "client order id",
        "pairbot_ext/execution/liveport.py",
        '"newClientOrderId": order.client_id,',
        "",
        (_execution("test_unclear_answers.py"), "-k", "id_we_gave"),
    ),
    Mutant(
        "query after an unclear answer",
        "pairbot_ext/execution/guard.py",
        "            return order\n        return self.settle(order)",
        "            return order\n        return self._void(order)",
        (_execution("test_unclear_answers.py"), "-k", "unclear and entry"),
    ),
    Mutant(
        "not found is no proof at once",
        "pairbot_ext/execution/guard.py",
        "        is_past_bound = False\n        while True:",
        "        is_past_bound = True\n        while True:",
        (_execution("test_unclear_answers.py"), "-k", "arrives_late"),
    ),
    Mutant(
        "fetch guard",
        "pairbot_ext/execution/guard.py",
        "            if order is None:\n                raise\n            if order.status.is_settled:",
        "            raise\n            if order.status.is_settled:",
        (_execution("test_guard.py"),),
    ),
    Mutant(
        "cancel guard",
        "pairbot_ext/execution/guard.py",
        "            return cancel()\n        except ccxt.OrderNotFound:",
        "            return cancel()\n        except ZeroDivisionError:",
        (_execution("test_guard.py"),),
    ),
    Mutant(
        "checks on both legs",
        "pairbot_ext/execution/preflight.py",
        "            self._check_depth(plan, sizing, books)\n",
        "",
        (_execution("test_dry_run.py"), "-k", "without_depth"),
    ),
    Mutant(
        "rollback",
        "pairbot_ext/execution/decide.py",
        '        return f"refused by the venue: {last.error}"',
        "        return None",
        (_execution("test_decide.py"), _execution("test_partials_and_refusals.py"), "-k", "refus"),
    ),
    Mutant(
        "exclusivity",
        "pairbot_ext/execution/preflight.py",
        "        for symbol in (plan.leg_a, plan.leg_b):\n            owner =",
        "        for symbol in ():\n            owner =",
        (_execution("test_people.py"), "-k", "coin_wanted"),
    ),
    Mutant(
        "reduce-only",
        "pairbot_ext/execution/liveport.py",
        '            params["reduceOnly"] = True',
        "            pass",
        (_execution("test_unclear_answers.py"), _execution("test_people.py"), "-k", "exit or by_hand"),
    ),
    Mutant(
        "reconciler",
        "pairbot_ext/execution/reconciler.py",
        "            self._coordinator.advance(trade.id, may_explain=True, venue=positions)",
        "            pass",
        (_execution("test_people.py"), _execution("test_restart_and_recovery.py"), "-k", "venue or kill"),
    ),
    Mutant(
        "idempotence",
        "pairbot_ext/execution/guard.py",
        "        if order.status is not OrderStatus.INTENT:\n            return",
        "        if False:\n            return",
        (_execution("test_unclear_answers.py"), _execution("test_restart_and_recovery.py"), "-k",
         "cannot_be_answered or kill_9"),
    ),
    Mutant(
        "fail-closed decorator",
        "pairbot_ext/gates.py",
        "                self.refused_symbols.add(pair)\n                return refusal",
        "                raise",
        ("tests/backtest/test_gates.py",),
    ),
    Mutant(
        "deferral",
        "pairbot_ext/deferral.py",
        "        held.depth += 1\n",
        "        held.depth += 0\n",
        (_execution("test_housekeeping.py"), "-k", "fails_around and html_503"),
    ),
    Mutant(
        "mate check in confirm_trade_exit",
        "pairbot_ext/execution/desk.py",
        "(bool(trade.is_open) and bool(trade.amount))",
        "True",
        (_execution("test_people.py"), "-k", "forceexit_all"),
    ),
    Mutant(
        "checksum of an intent slot",
        "pairbot_ext/execution/intentfile.py",
        " or checksum != _checksum(number, sequence, text)",
        "",
        (_execution("test_intentfile.py"), "-k", "sectors or damaged"),
    ),
    Mutant(
        "second half of an intent slot",
        "pairbot_ext/execution/intentfile.py",
        "half = 1 if slot.current == 0 else 0",
        "half = 0",
        (_execution("test_intentfile.py"), "-k", "torn"),
    ),
    Mutant(
        "lock on the intent file",
        "pairbot_ext/execution/intentfile.py",
        "                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "",
        (_execution("test_intentfile.py"), "-k", "second_process"),
    ),
    Mutant(
        "settled orders outrank the intent file",
        "pairbot_ext/execution/journal.py",
        "if known is None or not known.status.is_settled:",
        "if True:",
        (_execution("test_journal.py"), "-k", "older_news and sqlite"),
    ),
    Mutant(
        "ids of intents without durability",
        "pairbot_ext/execution/journal.py",
        "order = self._numbered_apart(order)",
        "pass",
        (_execution("test_journal.py"), "-k", "nothing_can_be_written"),
    ),
    Mutant(
        "migration in one transaction",
        "pairbot_ext/execution/schema.py",
        'connection.exec_driver_sql("BEGIN IMMEDIATE")',
        "pass",
        (_execution("test_schema.py"), "-k", "sqlite"),
    ),
    Mutant(
        "flush under the lock",
        "pairbot_ext/execution/journal.py",
        "        with self._lock:\n            if self.is_degraded or not self._has_queue:\n",
        "        if True:\n            if self.is_degraded or not self._has_queue:\n",
        (_execution("test_journal.py"), "-k", "while_others_are_stored and sqlite"),
    ),
    Mutant(
        "closing the journal's own connections",
        "pairbot_ext/execution/journal.py",
        "self._engine.dispose()",
        "pass",
        (_execution("test_journal.py"), "-k", "closing and sqlite"),
    ),
)  # fmt: skip


def copy_of_the_checkout(directory: Path) -> Path:
    """What the tests need, in a directory that may be changed."""
    for name in COPIED:
        source = REPO_ROOT / name
        ignore = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=ignore)
        else:
            shutil.copy(source, directory / name)
    return directory


def survives(mutant: Mutant) -> bool:
    """Whether the named tests still pass without the guard."""
    with tempfile.TemporaryDirectory() as name:
        root = copy_of_the_checkout(Path(name))
        path = root / mutant.file
        text = path.read_text()
        if text.count(mutant.old) != 1:
            raise SystemExit(
                f"mutant {mutant.name!r}: its text is {text.count(mutant.old)} times in {mutant.file}"
            )
        path.write_text(text.replace(mutant.old, mutant.new))
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not process", *mutant.tests],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode not in (0, 1):
            raise SystemExit(f"mutant {mutant.name!r}: pytest failed to run\n{result.stdout[-2000:]}")
        return result.returncode == 0


def main() -> int:
    """Print the table. Returns 1 where a mutant survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these mutants")
    args = parser.parse_args()
    alive = 0
    for mutant in MUTANTS:
        if args.names and mutant.name not in args.names:
            continue
        lives = survives(mutant)
        alive += lives
        print(f"{mutant.name:<36} {'SURVIVES' if lives else 'noticed'}", flush=True)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
