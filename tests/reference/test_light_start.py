"""What `pairbot` answers about itself, it answers without loading what its work needs."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

from pairbot_ext import commands
from pairbot_ext.settings.knobs import FILTERS, THRESHOLDS
from pairbot_ext.settings.scan import Filters, Thresholds

HEAVY = ("numpy", "pandas", "pydantic", "freqtrade", "ccxt", "sqlalchemy", "rich", "aiohttp", "matplotlib")
COMMANDS = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
USAGE = 2
ASKED = {
    "--help": 0,
    "--version": 0,
    "": USAGE,
    "scna": USAGE,
    "scan --formatoin 5": USAGE,
    "scan --step three": USAGE,
    "scan": USAGE,
    "report": USAGE,
    **{f"{name} --help": 0 for name in COMMANDS},
}
ASK = """
import json, sys
from pairbot_ext.cli import main
answers = {}
for line, heavy in json.loads(sys.argv[1]):
    try:
        code = main(line.split())
    except SystemExit as stop:
        code = stop.code
    answers[line] = [code, sorted(name for name in heavy if name in sys.modules)]
print("\\n" + json.dumps(answers))
"""


def test_help_version_and_usage_errors_load_nothing_heavy() -> None:
    """All in one process: the first line that loads something is the one to look at."""
    asked = json.dumps([(line, HEAVY) for line in ASKED])
    done = subprocess.run([sys.executable, "-c", ASK, asked], capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers == {line: [code, []] for line, code in ASKED.items()}


@pytest.mark.parametrize(("knobs", "model"), [(THRESHOLDS, Thresholds), (FILTERS, Filters)])
def test_every_knob_is_an_option_with_the_default_of_its_model(knobs, model) -> None:
    assert list(knobs) == list(model.model_fields)
    for name, field in model.model_fields.items():
        assert (field.default, field.description) == knobs[name], name
        assert type(knobs[name].default) is type(getattr(model(), name)), name


def test_the_strategy_is_imported_without_the_bots_tables() -> None:
    """A backtest, a scan of the strategies folder and FreqUI's list import it too."""
    code = "import sys, pairbot_ext.runtime.strategy; print('pairbot_ext.journal.tables' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
