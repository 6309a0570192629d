"""Entries, the arbiter, the memory of stops, exits: known answers and properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairbot_ext.model.thresholds import ExitReason, Thresholds
from pairbot_ext.signals.arbiter import Candidate, arbitrate, expected_edge, most_pairs_at_once
from pairbot_ext.signals.zpath import entry_direction, exit_reason, is_armed

THRESHOLDS = Thresholds(entry=2.0, exit=0.5, stop=4.0, max_half_lives=4.0)
NAN = float("nan")
# Values on and around every threshold, and missing candles.
LEVELS = st.sampled_from([NAN, 0.0, 0.5, -0.5, 0.51, 1.9, 2.0, -2.0, 3.99, -3.99, 4.0, -4.0, 7.0])


@pytest.mark.parametrize(
    ("levels", "message"),
    [((2.0, 2.0, 4.0), "entry"), ((2.0, 0.5, 2.0), "stop"), ((2.0, -0.1, 4.0), "0 <= exit")],
)
def test_thresholds_out_of_order_are_refused(levels, message) -> None:
    with pytest.raises(ValueError, match=message):
        Thresholds(*levels, max_half_lives=4.0)


def test_a_time_stop_needs_a_positive_length() -> None:
    with pytest.raises(ValueError, match="max_half_lives"):
        Thresholds(2.0, 0.5, 4.0, 0.0)


def test_entries_from_entry_to_before_stop() -> None:
    z = np.array([1.99, 2.0, 3.99, 4.0, 9.0, -1.99, -2.0, -3.99, -4.0, NAN])
    armed = np.ones(z.size, dtype=bool)
    assert entry_direction(z, THRESHOLDS, armed).tolist() == [0, -1, -1, 0, 0, 0, 1, 1, 0, 0]
    assert not entry_direction(z, THRESHOLDS, ~armed).any()


def armed_slowly(z: list[float], lookback: int) -> list[bool]:
    """A pair remembers its last stop until it touches the exit level, or `lookback` candles long."""
    answers, stopped_at = [], None
    for now, value in enumerate(z):
        if abs(value) >= THRESHOLDS.stop:
            stopped_at = now
        elif abs(value) <= THRESHOLDS.exit:
            stopped_at = None
        if stopped_at is not None and now - stopped_at >= lookback:
            stopped_at = None
        answers.append(stopped_at is None)
    return answers


@given(st.lists(LEVELS, max_size=60), st.integers(1, 20))
def test_the_memory_of_stops_equals_the_slow_one(z, lookback) -> None:
    assert is_armed(np.array(z, dtype=float), THRESHOLDS, lookback).tolist() == armed_slowly(z, lookback)


@given(st.lists(LEVELS, min_size=1, max_size=60), st.integers(1, 20), st.integers(0, 59))
def test_the_memory_of_stops_reaches_back_a_bounded_time(z, lookback, cut) -> None:
    """What a bot started yesterday knows is what a backtest knows."""
    cut = min(cut, len(z) - 1)
    whole = is_armed(np.array(z, dtype=float), THRESHOLDS, lookback)
    late = is_armed(np.array(z[cut:], dtype=float), THRESHOLDS, lookback)
    np.testing.assert_array_equal(late[lookback:], whole[cut + lookback :])


def test_expected_edge_known_answer() -> None:
    edge = expected_edge(
        np.array([2.5, -2.5]), np.array([0.01, 0.01]), np.array([0.5, 0.5]), THRESHOLDS, 0.0005, 0.0002
    )
    # (2.5 - 0.5) * 1 % - 1.5 * (2 * 5 bp + 2 bp) = 200 bp - 18 bp
    np.testing.assert_allclose(edge, [0.0182, 0.0182])


SYMBOLS = "ABCDEF"
PAIRS = list(itertools.permutations(SYMBOLS, 2))


@st.composite
def candidates(draw) -> list[Candidate]:
    legs = draw(st.lists(st.sampled_from(PAIRS), min_size=1, max_size=8, unique_by=frozenset))
    rows = draw(st.integers(1, 4))
    made = []
    for each in legs:
        direction = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=rows, max_size=rows))
        edge = draw(st.lists(st.integers(-3, 3), min_size=rows, max_size=rows))
        made.append(Candidate(each, np.array(direction), np.array(edge, dtype=float)))
    return made


@given(candidates())
def test_no_symbol_is_given_twice_and_none_is_left_over(wishes) -> None:
    wins = arbitrate(wishes)
    for row in range(wins[0].size):
        winners = [wish for wish, win in zip(wishes, wins, strict=True) if win[row]]
        taken = [name for winner in winners for name in winner.legs]
        assert len(taken) == len(set(taken))
        assert all(winner.direction[row] != 0 for winner in winners)
        for wish, win in zip(wishes, wins, strict=True):
            if wish.direction[row] != 0 and not win[row]:
                # Only a pair that is worth at least as much may keep it from its symbols.
                assert any(
                    set(winner.legs) & set(wish.legs) and winner.edge[row] >= wish.edge[row]
                    for winner in winners
                )


@given(candidates(), st.randoms(use_true_random=False))
def test_the_order_matters_between_equals_only(wishes, random) -> None:
    distinct = [
        Candidate(wish.legs, wish.direction, wish.edge + number / 100) for number, wish in enumerate(wishes)
    ]
    order = list(range(len(distinct)))
    random.shuffle(order)
    shuffled = arbitrate([distinct[number] for number in order])
    for place, number in enumerate(order):
        np.testing.assert_array_equal(shuffled[place], arbitrate(distinct)[number])


def test_equal_edges_go_by_file_order() -> None:
    one = np.ones(1, dtype=int)
    wishes = [Candidate(legs, one, np.ones(1)) for legs in (("A", "B"), ("B", "C"), ("C", "D"))]
    assert [bool(win[0]) for win in arbitrate(wishes)] == [True, False, True]
    assert [bool(win[0]) for win in arbitrate(wishes[::-1])] == [True, False, True]
    assert arbitrate([]) == []


@pytest.mark.parametrize(
    ("direction", "z", "held", "half_life", "expected"),
    [
        (-1, 2.5, 1, 10.0, None),
        (-1, 0.5, 1, 10.0, ExitReason.REVERTED),
        (-1, 0.51, 1, 10.0, None),
        (-1, -0.7, 1, 10.0, ExitReason.REVERTED),
        (1, 0.7, 1, 10.0, ExitReason.REVERTED),
        (1, -0.7, 1, 10.0, None),
        (-1, 4.0, 1, 10.0, ExitReason.STOP),
        (1, -4.0, 1, 10.0, ExitReason.STOP),
        (-1, -4.5, 1, 10.0, ExitReason.REVERTED),
        (-1, 2.5, 39, 10.0, None),
        (-1, 2.5, 40, 10.0, ExitReason.TIME),
        (-1, 4.0, 40, 10.0, ExitReason.STOP),
        (-1, NAN, 39, 10.0, None),
        (-1, NAN, 40, 10.0, ExitReason.TIME),
        (-1, 2.5, 10_000, NAN, None),
        (-1, 2.5, 10_000, float("inf"), None),
        (-1, 2.5, 1, 0.0, ExitReason.TIME),
    ],
)
def test_exits(direction, z, held, half_life, expected) -> None:
    assert exit_reason(THRESHOLDS, direction, z, held, THRESHOLDS.max_half_lives * half_life) == expected


def most_by_trying(pairs: list[tuple[str, str]]) -> int:
    for count in range(len(pairs), 0, -1):
        for chosen in itertools.combinations(pairs, count):
            names = [name for each in chosen for name in each]
            if len(names) == len(set(names)):
                return count
    return 0


@given(st.lists(st.sampled_from(PAIRS), max_size=9, unique_by=frozenset))
def test_most_pairs_at_once_equals_trying_all(pairs) -> None:
    assert most_pairs_at_once(pairs) == most_by_trying(pairs)


def test_most_pairs_of_the_committed_file(repo_root) -> None:
    from pairbot_ext.pairs import load_pairs_file

    (epoch,) = load_pairs_file(repo_root / "pairs_config.json").epochs
    assert most_pairs_at_once([pair.symbols for pair in epoch.pairs]) == 5


def test_too_many_pairs_to_search_give_the_upper_bound() -> None:
    assert most_pairs_at_once(PAIRS, search_limit=2) == 3
