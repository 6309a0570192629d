"""`pairbot demo`: the whole product on a simulated market."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from pairbot_ext.support.exitcode import ExitCode

DEFAULT_SEED = 20260201


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "demo",
        help="the whole product on a simulated market: no account, no key, no network",
        description="Simulated market with planted mean reversion: candles are generated, pairs found and "
        "traded. The PnL means nothing; the demo shows that both legs open, stay hedged and close together.",
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help=f"of the market (default: {DEFAULT_SEED})"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="where to write (default: user_data/demo); replaced on each run",
    )
    parser.add_argument(
        "--part",
        choices=("all", "backtest", "bot"),
        default="all",
        help="backtest: generated candles, scan and backtest; bot: a real bot on the simulated exchange",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON, progress on stderr")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the demo; returns 1 where a leg was alone or a step showed a fault."""
    # Imported here: `pairbot --help` should not load Freqtrade.
    from rich.console import Console

    from pairbot_ext.demo.backtest import run_backtest
    from pairbot_ext.demo.bot import run_bots
    from pairbot_ext.demo.process import ended_by_sigterm
    from pairbot_ext.demo.steps import find_workplace
    from pairbot_ext.model.simulated import SIMULATED

    console = Console(stderr=args.json)
    workplace = find_workplace(args.folder)
    began = time.monotonic()
    console.print(f"[bold]pairbot demo[/bold]  {SIMULATED}")
    found: dict[str, object] = {"note": SIMULATED}
    is_sound = True
    if args.part != "bot":
        backtest = run_backtest(console, workplace, seed=args.seed)
        found["backtest"] = backtest.as_json()
        is_sound &= backtest.is_sound
    if args.part != "backtest":
        with ended_by_sigterm():
            bots = run_bots(console, workplace, seed=args.seed)
        found["bot"] = [result.as_json() for result in bots]
        is_sound &= all(result.is_sound for result in bots)
    if args.json:
        print(json.dumps(found, indent=1))
    console.print(f"Done in {time.monotonic() - began:.0f} s. {SIMULATED}")
    if not is_sound:
        console.print("Something above is not as it should be: see the faults and tables.", style="red")
    return ExitCode.OK if is_sound else ExitCode.PROBLEM
