"""How long one leg is alone, and what the engine costs in request weight.

Real Freqtrade and ccxt against the simulated venue in one process; a round trip of 0, 50 and 200 ms really
passes. Times are the venue's own: from the arrival of one POST to the arrival of the next. Beside each figure
stands the baseline: a plain strategy with one signal per leg, with ccxt's throttle and without.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from freqtrade.persistence import PairLocks, Trade

REPO_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO_ROOT / "tests" / "rig"))

import harness  # noqa: E402
import scenario  # noqa: E402

ROUND_TRIPS_MS = (0, 50, 200)
PAIR = "ADA-ALGO"
PLAIN_LOOPS = 60
EXIT_GAP_SECS = 0.020
"""Whatever the round trip: neither exit waits for the other's answer."""


class RealTime:
    """The machine's clock."""

    def advance(self, ms: int) -> None:
        """Let `ms` pass."""
        if ms > 0:
            time.sleep(ms / 1000)

    def sleep(self, secs: float) -> None:
        """Wait."""
        time.sleep(secs)

    def now_ms(self) -> int:
        """Epoch ms."""
        return time.time_ns() // 1_000_000


@contextmanager
def real_rig(round_trip_ms: int, **config: Any) -> Iterator[harness.Rig]:
    """A bot on the real clock, round trips included."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "user_data").mkdir()
        rig = harness.Rig(directory, RealTime(), dry_run=False, symbols=harness.FOUR, **config)  # type: ignore[arg-type]
        rig.gateway.limits.enforced = False
        rig.gateway.round_trip_ms = round_trip_ms
        try:
            yield rig
        finally:
            rig.kill()


def one_after_the_other(rig: harness.Rig) -> None:
    """As it was before exits left together: the second is sent when the first is answered and booked."""
    performer = rig.desk.coordinator._performer
    together = performer.reduce

    def reduce(trade: Any, actions: Sequence[Any], now: Any) -> None:
        for action in actions:
            together(trade, [action], now)

    performer.reduce = reduce


def play(rig: harness.Rig, rounds: int) -> tuple[list[float], list[float], int]:
    """Open and close one pair so often. Returns entry gaps and exit gaps in seconds, and how many requests
    came between the two POSTs of either."""
    entries: list[float] = []
    exits: list[float] = []
    between = 0
    for _ in range(rounds):
        seen = len(rig.posts())
        rig.script.exits.clear()
        rig.script.wishes[PAIR] = harness.SHORT_SPREAD
        rig.bot.process()
        if len(Trade.get_open_trades()) < 2:
            rig.bot.process()
        rig.script.wishes.clear()
        rig.script.exits[PAIR] = "pair_reverted"
        rig.bot.process()
        if Trade.get_open_trades():
            rig.bot.process()
        posts = rig.posts()[seen:]
        assert len(posts) == 4, f"{len(posts)} orders in one round"
        entries.append((posts[1].received_ms - posts[0].received_ms) / 1000)
        exits.append((posts[3].received_ms - posts[2].received_ms) / 1000)
        between += posts[1].number - posts[0].number - 1 + posts[3].number - posts[2].number - 1
        unlock(rig)
    return entries, exits, between


def unlock(rig: harness.Rig) -> None:
    """Lift the lock Freqtrade puts on a symbol for the rest of the candle, date the closed trades a day back,
    forget the weight used and what was refused: the rounds follow each other faster than any market does."""
    if hasattr(rig.bot.strategy, "desk"):
        rig.desk.registry._pairs.clear()
        rig.desk.limiter.after({"X-MBX-USED-WEIGHT-1M": "0"})
    rig.gateway.limits = harness.RateLimits(enforced=False)
    for trade in Trade.get_trades([Trade.is_open.is_(False)]).all():
        if trade.close_date_utc > datetime.now(UTC) - timedelta(days=1):
            trade.close_date -= timedelta(days=1)
    Trade.commit()
    for symbol in ("ADA/USDT:USDT", "ALGO/USDT:USDT"):
        for side in ("long", "short", "*"):
            PairLocks.unlock_pair(symbol, side=side)


def play_rejections(rig: harness.Rig, rounds: int) -> list[float]:
    """Leg B is refused each time: seconds from its request to the order that makes leg A flat."""
    gaps: list[float] = []
    for _ in range(rounds):
        seen = len(rig.posts())
        rig.fault(when={"leg": "B", "role": "e"}, answer="reject", code=-2019)
        rig.script.wishes[PAIR] = harness.SHORT_SPREAD
        rig.bot.process()
        rig.script.wishes.clear()
        posts = rig.posts()[seen:]
        assert len(posts) == 3, f"{len(posts)} orders in one round"
        assert not rig.positions()
        gaps.append((posts[2].received_ms - posts[1].received_ms) / 1000)
        rig.gateway.faults.clear()
        unlock(rig)
    return gaps


def play_lost_exits(rig: harness.Rig, form: str, rounds: int) -> list[float]:
    """The answer to the first exit is lost after the venue has executed it: seconds until the mate's exit
    arrives. No position may be flipped by what is sent meanwhile."""
    gaps: list[float] = []
    for _ in range(rounds):
        rig.script.exits.clear()
        rig.script.wishes[PAIR] = harness.SHORT_SPREAD
        rig.bot.process()
        rig.script.wishes.clear()
        seen = len(rig.posts())
        rig.fault(when={"role": "x"}, answer=form, execute=True)
        rig.script.exits[PAIR] = "pair_reverted"
        rig.bot.process()
        if Trade.get_open_trades():
            rig.bot.process()
        first, *others = rig.posts()[seen:]
        mate = next(post for post in others if post.params["symbol"] != first.params["symbol"])
        assert not rig.positions()
        gaps.append((mate.received_ms - first.received_ms) / 1000)
        rig.gateway.faults.clear()
        unlock(rig)
    return gaps


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def verdict(measured: float, target: float) -> str:
    """The figure with its target."""
    return f"{measured:6.3f} s (target {target:.3f}){'' if measured <= target else ' MISSED'}"


def verdict_weight(measured: int, target: int) -> str:
    """The weight with its bound."""
    return f"{measured}/min (target {target}){'' if measured <= target else ' MISSED'}"


def baseline(round_trip_ms: int, *, has_throttle: bool, rounds: int) -> str:
    """The plain strategy's medians."""
    plain = {"strategy": "PlainPairs", "strategy_path": str(REPO_ROOT / "benchmarks" / "strategies")}
    with real_rig(round_trip_ms, has_throttle=has_throttle, **plain) as rig:
        entries, exits, _ = play(rig, rounds)
    return f"entry {median(entries):.3f} s, exit {median(exits):.3f} s"


