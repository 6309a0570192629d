"""Run every benchmark: `python -m benchmarks [NAME ...]` (`make bench`).

Benchmarks are the modules `bench_*.py` beside this file, each with a `main(argv)`. Studies (`study_*.py`)
take long and are run by name: `python -m benchmarks study_size`.
"""

import subprocess
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the named modules, or every `bench_*`. Returns 2 for a name nobody knows, or where one fails."""
    here = Path(__file__).parent
    known = {path.stem for path in here.glob("*.py") if not path.stem.startswith("_")}
    wanted = names or sorted(name for name in known if name.startswith("bench_"))
    for name in wanted:
        if name not in known:
            print(f"no benchmark {name}; there are {', '.join(sorted(known))}", file=sys.stderr)
            return 2
    for name in wanted:
        print(f"== {name}", flush=True)
        # Each in its own process: what one has loaded would weigh on the next. 1: a bound is missed.
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
        if code > 1 or code < 0:
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
