"""A study in a process of its own, to be interrupted: ``python small_study.py STORE TASKS [SECS]``."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import task_functions

from pairbot_ext.tasks import Workers, run
from pairbot_ext.tasks import store as store_room


def slow_walk(seed: int, secs: float, *, drift: np.ndarray) -> list[dict[str, Any]]:
    """A universe that takes its time."""
    time.sleep(secs)
    return task_functions.walk(seed, drift=drift)


if __name__ == "__main__":
    import small_study

    store_room.PART_SECS = 0.1
    count, secs = int(sys.argv[2]), float(sys.argv[3])
    for _ in run(
        small_study.slow_walk,
        [(seed, secs) for seed in range(count)],
        shared={"drift": np.linspace(0, 1, 200_000)},
        workers=Workers(jobs=2),
        store=Path(sys.argv[1]),
    ):
        pass
    print("done")
