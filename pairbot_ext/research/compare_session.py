"""What `pairbot compare` does once its options are known: choose models, run, print, write."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TextIO

from rich.console import Console

from pairbot_ext.models.protocol import SpreadModel
from pairbot_ext.models.variants import FROZEN, VARIANTS
from pairbot_ext.research.compare import compare
from pairbot_ext.research.compare_sheet import compare_sheet
from pairbot_ext.research.compare_text import as_json, compare_page, sentences, tables
from pairbot_ext.research.session import prepare, written
from pairbot_ext.scan.model_option import model_of
from pairbot_ext.scan.session import ScanProgress
from pairbot_ext.support.exitcode import ExitCode


def run_compare(args: argparse.Namespace, out: TextIO) -> int:
    """Run and print. `args` are the command's.

    :raises PairbotError: bad input, each with its value and a remedy.
    """
    models = chosen_models(args.models)
    plan, ledger, workers = prepare(args, models.values())
    with ScanProgress("comparison", quiet=args.json) as bar:
        result = compare(
            plan, models, ledger, now=datetime.now(UTC), workers=workers, store=args.store,
            progress=lambda _, done, total: bar(done, total),
        )  # fmt: skip
    if args.json:
        print(json.dumps(as_json(result), indent=1, allow_nan=False), file=out)
    else:
        console = Console(file=out, width=None if out.isatty() else 120)
        for sentence in sentences(result, plan.costs):
            console.print(sentence, highlight=False, markup=False)
        for table in tables(result):
            console.print(table)
    if args.out is not None:
        written("--out", args.out, compare_page(result, plan.costs).encode())
    if args.png is not None:
        written("--png", args.png, compare_sheet(result))
    return ExitCode.OK


def chosen_models(texts: Sequence[str] | None) -> dict[str, SpreadModel]:
    """By the name each is shown by; the frozen one first, whether it was asked for or not.

    :param texts: `KIND` or `KIND:parameter=number,parameter=number`; None means every kind.
    :raises PairbotError: an unknown kind or parameter, or a value out of its bounds.
    """
    if texts is None:
        return dict(VARIANTS)
    return {FROZEN.name: FROZEN} | {text: model_of(text) for text in texts}
