"""First half of the demo: synthetic candles, scan, backtest with Freqtrade, table and picture."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from pairbot_ext.candles.files import load_candles
from pairbot_ext.demo.steps import Workplace, run_step
from pairbot_ext.model.simulated import BOT_NAME, SIMULATED
from pairbot_ext.pairs import PairsFile, load_pairs_file
from pairbot_ext.report.data_files import pair_tables, plain
from pairbot_ext.report.document import Report, build_report
from pairbot_ext.report.picture import spans_of
from pairbot_ext.report.sources import open_source
from pairbot_ext.sim.datadir import SyntheticDatadir, write_synthetic_datadir
from pairbot_ext.support.errors import PairbotError

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

    :param pictured: id of the pair in the pictures.
    """

    report: Report
    pictured: str
    pictures: tuple[Path, ...]

    @property
    def is_sound(self) -> bool:
        """Whether pairs traded, every leg had its mate, and no leg was ever alone."""
        everything = self.report.everything
        return bool(self.report.trades) and not everything.faults and everything.naked_leg_hours == 0

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        found: dict[str, Any] = plain(
            {
                "note": SIMULATED,
                "pairs": [asdict(summary) for summary in self.report.lines],
                "all": asdict(self.report.everything),
                "statements": self.report.statements,
                "picture": [str(path) for path in self.pictures],
            }
        )
        return found


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
            "offline", "--", "backtesting",
            "-c", workplace.shown(workplace.config), "-c", workplace.shown(mark),
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
    report = build_report(
        open_source(str(folder / "backtest")),
        pairs_file,
        now=datadir.end,
        frames=load_candles(datadir.path, pairs_file.timeframe, pairs_file.pairs),
    )
    if not report.trades:
        raise PairbotError(
            "The backtest made no pair trade", remedy=f"Read {workplace.shown(folder / 'backtest.log')}"
        )
    pictured = max(report.lines, key=lambda summary: summary.pair_trades).pair_id
    result = BacktestResult(report=report, pictured=pictured, pictures=_pictures(folder, report, pictured))
    (folder / "report.json").write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    console.print()
    console.print(
        *pair_tables(
            report.lines,
            report.everything,
            report.source.stake_currency,
            title="Pair trades of the backtest",
            note=SIMULATED,
        )
    )
    for problem in report.problems:
        console.print(f"  problem: {problem}", style="red")
    console.print(f"  Picture of {pictured}: {', '.join(workplace.shown(path) for path in result.pictures)}")
    backtest, data, out = (workplace.shown(folder / name) for name in ("backtest", "data", "report"))
    console.print(
        f"  Every pair as a page: pairbot report {backtest} --datadir {data} --out {out}",
        highlight=False,
        soft_wrap=True,
    )
    return result


def _pictures(folder: Path, report: Report, pair_id: str) -> tuple[Path, ...]:
    from pairbot_ext.report.plots import plot_pair

    assert report.pairs_file is not None, "the demo names its pairs file"
    # A month shows single trades; all three are a hedgehog.
    first = min(trade.opened for trade in report.trades)
    png, html = folder / "pair.png", folder / "pair.html"
    plot_pair(
        report.frames,
        spans_of(report.pairs_file, pair_id),
        report.trades,
        start=first - timedelta(days=4),
        end=first + timedelta(days=26),
        out_png=png,
        out_html=html,
        title_note=SIMULATED,
    )
    return png, html
