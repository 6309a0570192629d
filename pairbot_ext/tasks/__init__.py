"""Many independent computations on cores or machines, over joblib: the same bytes wherever they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pairbot_ext.support.lazy import exports

if TYPE_CHECKING:
    from pairbot_ext.tasks.options import add_task_options as add_task_options
    from pairbot_ext.tasks.options import workers_from as workers_from
    from pairbot_ext.tasks.runner import run as run
    from pairbot_ext.tasks.workers import Backend as Backend
    from pairbot_ext.tasks.workers import Workers as Workers

__getattr__, __all__ = exports(
    __name__,
    {
        "Backend": "workers",
        "Workers": "workers",
        "add_task_options": "options",
        "run": "runner",
        "workers_from": "options",
    },
)
