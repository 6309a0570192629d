"""The simulator of `pairbot_ext.research` against ``freqtrade backtesting``, the same work.

28 symbols × 8 months, 27 weekly epochs of the usual rule (`bench_backtest`). Freqtrade is a whole process, as
a user starts it. The simulator is measured twice: with everything it needs once (candles read from disk,
signals, trades), and as a study uses it, on candles that are read already. Both must make the same trades.

Run: ``python -m benchmarks bench_simulator`` or ``python -m benchmarks.bench_simulator --repeat 5``.
Bound: 200 times on candles that are read already.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.bench_backtest import Case, commands, many_epochs
from benchmarks.processes import machine_said, run_in_turn, spread_of
from pairbot_ext.report.sources import open_source
from pairbot_ext.research.account import Terms
from pairbot_ext.research.contracts import Contract, contracts_of
from pairbot_ext.research.market import Market, load_market
from pairbot_ext.research.outcome import Outcome
from pairbot_ext.research.simulator import Simulation, book_of
from pairbot_ext.settings import parse_settings
from pairbot_ext.sim.launch import ExchangeOptions, open_exchange
from pairbot_ext.sim.overlay import overlay
from pairbot_ext.sim.server import LoopbackServer
from pairbot_ext.startup.checks import required_startup_candles

LEAST_RATIO = 200.0
SAME = ["pair", "enter_tag", "open_date", "close_date", "is_short", "exit_reason", "amount"]


def contracts(port: int, case: Case) -> dict[str, Contract]:
    """As Freqtrade's exchange object holds them on the simulated market list."""
    from freqtrade.resolvers import ExchangeResolver

    config = {
        "dry_run": True, "runmode": "backtest", "trading_mode": "futures", "margin_mode": "isolated",
        "stake_currency": "USDT", "exchange": {"name": "binance", "pair_whitelist": list(case.whitelist)},
        "candle_type_def": "futures", "entry_pricing": {"use_order_book": True, "price_side": "other"},
        "exit_pricing": {"use_order_book": True, "price_side": "other"},
    }  # fmt: skip
    loopback = overlay(port)["exchange"]
    exchange = ExchangeResolver.load_exchange(
        {**config, "exchange": {**config["exchange"], **loopback}}, load_leverage_tiers=True
    )
    return contracts_of(exchange, case.whitelist)


def timed(work: Callable[[], object], repeat: int) -> list[float]:
    """Processor seconds of each round."""
    measured = []
    for _ in range(repeat):
        begin = time.process_time()
        work()
        measured.append(time.process_time() - begin)
    return measured


def main(argv: list[str]) -> int:
    """Print the table. Returns 1 where the bound is missed or a trade differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args(argv)
    settings = parse_settings({})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(LoopbackServer(open_exchange(ExchangeOptions(list_all=True))))
        case = many_epochs(folder, args.datadir)
        startup = required_startup_candles(case.pairs_file, settings, "1h")
        rules, terms = contracts(server.port, case), Terms(tuple(case.whitelist))

        def load() -> Market:
            return load_market(case.datadir, case.whitelist, "1h", settings, startup)

        def trade(market: Market) -> Outcome:
            book = book_of(market, case.pairs_file, settings)
            return Simulation(market, book, settings, terms, rules, startup).run()

        command = commands(case, folder / "case", server.port)["PairsArb"]
        runs = run_in_turn({"freqtrade": command}, repeat=args.repeat)["freqtrade"]
        theirs = pd.DataFrame(open_source(str(folder / "case/user_data/backtest_results"), None).rows)
        market = load()
        outcome = trade(market)
        whole, read = (
            timed(lambda: trade(load()), args.repeat),
            # Another object: nothing that was found out about the market before.
            timed(lambda: trade(replace(market)), 10 * args.repeat),
        )
    is_same = in_order(theirs) == in_order(outcome.trades)
    ratio = median(run.cpu_secs for run in runs) / median(read)
    table = Table(title=f"{case.title}; {len(outcome.pair_trades)} pair trades; {machine_said()}")
    for name in ("", "processor s", "times"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row("freqtrade backtesting", spread_of([run.cpu_secs for run in runs]), "1")
    table.add_row(
        "simulator, candles read from disk", spread_of(whole), f"{ratio * median(read) / median(whole):.1f}"
    )
    table.add_row("simulator, candles read already", spread_of(read, 3), f"{ratio:.0f}")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    print(json.dumps({"same_trades": is_same, "ratio": round(ratio, 1), "bound": LEAST_RATIO}))
    return 0 if is_same and ratio >= LEAST_RATIO else 1


def in_order(trades: pd.DataFrame) -> list[list[str]]:
    """What must be the same, as text."""
    dated = trades.assign(
        open_date=pd.to_datetime(trades["open_date"], utc=True),
        close_date=pd.to_datetime(trades["close_date"], utc=True),
        amount=trades["amount"].round(9),
        is_short=trades["is_short"].astype(bool),
    )
    rows = dated.sort_values(["open_date", "pair"])[SAME].astype(str).to_numpy().tolist()
    return [[str(cell) for cell in row] for row in rows]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
