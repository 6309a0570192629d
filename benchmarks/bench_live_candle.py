"""What a running bot computes when a candle has come: PairsArb against SampleStrategy, in real bots.

Freqtrade's own bot, unmodified, in front of the simulated venue in this process, which serves hourly candles
under a virtual clock. For each new candle the bot refreshes its candles (not timed), then `bot_loop_start`
and `analyze` run as its loop runs them (timed, processor time). "alpha" is the exponent of the growth.

Run: ``python -m benchmarks bench_live_candle``. Bound: 50 pairs of 100 symbols cost no more than
SampleStrategy on 100 symbols.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from math import log
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

REPO_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO_ROOT / "tests" / "rig"))

import harness  # noqa: E402
from scenario import START  # noqa: E402

from benchmarks.processes import machine_said, spread_of  # noqa: E402
from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file  # noqa: E402
from pairbot_ext.sim.market.synthetic import synthetic_market  # noqa: E402
from pairbot_ext.sim.symbols import load_symbols  # noqa: E402

SYMBOLS, MOST_RATIO = 100, 1.0


@dataclass(frozen=True)
class Case:
    """One bot.

    :param pairs: 0 for SampleStrategy. :param is_frozen: whether the pairs come with a model.
    """

    pairs: int
    symbols: int
    is_frozen: bool = True

    @property
    def title(self) -> str:
        """What it is called in the table."""
        if not self.pairs:
            return f"SampleStrategy, {self.symbols} symbols"
        model = "frozen" if self.is_frozen else "rolling"
        return f"PairsArb, {self.pairs} pairs of {self.symbols} symbols, {model} models"


@dataclass(frozen=True)
class Work:
    """Processor time of each candle, ms."""

    loop_start: list[float]
    analyse: list[float]

    @property
    def total(self) -> list[float]:
        """Both."""
        return [one + other for one, other in zip(self.loop_start, self.analyse, strict=True)]


def pairs_of(coins: list[str], count: int, *, is_frozen: bool) -> tuple[Pair, ...]:
    """So many different pairs, spread evenly over the coins."""
    made: list[Pair] = []
    for distance in range(1, len(coins)):
        # Each second coin with its neighbour first: as many pairs as fit without sharing a coin.
        for first in range(0, len(coins), 2) if distance == 1 else range(len(coins)):
            if len(made) == count:
                return tuple(made)
            a, b = coins[first], coins[(first + distance) % len(coins)]
            model = {"alpha": 0.0, "mu": 0.0, "sigma": 0.2, "half_life_hours": 8.0} if is_frozen else {}
            made.append(
                Pair(
                    id=f"{a}_{b}", leg_a=f"{a}/USDT:USDT", leg_b=f"{b}/USDT:USDT", hedge_ratio=1.0,
                    adf_p=0.01, coint_p=0.01, entry_z=2.0, exit_z=0.5, stop_z=4.0, **model,
                )
            )  # fmt: skip
    return tuple(made)


def options(folder: Path, case: Case, coins: list[str]) -> dict[str, Any]:
    """What the bot's configuration needs beyond the repository's."""
    if not case.pairs:
        spec = find_spec("freqtrade")
        assert spec is not None
        assert spec.origin is not None
        return {"strategy": "SampleStrategy", "strategy_path": str(Path(spec.origin).parent / "templates")}
    end = START.replace(minute=0, second=0) - timedelta(days=1)
    epoch = Epoch(
        valid_from=end,
        formation_start=end - timedelta(hours=1440),
        formation_end=end,
        pairs=pairs_of(coins, case.pairs, is_frozen=case.is_frozen),
    )
    path = folder / "pairs.json"
    made = PairsFile(
        pairs=symbols_of([epoch]),
        refresh_period=300,
        generated_at=end,
        exchange="binance",
        timeframe="1h",
        scan=Scan(rule="of a benchmark"),
        epochs=(epoch,),
    )
    write_pairs_file(path, made)
    return {
        "strategy": "PairsArb",
        "strategy_path": str(REPO_ROOT / "strategies"),
        "pairbot": {"pairs_file": str(path)},
    }


def measure(case: Case, candles: int) -> Work:
    """Let one bot see so many new candles, after two that do not count."""
    listed = sorted(spec.base for spec in load_symbols().values() if spec.base.isascii())
    coins = listed[: case.symbols]
    now_ms = int(START.timestamp() * 1000)
    market = synthetic_market(now_ms, seed=3, start_prices=dict.fromkeys(coins, 1.0), planted=())
    work = Work([], [])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = options(folder, case, coins)
        symbols = tuple(f"{coin}USDT" for coin in coins)
        # The rig looks into the desk of a dry run, and SampleStrategy has none.
        with harness.rig(folder, dry_run=bool(case.pairs), symbols=symbols, market=market, **more) as rig:
            rig.gateway.limits.enforced = False
            bot = rig.bot
            whitelist = bot._refresh_active_whitelist([])
            for number in range(candles + 2):
                rig.next_candle()
                informative = bot.strategy.gather_informative_pairs()
                bot.dataprovider.refresh(bot.pairlists.create_pair_list(whitelist), informative)
                begin = time.process_time()
                bot.strategy.bot_loop_start(current_time=datetime.now(UTC))
                middle = time.process_time()
                bot.strategy.analyze(whitelist)
                end = time.process_time()
                if number > 1:
                    work.loop_start.append(1000 * (middle - begin))
                    work.analyse.append(1000 * (end - middle))
    return work


def exponent(first: tuple[int, float], second: tuple[int, float]) -> float:
    """Of pairs in ms: 1 is linear."""
    return log(second[1] / first[1]) / log(second[0] / first[0])


def main(argv: list[str]) -> int:
    """Print the table. Returns 1 where the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candles", type=int, default=9, help="new candles per bot (default: 9)")
    args = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    cases = [
        Case(0, SYMBOLS),
        Case(10, 20),
        Case(50, SYMBOLS),
        Case(200, SYMBOLS),
        Case(50, SYMBOLS, is_frozen=False),
    ]
    found = {}
    for case in cases:
        found[case] = measure(case, args.candles)
        print(f"{case.title}: {median(found[case].total):.1f} ms", file=sys.stderr, flush=True)
    plain = median(found[cases[0]].total)
    table = Table(title=machine_said())
    for heading in ("bot", "loop start ms", "analyse ms", "ms per pair", "times SampleStrategy"):
        table.add_column(heading, justify="left" if heading == "bot" else "right")
    for case, work in found.items():
        table.add_row(
            case.title,
            spread_of(work.loop_start, 1),
            spread_of(work.analyse, 1),
            f"{median(work.total) / case.pairs:.2f}" if case.pairs else "",
            f"{median(work.total) / plain:.2f}" if case.pairs else "",
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    few, some, many = ((case.pairs, median(found[case].total)) for case in cases[1:4])
    print(
        f"growth with pairs: alpha {exponent(few, some):.2f} from {few[0]} to {some[0]} pairs, "
        f"{exponent(some, many):.2f} from {some[0]} to {many[0]} on the same symbols"
    )
    return 0 if some[1] <= MOST_RATIO * plain else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