def plain_rejection() -> str:
    """What becomes of leg A where leg B is refused and no engine looks."""
    plain = {"strategy": "PlainPairs", "strategy_path": str(REPO_ROOT / "benchmarks" / "strategies")}
    with tempfile.TemporaryDirectory() as name, harness.rig(Path(name), **plain) as rig:
        rig.fault(when={"symbol": "ALGOUSDT", "times": None}, answer="reject", code=-2019)
        rig.script.wishes[PAIR] = harness.SHORT_SPREAD
        rig.loop()
        rig.script.wishes.clear()
        rig.loop(PLAIN_LOOPS)
        left = ", ".join(f"{amount} {symbol}" for symbol, amount in rig.positions().items())
        return f"{left or 'nothing'} open {PLAIN_LOOPS} loops later"


def plain_weight(pairs: dict[str, tuple[str, str, float]], names: list[str]) -> int:
    """Request weight per minute of the plain strategy with the same ten pairs open."""
    plain = {"strategy": "PlainPairs", "strategy_path": str(REPO_ROOT / "benchmarks" / "strategies")}
    with tempfile.TemporaryDirectory() as name:
        options = {"symbols": tuple(names), "max_open_trades": 20, "stake_amount": 100, **plain}
        with harness.rig(Path(name), **options) as rig:
            rig.gateway.limits.enforced = False
            rig.script.wishes.update(dict.fromkeys(pairs, harness.SHORT_SPREAD))
            rig.loop(2)
            rig.script.wishes.clear()
            assert len(Trade.get_open_trades()) == len(names)
            rig.loop(13)
            return _weight(rig, lambda: rig.loop(12))


def most_in_a_minute(rig: harness.Rig, first: int) -> int:
    """Largest weight in any 60 s since request number `first`, by the venue's log."""
    records = rig.gateway.log.since(first)
    return max(
        sum(r.weight for r in records if start.received_ms <= r.received_ms < start.received_ms + 60_000)
        for start in records
    )


