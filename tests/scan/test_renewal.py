"""`pairbot scan --every`: on time, said, and never at the cost of what is in force."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from pairbot_ext.cli import main
from pairbot_ext.pairs import Epoch, Pair, Scan, load_pairs_file
from pairbot_ext.pairs.renewal_files import accept_proposal, read_failure, read_proposal
from pairbot_ext.scan.renewal import RETRY_SECS, Selection, Terms, check_candles, due_at, run_every
from pairbot_ext.support.errors import DataError, PairsFileError

START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
WEEK, HOUR = timedelta(weeks=1), timedelta(hours=1)


class Over(Exception):  # noqa: N818 - the end of a test, no error
    """So much time has passed."""


class Clock:
    """Passes only in sleep, until `end`."""

    def __init__(self, now: datetime, end: datetime) -> None:
        self.now, self.end = now, end

    def now_ms(self) -> int:
        """Epoch ms."""
        return round(self.now.timestamp() * 1000)

    def sleep(self, secs: float) -> None:
        """Nobody waits."""
        self.now += timedelta(seconds=secs)
        if self.now > self.end:
            raise Over


class Scans:
    """Scans one after the other: each finds so many pairs, or fails."""

    def __init__(self, *finds: int | Exception) -> None:
        self.finds = list(finds)
        self.at: list[datetime] = []

    def __call__(self, now: datetime) -> Selection:
        self.at.append(now)
        found = self.finds.pop(0) if len(self.finds) > 1 else self.finds[0]
        if isinstance(found, Exception):
            raise found
        end = now.replace(minute=0, second=0)
        pairs = tuple(
            Pair(
                id=f"A{number}_B{number}",
                leg_a=f"A{number}/USDT:USDT",
                leg_b=f"B{number}/USDT:USDT",
                hedge_ratio=1.0,
                alpha=0.0,
                mu=0.0,
                sigma=0.01,
                adf_p=0.01,
                coint_p=0.01,
                entry_z=2.0,
                exit_z=0.3,
                stop_z=4.0,
            )
            for number in range(found)
        )
        made = Epoch(valid_from=end, formation_start=end - WEEK, formation_end=end, pairs=pairs)
        return Selection(made, Scan(rule="robust", combinations=435), "binance", "1h")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pairs.json"


@pytest.fixture
def every(path: Path) -> Callable[..., list[str]]:
    """Renews for so many days; returns what was said."""

    def run(scans: Scans, days: float, *, start: datetime = START, asks: bool = False) -> list[str]:
        said: list[str] = []
        clock = Clock(start, start + timedelta(days=days))
        terms = Terms(WEEK, asks=asks, max_thinning=0.5, files_kept=5)
        with pytest.raises(Over):
            run_every(path, scans, terms, clock, said.append, once=False)
        return said

    return run


def pairs_at(path: Path, now: datetime) -> int:
    found = load_pairs_file(path).epoch_at(now)
    return 0 if found is None else len(found.pairs)


def test_it_scans_at_once_where_there_is_no_file_and_then_every_week(path, every) -> None:
    scans = Scans(3)
    every(scans, 29)
    assert [at - START for at in scans.at] == [week * WEEK for week in range(5)]
    assert pairs_at(path, START + 4 * WEEK) == 3


def test_a_restart_goes_on_where_it_was(path, every) -> None:
    every(Scans(3), 1)
    scans = Scans(4)
    every(scans, 10, start=START + timedelta(days=3))
    assert [at - START for at in scans.at] == [WEEK]
    assert due_at(path, WEEK) == START + 2 * WEEK


def test_a_scan_that_fails_touches_nothing_is_said_and_tried_again(path, every) -> None:
    every(Scans(3), 1)
    before = path.read_bytes()
    broken = Scans(DataError("the exchange is away"), DataError("still away"), 4)
    clock = Clock(START + WEEK, START + WEEK + timedelta(seconds=RETRY_SECS * 1.5))
    said: list[str] = []
    terms = Terms(WEEK, asks=False, max_thinning=0.5, files_kept=5)
    with pytest.raises(Over):
        run_every(path, broken, terms, clock, said.append, once=False)
    assert path.read_bytes() == before
    assert [text for text in said if "the exchange is away" in text or "still away" in text] == said
    failure = read_failure(path)
    assert failure is not None
    assert (failure.attempts, failure.error) == (2, "still away")
    every(broken, 0.5, start=clock.now)
    assert read_failure(path) is None
    assert pairs_at(path, clock.now + HOUR) == 4


def test_a_file_that_would_thin_out_is_asked_about(path, every) -> None:
    every(Scans(4), 1)
    said = every(Scans(1), 8)
    assert any("1 pairs instead of 4 are more than 50% fewer" in text for text in said)
    assert pairs_at(path, START + WEEK + HOUR) == 4
    waiting = read_proposal(path)
    assert waiting is not None
    assert waiting.expires_at == START + 2 * WEEK
    accept_proposal(path, waiting.id, "a person", START + WEEK + HOUR)
    assert pairs_at(path, START + WEEK + HOUR) == 1


def test_what_nobody_answers_is_overtaken_by_the_next_scan(path, every) -> None:
    every(Scans(4), 1)
    scans = Scans(0, 1, 3)
    every(scans, 22)
    assert [at - START for at in scans.at] == [WEEK, 2 * WEEK, 3 * WEEK]
    assert pairs_at(path, START + 3 * WEEK + HOUR) == 3
    assert read_proposal(path) is None


def test_half_of_the_pairs_may_go_without_a_question(path, every) -> None:
    every(Scans(4), 1)
    every(Scans(2), 8)
    assert pairs_at(path, START + WEEK + HOUR) == 2


def test_whoever_wants_to_be_asked_is_asked_every_time(path, every) -> None:
    every(Scans(4), 1)
    said = every(Scans(5), 8, asks=True)
    assert any("you want to be asked" in text and "/pairs_accept" in text for text in said)
    assert pairs_at(path, START + WEEK + HOUR) == 4


def test_the_same_candles_are_no_new_selection(path, every) -> None:
    every(Scans(3), 1)

    def stale(_: datetime) -> Selection:
        return Scans(3)(START)

    said: list[str] = []
    clock = Clock(START + WEEK, START + 2 * WEEK)
    terms = Terms(WEEK, asks=False, max_thinning=0.5, files_kept=5)
    assert run_every(path, stale, terms, clock, said.append, once=True) == 1
    assert "no newer candles" in said[0]
    assert len(load_pairs_file(path).epochs) == 1


def test_a_file_of_others_ends_it_at_once(path, every) -> None:
    path.write_text("{}")
    with pytest.raises(PairsFileError, match="is not a pairs file"):
        every(Scans(3), 1)
    assert path.read_text() == "{}"


@pytest.mark.parametrize(
    ("rejected", "age", "words"),
    [
        ({"A": "too short: candles end 2026-01-01 00:00"}, HOUR, None),
        (dict.fromkeys("ABC", "12 of 500 candles missing, the first 2026"), HOUR, "3 of 4 symbols lack"),
        (dict.fromkeys("ABC", "no candles: its file is missing, empty or unreadable"), HOUR, "3 of 4"),
        (dict.fromkeys("ABC", "too short: candles begin 2026-01-01 00:00"), HOUR, None),
        ({}, timedelta(days=3), "too old"),
    ],
)
def test_a_download_that_failed_is_no_selection(rejected, age, words) -> None:
    if words is None:
        check_candles(4, rejected, START - age, START)
        return
    with pytest.raises(DataError, match=words):
        check_candles(4, rejected, START - age, START)


@pytest.fixture
def scan(tmp_path, market, store_candles, monkeypatch) -> Callable[..., int]:
    """The command on the planted market, an hour after its last candle has closed."""
    datadir = store_candles(market)
    monkeypatch.chdir(tmp_path)
    (candles,) = {frame["date"].iloc[-1] for frame in market.values()}
    now = candles.to_pydatetime() + 2 * HOUR

    def run(*args: str, later: timedelta = timedelta(0)) -> int:
        with time_machine.travel(now + later, tick=False):
            return main(["scan", "--datadir", str(datadir), "--formation", "500", "--rule", "naive", *args])

    return run


def test_the_command_renews_what_is_due_and_only_that(scan, capsys) -> None:
    assert scan("--out", "пары.json", "--every", "week", "--once") == 0
    path = Path("пары.json")
    first = load_pairs_file(path)
    assert "THIN_WALK0" in first.pair_ids()
    assert Path("пары.json.overlay.json").exists()
    out = capsys.readouterr()
    assert "Combinations tested: 21" in out.out
    assert "the pairs were renewed" in out.err
    assert scan("--out", "пары.json", "--every", "week", "--once", later=HOUR) == 0
    assert "is renewed on 2025-02-02" in capsys.readouterr().err
    assert load_pairs_file(path) == first
    assert scan("--out", "пары.json", "--every", "12h", "--once", later=23 * HOUR) == 1
    assert "no newer candles" in capsys.readouterr().err
    assert scan("--out", "пары.json", "--every", "12h", "--once", later=timedelta(days=9)) == 1
    assert "too old" in capsys.readouterr().err
    assert load_pairs_file(path) == first
    assert main(["accept", "--out", "пары.json"]) == 0
    assert "No new selection waits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--once"], "belong to --every"),
        (["--every", "week"], "needs --out"),
        (["--every", "week", "--out", "p.json", "--append"], "--append"),
        (["--every", "week", "--out", "p.json", "--end", "2025-01-26"], "--end"),
        (["--every", "week", "--out", "p.json", "--keep-files", "0"], "--keep-files"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(scan, capsys, args, words) -> None:
    assert scan(*args) == 2
    assert words in capsys.readouterr().err
    assert not os.path.exists("p.json")


@pytest.mark.parametrize("period", ["0d", "weekly", "-1d", "1.5h", "99999d", ""])
def test_a_period_that_is_none_is_a_usage_error(scan, period) -> None:
    with pytest.raises(SystemExit) as stop:
        scan("--every", period, "--out", "p.json")
    assert stop.value.code == 2
