"""Renewing a pairs file: what it becomes, when a person is asked, and a death between any two steps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, load_pairs_file
from pairbot_ext.pairs.renewal import (
    base_of,
    change_text,
    note_of,
    pairs_in_force,
    proposal_id,
    reasons_to_ask,
    renewal_text,
    renewed,
)
from pairbot_ext.pairs.renewal_files import (
    ProposalError,
    accept_proposal,
    epochs_folder,
    existing_file,
    locked,
    note_failure,
    proposal_path,
    propose,
    put,
    read_failure,
    read_proposal,
)
from pairbot_ext.pairs.renewal_models import Proposal
from pairbot_ext.support.errors import PairsFileError

NOW = datetime(2026, 3, 1, 12, 0, 30, 500, tzinfo=UTC)
WEEK = timedelta(weeks=1)
SCAN = Scan(rule="robust", combinations=435, selected=2, expected_false_positives=21.75)


def pair(name: str, beta: float = 1.2) -> Pair:
    """`ADA_ALGO`."""
    leg_a, leg_b = name.split("_")
    return Pair(
        id=name, leg_a=f"{leg_a}/USDT:USDT", leg_b=f"{leg_b}/USDT:USDT", hedge_ratio=beta, alpha=0.1,
        mu=0.0, sigma=0.02, half_life_hours=20.0, adf_p=0.01, coint_p=0.01, entry_z=2.0, exit_z=0.3,
        stop_z=4.0,
    )  # fmt: skip


def epoch(*names: str, end: datetime = NOW) -> Epoch:
    """A selection from the candles before `end`'s full hour."""
    hour = end.replace(minute=0, second=0, microsecond=0)
    pairs = tuple(pair(name) for name in names)
    return Epoch(valid_from=hour, formation_start=hour - 2 * WEEK, formation_end=hour, pairs=pairs)


def renewal(
    existing: PairsFile | None, *names: str, now: datetime = NOW, name: str = "00000001"
) -> PairsFile:
    """The file after a renewal."""
    return renewed(
        existing, epoch(*names, end=now), scan=SCAN, exchange="binance", timeframe="1h", now=now,
        why="a test", renewal_id=name,
    )  # fmt: skip


