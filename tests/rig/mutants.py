"""Does the suite notice when a guard is gone? `python tests/rig/mutants.py` (`make mutants`).

Each mutant removes one safety property from a copy of the package; one of the named tests must then fail,
and all that have failed must pass on the unchanged code. A mutant that survives is a test that is
missing. Nothing in the checkout is changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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


def _test(name: str) -> str:
    """A test file by its name, which is unique, whatever room it is in."""
    (path,) = (REPO_ROOT / "tests").rglob(name)
    return path.relative_to(REPO_ROOT).as_posix()


MUTANTS = (
    Mutant(
        "intent row",
        "pairbot_ext/journal/journal.py",
        "                    self._commit(*(order_write(order) for order in orders))",
        "                    pass",
        (_test("test_restart_and_recovery.py"), "-k", "kill_9"),
    ),
    Mutant(
        "client order id",
        "pairbot_ext/venue/binance/futures.py",
        '"newClientOrderId": client_id,',
        "",
        (_test("test_unclear_answers.py"), "-k", "id_we_gave"),
    ),
    Mutant(
        "query after an unclear answer",
        "pairbot_ext/orders/guard.py",
        "        if not order.status.is_settled:\n            return self._outcome(self.settle(order))",
        "        if not order.status.is_settled:\n            return self._outcome(self._void(order))",
        (_test("test_unclear_answers.py"), "-k", "unclear and entry"),
    ),
    Mutant(
        "not found is no proof at once",
        "pairbot_ext/orders/guard.py",
        "        is_past_bound = False\n        while True:",
        "        is_past_bound = True\n        while True:",
        (_test("test_unclear_answers.py"), "-k", "arrives_late"),
    ),
    Mutant(
        "fetch guard",
        "pairbot_ext/orders/guard.py",
        "            if order is None:\n                raise\n            if order.status.is_settled:",
        "            raise\n            if order.status.is_settled:",
        (_test("test_guard.py"),),
    ),
    Mutant(
        "cancel guard",
        "pairbot_ext/orders/guard.py",
        "            return cancel()\n        except ccxt.OrderNotFound:",
        "            return cancel()\n        except ZeroDivisionError:",
        (_test("test_guard.py"),),
    ),
    Mutant(
        "checks on both legs",
        "pairbot_ext/entry/both_legs.py",
        "            self._check_depth(plan, sizing, books)\n",
        "",
        (_test("test_dry_run.py"), "-k", "without_depth"),
    ),
    Mutant(
        "rollback",
        "pairbot_ext/pairtrade/decide.py",
        '        return f"refused by the venue: {last.error}"',
        "        return None",
        (_test("test_decide.py"), _test("test_partials_and_refusals.py"), "-k", "refus"),
    ),
    Mutant(
        "exclusivity",
        "pairbot_ext/entry/both_legs.py",
        "        for symbol in (plan.leg_a, plan.leg_b):\n            owner =",
        "        for symbol in ():\n            owner =",
        (_test("test_people.py"), "-k", "coin_wanted"),
    ),
    Mutant(
        "reduce-only",
        "pairbot_ext/venue/binance/futures.py",
        '            params["reduceOnly"] = True',
        "            pass",
        (_test("test_unclear_answers.py"), _test("test_people.py"), "-k", "exit or by_hand"),
    ),
    Mutant(
        "reconciler",
        "pairbot_ext/recovery/reconciler.py",
        "            self._coordinator.advance(trade.id, may_explain=True, venue=positions)",
        "            pass",
        (_test("test_people.py"), _test("test_restart_and_recovery.py"), "-k", "venue or kill"),
    ),
    Mutant(
        "idempotence",
        "pairbot_ext/orders/guard.py",
        "        if order.status is not OrderStatus.INTENT:\n            return",
        "        if False:\n            return",
        (_test("test_unclear_answers.py"), _test("test_restart_and_recovery.py"), "-k",
         "cannot_be_answered or kill_9"),
    ),
    Mutant(
        "fail-closed decorator",
        "pairbot_ext/host/gates.py",
        "                self.refused_symbols.add(pair)\n                return refusal",
        "                raise",
        (_test("test_gates_in_the_bot.py"),),
    ),
    Mutant(
        "fail-closed decorator, backtest",
        "pairbot_ext/host/gates.py",
        "                self.refused_symbols.add(pair)\n                return refusal",
        "                raise",
        ("tests/backtest/test_gates.py",),
    ),
    Mutant(
        "no import while an order is unsettled",
        "pairbot_ext/pairtrade/facts.py",
        "            if any(not order.status.is_settled for order in orders):",
        "            if False:",
        (_test("test_booking.py"), "-k", "imported"),
    ),
    Mutant(
        "orders that cannot be booked are told",
        "pairbot_ext/pairtrade/decide.py",
        "trade.was_hedged and facts.stuck is not None",
        "False",
        (_test("test_decide.py"), "-k", "cannot_book"),
    ),
    Mutant(
        "forced exits are taken over",
        "pairbot_ext/host/bot_hooks.py",
        "if hooks.close_pair(trade.pair, reason, is_by_hand):",
        "if False:",
        (_test("test_exits_never_wait.py"), "-k", "force_exit"),
    ),
    Mutant(
        "deferral",
        "pairbot_ext/host/deferral.py",
        "        held.depth += 1\n",
        "        held.depth += 0\n",
        (_test("test_housekeeping.py"), "-k", "fails_around and html_503"),
    ),
    Mutant(
        "mate check in confirm_trade_exit",
        "pairbot_ext/desk/trade_desk.py",
        "(bool(trade.is_open) and bool(trade.amount))",
        "True",
        (_test("test_people.py"), "-k", "forceexit_all"),
    ),
    Mutant(
        "checksum of an intent slot",
        "pairbot_ext/journal/intentfile.py",
        " or checksum != _checksum(number, sequence, text)",
        "",
        (_test("test_intentfile.py"), "-k", "sectors or damaged"),
    ),
    Mutant(
        "second half of an intent slot",
        "pairbot_ext/journal/intentfile.py",
        "half = 1 if slot.current == 0 else 0",
        "half = 0",
        (_test("test_intentfile.py"), "-k", "torn"),
    ),
    Mutant(
        "lock on the intent file",
        "pairbot_ext/journal/intentfile.py",
        "                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "",
        (_test("test_intentfile.py"), "-k", "second_process"),
    ),
    Mutant(
        "settled orders outrank the intent file",
        "pairbot_ext/journal/journal.py",
        "if known is None or not known.status.is_settled:",
        "if True:",
        (_test("test_journal.py"), "-k", "older_news and sqlite"),
    ),
    Mutant(
        "ids of intents without durability",
        "pairbot_ext/journal/journal.py",
        "order = self._numbered_apart(order)",
        "pass",
        (_test("test_journal.py"), "-k", "nothing_can_be_written"),
    ),
    Mutant(
        "migration in one transaction",
        "pairbot_ext/journal/schema.py",
        'connection.exec_driver_sql("BEGIN IMMEDIATE")',
        "pass",
        (_test("test_schema.py"), "-k", "sqlite"),
    ),
    Mutant(
        "flush under the lock",
        "pairbot_ext/journal/journal.py",
        "        with self._lock:\n            if self.is_degraded or not self._has_queue:\n",
        "        if True:\n            if self.is_degraded or not self._has_queue:\n",
        (_test("test_journal.py"), "-k", "while_others_are_stored and sqlite"),
    ),
    Mutant(
        "closing the journal's own connections",
        "pairbot_ext/journal/journal.py",
        "self._engine.dispose()",
        "pass",
        (_test("test_journal.py"), "-k", "closing and sqlite"),
    ),
    Mutant(
        "second intent not in the first commit (I1)",
        "pairbot_ext/journal/journal.py",
        "self._commit(*(order_write(order) for order in orders))",
        "self._commit(order_write(orders[0]))",
        (_test("test_exits_together.py"), "-k", "durable"),
    ),
    Mutant(
        "machine: second intent not in the first commit (I1)",
        "pairbot_ext/journal/journal.py",
        "self._commit(*(order_write(order) for order in orders))",
        "self._commit(order_write(orders[0]))",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "mate sent after the first's answer",
        "pairbot_ext/orders/liveport.py",
        "closing(self.lanes.run(works))",
        "closing((n, next(self.lanes.run([work]))[1]) for n, work in enumerate(works))",
        (_test("test_exits_together.py"), "-k", "neither"),
    ),
    Mutant(
        "mate sent after the first's answer, threads",
        "pairbot_ext/orders/lanes.py",
        "                numbers[self._begin(work)] = number\n",
        "                numbers[self._begin(work)] = number\n                wait(numbers)\n",
        (_test("test_lanes.py"), "-k", "neither"),
    ),
    Mutant(
        "nothing is on its way when the caller has left",
        "pairbot_ext/orders/lanes.py",
        "            self._outlast(numbers)\n",
        "            pass\n",
        (_test("test_lanes.py"), "-k", "early"),
    ),
    Mutant(
        "orders over the venue's limit are held back",
        "pairbot_ext/pairtrade/performer.py",
        "if not self._guard.has_room_for(len(actions)):",
        "if False:",
        (_test("test_exits_together.py"), "-k", "next_window"),
    ),
    Mutant(
        "pairs leave in the order of their risk",
        "pairbot_ext/pairtrade/urgency.py",
        "return sorted(trades, key=lambda trade: _rank(trade, journal, broker))",
        "return list(trades)",
        (_test("test_exits_together.py"), "-k", "order_of_their_risk"),
    ),
    Mutant(
        "the venue's limits are read",
        "pairbot_ext/desk/trade_desk.py",
        "self.limiter.renew(self._broker.rate_limits, is_busy=bool(self.journal.open_pair_trades()))",
        "pass",
        (_test("test_limiter.py"), "-k", "reads_the_limits"),
    ),
    Mutant(
        "unknown exit blocks leg B",
        "pairbot_ext/pairtrade/decide.py",
        "if o.role.increases or not trade.was_hedged]",
        "if o.role.increases]",
        (_test("test_decision_table.py"),),
    ),
    Mutant(
        "a trim is not sent twice",
        "pairbot_ext/pairtrade/decide.py",
        "    if unanswered:\n        # Sent again",
        "    if False:\n        # Sent again",
        (_test("test_decision_table.py"),),
    ),
    Mutant(
        "mate's exit before the question",
        "pairbot_ext/pairtrade/decide.py",
        "        if mate is not None:",
        "        if mate is None:",
        (_test("test_decision_table.py"),),
    ),
    Mutant(
        "machine: intent row (I1)",
        "pairbot_ext/journal/journal.py",
        "                    self._commit(*(order_write(order) for order in orders))",
        "                    pass",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "machine: query after unclear (I3)",
        "pairbot_ext/orders/guard.py",
        "        if not order.status.is_settled:\n            return self._outcome(self.settle(order))",
        "        if not order.status.is_settled:\n            return self._outcome(self._void(order))",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "machine: exit behind an unknown exit (I5)",
        "pairbot_ext/pairtrade/retries.py",
        "UNANSWERED_EXIT_MS = 2_000",
        "UNANSWERED_EXIT_MS = 60_000",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        # Without the check of the owner the one of foreign positions still refuses a symbol that is held.
        "machine: exclusivity (I7)",
        "pairbot_ext/entry/both_legs.py",
        "        self._check_free(plan, now)\n        try:\n            self._check_foreign(plan)\n",
        "        try:\n",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "machine: foreign positions (I7)",
        "pairbot_ext/entry/both_legs.py",
        "            if symbol in positions:",
        "            if False:",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "memory: which ends leave a pair armed (I13)",
        "pairbot_ext/model/registry.py",
        "LEAVES_ARMED = frozenset({ExitReason.REVERTED})",
        "LEAVES_ARMED = frozenset(ExitReason)",
        (_test("test_registry.py"),),
    ),
    Mutant(
        "memory: a name is not a pair (I13)",
        "pairbot_ext/journal/registry.py",
        "            self._named.setdefault(memory.name, coins)",
        "            self._named[memory.name] = coins",
        (_test("test_registry.py"),),
    ),
    Mutant(
        "gate of the file: timeframe",
        "pairbot_ext/pairs/accept.py",
        "    if terms.timeframe != pairs_file.timeframe:",
        "    if False:",
        (_test("test_accept.py"),),
    ),
    Mutant(
        "units: half-lives of another timeframe",
        "pairbot_ext/model/plan.py",
        " * (self.candle_secs or candle_secs) / candle_secs",
        "",
        (_test("test_plan.py"),),
    ),
    Mutant(
        "freshness: a breach ends with its cause (I15)",
        "pairbot_ext/risk/duration.py",
        "        self._since_ms = None\n        return True",
        "        return False",
        (_test("test_freshness.py"), "-k", "breach_ends"),
    ),
    Mutant(
        "account: read before each entry (I14)",
        "pairbot_ext/entry/both_legs.py",
        "        settings = self._broker.account_settings()",
        "        settings = None",
        ("tests/entry/test_account.py",),
    ),
    Mutant(
        "refusals that stay (I17)",
        "pairbot_ext/entry/pair_gate.py",
        "        if lifted_by is None and count < MOST_REFUSED_OPENINGS:",
        "        if True:",
        (_test("test_pair_memory.py"),),
    ),
    Mutant(
        "memory: a return seen is kept (I13)",
        "pairbot_ext/journal/registry.py",
        "or (came_back_ms is not None and came_back_ms >= closed_ms)",
        "or False",
        (_test("test_registry.py"),),
    ),
    Mutant(
        "memory: whose model sees a return (I13)",
        "pairbot_ext/signals/book.py",
        "coins_of(*path.pair.symbols) == coins and thresholds is not None",
        "path.pair.symbols == coins and thresholds is not None",
        (_test("test_who_may_enter.py"),),
    ),
    Mutant(
        "gate of the file: entries go on with a good one",
        "pairbot_ext/runtime/strategy.py",
        "        refused = self._start.refused if self._start is not None else None\n",
        "        refused = self._desk.entries.refused_because\n",
        (_test("test_accept.py"), "-k", "old_selection"),
    ),
    Mutant(
        "refusals: the venue's order check (I17)",
        "pairbot_ext/entry/gate.py",
        "            self._pairs.rehearse(plan, cleared.sizing)\n",
        "",
        ("tests/entry/test_account.py",),
    ),
    Mutant(
        "books: the fee of a liquidation (I9)",
        "pairbot_ext/host/deferral.py",
        "        exits[-1].funding_fee = (exits[-1].funding_fee or 0.0) + fresh\n",
        "",
        (_test("test_every_way_out.py"), "-k", "liquidated"),
    ),
    Mutant(
        "lost journal: a leg alone (I2)",
        "pairbot_ext/desk/trade_desk.py",
        "            self.orphans.run()\n",
        "",
        (_test("test_lost_journal.py"),),
    ),
    Mutant(
        "machine: reduce-only (I8)",
        "pairbot_ext/journal/intents.py",
        "            reduce_only=not role.increases,",
        "            reduce_only=False,",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "machine: reconciler (I2, I9)",
        "pairbot_ext/recovery/reconciler.py",
        "            self._coordinator.advance(trade.id, may_explain=True, venue=positions)",
        "            pass",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "machine: idempotence (I4)",
        "pairbot_ext/orders/guard.py",
        "        if order.status is not OrderStatus.INTENT:\n            return",
        "        if False:\n            return",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "machine: fail-closed decorator (I12)",
        "pairbot_ext/host/gates.py",
        "                self.refused_symbols.add(pair)\n                return refusal",
        "                raise",
        (_test("test_protocol_machine.py"),),
    ),
    Mutant(
        "snapshot after a reconnection",
        "pairbot_ext/feed/line.py",
        "for prices in await asyncio.wait_for(connection.snapshot(), CONNECT_MS / 1000):",
        "for prices in ():",
        (_test("test_feed.py"), "-k", "snapshot_closes"),
    ),
    Mutant(
        "the account is read after a reconnection",
        "pairbot_ext/feed/line.py",
        "            self._board.hint(Resumed(status.topic))",
        "            pass",
        (_test("test_feed.py"), "-k", "daily_cut"),
    ),
    Mutant(
        "a silent stream is stale",
        "pairbot_ext/feed/board.py",
        "        return self.is_live and self.age_ms(now_ms) <= bound_ms and self.late_ms <= bound_ms",
        "        return self.is_live",
        (_test("test_feed.py"), "-k", "silent_or_late"),
    ),
    Mutant(
        "a final order stays final",
        "pairbot_ext/feed/board.py",
        "if before is not None and before.is_final:",
        "if False:",
        (_test("test_feed.py"), "-k", "stays_final"),
    ),
    Mutant(
        "an update settles what is open, once",
        "pairbot_ext/orders/guard.py",
        "if final is None or order.status.is_settled or not self._is_of(order, final):",
        "if final is None:",
        (_test("test_hearing.py"), "-k", "another_s_order"),
    ),
    Mutant(
        "one price stops nothing",
        "pairbot_ext/risk/ticks.py",
        "if streak.count < self._limits.confirm_updates:",
        "if False:",
        (_test("risk/test_ticks.py"), "-k", "two_looks or one_update"),
    ),
    Mutant(
        "updates of one instant stop nothing",
        "pairbot_ext/risk/ticks.py",
        "if now_ms - streak.first_ms < self._limits.confirm_updates_ms:",
        "if False:",
        (_test("risk/test_ticks.py"), "-k", "must_last"),
    ),
    Mutant(
        "no room beyond a limit",
        "pairbot_ext/risk/room.py",
        "MOST if slope * MOST <= left else left / slope",
        "MOST",
        (_test("risk/test_ticks.py"), "-k", "inside_its_room"),
    ),
    Mutant(
        "a new picture, new rooms",
        "pairbot_ext/risk/ticks.py",
        "            self._rooms.clear()\n",
        "",
        (_test("risk/test_ticks.py"), "-k", "new_picture"),
    ),
    Mutant(
        "a stop is judged again before it is acted on",
        "pairbot_ext/desk/hearing.py",
        "reason = self._risk.price_stop(trade, lasted=stop.rule)",
        'reason = "pair_stop_live"',
        (_test("test_hearing.py"), "-k", "gone_by"),
    ),
    Mutant(
        "the bell ends the pause",
        "pairbot_ext/host/wake.py",
        "if not self._bell.wait(left):",
        "if not time.sleep(left):",
        (_test("test_hearing.py"), "-k", "middle_of_the_pause"),
    ),
    Mutant(
        "venue: the taker's fee",
        "pairbot_ext/sim/venue/engine.py",
        "rate = ZERO if order.liquidation else (fees.maker if maker else fees.taker)",
        "rate = ZERO if order.liquidation else fees.maker",
        (_test("test_exits_together.py"), "-k", "fills_in_part"),
    ),
    Mutant(
        "venue: money has eight decimals",
        "pairbot_ext/sim/venue/terms.py",
        '_CENTIMILLIONTH = Decimal("1E-8")',
        '_CENTIMILLIONTH = Decimal("1E-6")',
        (_test("test_exits_together.py"), "-k", "fills_in_part"),
    ),
    Mutant(
        "venue: what is left of a market order expires",
        "pairbot_ext/sim/venue/engine.py",
        "        else:\n            self.close(order, OrderStatus.EXPIRED)\n\n    def close(",
        "        else:\n            self.close(order, OrderStatus.FILLED)\n\n    def close(",
        (_test("test_exits_together.py"), "-k", "fills_in_part"),
    ),
    Mutant(
        "venue: reduce-only is cut to the position",
        "pairbot_ext/sim/venue/engine.py",
        "        return min(request.amount, left)",
        "        return request.amount",
        (_test("test_accounting.py"), "-k", "conservation"),
    ),
    Mutant(
        "venue: funding is paid by who held at its stamp",
        "pairbot_ext/sim/venue/timeline.py",
        "        self._forget_stamps({position.symbol for position in positions})\n",
        "",
        (_test("sim/test_account.py"), "-k", "while_flat"),
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


def misplaced(mutants: Sequence[Mutant]) -> list[str]:
    """Mutants whose text the code does not hold exactly once: the safeguard has moved, the mutant has not."""
    complaints = []
    for mutant in mutants:
        path = REPO_ROOT / mutant.file
        count = path.read_text().count(mutant.old) if path.is_file() else 0
        if count != 1:
            complaints.append(f"mutant {mutant.name!r}: its text is {count} times in {mutant.file}")
    return complaints


def failing_tests(root: Path, tests: Sequence[str]) -> list[str]:
    """Those of these tests that fail in the copy at `root`; pytest's own options may be among them."""
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "PAIRBOT_MUTANT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line for line in result.stdout.splitlines() if line.startswith("FAILED ")]
    if result.returncode not in (0, 1) or bool(found) != bool(result.returncode):
        raise SystemExit(
            f"pytest {' '.join(tests)} failed to run\n{result.stdout[-3000:]}{result.stderr[-500:]}"
        )
    return [line.removeprefix("FAILED ").split(" - ")[0] for line in found]