def weights() -> None:
    """Request weight by the venue's count: ten pairs at rest, and all of them leaving at once."""
    pairs = {f"P{n}": (f"{a}USDT", f"{b}USDT", 1.0) for n, (a, b) in enumerate(_TEN)}
    names = [name for legs in pairs.values() for name in legs[:2]]
    saved = dict(scenario.PAIRS), dict(scenario.PRICES)
    scenario.PAIRS.clear()
    scenario.PAIRS.update(pairs)
    scenario.PRICES.update(dict.fromkeys(names, "2.0000"))
    try:
        with tempfile.TemporaryDirectory() as name:
            options = {"symbols": tuple(names), "max_open_trades": 20, "stake_amount": 100}
            with harness.rig(Path(name), **options) as rig:
                for pair_id in pairs:
                    rig.open(pair_id)
                    rig.clock.sleep(30)
                assert rig.states() == ["HEDGED"] * 10, rig.states()
                rig.clock.sleep(60)
                # The minute in which new candles are fetched is not at rest: begin after it.
                rig.loop()
                idle = _weight(rig, lambda: rig.loop(12))
                first = rig.gateway.log.next_number()
                rig.close(*pairs)
                rig.loop(23)
                assert rig.states() == ["CLOSED"] * 10, rig.states()
                most = most_in_a_minute(rig, first)
        plain = plain_weight(pairs, names)
    finally:
        for kept, dictionary in zip(saved, (scenario.PAIRS, scenario.PRICES), strict=True):
            dictionary.clear()
            dictionary.update(kept)
    print(f"weight, ten open pairs at rest: {verdict_weight(idle, 900)}; plain strategy {plain}/min")
    print(f"weight, the worst minute while all ten leave: {verdict_weight(most, 2_400)}")


_TEN = [
    ("ADA", "ALGO"), ("XRP", "DOGE"), ("LINK", "AVAX"), ("DOT", "LTC"), ("BTC", "ETH"), ("SOL", "BNB"),
    ("TRX", "XLM"), ("ATOM", "NEAR"), ("UNI", "AAVE"), ("ETC", "BCH"),
]  # fmt: skip


def _weight(rig: harness.Rig, work: Any) -> int:
    seen = rig.gateway.log.next_number()
    work()
    return sum(record.weight for record in rig.gateway.log.since(seen))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; a missed target says so. Returns 0: how busy the machine is decides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="pair trades per round trip (default 30)")
    args = parser.parse_args(argv)
    logging.disable(logging.ERROR)
    for round_trip_ms in ROUND_TRIPS_MS:
        r = round_trip_ms / 1000
        with real_rig(round_trip_ms) as rig:
            entries, exits, between = play(rig, args.rounds)
        with real_rig(round_trip_ms) as rig:
            one_after_the_other(rig)
            _, before, _ = play(rig, args.rounds)
        with real_rig(round_trip_ms) as rig:
            unwinds = play_rejections(rig, args.rounds)
        print(f"round trip {round_trip_ms} ms, {args.rounds} pair trades")
        worst = verdict(quantile(entries, 0.99), 2 * r + 0.3)
        shown = f"p50 {verdict(median(entries), r + 0.06)}, p99 {worst}"
        print(f"  {'entry: A filled -> B arrives':<30} {shown}")
        shown = f"p50 {median(exits):6.3f} s, p99 {verdict(quantile(exits, 0.99), EXIT_GAP_SECS)}"
        print(f"  {'exit: first -> second':<30} {shown}")
        shown = f"p50 {median(before):6.3f} s, p99 {quantile(before, 0.99):6.3f} s"
        print(f"  {'  one after the other, as before':<30} {shown}")
        print(f"  {'B refused -> A flat':<30} p50 {verdict(median(unwinds), 2 * r + 0.2)}")
        print(f"  requests between two POSTs: {between}")
        with real_rig(round_trip_ms) as rig:
            lost = play_lost_exits(rig, "unknown_503_msg", max(5, args.rounds // 6))
        print(f"  first exit's answer is a 503 -> the mate's exit: p50 {median(lost):6.3f} s")
        rounds = max(3, args.rounds // 6)
        for has_throttle in (False, True):
            shown = "on" if has_throttle else "off"
            plain = baseline(round_trip_ms, has_throttle=has_throttle, rounds=rounds)
            print(f"  plain strategy, ccxt's throttle {shown}: {plain}")
    print(f"plain strategy, leg B refused: {plain_rejection()}")
    weights()
    return 0


if __name__ == "__main__":
    sys.exit(main())
