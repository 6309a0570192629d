"""Soak: one bot, twenty pairs, weeks in half an hour. Memory, threads, sockets, database, time of a loop.

The alternative in the same run is the bot's own second tenth: nothing may grow with what it has been through.
A processor that is shared does not give the same work in every second, so a loop is timed in units of a fixed
piece of work done beside it. The real Freqtrade trades on the simulated exchange in virtual time; half of the
pairs open and half close on every candle, the pairs file is renewed every week, and every so many candles
the bot is reloaded, as /reload_config does. The venue's own history, which a bot has not in its process, is
cut as it goes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from freqtrade.persistence import Trade
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pairbot_ext.host.person import give
from pairbot_ext.journal.tables import PairTradeRow
from pairbot_ext.model.commands import Command
from pairbot_ext.pairs import Pair, write_pairs_file
from pairbot_ext.rehearse.caught import caught
from pairbot_ext.rehearse.clock import VirtualTime
from pairbot_ext.rehearse.drill import quiet
from pairbot_ext.rehearse.machine import Machine
from pairbot_ext.rehearse.market import RehearsalMarket
from pairbot_ext.rehearse.setup import DATABASE, START, Setup, bot_configuration, write_pairs
from pairbot_ext.rehearse.trouble import impatient_sqlite
from pairbot_ext.rehearse.verdict import books_disagree
from pairbot_ext.sim.market.books import BookShape
from pairbot_ext.sim.symbols import load_symbols
from pairbot_ext.sim.venue.engine import VenueOptions

PAIRS, TENTHS, GROWTH_PERCENT = 20, 10, 5
RELOAD_CANDLES, RENEWAL_CANDLES = 50, 168
STALLED_CANDLES = 12
STAKE, WALLET = 100.0, 100_000.0
KEPT = 400
"""Orders, fills and bookings that the venue still shows."""
MIB = 2**20


@dataclass(frozen=True)
class Mark:
    """One tenth.

    :param resident_mib: of the process. :param held_mib: of that, what Python's allocator has given out and
        not got back; the rest is C's, code, and room that both allocators keep.
    :param loop_ms, yardstick_ms: medians of its loops and of the fixed work, processor time.
    """

    pair_trades: int
    resident_mib: float
    held_mib: float
    objects: int
    threads: int
    sockets: int
    files: int
    database_kib: float
    loop_ms: float
    yardstick_ms: float

    @property
    def loop(self) -> float:
        """Of a loop, in units of the fixed work."""
        return self.loop_ms / self.yardstick_ms


def soaked_setup(count: int) -> Setup:
    """The committed configuration with so many pairs of coins that nobody trades."""
    raw = json.loads(Path("config.json").read_text(encoding="utf-8"))
    raw |= {
        "stake_amount": STAKE, "max_open_trades": 2 * count, "dry_run_wallet": WALLET,
        "strategy": "PairsArb", "strategy_path": str(Path("strategies").absolute()), "timeframe": "1h",
    }  # fmt: skip
    risk = {**raw["pairbot"].get("risk", {}), "max_pairs": count}
    raw["pairbot"] = {**raw["pairbot"], "leverage": 2, "streams": True, "risk": risk}
    coins = [symbol.removesuffix("USDT") for symbol in list(load_symbols())[: 2 * count]]
    pairs = tuple(
        Pair(
            id=f"{coin_a}_{coin_b}", leg_a=f"{coin_a}/USDT:USDT", leg_b=f"{coin_b}/USDT:USDT",
            hedge_ratio=1.0, alpha=0.0, mu=0.0, sigma=0.01, half_life_hours=9.0,
            adf_p=0.001, coint_p=0.002, entry_z=2.0, exit_z=0.3, stop_z=4.0,
        )
        for coin_a, coin_b in zip(coins[::2], coins[1::2], strict=True)
    )  # fmt: skip
    prices = {f"{coin}USDT": 1.0 + number / 10 for number, coin in enumerate(coins)}
    return Setup(raw, pairs, prices, WALLET, ())


class Soak(Machine):
    """The bot, and what is put through it."""

    def __init__(self, directory: Path, clock: VirtualTime, setup: Setup) -> None:
        self.setup = setup
        legs = [setup.legs(pair) for pair in setup.pairs]
        market = RehearsalMarket(
            legs, setup.prices, timeframe=setup.timeframe, start_ms=int(START.timestamp() * 1000), seed=1,
            signs={each.pair_id: 1 for each in legs}, shape=BookShape(top_notional=50_000.0),
        )  # fmt: skip
        super().__init__(
            directory, clock, market, options=VenueOptions(deposit=Decimal(int(WALLET))), round_trip_ms=40
        )
        self.pairs_path = directory / "pairs.json"
        (directory / "user_data").mkdir(parents=True)
        self.document = write_pairs(setup, setup.pairs, self.pairs_path)
        self._yardstick = self.document.model_dump(mode="json")
        self.loops_ms: list[float] = []
        self.yardsticks_ms: list[float] = []
        self.candles = 0
        self._progress = 0, 0
        self._random = random.Random(1)
        self._latest: list[str] = []

    def raw_configuration(self) -> dict[str, Any]:
        return bot_configuration(self.setup, self.directory, self.pairs_path, self.document.pairs)

    def candle(self) -> None:
        """Half of the pairs stand out, half have come back; three loops."""
        self.candles += 1
        for number, pair in enumerate(self.setup.pairs):
            legs = self.market.pairs[pair.id]
            # A leg that stood still for weeks would have no relation to judge.
            self.market.move(legs.leg_b, self._random.gauss(0.0, 0.3), self.clock.now_ms())
            sign = 1 if (self.candles // 2 + number) % 2 else -1
            is_out = (self.candles + number) % 2 == 0
            self.market.put_z(pair.id, sign * legs.signal_z if is_out else 0.0, self.clock.now_ms())
        self.next_candle()
        for _ in range(3):
            self.loops_ms.append(processor_ms(self.work))
            self.yardsticks_ms.append(processor_ms(self._fixed_work))
        if self.candles % RENEWAL_CANDLES == 0:
            self._renew_pairs()
        if self.candles % RELOAD_CANDLES == 0:
            give(self.bot, Command.RELOAD_CONFIG, None, self.start)
        self._cut_the_venues_history()

    def _fixed_work(self) -> None:
        for _ in range(20):
            json.loads(json.dumps(self._yardstick))

    def _renew_pairs(self) -> None:
        """The same pairs, found again this week."""
        now = datetime.fromtimestamp(self.clock.now_ms() // 3_600_000 * 3600, UTC)
        (old,) = self.document.epochs
        formation = old.formation_end - old.formation_start
        epoch = old.model_copy(
            update={"valid_from": now, "formation_start": now - formation, "formation_end": now}
        )
        renewed = self.document.model_copy(update={"generated_at": now, "epochs": (epoch,)})
        write_pairs_file(self.pairs_path, renewed)

    def _cut_the_venues_history(self) -> None:
        engine = self.venue.engine
        self.gateway.log.requests.clear()
        self._latest = [*self._latest, *(str(each) for each in self.told)][-20:]
        self.told.clear()
        self.messages.clear()
        del engine.fills[:-KEPT], engine.account.income[:-KEPT]
        for order in list(engine.orders.values())[:-KEPT]:
            if order.order_id not in engine.open_orders:
                engine.forget(order)

    def judge_progress(self) -> None:
        """Pairs are opened and closed on every candle. Raises SystemExit where they are not any more."""
        ended, (before, at_candle) = self.ended_pair_trades(), self._progress
        if ended > before:
            self._progress = ended, self.candles
        elif self.candles - at_candle >= STALLED_CANDLES:
            raise SystemExit(
                f"soak: {ended} pair trades, and none for {STALLED_CANDLES} candles: {self._latest}"
            )

    def take_mark(self) -> Mark:
        """What the bot holds; nothing of its history is read for it, which would be held, too."""
        gc.collect()
        process = psutil.Process()
        loops_ms, self.loops_ms = self.loops_ms, []
        yardsticks_ms, self.yardsticks_ms = self.yardsticks_ms, []
        mark = Mark(
            pair_trades=self.ended_pair_trades(),
            resident_mib=process.memory_info().rss / MIB,
            held_mib=held_bytes() / MIB,
            objects=len(gc.get_objects()),
            threads=threading.active_count(),
            sockets=len(process.net_connections()),
            files=process.num_fds(),
            database_kib=(self.directory / DATABASE).stat().st_size / 1024,
            loop_ms=median(loops_ms),
            yardstick_ms=median(yardsticks_ms),
        )
        if wrong := list(books_disagree(self, {})):
            raise SystemExit(f"soak: after {mark.pair_trades} pair trades: {wrong}")
        return mark

    def ended_pair_trades(self) -> int:
        """So many have been opened and closed."""
        ended = select(func.count()).where(PairTradeRow.closed_ms.is_not(None))
        with Session(Trade.session.get_bind()) as session:
            return session.scalars(ended).one()


def held_bytes() -> int:
    """What Python's allocator has handed out. Raises LookupError where this Python does not say it."""
    with tempfile.TemporaryFile() as file:
        stderr = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            sys._debugmallocstats()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        file.seek(0)
        said = re.search(rb"# bytes in allocated blocks\s+=\s+([\d,]+)", file.read())
    if said is None:
        raise LookupError("sys._debugmallocstats names no allocated blocks")
    return int(said[1].replace(b",", b""))


