"""The picture of the state machine is what `decide` does."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from pairbot_ext.model.states import PairState
from pairbot_ext.reference.state_machine import edges, page, svg, why
from pairbot_ext.reference.walks import observed_edges


def test_other_accidents_take_the_same_ways() -> None:
    """What is drawn does not hang on the seed: whatever other walks do often is in the picture."""
    often = {edge for edge, count in observed_edges(400, seed=7).items() if count >= 8}
    assert often <= set(edges())
    assert len(often) >= 20


def test_final_states_are_final_and_every_state_is_reached() -> None:
    drawn = edges()
    assert not [edge for edge in drawn if edge[0].is_final]
    assert {after for _, after in drawn} == set(PairState) - {PairState.PLANNED}
    assert {before for before, _ in drawn} == {state for state in PairState if not state.is_final}


def test_every_way_is_explained() -> None:
    assert all(why(edge) for edge in edges())
    with pytest.raises(KeyError):
        why((PairState.CLOSED, PairState.HEDGED))


def test_picture_and_text_show_the_same() -> None:
    picture = ET.fromstring(svg())
    shown = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert shown == [state.value for state in PairState]
    arrows = [path for path in picture.iter("{http://www.w3.org/2000/svg}path") if path.get("marker-end")]
    assert len(arrows) == len(edges()) == page().count(" --> ") - 3  # the start and the two ends
    assert len(svg()) < 100_000