def proposal(path: Path, *names: str, now: datetime = NOW) -> Proposal:
    """One that waits."""
    made = epoch(*names, end=now)
    existing = existing_file(path)
    return Proposal(
        id=proposal_id(made, now), proposed_at=now, expires_at=now + WEEK, base=base_of(existing),
        reasons=("thin",), exchange="binance", timeframe="1h", scan=SCAN, epoch=made,
        before=pairs_in_force(existing, now),
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A pairs file a week old, with two pairs in force."""
    put(tmp_path / "пары 1.json", renewal(None, "ADA_ALGO", "XRP_DOGE", now=NOW - WEEK))
    return tmp_path / "пары 1.json"


def test_the_new_selection_is_in_force_from_now_on_and_the_old_one_no_more(path: Path) -> None:
    old = load_pairs_file(path)
    fresh = renewal(old, "ADA_ALGO", "LINK_DOT")
    assert pairs_in_force(fresh, NOW) == ("ADA_ALGO", "LINK_DOT")
    assert pairs_in_force(fresh, NOW - timedelta(seconds=1)) == ("ADA_ALGO", "XRP_DOGE")
    assert fresh.epochs[-1].valid_to is None
    note = note_of(fresh)
    assert note is not None
    assert (note.before, note.after) == (("ADA_ALGO", "XRP_DOGE"), ("ADA_ALGO", "LINK_DOT"))
    text = renewal_text(note, fresh.scan)
    for part in ("2 pairs instead of 2", "New: LINK_DOT", "Gone: XRP_DOGE", "new model: ADA_ALGO"):
        assert part in text
    for part in ("435 combinations", "21.8", "robust", "a test"):
        assert part in text


def test_a_year_of_renewals_makes_no_year_of_epochs(path: Path) -> None:
    for week in range(52):
        now = NOW + week * WEEK
        with locked(path):
            put(path, renewal(load_pairs_file(path), "ADA_ALGO", f"C{week}_DOT", now=now), files_kept=10)
    file = load_pairs_file(path)
    assert len(file.epochs) == 2
    assert len(file.pairs) == 5
    assert len(list(epochs_folder(path).iterdir())) == 10
    newest = sorted(epochs_folder(path).iterdir())[-1]
    assert "C50_DOT" in load_pairs_file(newest).pair_ids()


def test_a_name_that_means_other_coins_now_does_not_stand_in_the_way(path: Path) -> None:
    other = pair("ADA_ALGO").model_copy(update={"leg_b": "TRX/USDT:USDT"})
    fresh = renewed(
        load_pairs_file(path), epoch().model_copy(update={"pairs": (other,)}), scan=SCAN, exchange="binance",
        timeframe="1h", now=NOW, why="a test", renewal_id="00000002",
    )  # fmt: skip
    assert [each.pairs for each in fresh.epochs] == [(other,)]


@given(before=st.integers(0, 20), after=st.integers(0, 20), share=st.floats(0, 1))
def test_a_person_is_asked_exactly_where_too_much_would_go(before: int, after: int, share: float) -> None:
    names = [f"P{number}" for number in range(20)]
    asked = reasons_to_ask(names[:before], names[:after], share, asks=False)
    assert bool(asked) == (before > 0 and after < (1 - share) * before)
    assert reasons_to_ask(names[:before], names[:after], share, asks=True)[0].startswith("you want")


def test_what_is_accepted_is_in_force_and_waits_no_more(path: Path) -> None:
    waiting = proposal(path, "LINK_DOT")
    propose(path, waiting)
    later = NOW + timedelta(days=2)
    accepted = accept_proposal(path, waiting.id, "Telegram", later)
    assert load_pairs_file(path) == accepted
    assert pairs_in_force(accepted, later) == ("LINK_DOT",)
    assert pairs_in_force(accepted, later - timedelta(minutes=1)) == ("ADA_ALGO", "XRP_DOGE"), "until then"
    assert read_proposal(path) is None
    with pytest.raises(ProposalError, match="none waits"):
        accept_proposal(path, waiting.id, "Telegram", later)


def test_what_is_not_what_was_read_is_not_accepted(path: Path) -> None:
    first = proposal(path, "LINK_DOT")
    propose(path, first)
    second = proposal(path, "TRX_DOT")
    propose(path, second)
    before = path.read_bytes()
    with pytest.raises(ProposalError, match=second.id):
        accept_proposal(path, first.id, "Telegram", NOW)
    with pytest.raises(ProposalError, match="expired"):
        accept_proposal(path, second.id, "Telegram", NOW + WEEK)
    assert path.read_bytes() == before
    put(path, renewal(load_pairs_file(path), "SOL_BNB", name="00000009"))
    propose(path, second)
    with pytest.raises(ProposalError, match="has changed since"):
        accept_proposal(path, second.id, "Telegram", NOW)


def test_a_file_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    path.write_text('{"pairs": ["mine"]}')
    with pytest.raises(PairsFileError, match="is not a pairs file"):
        put(path, renewal(None, "ADA_ALGO"))
    assert path.read_text() == '{"pairs": ["mine"]}'


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"id": "x"}', json.dumps({"id": "../../etc", "base": 1})]
)
def test_a_spoilt_proposal_says_so_and_is_not_accepted(path: Path, content: str) -> None:
    proposal_path(path).write_text(content)
    with pytest.raises(PairsFileError, match="renewal file"):
        read_proposal(path)
    with pytest.raises(PairsFileError, match="renewal file"):
        accept_proposal(path, "00000001", "Telegram", NOW)


def test_failures_are_counted_from_the_first_and_forgotten_after_a_success(path: Path) -> None:
    for number in range(3):
        note_failure(path, "no network\x1b[2J" + "x" * 5000, NOW + timedelta(hours=number))
    failure = read_failure(path)
    assert failure is not None
    assert (failure.since, failure.attempts) == (NOW, 3)
    assert "\x1b" not in failure.error
    put(path, renewal(load_pairs_file(path), "ADA_ALGO"))
    assert read_failure(path) is None


def test_a_note_of_others_is_no_note(path: Path) -> None:
    file = load_pairs_file(path)
    for note in (
        None,
        [],
        "x",
        {"id": "<b>", "at": "2026-03-01T00:00:00Z", "why": "", "before": [], "after": []},
    ):
        scan = Scan.model_validate(SCAN.model_dump() | {"renewal": note})
        assert note_of(file.model_copy(update={"scan": scan})) is None


def test_many_pairs_make_no_endless_message() -> None:
    text = change_text([f"A{number}_B" for number in range(300)], [f"C{number}_D" for number in range(300)])
    assert len(text) < 1000
    assert "and 290 more" in text


class Killed(BaseException):
    """The process ends here."""


EFFECTS = ("replace", "fsync", "unlink")


@pytest.mark.parametrize("way", ["put", "accept"])
def test_a_death_at_every_effect_leaves_one_of_two_files(
    path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """From the first to the last thing that reaches the disk: afterwards the old file is in force or the new
    one, and the next try ends as if nothing had been."""
    old = path.read_bytes()
    died_at, number = 0, 0
    while True:
        restore(path, old)
        waiting = proposal(path, "LINK_DOT")
        propose(path, waiting)

        def work(waiting: Proposal = waiting) -> None:
            if way == "accept":
                accept_proposal(path, waiting.id, "Telegram", NOW)
            else:
                put(path, renewal(load_pairs_file(path), "LINK_DOT"))

        if not dies(work, number, monkeypatch):
            break
        died_at += 1
        found = load_pairs_file(path)
        assert pairs_in_force(found, NOW) in (("ADA_ALGO", "XRP_DOGE"), ("LINK_DOT",))
        left = read_proposal(path)
        is_new = pairs_in_force(found, NOW) == ("LINK_DOT",)
        assert left is None or (left.base == base_of(found)) is not is_new, "never asked about what is done"
        if is_new:
            assert any("XRP_DOGE" in each.read_text() for each in epochs_folder(path).iterdir())
            put(path, renewal(found, "TRX_DOT", now=NOW + WEEK))
        else:
            work()
        assert read_proposal(path) is None
        number += 1
    assert died_at >= 8


def restore(path: Path, content: bytes) -> None:
    """As it was before."""
    for each in path.parent.rglob("*"):
        if each.is_file():
            each.unlink()
    path.write_bytes(content)


def dies(work: Callable[[], None], number: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the process died: it does after so many effects, if there are so many."""
    left = [number]

    def deadly(effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return effect(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in EFFECTS:
            patch.setattr(os, name, deadly(getattr(os, name)))
        try:
            work()
        except Killed:
            return True
    return False
