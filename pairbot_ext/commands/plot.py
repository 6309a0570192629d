"""`pairbot plot PAIR`: a picture of one pair, as HTML and PNG, from downloaded candles."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import USERDIR, add_config_options

DESCRIPTION = """\
Draws indexed prices, the spread with its thresholds, z with entries and exits, the rolling hedge ratio and
the rolling half-life of one pair of the pairs file. Both files need no network to be looked at.
"""
EXAMPLES = """\
examples:
  pairbot plot 1INCH_AI
  pairbot plot ALGO_VET --pairs-file user_data/pairs.json --timerange 20251001-20251201 \\
      --export user_data/backtest_results
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `plot`."""
    parser = subparsers.add_parser(
        "plot",
        help="draw one pair",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pair", metavar="PAIR", help="id of a pair in the pairs file")
    add_config_options(parser)
    parser.add_argument(
        "--pairs-file", type=Path, metavar="FILE", help="default: the configuration's, else pairs_config.json"
    )
    parser.add_argument("--datadir", type=Path, metavar="DIR", help="default: the configuration's")
    parser.add_argument("--timerange", metavar="A-B", help="as in Freqtrade (default: all candles)")
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="backtest result, or its directory, whose trades to mark"
    )
    parser.add_argument(
        "--strategy", default="PairsArb", help="strategy in that result (default: %(default)s)"
    )
    parser.add_argument(
        "--window", type=int, default=1440, metavar="CANDLES", help="rolling window (default: %(default)s)"
    )
    parser.add_argument("--out-dir", type=Path, metavar="DIR", help="default: plot in the userdir")
    parser.add_argument("--note", default="", help="sentence under the title")
    parser.set_defaults(run=run)


def _config(args: argparse.Namespace) -> dict[str, Any]:
    from pairbot_ext.scan.options import read_config

    return read_config(args.config, args.userdir)[1]


def run(args: argparse.Namespace) -> int:
    """Write DIR/PAIR.html and DIR/PAIR.png."""
    from freqtrade.configuration import TimeRange
    from freqtrade.exceptions import ConfigurationError

    from pairbot_ext.candles.files import load_candles
    from pairbot_ext.pairs import load_pairs_file
    from pairbot_ext.report.pairing import legs_of, load_export, pair_trades
    from pairbot_ext.report.picture import spans_of
    from pairbot_ext.report.plots import plot_pair
    from pairbot_ext.scan.options import default_datadir
    from pairbot_ext.settings import parse_settings

    if args.window < 30:
        raise PairbotError(
            "--window is too short for a regression", value=args.window, remedy="Use at least 30"
        )
    config = {} if args.pairs_file and args.datadir and args.out_dir else _config(args)
    pairs_file = load_pairs_file(args.pairs_file or parse_settings(config.get("pairbot")).pairs_path())
    spans = spans_of(pairs_file, args.pair)
    try:
        span = TimeRange.parse_timerange(args.timerange)
    except ConfigurationError as error:
        raise PairbotError(
            "--timerange is malformed", value=args.timerange, remedy="Write it like 20250501-20260101"
        ) from error
    datadir = args.datadir or default_datadir(config, pairs_file.exchange)
    out_dir = args.out_dir or Path(config.get("user_data_dir") or USERDIR) / "plot"
    frames = load_candles(datadir, pairs_file.timeframe, spans[0].pair.symbols)
    trades = []
    if args.export is not None:
        exported = load_export(args.export, args.strategy)
        own = [row for row in exported if row["enter_tag"] == args.pair]
        trades = pair_trades(own, legs_of(pairs_file))
    html, png = (out_dir / f"{args.pair}.{kind}" for kind in ("html", "png"))
    try:
        plot_pair(
            frames,
            spans,
            trades,
            timeframe=pairs_file.timeframe,
            window_candles=args.window,
            start=span.startdt,
            end=span.stopdt,
            out_html=html,
            out_png=png,
            title_note=args.note,
        )
    except OSError as error:
        raise PairbotError(
            f"{out_dir} cannot be written: {error.strerror or error}", remedy="Choose another --out-dir"
        ) from error
    print(f"Wrote {html} and {png}" + (f" with {len(trades)} pair trades" if args.export else ""))
    return ExitCode.OK
