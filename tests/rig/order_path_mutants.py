"""How much of the order path do its tests hold? `python tests/rig/order_path_mutants.py` (`make mutants`).

A seeded sample of mutmut's mutants of each module, each against the tests that run its lines. What survives
is judged by hand in `judged_mutants.toml`; a survivor nobody has judged, or one judged a hole, makes it red.
Nothing in the checkout is changed but the page that is asked for; `.mutants/` keeps what holds for the next
run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import mutation_cover as kept
import mutation_run as run
from mutants import REPO_ROOT, copy_of_the_checkout
from mutation_page import Judgements, Tried, page, summary
from mutation_sample import ORDER_PATH, CodeMutant, sample

GOAL = 0.85


def try_all(mutants: Sequence[CodeMutant], budget_secs: float) -> list[Tried]:
    """Each mutant once. One that a test has killed before stays dead while that test and the code stay."""
    common = kept.common_stamp()
    cover = kept.cover(common, run.covered)
    stamps = kept.stamps()
    known = {
        Tried.from_json(row).key: Tried.from_json(row) for row in kept.read("tried.json", common).values()
    }
    run.preload()
    found: list[Tried] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "checkout"
        root.mkdir()
        copy_of_the_checkout(root)
        for mutant in mutants:
            tried = known.get(mutant.key)
            if tried is None or not tried.by or stamps.get(tried.by.split("::")[0]) != tried.by_stamp:
                tests, secs = run.tests_for(mutant, cover, budget_secs)
                outcome = run.outcome_of(mutant, root, tests, secs) if tests else run.Outcome(False, "", 0.0)
                by_stamp = stamps.get(outcome.by.split("::")[0], "")
                tried = Tried(
                    mutant.key, outcome.is_killed, outcome.by, by_stamp, round(outcome.secs, 1), len(tests)
                )
                known[tried.key] = tried
                kept.write("tried.json", common, {str(key): each.to_json() for key, each in known.items()})
            found.append(tried)
            print(f"{mutant.file:<38} {mutant.function:<32} {tried.secs:>5.0f}  {tried.words}", flush=True)
            if not tried.is_killed:
                print(f"    - {mutant.before}\n    + {mutant.after}", flush=True)
    return found


def main() -> int:
    """Print what each mutant met, and the score. Returns 1 where a survivor is not judged, is a hole, or the
    score is below the goal; 2 where a name is unknown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only modules whose path holds one of these words")
    parser.add_argument("--sample", type=int, default=10, metavar="N", help="mutants of each module (10)")
    parser.add_argument("--seed", type=int, default=17, metavar="S", help="which ones (17)")
    parser.add_argument(
        "--budget-secs", type=float, default=12.0, help="of tests for one mutant, as measured (12)"
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table and the survivors here")
    args = parser.parse_args()
    files = [file for file in ORDER_PATH if not args.names or any(word in file for word in args.names)]
    if not files:
        print(f"no module of the order path is called {' or '.join(args.names)}", file=sys.stderr)
        return 2
    print(f"{args.sample} mutants of each module, seed {args.seed}", flush=True)
    drawn = {file: sample(REPO_ROOT, file, args.sample, args.seed) for file in files}
    tried = try_all([mutant for mutants, _ in drawn.values() for mutant in mutants], args.budget_secs)
    possible = {file: count for file, (_, count) in drawn.items()}
    judged = Judgements.read(Path(__file__).with_name("judged_mutants.toml"))
    print(summary(tried, possible))
    if args.page is not None:
        command = f"--sample {args.sample} --seed {args.seed}"
        args.page.write_text(page(tried, possible, judged, command), encoding="utf-8")
    open_ones = [
        each for each in tried if not each.is_killed and judged.verdict(each.key) not in judged.SETTLED
    ]
    for each in open_ones:
        print(f"not judged, or a hole: {each.key}", flush=True)
    for key in judged.without_place(REPO_ROOT):
        print(f"judged, but its line is gone: {key}", flush=True)
    score = sum(each.is_killed for each in tried) / len(tried)
    return 1 if open_ones or score < GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
