"""What hearing the venue costs and gives: weight at rest, processor time, and how soon a stop leaves.

Real Freqtrade and ccxt, the simulated exchange with its streams on loopback, the machine's clock. The venue
runs in a thread of the same process: processor time is that of the bot's two threads alone.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median

from freqtrade.exchange import timeframe_to_msecs
from freqtrade.worker import Worker

REPO_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO_ROOT / "tests" / "rig"))

import heard_rig  # noqa: E402
import scenario  # noqa: E402

from pairbot_ext.sim.symbols import load_symbols  # noqa: E402
from pairbot_ext.sim.venue.actions import ClosePosition, Liquidate  # noqa: E402

LOOP_SECS = 5.0
OFF = {
    "max_pairs": None,
    "max_gross_exposure_ratio": None,
    "max_coin_exposure_ratio": None,
    "max_drawdown_percent": None,
    "max_daily_loss_percent": None,
    "break_stop": None,
    "max_api_error_percent": None,
}


@contextmanager
def holding(pairs: int, *, streams: bool) -> Iterator[heard_rig.HeardRig]:
    """A bot that holds so many pairs."""
    names = [name for name in sorted(load_symbols()) if name.isascii()][: 2 * pairs]
    saved = dict(scenario.PAIRS), dict(scenario.PRICES)
    scenario.PAIRS.clear()
    scenario.PAIRS.update({f"P{n}": (names[2 * n], names[2 * n + 1], 1.0) for n in range(pairs)})
    scenario.PRICES.update(dict.fromkeys(names, "2.0000"))
    pairbot = {"streams": streams, "risk": OFF}
    options = {"symbols": tuple(names), "max_open_trades": 2 * pairs, "stake_amount": 20, "pairbot": pairbot}
    try:
        with (
            tempfile.TemporaryDirectory() as directory,
            heard_rig.heard_rig(Path(directory), **options) as rig,
        ):
            for pair_id in scenario.PAIRS:
                rig.want(pair_id)
                # They follow each other faster than any market lets them.
                rig.gateway.limits = heard_rig.RateLimits(enforced=False)
                rig.desk.limiter.after({"X-MBX-USED-WEIGHT-1M": "0"})
                rig.bot.process()
                rig.script.wishes.clear()
            held = rig.states().count("HEDGED")
            assert held == pairs, f"{held} of {pairs} pairs are open"
            if streams:
                rig.until_heard()
            yield rig
    finally:
        for kept, dictionary in zip(saved, (scenario.PAIRS, scenario.PRICES), strict=True):
            dictionary.clear()
            dictionary.update(kept)


def cpu_secs(thread: threading.Thread) -> float:
    """Processor time of a thread so far."""
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def at_rest(pairs: int, *, streams: bool) -> str:
    """Weight and processor time of one minute with so many pairs open, every price changing."""
    with holding(pairs, streams=streams) as rig:
        hour_ms = timeframe_to_msecs("1h")
        left_secs = (hour_ms - rig.clock.now_ms() % hour_ms) / 1000
        if left_secs < 70:
            # The minute in which new candles are fetched is not at rest.
            time.sleep(left_secs + 5)
        worker = rig.sleeper()
        worker._process_running()
        ended = threading.Event()

        def wander() -> None:
            up = 0
            while not ended.wait(0.2):
                up = 1 - up
                for name in rig.symbols:
                    rig.market.prices[name] = Decimal("2.0000") + up * Decimal("0.0001")

        mover = threading.Thread(target=wander)
        mover.start()
        mine = [threading.main_thread(), *(t for t in threading.enumerate() if t.name == "pairbot-feed")]
        before = [cpu_secs(thread) for thread in mine]
        number, began = rig.gateway.log.next_number(), time.monotonic()
        while time.monotonic() - began < 60:
            looped = time.monotonic()
            worker._process_running()
            worker._sleep(max(0.0, LOOP_SECS - (time.monotonic() - looped)))
        secs = time.monotonic() - began
        shares = [100 * (cpu_secs(t) - b) / secs for t, b in zip(mine, before, strict=True)]
        ended.set()
        mover.join()
        weight = sum(record.weight for record in rig.gateway.log.since(number)) * 60 / secs
    names = ("loop", "feed")
    cpu = ", ".join(f"{name} {share:.0f} %" for name, share in zip(names, shares, strict=False))
    return f"{weight:6.0f} weight a minute, processor: {cpu}"


def leaving(pairs: int, *, streams: bool) -> str:
    """Weight and time until so many pairs, all leaving at once, are closed and booked."""
    with holding(pairs, streams=streams) as rig:
        worker = rig.sleeper()
        worker._process_running()
        rig.script.exits.update(dict.fromkeys(scenario.PAIRS, "pair_reverted"))
        number, began = rig.gateway.log.next_number(), time.monotonic()
        flat_secs = 0.0
        while rig.trades():
            worker._process_running()
            flat_secs = flat_secs or (0.0 if rig.positions() else time.monotonic() - began)
            assert time.monotonic() - began < 60, "not closed within a minute"
        weight = sum(record.weight for record in rig.gateway.log.since(number))
    return f"{weight:6.0f} weight, flat after {flat_secs:.1f} s"


@contextmanager
def hearing_bot() -> Iterator[tuple[heard_rig.HeardRig, Worker]]:
    """A bot of one pair, which hears everything, and its worker."""
    with (
        tempfile.TemporaryDirectory() as name,
        heard_rig.heard_rig(Path(name), pairbot={"risk": OFF}) as rig,
    ):
        worker = rig.sleeper()
        worker._process_running()
        rig.until_heard()
        yield rig, worker


def open_anew(rig: heard_rig.HeardRig, worker: Worker, round_trip_ms: int) -> None:
    """The next round: its pair is open, without a round trip; what follows has one."""
    rig.gateway.round_trip_ms = 0
    rig.reset()
    rig.want()
    worker._process_running()
    rig.script.wishes.clear()
    assert rig.positions()
    rig.gateway.round_trip_ms = round_trip_ms


def stops(rounds: int, round_trip_ms: int) -> list[float]:
    """From the instant a price is beyond stop_z to the arrival of the first exit, seconds."""
    found: list[float] = []
    with hearing_bot() as (rig, worker):
        # Binance sends each change of a book.
        engine = rig.venue.engine
        engine.stream_terms = engine.stream_terms.model_copy(update={"book_every_ms": 1})
        for _ in range(rounds):
            open_anew(rig, worker, round_trip_ms)
            crossed: list[int] = []

            def cross(crossed: list[int] = crossed) -> None:
                time.sleep(0.3)
                for step in range(12):
                    if step == 4:
                        crossed.append(rig.clock.now_ms())
                    far = Decimal("0.7800") if step >= 4 else Decimal("0.7320")
                    rig.move("ADAUSDT", far + Decimal(step % 2) / 10_000)
                    rig.move("ALGOUSDT", Decimal("0.2110") + Decimal(step % 2) / 10_000)
                    time.sleep(0.05)

            sent = len(rig.posts())
            mover = threading.Thread(target=cross)
            mover.start()
            rig.pause(worker, lambda: not rig.positions())
            mover.join()
            found.append((rig.posts()[sent].received_ms - crossed[0]) / 1000)
    return sorted(found)


def gone(rounds: int, round_trip_ms: int) -> list[float]:
    """From the instant a leg is closed by hand or liquidated at the venue to the mate's exit, seconds."""
    found: list[float] = []
    with hearing_bot() as (rig, worker):
        for number in range(rounds):
            open_anew(rig, worker, round_trip_ms)
            what = ClosePosition(symbol="ADAUSDT") if number % 2 else Liquidate(symbol="ADAUSDT")
            at: list[int] = []

            def end_it(what: ClosePosition | Liquidate = what, at: list[int] = at) -> None:
                at.append(rig.clock.now_ms())
                rig.act(what)

            timer = threading.Timer(0.3, end_it)
            timer.start()
            rig.pause(worker, lambda: not rig.positions(), bound_secs=60.0)
            timer.join()
            found.append((rig.posts("ALGOUSDT")[-1].received_ms - at[0]) / 1000)
    return sorted(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures. Returns 0: how busy the machine is decides."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="*", default=[10, 50])
    parser.add_argument("--rounds", type=int, default=20, help="stops per round trip")
    args = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)
    for round_trip_ms in (0, 50):
        found = stops(args.rounds, round_trip_ms)
        print(
            f"price beyond stop_z to the first exit, r = {round_trip_ms} ms: p50 {median(found):.3f} s, "
            f"longest of {len(found)} {found[-1]:.3f} s",
            flush=True,
        )
    for round_trip_ms in (0, 50, 200):
        found = gone(args.rounds, round_trip_ms)
        print(
            f"leg gone at the venue to the mate's exit, r = {round_trip_ms} ms: p50 {median(found):.3f} s, "
            f"longest of {len(found)} {found[-1]:.3f} s",
            flush=True,
        )
    for pairs in args.pairs:
        for streams in (False, True):
            shown = leaving(pairs, streams=streams)
            print(f"{pairs} pairs leave at once, streams {'on ' if streams else 'off'}: {shown}", flush=True)
    for pairs in args.pairs:
        for streams in (False, True):
            shown = at_rest(pairs, streams=streams)
            print(f"{pairs} pairs at rest, streams {'on ' if streams else 'off'}: {shown}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