def noticed_by(mutant: Mutant) -> str | None:
    """The test that goes red without the safeguard; None where the mutant survives."""
    with tempfile.TemporaryDirectory() as name:
        root = copy_of_the_checkout(Path(name))
        path = root / mutant.file
        path.write_text(path.read_text().replace(mutant.old, mutant.new))
        return next(iter(failing_tests(root, ("-x", *mutant.tests))), None)


def red_anyway(tests: set[str]) -> list[str]:
    """Those of these tests that are red with every safeguard in place, too: they prove nothing."""
    with tempfile.TemporaryDirectory() as name:
        return failing_tests(copy_of_the_checkout(Path(name)), sorted(tests))


def main() -> int:
    """Print the table. Returns 1 where a mutant survives, 2 where one no longer fits the code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only mutants whose name holds one of these words")
    args = parser.parse_args()
    chosen = [m for m in MUTANTS if not args.names or any(word in m.name for word in args.names)]
    complaints = misplaced(chosen) if chosen else [f"no mutant is called {' or '.join(args.names)}"]
    if complaints:
        print("\n".join(complaints), file=sys.stderr)
        return 2
    alive: list[str] = []
    reds: set[str] = set()
    print(f"{'removed':<42} {'secs':>5}  red test", flush=True)
    for mutant in chosen:
        began = time.monotonic()
        red = noticed_by(mutant)
        if red is None:
            alive.append(mutant.name)
        else:
            reds.add(red)
        secs = time.monotonic() - began
        print(f"{mutant.name:<42} {secs:>5.0f}  {red or 'NONE: IT SURVIVES'}", flush=True)
    useless = red_anyway(reds) if reds else []
    for test in useless:
        print(f"{test} fails without any mutant, too", flush=True)
    print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants noticed; {len(reds) - len(useless)} of "
          f"{len(reds)} red tests pass on the unchanged code", flush=True)  # fmt: skip
    return 1 if alive or useless else 0


if __name__ == "__main__":
    sys.exit(main())
