"""`pairbot drill`: disasters with the user's own configuration, before money is at risk."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.exitcode import ExitCode
from pairbot_ext.userdir.options import add_config_options

if TYPE_CHECKING:
    from pairbot_ext.rehearse.drill import Drill
    from pairbot_ext.rehearse.schedule import Scenario, ScheduleFile
    from pairbot_ext.rehearse.setup import Setup

DESCRIPTION = """\
Plays disasters with your own configuration, pairs, sizes, leverage and limits: the real bot, unmodified, on a
simulated exchange in virtual time. No network, no key, nothing of yours is written. The first line says the
worst that happened and whether your limits held; docs/drill.md says what is simulated, what is assumed, and
what a drill cannot show.
"""
EPILOG = """\
exit code: 0 every pair ended whole or flat, 1 something was broken or no pair opens, 2 bad input, 130 Ctrl+C
(what has been played so far is shown).

examples:
  pairbot drill
  pairbot drill --list
  pairbot drill --fault kill --fault down -c config.json
  pairbot drill --seeds 300 --json > drill.json
  pairbot drill --html drill.html
  pairbot drill --search 5 --out worst.json      then: pairbot drill --schedule worst.json
"""


MOST_SHRUNK = 3
"""So many seeds that broke something are made short."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "drill",
        help="rehearse disasters with your own configuration",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="pairs file instead of the configured one")
    parser.add_argument(
        "--pair", action="append", metavar="ID", help="only this pair, may be given several times"
    )
    parser.add_argument(
        "--datadir",
        type=Path,
        metavar="DIR",
        help="candles to take today's prices from (default: Freqtrade's)",
    )
    what = parser.add_argument_group("what is played")
    what.add_argument("--list", action="store_true", help="show the scenarios and play none")
    what.add_argument(
        "--fault", action="append", metavar="NAME", help="only scenarios whose name begins so, several times"
    )
    what.add_argument("--seeds", type=int, metavar="N", help="N random schedules instead of the curated set")
    what.add_argument("--schedule", type=Path, metavar="FILE", help="play the schedule in FILE")
    what.add_argument(
        "--search", type=float, metavar="MINUTES", help="search for the schedule with the worst outcome"
    )
    what.add_argument(
        "--worst", choices=("loss", "alone"), default="loss", help="what --search looks for (default: loss)"
    )
    what.add_argument("--seed", type=int, default=1, metavar="N", help="of prices and chance (default: 1)")
    parser.add_argument("--jobs", type=int, default=-1, help="processes, -1: one per core (default: -1)")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the result as JSON")
    output.add_argument("--html", type=Path, metavar="FILE", help="write a page with a picture of each")
    output.add_argument("--out", type=Path, metavar="FILE", help="of --search: the schedule it has found")
    output.add_argument("-v", "--messages", action="store_true", help="show every message of each scenario")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 where every pair ended whole or flat."""
    from pairbot_ext.rehearse.show import listing

    _check_usage(args)
    if args.list:
        print(listing())
        return ExitCode.OK
    from pairbot_ext.rehearse.drill import Drill
    from pairbot_ext.rehearse.page import check_page
    from pairbot_ext.rehearse.schedule import read_schedule
    from pairbot_ext.rehearse.setup import read_setup

    if args.html is not None:
        check_page(args.html)
    schedule = read_schedule(args.schedule) if args.schedule else None
    wanted = args.pair or ([schedule.pair] if schedule and schedule.pair else [])
    setup = read_setup(
        args.config or (), pairs_file=args.pairs, datadir=args.datadir, pair_ids=wanted, userdir=args.userdir
    )
    if args.search is not None:
        return _search(args, setup)
    drill = Drill(setup)
    interrupted = False
    try:
        _play(args, drill, schedule)
    except KeyboardInterrupt:
        interrupted = True
    return _show(args, drill, interrupted=interrupted)


def _check_usage(args: argparse.Namespace) -> None:
    given = [
        name for name in ("fault", "seeds", "schedule", "search") if getattr(args, name) not in (None, [])
    ]
    if len(given) > 1:
        raise PairbotError(
            "One thing is played at a time", value=", ".join(f"--{name}" for name in given),
            remedy="Give one of them",
        )  # fmt: skip
    if args.seeds is not None and args.seeds < 1:
        raise PairbotError("--seeds must be at least 1", value=args.seeds)
    if args.seed < 0:
        raise PairbotError("--seed must not be negative", value=args.seed)
    if args.search is not None and not 0 < args.search <= 24 * 60:
        raise PairbotError("--search takes minutes, up to a day", value=args.search)
    if args.out is not None and args.search is None:
        raise PairbotError("--out belongs to --search", remedy="Write a page with --html FILE")


def _play(args: argparse.Namespace, drill: Drill, schedule: ScheduleFile | None) -> None:
    from pairbot_ext.rehearse.chance import random_scenarios
    from pairbot_ext.rehearse.drill import chosen_scenarios, rehearse
    from pairbot_ext.rehearse.show import Progress
    from pairbot_ext.tasks import Backend, Workers

    scenarios: tuple[Scenario, ...]
    seed = args.seed
    if schedule is not None:
        scenarios, seed = (schedule.scenario,), schedule.seed
    elif args.seeds is not None:
        scenarios = random_scenarios(args.seeds, args.seed)
    else:
        scenarios = chosen_scenarios(args.fault or ())
    backend = Backend.SERIAL if len(scenarios) < 2 else Backend.PROCESSES
    with Progress(quiet=args.json) as progress:
        rehearse(drill, scenarios, seed=seed, workers=Workers(backend, args.jobs), progress=progress)


def _show(args: argparse.Namespace, drill: Drill, *, interrupted: bool) -> int:
    from pairbot_ext.rehearse.show import show

    if args.html is not None:
        from pairbot_ext.rehearse.page import write_page

        write_page(args.html, drill)
    if args.json:
        print(json.dumps(drill.to_json(), indent=1))
    else:
        show(drill, with_messages=args.messages)
    if args.seeds is not None:
        _show_smallest(drill)
    if interrupted:
        print(
            f"pairbot drill: stopped by Ctrl+C, {len(drill.results)} of {drill.wanted} were played",
            file=sys.stderr,
        )
        return 130
    return ExitCode.OK if drill.is_passed else ExitCode.PROBLEM


def _show_smallest(drill: Drill) -> None:
    """Of the first seeds that broke something: the shortest schedule that still does, on standard error."""
    from pairbot_ext.rehearse.chance import random_scenarios
    from pairbot_ext.rehearse.drill import Cast
    from pairbot_ext.rehearse.schedule import text_of
    from pairbot_ext.rehearse.shrink import smallest

    by_chance = [each for each in drill.broken if each.group == "chance"]
    for result in by_chance[:MOST_SHRUNK]:
        number = int(result.name.removeprefix("seed-"))
        (scenario,) = random_scenarios(1, number)
        file, _ = smallest(drill.setup, Cast(scenario, result.pair, result.seed), result)
        print(f"The shortest schedule that still shows what {result.name} broke; play it with "
              f"`pairbot drill --schedule FILE`:\n{text_of(file)}", file=sys.stderr)  # fmt: skip


def _search(args: argparse.Namespace, setup: Setup) -> int:
    from pairbot_ext.pairs.files import write_json
    from pairbot_ext.rehearse.search import search

    def note(text: str) -> None:
        print(text, file=sys.stderr)

    found = search(setup, minutes=args.search, seed=args.seed, by=args.worst, note=note)
    document = found.schedule.model_dump(mode="json")
    if args.json:
        print(json.dumps({"schedule": document, "result": found.result.to_json()}, indent=1))
    else:
        print(found.schedule.found)
        print(json.dumps(document, indent=1))
    if args.out is not None:
        write_json(args.out, document)
        print(f"Wrote {args.out}; play it with `pairbot drill --schedule {args.out}`", file=sys.stderr)
    return ExitCode.PROBLEM if found.result.broken else ExitCode.OK
