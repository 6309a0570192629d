"""Second half of the demo: a real `freqtrade trade` opens and closes pair trades, dry-run and then live.

Live mode here is Freqtrade's own (`dry_run: false`, signed orders through ccxt), with made-up keys, against
the exchange simulated on this machine. What the venue holds in the end is asked of the venue, not of the
bot.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pairbot_ext.demo.process import BotProcess, ExchangeProcess
from pairbot_ext.demo.records import summary_record
from pairbot_ext.demo.steps import Workplace
from pairbot_ext.model.simulated import BOT_NAME, SIMULATED
from pairbot_ext.pairs import PairsFile, load_pairs_file
from pairbot_ext.report.database import load_database
from pairbot_ext.report.pairing import PairSummary, PairTrade, frozen_betas, legs_of, pair_trades, total
from pairbot_ext.support.errors import PairbotError

WANTED_PAIR_TRADES = 2
# Generous: a bot on a busy machine may miss one or two of the minutes in which pairs cross.
_READY_TIMEOUT_SECS = 90.0
_OPEN_TIMEOUT_SECS = 150.0
_CLOSE_TIMEOUT_SECS = 130.0
_CLEAN_EXITS = (0, 130)  # Freqtrade answers SIGINT with 130
_SETTINGS = {
    "bot_name": BOT_NAME,
    "max_open_trades": 8,
    "stake_amount": 500,
    "dry_run_wallet": 10_000,
    "internals": {"process_throttle_secs": 2},
}


@dataclass(frozen=True)
class BotResult:
    """One bot run.

    :param statistics: what the bot itself says at its end.
    :param venue_fills: fills the venue recorded during the run; a dry-run must leave none.
    :param venue_positions: what the venue holds after the run, by symbol; empty is flat.
    :param venue_open_orders: orders resting at the venue after the run.
    :param venue_balance_change: of the venue's wallet over the run, USDT.
    """

    mode: str
    trades: list[PairTrade]
    summary: PairSummary
    statistics: list[str]
    venue_fills: int
    venue_positions: dict[str, Decimal]
    venue_open_orders: int
    venue_balance_change: Decimal

    @property
    def is_sound(self) -> bool:
        """Pair trades done, every leg with its mate, hedged, and the venue flat (untouched by a dry-run)."""
        worst = self.summary.worst_hedge_error
        return (
            len(self.trades) >= WANTED_PAIR_TRADES
            and not self.summary.faults
            and worst is not None
            and worst <= 0.02
            and not self.venue_positions
            and not self.venue_open_orders
            and (self.venue_fills == 0) == (self.mode == "dry-run")
        )

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "note": SIMULATED,
            "mode": self.mode,
            "summary": summary_record(self.summary),
            "statistics": self.statistics,
            "venue": {
                "fills": self.venue_fills,
                "positions": {symbol: str(amount) for symbol, amount in self.venue_positions.items()},
                "open_orders": self.venue_open_orders,
                "balance_change": str(self.venue_balance_change),
            },
        }


def run_bots(console: Console, workplace: Workplace, *, seed: int) -> list[BotResult]:
    """The exchange, then the bot on it in dry-run, then in live mode.

    :raises PairbotError: a process failed or did not get there in time; its log is named.
    """
    workplace.folder.mkdir(parents=True, exist_ok=True)
    console.print("[bold]4. A simulated exchange[/bold] on this machine, and a real bot trading on it")
    results = []
    with ExchangeProcess(workplace, seed=seed) as exchange:
        exchange.control.state()
        pairs_file = load_pairs_file(exchange.pairs)
        console.print(
            f"  {len(pairs_file.pair_ids())} pairs on 1-minute candles; prices follow a script. "
            f"What is not modelled: {workplace.shown(exchange.log)}"
        )
        for mode in ("dry-run", "live"):
            results.append(_run_bot(console, workplace, exchange, pairs_file, mode))
    for result in results:
        console.print()
        console.print(table(result))
        for line in result.statistics:
            console.print(f"  {line}", highlight=False)
        for fault in result.summary.faults:
            console.print(f"  fault: {fault}", style="red")
    console.print(venue_table(results))
    return results


def _run_bot(
    console: Console, workplace: Workplace, exchange: ExchangeProcess, pairs_file: PairsFile, mode: str
) -> BotResult:
    legs, betas = legs_of(pairs_file), frozen_betas(pairs_file)

    def traded() -> list[PairTrade]:
        return pair_trades(load_database(bot.database), legs, betas) if bot.database.is_file() else []

    def opened() -> int:
        return sum(len(trade.legs) >= 2 for trade in traded())

    is_dry = mode == "dry-run"
    before = exchange.control.state()
    fills_before = int(before["fills"])
    settings = _SETTINGS | {"dry_run": is_dry}
    keys = "no order leaves Freqtrade" if is_dry else "orders signed with made-up keys"
    console.print(f"  [bold]{mode}[/bold]: $ freqtrade trade --strategy PairsArb  ({keys})", highlight=False)
    with BotProcess(workplace, exchange, mode, settings) as bot, console.status("") as status:
        status.update(f"{mode}: the bot loads candles ...")
        ready_secs = bot.wait_for("start trading", bot.is_running, _READY_TIMEOUT_SECS)
        status.update(f"{mode}: waiting for {WANTED_PAIR_TRADES} pair trades to open ...")
        open_secs = bot.wait_for(
            f"open {WANTED_PAIR_TRADES} pair trades",
            lambda: opened() >= WANTED_PAIR_TRADES,
            _OPEN_TIMEOUT_SECS,
        )
        bot.stop_entries()
        status.update(f"{mode}: /stopentry; waiting for the open pair trades to close ...")
        close_secs = bot.wait_for(
            "close its pair trades",
            lambda: all(trade.closed is not None for trade in traded()),
            _CLOSE_TIMEOUT_SECS,
        )
        status.update(f"{mode}: stopping the bot ...")
        code = bot.finish()
    if code not in _CLEAN_EXITS:
        raise PairbotError(
            f"The bot ({mode}) ended with exit code {code}", remedy=f"Read {workplace.shown(bot.log)}"
        )
    console.print(
        f"  ready after {ready_secs:.0f} s, opened within {open_secs:.0f} s, "
        f"all closed {close_secs:.0f} s later"
    )
    after = exchange.control.state()
    return BotResult(
        mode=mode,
        trades=traded(),
        summary=total(traded()),
        statistics=bot.final_statistics(),
        venue_fills=int(after["fills"]) - fills_before,
        venue_positions={
            str(position["symbol"]): Decimal(str(position["positionAmt"]))
            for position in after["positions"]
            if Decimal(str(position["positionAmt"]))
        },
        venue_open_orders=len(after["open_orders"]) + len(after["open_algo_orders"]),
        venue_balance_change=_wallet(after) - _wallet(before),
    )


def _wallet(state: dict[str, Any]) -> Decimal:
    return Decimal(str(state["account"]["totalWalletBalance"]))


def table(result: BotResult) -> Table:
    """Every pair trade of one run."""
    drawn = _terminal_table(f"Pair trades of the bot, {result.mode}\n{SIMULATED}")
    drawn.add_column("pair", overflow="fold")
    drawn.add_column("spread", no_wrap=True)
    # Headers of two lines: the whole table fits 80 columns.
    for name in ("opened\nUTC", "held\ns", "naked\ns", "hedge\nerror", "PnL\nUSDT"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("exit", overflow="fold")
    for trade in result.trades:
        held = "" if trade.closed is None else f"{(trade.closed - trade.opened).total_seconds():.0f}"
        error = "" if trade.hedge_error is None else f"{trade.hedge_error:.3%}"
        drawn.add_row(
            trade.pair_id,
            _side(trade),
            f"{trade.opened:%H:%M:%S}",
            held,
            f"{trade.naked_secs(trade.closed):.2f}" if trade.closed else "",
            error,
            f"{trade.profit:.2f}",
            ", ".join(trade.exit_reasons),
        )
    return drawn


def _side(trade: PairTrade) -> str:
    """Short the spread is short leg A and long leg B."""
    is_short = trade.legs_a[0].is_short if trade.legs_a else not trade.legs_b[0].is_short
    return "short" if is_short else "long"


def _terminal_table(title: str) -> Table:
    return Table(
        title=title,
        min_width=max(map(len, title.splitlines())),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )


def venue_table(results: list[BotResult]) -> Table:
    """What the venue itself says after each run."""
    drawn = _terminal_table(f"The venue's own account after each run\n{SIMULATED}")
    drawn.add_column("run", no_wrap=True)
    for name in ("fills", "positions", "open\norders", "wallet change\nUSDT", "the bot says\nUSDT"):
        drawn.add_column(name, justify="right", overflow="fold")
    for result in results:
        held = ", ".join(f"{symbol} {amount}" for symbol, amount in result.venue_positions.items())
        drawn.add_row(
            result.mode,
            str(result.venue_fills),
            held or "flat",
            str(result.venue_open_orders),
            f"{result.venue_balance_change:.4f}",
            f"{result.summary.profit:.4f}",
        )
    return drawn
