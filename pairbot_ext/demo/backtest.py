"""First half of the demo: synthetic candles, scan, backtest with Freqtrade, table and picture."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pairbot_ext.demo import BOT_NAME, SIMULATED
from pairbot_ext.demo.records import summary_record
from pairbot_ext.demo.steps import Workplace, run_step
from pairbot_ext.errors import PairbotError
from pairbot_ext.pairs import PairsFile, load_pairs_file
from pairbot_ext.report.pair_trades import (
    PairSummary,
    PairTrade,
    frozen_betas,
    legs_of,
    load_export,
    pair_trades,
    summarize,
    total,
)
from pairbot_ext.sim.datadir import SyntheticDatadir, write_synthetic_datadir

FORMATION_CANDLES = 1440
# Candles before the formation window, so that the strategy's own start-up does not eat the first traded week.
LEAD_CANDLES = 240
TRADED_CANDLES = 2160
_START = datetime(2025, 1, 1, tzinfo=UTC)
_STEP_TIMEOUT_SECS = 240.0
_WRITTEN = (
    "data",
    "backtest",
    "pairs.json",
    "pairs.json.overlay.json",
    "backtest.json",
    "pair.png",
    "pair.html",
    "report.json",
)


@dataclass(frozen=True)
class BacktestResult:
    """What the first half found.

    :param summaries: one line per pair; `all_pairs` their total.
    :param pictured: id of the pair in the pictures, None where no pair traded.
    """

    pairs_file: PairsFile
    trades: list[PairTrade]
    summaries: list[PairSummary]
    all_pairs: PairSummary
    pictured: str | None
    pictures: tuple[Path, ...]

    @property
    def is_sound(self) -> bool:
        """Whether pairs traded, every leg had its mate, and no leg was ever alone."""
        return bool(self.trades) and not self.all_pairs.faults and self.all_pairs.naked_leg_hours == 0

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "note": SIMULATED,
            "pairs": [summary_record(summary) for summary in self.summaries],
            "all": summary_record(self.all_pairs),
            "picture": [str(path) for path in self.pictures],
        }


def run_backtest(console: Console, workplace: Workplace, *, seed: int) -> BacktestResult:
    """Data, scan, backtest, report. Everything earlier in the demo's folder is replaced.

    :raises PairbotError: a step failed; its log is named.
    """
    folder = workplace.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in _WRITTEN:
        stale = folder / name
        if stale.is_dir():
            shutil.rmtree(stale)
        else:
            stale.unlink(missing_ok=True)
    # Freqtrade takes a directory that does not exist yet for a file name.
    (folder / "backtest").mkdir()

    console.print(f"[bold]1. A market[/bold] with planted pairs, seed {seed}")
    datadir = write_synthetic_datadir(
        folder / "data",
        seed=seed,
        start=_START - timedelta(hours=LEAD_CANDLES),
        candles=LEAD_CANDLES + FORMATION_CANDLES + TRADED_CANDLES,
    )
    planted = ", ".join(pair.pair_id for pair in datadir.planted)
    console.print(f"  {len(datadir.symbols)} symbols, {len(datadir.planted)} planted pairs: {planted}")

    traded_from = _START + timedelta(hours=FORMATION_CANDLES)
    pairs_path = folder / "pairs.json"
    console.print(
        f"[bold]2. Scan[/bold] of the {FORMATION_CANDLES} candles before {traded_from:%Y-%m-%d %H:%M}"
    )
    secs = run_step(
        console,
        workplace,
        "scan",
        [
            "scan", "--datadir", workplace.shown(datadir.path), "--timeframe", "1h",
            "--formation", str(FORMATION_CANDLES), "--end", traded_from.isoformat(), "--rule", "naive",
            "--out", workplace.shown(pairs_path),
        ],
        timeout_secs=_STEP_TIMEOUT_SECS,
    )  # fmt: skip
    pairs_file = load_pairs_file(pairs_path)
    console.print(f"  {secs:.0f} s. {_found(pairs_file, datadir)}")

    console.print("[bold]3. Backtest[/bold] with Freqtrade on the candles after it")
    mark = folder / "backtest.json"
    mark.write_text(json.dumps({"bot_name": BOT_NAME}) + "\n", encoding="utf-8")
    secs = run_step(
        console,
        workplace,
        "backtest",
        [
            "offline", "--", "backtesting", "--strategy", "PairsArb", "-c", "config.json",
            "-c", workplace.shown(folder / "pairs.json.overlay.json"), "-c", workplace.shown(mark),
            "--datadir", workplace.shown(datadir.path),
            "--timerange", f"{traded_from:%Y%m%d}-{datadir.end:%Y%m%d}",
            "--export", "trades", "--backtest-directory", workplace.shown(folder / "backtest"),
        ],
        timeout_secs=_STEP_TIMEOUT_SECS,
    )  # fmt: skip
    console.print(f"  {secs:.0f} s. Freqtrade's own report is in {workplace.shown(folder / 'backtest.log')}")
    return _report(console, workplace, pairs_file, datadir)


def _found(pairs_file: PairsFile, datadir: SyntheticDatadir) -> str:
    """How the selection compares with what was planted."""
    planted = {frozenset((pair.a, pair.b)) for pair in datadir.planted}
    root = {coin: coin for pair in datadir.planted for coin in (pair.a, pair.b)}
    for pair in datadir.planted:
        root = {coin: root[pair.b] if at == root[pair.a] else at for coin, at in root.items()}
    hits = implied = chance = 0
    for epoch in pairs_file.epochs:
        for selected in epoch.pairs:
            a, b = (symbol.partition("/")[0] for symbol in selected.symbols)
            if frozenset((a, b)) in planted:
                hits += 1
            elif a in root and b in root and root[a] == root[b]:
                implied += 1
            else:
                chance += 1
    return (
        f"{hits + implied + chance} pairs selected: {hits} of the {len(planted)} planted ones, {implied} of "
        f"coins tied to each other through planted pairs, {chance} by chance"
    )


def _report(
    console: Console, workplace: Workplace, pairs_file: PairsFile, datadir: SyntheticDatadir
) -> BacktestResult:
    folder = workplace.folder
    trades = pair_trades(load_export(folder / "backtest"), legs_of(pairs_file), frozen_betas(pairs_file))
    if not trades:
        raise PairbotError(
            "The backtest made no pair trade", remedy=f"Read {workplace.shown(folder / 'backtest.log')}"
        )
    summaries = summarize(trades, order=pairs_file.pair_ids())
    pictured = max(summaries, key=lambda summary: summary.pair_trades).pair_id
    result = BacktestResult(
        pairs_file=pairs_file,
        trades=trades,
        summaries=summaries,
        all_pairs=total(trades),
        pictured=pictured,
        pictures=_pictures(folder, pairs_file, datadir, trades, pictured),
    )
    (folder / "report.json").write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    console.print()
    console.print(table(result))
    for fault in result.all_pairs.faults:
        console.print(f"  fault: {fault}", style="red")
    console.print(f"  Picture of {pictured}: {', '.join(workplace.shown(path) for path in result.pictures)}")
    return result


def table(result: BacktestResult) -> Table:
    """Pair trades, PnL per pair, worst hedge error, naked leg-hours."""
    drawn = Table(title=f"Pair trades of the backtest\n{SIMULATED}", caption=SIMULATED)
    drawn.add_column("pair", no_wrap=True)
    for name in ("pair trades", "won", "PnL USDT", "of it funding", "worst hedge error", "naked leg-hours"):
        drawn.add_column(name, justify="right")
    for summary in (*result.summaries, result.all_pairs):
        worst = "" if summary.worst_hedge_error is None else f"{summary.worst_hedge_error:.2%}"
        if summary is result.all_pairs:
            drawn.add_section()
        drawn.add_row(
            summary.pair_id,
            str(summary.pair_trades),
            str(summary.wins),
            f"{summary.profit:.2f}",
            f"{summary.funding:.2f}",
            worst,
            f"{summary.naked_leg_hours:g}",
        )
    return drawn


def _pictures(
    folder: Path, pairs_file: PairsFile, datadir: SyntheticDatadir, trades: list[PairTrade], pair_id: str
) -> tuple[Path, ...]:
    from freqtrade.data.history import load_pair_history
    from freqtrade.enums import CandleType

    from pairbot_ext.report.plots import plot_pair

    pair = next(pair for epoch in pairs_file.epochs for pair in epoch.pairs if pair.id == pair_id)
    frames = {
        symbol: load_pair_history(symbol, "1h", datadir.path, candle_type=CandleType.FUTURES)
        for symbol in pair.symbols
    }
    # A month shows single trades; all three are a hedgehog.
    first = min(trade.opened for trade in trades)
    png, html = folder / "pair.png", folder / "pair.html"
    plot_pair(
        frames,
        pair,
        trades,
        start=first - timedelta(days=4),
        end=first + timedelta(days=26),
        out_png=png,
        out_html=html,
        title_note=SIMULATED,
    )
    return png, html
