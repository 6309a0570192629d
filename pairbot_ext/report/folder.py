"""A report written to a folder: HTML pages, PNGs, JSON, CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pairbot_ext.candles.files import candle_length
from pairbot_ext.report.data_files import as_json, pairs_csv, trades_csv
from pairbot_ext.report.document import Report
from pairbot_ext.report.figures import equity_figure, png_bytes
from pairbot_ext.report.html import file_stem, index_page, pair_page
from pairbot_ext.report.models import journal_spans
from pairbot_ext.report.picture import PairPicture, PairSpan, make_picture, spans_of
from pairbot_ext.report.plots import figure_html, figure_png
from pairbot_ext.support.errors import DataError, PairbotError

DEFAULT_WINDOW_CANDLES = 1440
"""Of rolling estimates where the source does not say: the default of `pairbot.rolling_window_candles`."""
_LEAD_SHARE = 0.05
"""How much of the traded time is shown before the first entry."""


def write_report(
    report: Report,
    folder: Path,
    *,
    interactive: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Write every file of the report; returns them, the first page first.

    Files of an earlier report in the same folder are replaced, others left alone.

    :param interactive: a plotly page per pair too, about 5 MB each.
    :param progress: told what is being done.
    :raises PairbotError: the folder cannot be written.
    """
    try:
        return _write(report, folder, interactive, progress)
    except OSError as error:
        raise PairbotError(
            f"{folder} cannot be written: {error.strerror or error}", remedy="Choose another --out"
        ) from error


def _write(report: Report, folder: Path, interactive: bool, progress: Callable[[str], None]) -> list[Path]:
    written: list[Path] = []

    def put(name: str, content: str | bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        written.append(path)

    equity_png = None
    if report.everything.closed:
        progress("equity")
        equity_png = png_bytes(equity_figure(report.equity, report.source.stake_currency, report.simulated))
    put("index.html", index_page(report, equity_png, ("pairs.csv", "trades.csv", "report.json")))
    put("report.json", json.dumps(as_json(report), indent=1, allow_nan=False) + "\n")
    put("pairs.csv", pairs_csv(report))
    put("trades.csv", trades_csv(report))
    if equity_png is not None:
        put("equity.png", equity_png)
    for line in report.lines:
        progress(line.pair_id)
        stem = f"pairs/{file_stem(line.pair_id)}"
        spans = _spans(report, line.pair_id)
        picture = _picture(report, line.pair_id, spans)
        pictures, extra = [], None
        if picture is not None:
            pictures.append(png_bytes(figure_png(picture, report.simulated), dpi=110))
            put(f"{stem}.png", pictures[0])
            if interactive:
                extra = f"{file_stem(line.pair_id)}-interactive.html"
                page = figure_html(picture, report.simulated).to_html(include_plotlyjs=True)
                put(f"pairs/{extra}", page)
        marks = picture.marks if picture is not None else ()
        pair = spans[-1].pair if spans else None
        put(f"{stem}.html", pair_page(report, line, pair, marks, pictures, extra))
    return written


def _spans(report: Report, pair_id: str) -> list[PairSpan]:
    """The pair's models in time order: the journal's, which ruled its trades, else the pairs file's."""
    source = report.source
    if source.journal and source.timeframe:
        return journal_spans(source.journal, pair_id, _seconds(source.timeframe))
    if report.pairs_file is None or pair_id not in report.pairs_file.pair_ids():
        return []
    return spans_of(report.pairs_file, pair_id)


def _seconds(timeframe: str) -> int:
    return int(candle_length(timeframe).total_seconds())


def _picture(report: Report, pair_id: str, spans: Sequence[PairSpan]) -> PairPicture | None:
    """The pair's picture over the reported time; None where its model or its candles are not known."""
    source, trades = report.source, [each for each in report.trades if each.pair_id == pair_id]
    if not spans or not source.timeframe or not trades:
        return None
    if any(symbol not in report.frames or report.frames[symbol].empty for symbol in spans[-1].pair.symbols):
        return None
    start = source.start or trades[0].opened
    try:
        return make_picture(
            report.frames,
            spans,
            trades,
            timeframe=source.timeframe,
            window_candles=source.rolling_window_candles or DEFAULT_WINDOW_CANDLES,
            start=start - _LEAD_SHARE * (report.until - start),
            end=report.until,
        )
    except DataError:
        # The candles do not reach the reported time: the page says that there is no picture.
        return None
