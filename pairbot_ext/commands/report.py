"""`pairbot report`: what a backtest or a bot made of its pairs, costs included."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

if TYPE_CHECKING:
    import pandas as pd

    from pairbot_ext.pairs import PairsFile
    from pairbot_ext.report.sources import Source

DESCRIPTION = """\
Reads a backtest export or a bot's SQLite database and reports its pair trades: net after fees and funding
with a week-clustered 95 % interval, what so many trades can and cannot show, hedge errors, time with one leg
alone, exit reasons, equity and drawdown. Nothing is written to the database; no network is used.
"""
EXAMPLES = """\
examples:
  pairbot report user_data/backtest_results --datadir user_data/data/binance --out user_data/report
  pairbot report tradesv3.dryrun.sqlite --json
  pairbot report backtest-result.zip --csv > pairs.csv
  pairbot report naive.json robust.json          two results of `pairbot walkforward --json`
exit code: 0 ok, 1 something is not as it should be (a lone leg, a hedge error above 2 %, two results that do
not compare), 2 not readable
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "report",
        help="report the pair trades of a backtest or a bot",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="EXPORT|DATABASE",
        help="backtest result (.zip, .json, or the directory of the last one), or SQLite file or URL",
    )
    parser.add_argument(
        "other",
        metavar="RESULT",
        nargs="?",
        type=Path,
        help="with two results of `pairbot walkforward --json`: both side by side",
    )
    parser.add_argument(
        "--pairs-file",
        type=Path,
        metavar="FILE",
        help="the pairs file the trades were made with (default: the one the export's configuration names, "
        "else the configuration's; none for a database with a journal)",
    )
    parser.add_argument(
        "--datadir",
        type=Path,
        metavar="DIR",
        help="candles: pictures, equity marked to market, hedge ratios of rolling models",
    )
    add_config_options(parser)
    parser.add_argument("--strategy", help="strategy in an export with several")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write HTML pages, PNGs, JSON and CSV there")
    parser.add_argument(
        "--interactive", action="store_true", help="with --out: an interactive page per pair too (5 MB each)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the report as JSON, progress on stderr")
    form.add_argument("--csv", action="store_true", help="print the pair table as CSV, progress on stderr")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report and, with --out, write it."""
    if args.other is not None:
        return _side_by_side(Path(args.source), args.other)
    # Imported here: `pairbot --help` should not load Freqtrade.
    from datetime import UTC, datetime

    from rich.console import Console

    from pairbot_ext.candles.files import load_funding
    from pairbot_ext.candles.funding import coverage
    from pairbot_ext.report.data_files import as_json, pair_tables, pairs_csv
    from pairbot_ext.report.document import build_report
    from pairbot_ext.report.folder import write_report
    from pairbot_ext.report.sources import datadir_notice, open_source

    console = Console(stderr=args.json or args.csv)
    source = open_source(args.source, args.strategy)
    pairs_file = _pairs_file(args, source)
    frames, funding = {}, {}
    if args.datadir is not None:
        frames = _candles(args.datadir, source, pairs_file)
        funding = coverage(load_funding(args.datadir, sorted(frames)), sorted(frames))
    report = build_report(
        source,
        pairs_file,
        now=datetime.now(UTC),
        frames=frames,
        funding=funding,
        simulated=datadir_notice(args.datadir) if args.datadir else "",
    )
    if args.json:
        print(json.dumps(as_json(report), indent=1, allow_nan=False))
    elif args.csv:
        print(pairs_csv(report), end="")
    else:
        for sentence in filter(None, (report.simulated, *report.statements)):
            console.print(sentence, highlight=False, markup=False)
        if report.lines:
            console.print()
            title = f"Pair trades: {source.kind.value}"
            tables = pair_tables(
                report.lines, report.everything, source.stake_currency, title=title, note=report.simulated
            )
            console.print(*tables)
        for note in report.notes:
            console.print(note, highlight=False, markup=False)
    if args.out is not None:
        with console.status("writing ...") as status:
            files = write_report(
                report,
                args.out,
                interactive=args.interactive,
                progress=lambda what: status.update(f"writing {what} ..."),
            )
        console.print(f"Wrote {files[0]} and {len(files) - 1} more files", highlight=False, soft_wrap=True)
    for problem in report.problems:
        console.print(f"problem: {problem}", style="red", highlight=False, markup=False)
    return ExitCode.PROBLEM if report.problems else ExitCode.OK


def _side_by_side(first: Path, second: Path) -> int:
    """Two walk-forwards in one table; 1 where they do not compare."""
    from rich.console import Console

    from pairbot_ext.research.beside import beside, read_result

    # Files of one name in two folders are told apart by their paths.
    names = (first.stem, second.stem) if first.stem != second.stem else (str(first), str(second))
    found = beside(read_result(first), read_result(second), names)
    console = Console()
    if found.apart:
        said = "These two results do not compare: each column stands for itself. "
        console.print(said + " ".join(found.apart), highlight=False, markup=False)
    console.print(found.table)
    for note in found.notes:
        console.print(note, highlight=False, markup=False)
    return ExitCode.PROBLEM if found.apart else ExitCode.OK


def _pairs_file(args: argparse.Namespace, source: Source) -> PairsFile | None:
    """The pairs file that was named, else the first of the usual ones there is.

    A journal knows legs and models itself; a file nobody named could be another bot's.
    """
    from pairbot_ext.pairs import load_pairs_file
    from pairbot_ext.scan.options import read_config
    from pairbot_ext.settings import parse_settings

    if args.pairs_file is not None:
        return load_pairs_file(args.pairs_file)
    if source.journal:
        return None
    settings = parse_settings(read_config(args.config, args.userdir)[1].get("pairbot"))
    for path in filter(None, (source.pairs_file, settings.pairs_file)):
        if Path(path).is_file():
            return load_pairs_file(Path(path))
    if source.rows:
        raise PairbotError(
            "The pairs file these trades were made with is not here",
            value=source.pairs_file or settings.pairs_file,
            remedy="Name it with --pairs-file FILE",
        )
    return None


def _candles(datadir: Path, source: Source, pairs_file: PairsFile | None) -> dict[str, pd.DataFrame]:
    from pairbot_ext.candles.files import load_candles

    if not datadir.is_dir():
        raise PairbotError(
            f"--datadir {datadir} is no directory",
            remedy="Name a Freqtrade data directory, such as user_data/data/binance",
        )
    symbols = {str(row["pair"]) for row in source.rows} | set(pairs_file.pairs if pairs_file else ())
    return load_candles(datadir, source.timeframe or "1h", sorted(symbols))
