"""One fault, one line: what depends on a check that failed says "not checked", and not the fault again."""

from __future__ import annotations

from typing import Any

import pytest
from preflight_judging import MakeSetup

from pairbot_ext.preflight import CHECKS, Status, run_check

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "stake": ({"stake_amount": "plenty"}, "plenty"),
    "leverage": ({"pairbot": {"leverage": "xyzzy"}}, "xyzzy"),
    "unknown key": ({"pairbot": {"leverrage_xyzzy": 2}}, "leverrage_xyzzy"),
    "pairs file": ({"pairbot": {"pairs_file": "nowhere-xyzzy.json"}}, "nowhere-xyzzy"),
    "timeframe": ({"timeframe": "4h"}, "differs from the pairs file's"),
    "currency": ({"stake_currency": "USDC"}, "is not what"),
    "broken pairs": ({"pairs": {"timeframe": "xyzzy"}}, "xyzzy"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_once(make_setup: MakeSetup, name: str) -> None:
    changes, word = FAULTS[name]
    setup = make_setup(**changes)
    results = [run_check(check, setup) for check in CHECKS]
    told = [result for result in results if word in result.text]
    assert len(told) == 1, [result.line() for result in told]
    assert told[0].status is Status.FAIL
    assert told[0].remedy
    assert not [result.line() for result in results if "check itself broke" in result.text]
