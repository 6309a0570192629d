"""The trial ledger counts every configuration once and loses none, whatever kills its writer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from pairbot_ext.research.ledger import TrialLedger
from pairbot_ext.support.errors import DataError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pairbot_ext.research.ledger import TrialLedger
ledger = TrialLedger(Path(sys.argv[1]))
number = 0
while True:
    print(ledger.add("test", [{"number": number}], datetime.now(UTC)), flush=True)
    number += 1
"""


def test_the_same_configuration_counts_once(tmp_path) -> None:
    ledger = TrialLedger(tmp_path / "new" / "trials.jsonl")
    assert ledger.count() == 0
    assert ledger.add("walkforward", [{"entry": 2.0}, {"entry": 2.5}], NOW) == 2
    before = ledger.path.read_bytes()
    assert ledger.add("compare", [{"entry": 2.5}, {"entry": 2.0}], NOW) == 2
    assert ledger.path.read_bytes() == before
    assert ledger.add("compare", [{"entry": 3.0}], NOW) == 3
    assert ledger.path.read_bytes().startswith(before)


def test_a_line_a_crash_cut_short_is_skipped_and_ended(tmp_path) -> None:
    ledger = TrialLedger(tmp_path / "trials.jsonl")
    ledger.add("walkforward", [{"entry": 2.0}], NOW)
    with ledger.path.open("a") as file:
        file.write('{"key": "half')
    assert ledger.count() == 1
    assert ledger.add("walkforward", [{"entry": 2.5}], NOW) == 2
    assert TrialLedger(ledger.path).count() == 2


def test_what_was_counted_is_there_after_kill_9(tmp_path) -> None:
    path = tmp_path / "trials.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(25):
        counted = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    counted = max([counted, *(int(line) for line in writer.stdout if line.strip().isdigit())])
    writer.wait()
    writer.stdout.close()
    assert TrialLedger(path).count() >= counted >= 25


def test_a_ledger_that_cannot_be_written_is_said(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="--ledger"):
        TrialLedger(tmp_path / "file" / "trials.jsonl").add("walkforward", [{"entry": 2.0}], NOW)
