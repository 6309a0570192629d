"""``freqtrade backtesting`` with PairsArb against Freqtrade's own SampleStrategy, whole processes in turn.

Same symbols, same candles, same machine; SampleStrategy comes from Freqtrade's templates as it is. The first
case takes real candles where a datadir is given or found, else simulated ones.

Run: ``python -m benchmarks bench_backtest`` or ``python -m benchmarks.bench_backtest --repeat 7``.
Bound: 1.05 times SampleStrategy in either case.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.market_data import REAL_DATADIR
from benchmarks.processes import FREQTRADE, REPO_ROOT, machine_said, ratios, run_in_turn, spread_of
from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.sources import from_datadir
from pairbot_ext.settings.scan import ScanKnobs
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.launch import ExchangeOptions, open_exchange
from pairbot_ext.sim.market.paths import PlantedPair
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.sim.symbols import load_symbols

FORMATION, STEP, CANDLES = 1440, 168, 5880
MOST_RATIO = 1.05


@dataclass(frozen=True)
class Case:
    """One comparison.

    :param whitelist: what both strategies trade.
    """

    title: str
    datadir: Path
    pairs_file: PairsFile
    whitelist: Sequence[str]


def coins(count: int) -> list[str]:
    """So many coins the simulated venue lists."""
    listed = sorted(spec.base for spec in load_symbols().values())
    return [coin for coin in listed if coin.isascii()][:count]


def planted(names: Sequence[str]) -> list[PlantedPair]:
    """Neighbours are cointegrated."""
    return [
        PlantedPair(a, b, beta=0.8, half_life_candles=6.0, sigma=0.012)
        for a, b in zip(names[::2], names[1::2], strict=True)
    ]


def file_of(epochs: Sequence[Epoch]) -> PairsFile:
    """A pairs file of these epochs."""
    return PairsFile(
        pairs=symbols_of(epochs),
        refresh_period=300,
        generated_at=datetime.now(UTC),
        exchange="binance",
        timeframe="1h",
        scan=Scan(rule="of a benchmark"),
        epochs=tuple(epochs),
    )


def many_epochs(folder: Path, datadir: Path | None) -> Case:
    """28 symbols × 8 months, 27 weekly selections of the usual rule: it selects most."""
    path, origin = datadir or REAL_DATADIR, "real candles"
    if not path.is_dir():
        print(f"{path} is not there: simulated candles take the place of real ones", file=sys.stderr)
        path, origin = folder / "data28", "simulated candles"
        names = coins(28)
        write_synthetic_datadir(path, seed=1, symbols=names, planted=planted(names), candles=CANDLES)
    candles = from_datadir(path, "1h")
    first = min(frame["date"].iloc[0] for frame in candles.frames.values()).to_pydatetime()
    schedule = Schedule("1h", first + FORMATION * timedelta(hours=1), candles.last_close(), FORMATION, STEP)
    knobs = ScanKnobs()
    results = walk_forward(
        candles.frames, schedule.windows(), ScanOptions(Rule.NAIVE, knobs), funding=candles.funding
    )
    epochs = [
        epoch_of(result, knobs.thresholds, result.window.end, result.window.end + schedule.step)
        for result in results
    ]
    pairs_file = file_of(epochs)
    pairs = sum(len(epoch.pairs) for epoch in epochs)
    return Case(
        f"{len(candles.frames)} symbols × 8 months, {len(epochs)} epochs, {pairs} pairs; {origin}",
        path,
        pairs_file,
        pairs_file.pairs,
    )


def many_symbols(folder: Path) -> Case:
    """100 simulated symbols × 8 months, 50 pairs of one selection."""
    path, names = folder / "data100", coins(100)
    written = write_synthetic_datadir(path, seed=2, symbols=names, planted=planted(names), candles=CANDLES)
    valid_from = written.start + FORMATION * timedelta(hours=1)
    epoch = Epoch(
        valid_from=valid_from,
        formation_start=written.start,
        formation_end=valid_from,
        pairs=tuple(
            Pair(
                id=each.pair_id,
                leg_a=f"{each.a}/USDT:USDT",
                leg_b=f"{each.b}/USDT:USDT",
                hedge_ratio=each.beta,
                alpha=written.alpha[each.pair_id],
                sigma=each.sigma,
                half_life_hours=each.half_life_candles,
                adf_p=0.0,
                coint_p=0.0,
                entry_z=2.0,
                exit_z=0.5,
                stop_z=4.0,
            )
            for each in written.planted
        ),
    )
    title = "100 symbols × 8 months, 50 pairs; simulated candles"
    return Case(title, path, file_of([epoch]), written.symbols)


def commands(case: Case, folder: Path, port: int) -> dict[str, list[str]]:
    """What is run, by the strategy's name. The configuration is written to `folder`."""
    folder.mkdir()
    write_pairs_file(folder / "pairs.json", case.pairs_file)
    (folder / "user_data").mkdir()
    settings = {
        "user_data_dir": str(folder / "user_data"),
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {"pair_whitelist": list(case.whitelist)},
        "pairbot": {"pairs_file": str(folder / "pairs.json"), "log": None},
        "cache": "none",
    }
    files = [str(REPO_ROOT / "config.json")]
    for name, content in (("overlay", overlay(port)), ("case", settings)):
        files.append(str(folder / f"{name}.json"))
        Path(files[-1]).write_text(json.dumps(content), encoding="utf-8")
    spec = find_spec("freqtrade")
    assert spec is not None
    assert spec.origin is not None
    paths = {
        "PairsArb": REPO_ROOT / "strategies",
        "SampleStrategy": Path(spec.origin).parent / "templates",
    }
    given = [part for file in files for part in ("-c", file)] + ["--datadir", str(case.datadir)]
    return {
        name: [FREQTRADE, "backtesting", *given, "--strategy", name, "--strategy-path", str(path)]
        for name, path in paths.items()
    }


def main(argv: list[str]) -> int:
    """Print a table per case. Returns 1 where the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args(argv)
    is_within = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exchange = open_exchange(ExchangeOptions(list_all=True))
        server = stack.enter_context(LoopbackServer(exchange))
        for number, case in enumerate((many_epochs(folder, args.datadir), many_symbols(folder))):
            table = Table(title=f"{case.title}; {machine_said()}")
            for name in ("strategy", "processor s", "wall s", "peak MiB", "times SampleStrategy"):
                table.add_column(name, justify="left" if name == "strategy" else "right")
            runs = run_in_turn(commands(case, folder / f"case{number}", server.port), repeat=args.repeat)
            against = ratios(runs["PairsArb"], runs["SampleStrategy"])
            is_within &= median(against) <= MOST_RATIO
            for name, measured in runs.items():
                table.add_row(
                    name,
                    spread_of([run.cpu_secs for run in measured]),
                    spread_of([run.wall_secs for run in measured]),
                    spread_of([run.peak_mib for run in measured], 0),
                    spread_of(against) if name == "PairsArb" else "",
                )
            # Each as it is done: a case takes minutes.
            Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
