"""``freqtrade hyperopt`` of PairsArb against Freqtrade's own SampleStrategy, whole processes in turn.

10 pairs of 20 symbols × 8 months, one process each: the same symbols and candles, spaces buy and sell, the
same number of epochs. Two cases: pairs with a rolling model, where windows are tuned too, and frozen models
of weekly epochs. Real candles where they are found, else simulated ones.

Run: ``python -m benchmarks bench_hyperopt`` or ``python -m benchmarks.bench_hyperopt --epochs 100``.
Bound: 1.3 times SampleStrategy's processor time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.bench_backtest import CANDLES, FORMATION, Case, coins, commands, file_of, planted
from benchmarks.market_data import REAL_DATADIR
from benchmarks.processes import REPO_ROOT, machine_said, ratios, run_in_turn, spread_of
from pairbot_ext.pairs import Epoch, Pair
from pairbot_ext.scan.sources import from_datadir
from pairbot_ext.sim.datadir import write_synthetic_datadir
from pairbot_ext.sim.launch import ExchangeOptions, open_exchange
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.stats import fit_spread_model, half_life, spread

MOST_RATIO = 1.3
PAIRS, STEP = 10, 168
HOUR = timedelta(hours=1)
LOSSES = {"PairsArb": "PairsHyperOptLoss", "SampleStrategy": "SharpeHyperOptLoss"}


def cases(folder: Path, datadir: Path | None) -> list[Case]:
    """Rolling and frozen models of the same 10 pairs."""
    path, origin = datadir or REAL_DATADIR, "real candles"
    if not path.is_dir():
        path, origin, names = folder / "data", "simulated candles", coins(2 * PAIRS)
        write_synthetic_datadir(path, seed=1, symbols=names, planted=planted(names), candles=CANDLES)
    # Epochs of a benchmark are no trials: they are not counted beside anybody's data.
    (linked := folder / "linked").mkdir()
    (linked / "futures").symlink_to(path / "futures")
    path = linked
    frames = from_datadir(path, "1h").frames
    names = sorted(frames)[: 2 * PAIRS]
    closes = {name: np.log(frames[name]["close"].to_numpy(np.float64)) for name in names}
    start = frames[names[0]]["date"].iloc[0].to_pydatetime()
    size = min(each.size for each in closes.values())

    def pairs(end: int | None) -> tuple[Pair, ...]:
        made = []
        for a, b in zip(names[::2], names[1::2], strict=True):
            model = {"hedge_ratio": 1.0}
            if end is not None:
                part = slice(end - FORMATION, end)
                fitted = fit_spread_model(closes[a][part], closes[b][part])
                if fitted.beta <= 0:
                    continue
                back = half_life(spread(closes[a][part], closes[b][part], fitted)).candles
                model = {"hedge_ratio": fitted.beta, "alpha": fitted.alpha, "sigma": fitted.sigma}
                model |= {"half_life_hours": back} if np.isfinite(back) and back > 0 else {}
            made.append(
                Pair(
                    id=f"{a.split('/')[0]}_{b.split('/')[0]}", leg_a=a, leg_b=b, adf_p=0.5, coint_p=0.5,
                    entry_z=2.0, exit_z=0.5, stop_z=4.0, **model,
                )
            )  # fmt: skip
        return tuple(made)

    def epoch(begin: int, end: int | None, chosen: tuple[Pair, ...]) -> Epoch:
        return Epoch(
            valid_from=start + begin * HOUR,
            valid_to=None if end is None else start + end * HOUR,
            formation_start=start + (begin - FORMATION) * HOUR,
            formation_end=start + begin * HOUR,
            pairs=chosen,
        )

    rolling = file_of([epoch(FORMATION, None, pairs(None))])
    frozen = file_of([epoch(row, row + STEP, pairs(row)) for row in range(FORMATION, size - 1, STEP)])
    return [
        Case(f"{PAIRS} pairs, {size} candles, rolling models; {origin}", path, rolling, rolling.pairs),
        Case(f"the same pairs, {len(frozen.epochs)} frozen epochs; {origin}", path, frozen, rolling.pairs),
    ]


def hyperopts(case: Case, folder: Path, port: int, epochs: int, jobs: int) -> dict[str, Sequence[str]]:
    """What is run, by the strategy's name."""
    found: dict[str, Sequence[str]] = {}
    for name, command in commands(case, folder, port).items():
        changed = ["hyperopt" if part == "backtesting" else part for part in command]
        found[name] = [
            *changed, "--spaces", "buy", "sell", "--hyperopt-loss", LOSSES[name], "--epochs", str(epochs),
            "-j", str(jobs), "--random-state", "7", "--disable-param-export", "--min-trades", "1",
            "--hyperopt-path", str(REPO_ROOT / "user_data" / "hyperopts"),
        ]  # fmt: skip
    return found


def main(argv: list[str]) -> int:
    """Print a table per case. Returns 1 where the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1, help="processes of each hyperopt")
    parser.add_argument("--repeat", type=int, default=1, help="rounds")
    args = parser.parse_args(argv)
    is_within = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        exchange = open_exchange(ExchangeOptions(list_all=True))
        server = stack.enter_context(LoopbackServer(exchange))
        for number, case in enumerate(cases(folder, args.datadir)):
            title = f"hyperopt, {args.epochs} epochs, {args.jobs} process: {case.title}; {machine_said()}"
            table = Table(title=title)
            for name in (
                "strategy",
                "processor s",
                "of them per epoch",
                "wall s",
                "times SampleStrategy",
            ):
                table.add_column(name, justify="left" if name == "strategy" else "right")
            commanded = hyperopts(case, folder / f"case{number}", server.port, args.epochs, args.jobs)
            runs = run_in_turn(commanded, repeat=args.repeat, warm_up=False)
            against = ratios(runs["PairsArb"], runs["SampleStrategy"])
            is_within &= median(against) <= MOST_RATIO
            for name, measured in runs.items():
                table.add_row(
                    name,
                    spread_of([run.cpu_secs for run in measured]),
                    spread_of([run.cpu_secs / args.epochs for run in measured]),
                    spread_of([run.wall_secs for run in measured]),
                    spread_of(against) if name == "PairsArb" else "",
                )
            # Each as it is done: a case takes minutes.
            Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
