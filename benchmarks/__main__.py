"""Run every benchmark: `python -m benchmarks [NAME ...]` (`make bench`).

Benchmarks are the modules `bench_*.py` beside this file, each with a `main(argv)`. Studies (`study_*.py`)
take long and are run by name: `python -m benchmarks study_size`.
"""

import importlib
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the named modules, or every `bench_*`. Returns 2 for a name that does not exist."""
    here = Path(__file__).parent
    known = {path.stem for path in here.glob("*.py") if not path.stem.startswith("_")}
    wanted = names or sorted(name for name in known if name.startswith("bench_"))
    for name in wanted:
        if name not in known:
            print(f"no benchmark {name}; there are {', '.join(sorted(known))}", file=sys.stderr)
            return 2
    for name in wanted:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main([])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
