"""A study in a process of its own, to be interrupted: ``python small_study.py STORE TASKS``."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import task_functions

from pairbot_ext.tasks import Workers, run
from pairbot_ext.tasks import store as store_room

GATE_SECS = 120


def gated_walk(seed: int, *, drift: np.ndarray) -> list[dict[str, Any]]:
    """A universe that waits for the file named by its tens in the folder $GATES."""
    gate, deadline = Path(os.environ["GATES"]) / str(seed // 10), time.monotonic() + GATE_SECS
    while not gate.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return task_functions.walk(seed, drift=drift)


if __name__ == "__main__":
    import small_study

    store_room.PART_SECS = 0.05
    for _ in run(
        small_study.gated_walk,
        [(seed,) for seed in range(int(sys.argv[2]))],
        shared={"drift": np.linspace(0, 1, 200_000)},
        workers=Workers(jobs=2),
        store=Path(sys.argv[1]),
    ):
        pass
    print("done")
