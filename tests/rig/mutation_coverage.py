"""A plugin of pytest: which lines of the order path each test runs, and seconds of a processor it takes.

`python -m pytest -p mutation_coverage` with `MUTATION_COVERAGE`, the JSON file to write, in the environment.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import coverage
import pytest
from mutation_sample import ORDER_PATH

ROOT = Path.cwd()
SECS: dict[str, float] = {}
WATCH = coverage.Coverage(
    data_file=None, config_file=False, include=[str(ROOT / file) for file in ORDER_PATH]
)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    WATCH.start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    WATCH.switch_context(item.nodeid)
    began = process_time()
    yield
    SECS[item.nodeid] = process_time() - began
    WATCH.switch_context("")


def pytest_sessionfinish(session: pytest.Session) -> None:
    WATCH.stop()
    data = WATCH.get_data()
    lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for file in ORDER_PATH:
        for line, tests in data.contexts_by_lineno(str(ROOT / file)).items():
            for test in filter(None, tests):
                lines[test][file].append(line)
    found = {test: {"secs": round(secs, 3), "lines": lines.get(test, {})} for test, secs in SECS.items()}
    Path(os.environ["MUTATION_COVERAGE"]).write_text(json.dumps(found), encoding="utf-8")
