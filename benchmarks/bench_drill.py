"""Drills: seconds of the curated set, random seeds a minute, and memory over many seeds.

The alternative in the same run is the calm day: a rehearsal in which nothing goes wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median

from pairbot_ext.rehearse.chance import random_scenarios
from pairbot_ext.rehearse.drill import CALM, Cast, Drill, play, rehearse
from pairbot_ext.rehearse.scenarios import curated
from pairbot_ext.rehearse.setup import Setup, read_setup
from pairbot_ext.tasks import Backend, Workers

CURATED_SECS, SEEDS_PER_MINUTE, GROWTH_PERCENT = 180, 150, 5


def resident_mib() -> float:
    """Of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def curated_secs(setup: Setup, jobs: int) -> float:
    """Wall time of the whole set, calm days included."""
    drill, began = Drill(setup), time.perf_counter()
    rehearse(drill, curated(), workers=Workers(Backend.PROCESSES, jobs))
    secs = time.perf_counter() - began
    print(f"curated set: {len(drill.results)} rehearsals in {secs:.1f} s on {jobs} processes "
          f"(at most {CURATED_SECS}); {drill.headline()}")  # fmt: skip
    return secs


def seeds_per_minute(setup: Setup, count: int, jobs: int) -> float:
    """Random schedules played, by all processes."""
    drill, began = Drill(setup), time.perf_counter()
    rehearse(drill, random_scenarios(count, 1), workers=Workers(Backend.PROCESSES, jobs))
    secs = time.perf_counter() - began
    rate = 60 * len(drill.results) / secs
    print(f"seeds: {len(drill.results)} in {secs:.1f} s, {rate:.0f} a minute (at least {SEEDS_PER_MINUTE}); "
          f"{len(drill.broken)} broken: {[each.name for each in drill.broken[:9]]}")  # fmt: skip
    return rate


def one_by_one(setup: Setup, count: int) -> float:
    """Processor seconds of a seed beside those of a calm day, and memory as they go by, in this process."""
    pair = setup.pairs[0].id
    calm = next(each for each in curated() if each.name == CALM)
    costs: dict[str, list[float]] = {"calm": [], "seed": []}
    marks: list[float] = []
    for number, scenario in enumerate(random_scenarios(count, 100_000)):
        if number % 20 == 0:
            costs["calm"].append(processor_secs(setup, Cast(calm, pair, number)))
        costs["seed"].append(processor_secs(setup, Cast(scenario, pair, number)))
        if number % max(count // 10, 1) == 0:
            marks.append(resident_mib())
    marks.append(resident_mib())
    growth = 100 * (marks[-1] / marks[1] - 1)
    print(f"processor time: a calm day {median(costs['calm']):.2f} s, a seed {median(costs['seed']):.2f} s "
          f"(median of {len(costs['seed'])})")  # fmt: skip
    print(f"memory: {', '.join(f'{mark:.0f}' for mark in marks)} MiB each tenth of {count} seeds: "
          f"{growth:+.1f} % since the first tenth (at most {GROWTH_PERCENT} %)")  # fmt: skip
    return growth


def processor_secs(setup: Setup, cast: Cast) -> float:
    """Of one rehearsal."""
    began = time.process_time()
    play(setup, cast)
    return time.process_time() - began


def main(argv: list[str]) -> int:
    """Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--memory-seeds", type=int, default=1_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(argv)
    setup = read_setup(["config.json"])
    is_missed = curated_secs(setup, args.jobs) > CURATED_SECS
    is_missed |= seeds_per_minute(setup, args.seeds, args.jobs) < SEEDS_PER_MINUTE
    is_missed |= one_by_one(setup, args.memory_seeds) > GROWTH_PERCENT
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