def processor_ms(work: Callable[[], None]) -> float:
    """Of one call."""
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def soak(pair_trades: int) -> list[Mark]:
    """Until so many pair trades have ended; a mark at each tenth."""
    marks: list[Mark] = []
    faults: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="pairbot-soak-") as folder,
        quiet(),
        impatient_sqlite(),
        caught(faults),
    ):
        clock = VirtualTime(START)
        with clock.running():
            machine = Soak(Path(folder) / "bot", clock, soaked_setup(PAIRS))
            machine.start()
            try:
                while len(marks) < TENTHS:
                    wanted = pair_trades * (len(marks) + 1) // TENTHS
                    while machine.ended_pair_trades() < wanted:
                        machine.candle()
                        machine.judge_progress()
                    if faults:
                        raise SystemExit(f"soak: {faults}")
                    marks.append(machine.take_mark())
                    print(marks[-1], flush=True)
            finally:
                machine.stop()
                machine.kill()
    return marks


def main(argv: list[str]) -> int:
    """Returns 1 where something grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pair-trades", type=int, default=5_000)
    args = parser.parse_args(argv)
    if args.pair_trades < TENTHS * PAIRS:
        parser.error(f"--pair-trades must be at least {TENTHS * PAIRS}: each tenth holds one of every pair")
    before = threading.active_count()
    began, cpu = time.perf_counter(), time.process_time()
    marks = soak(args.pair_trades)
    first, last = marks[1], marks[-1]
    memory = 100 * (last.resident_mib / first.resident_mib - 1)
    held = 100 * (last.held_mib / first.held_mib - 1)
    objects = 100 * (last.objects / first.objects - 1)
    loop = 100 * (last.loop / first.loop - 1)
    each_kib = (last.database_kib - first.database_kib) / max(last.pair_trades - first.pair_trades, 1)
    threads, sockets = threading.active_count() - before, len(psutil.Process(os.getpid()).net_connections())
    took, busy = time.perf_counter() - began, time.process_time() - cpu
    print(f"{last.pair_trades} pair trades in {took:.0f} s ({busy:.0f} s of processor time): "
          f"memory {memory:+.1f} %, held by Python's allocator {held:+.1f} %, objects {objects:+.2f} %, "
          f"loop {loop:+.1f} % since the second tenth "
          f"(at most {GROWTH_PERCENT} % each), database {each_kib:.2f} KiB a pair trade, "
          f"{threads} threads and {sockets} sockets left"
    )  # fmt: skip
    return int(memory > GROWTH_PERCENT or loop > GROWTH_PERCENT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
