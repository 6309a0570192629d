"""Every field of every recorded answer of Binance against the simulated exchange, compared by machine."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from differences import DIFFERENCES
from recordings import STATIC, ccxt_position, every_answer, load, market_of

from pairbot_ext.prove.fields import Row, Terms, rows
from pairbot_ext.sim.symbols import load_symbol

LEAST_ROWS = 300


@pytest.fixture
def table(shared_dir, new_world) -> list[Row]:
    """A row for each field of each recorded answer and of ours to the same request."""
    found: list[Row] = []
    for asked in every_answer(shared_dir):
        world = new_world(market=market_of(shared_dir, asked.prices), deposit=Decimal(asked.deposit))
        asked.prepare(world)
        status, answer = world.call(asked.call, **asked.params)
        ours = asked.pick(answer) if status == 200 else answer
        found += rows(asked.source, asked.call, asked.response, ours, asked.terms)
    return found


def test_every_difference_is_explained(table):
    assert len(table) >= LEAST_ROWS
    differing = [row for row in table if row.problem]
    reasons = {row: [known for known in DIFFERENCES if known.explains(row)] for row in differing}
    assert not [row for row, known in reasons.items() if not known]
    used = Counter(known for found in reasons.values() for known in found)
    assert set(used) == set(DIFFERENCES), "an explanation of what no longer differs"
    print(
        f"{len(table)} fields compared, {len(differing)} differ, every one explained by {len(used)} reasons"
    )


def test_the_documentation_has_every_difference(repo_root):
    text = (repo_root / "docs/exchange.md").read_text(encoding="utf-8")
    assert not [known.line() for known in DIFFERENCES if known.line() not in text]


def test_comparison_sees_what_it_is_there_for():
    """Each aspect, by one recorded answer bent in that aspect alone."""
    recorded = {"a": "1.20", "at": 1602818750782, "n": None, "status": "NEW", "orderId": "12", "only": 1}
    ours = {"a": "1.21", "at": 1602818750999, "n": None, "status": "FILLED", "orderId": 99, "only": 2}
    terms = Terms(exact=True, quoted_numbers=True)
    assert not [row for row in rows("", "", recorded, ours, terms) if row.problem]
    bent = {
        "a": ["1.2", "12.10", "1.2e0", "", 1.2, None],
        "at": [1602818750, "1602818750782", None],
        "n": ["", 0],
        "status": ["DONE", 1],
    }
    for name, values in bent.items():
        for value in values:
            wrong = [row for row in rows("", "", recorded, ours | {name: value}, terms) if row.problem]
            assert [row.path for row in wrong] == [name] or (name, value) == ("a", ""), value
    shorter = {key: value for key, value in ours.items() if key != "only"}
    assert [row.problem for row in rows("", "", recorded, shorter, terms) if row.problem] == [
        "absent: Binance has it"
    ]
    assert [row.problem for row in rows("", "", shorter, ours, terms) if row.problem] == [
        "extra: Binance has it not"
    ]


def test_a_recorded_position_to_the_last_digit(shared_dir, new_world):
    """What follows from amount, entry, mark, leverage, bracket and fee is the number Binance answered."""
    recorded = load(shared_dir, "ccxt_static_response_linear.json")[
        "fetchPositions_GET_fapi_v3_positionRisk"
    ][0]
    world = new_world(market=market_of(shared_dir, {"BTCUSDT": "67445.80"}), deposit=Decimal(26))
    ccxt_position(world)
    (ours,) = world.call("GET /fapi/v3/positionRisk")[1]
    depends_on_the_account = {"liquidationPrice", "updateTime", "adl"}
    assert [row for row in rows("", "", recorded, ours, STATIC) if row.problem] == []
    assert {key: value for key, value in ours.items() if key not in depends_on_the_account} == {
        key: value for key, value in recorded.items() if key not in depends_on_the_account
    }


def test_recorded_rules_of_contracts(shared_dir, new_world):
    """The contracts whose rules are known by heart, against their recorded ones."""
    known = load(shared_dir, "symbol_filters.json")
    compared = 0
    for name in ("ADAUSDT", "ALGOUSDT", "1000SATSUSDT"):
        spec, filters = load_symbol(name), {rule["filterType"]: rule for rule in known[name]["filters"]}
        pairs = {
            "tickSize": (spec.price_tick, filters["PRICE_FILTER"]["tickSize"]),
            "stepSize": (spec.amount_step, filters["LOT_SIZE"]["stepSize"]),
            "minQty": (spec.min_amount, filters["LOT_SIZE"]["minQty"]),
            "maxQty": (spec.max_amount, filters["LOT_SIZE"]["maxQty"]),
            "market maxQty": (spec.market_max_amount, filters["MARKET_LOT_SIZE"]["maxQty"]),
            "notional": (spec.min_notional, filters["MIN_NOTIONAL"]["notional"]),
            "multiplierUp": (spec.price_up, filters["PERCENT_PRICE"]["multiplierUp"]),
            "multiplierDown": (spec.price_down, filters["PERCENT_PRICE"]["multiplierDown"]),
        }
        wrong = {what: pair for what, pair in pairs.items() if pair[0] != Decimal(pair[1])}
        assert not wrong, name
        compared += len(pairs)
    assert compared == 24
    tiers = load(shared_dir, "leverage_tiers_pairs.json")
    for unified, recorded in tiers.items():
        spec = load_symbol(unified.partition("/")[0] + "USDT")
        ours = [
            (float(b.notional_floor), float(b.notional_cap), float(b.maint_margin_ratio), b.initial_leverage)
            for b in spec.brackets
        ]
        assert ours == [
            (row["minNotional"], row["maxNotional"], row["maintenanceMarginRate"], row["maxLeverage"])
            for row in recorded
        ]


def test_every_request_seen_on_the_wire_is_understood(shared_dir, world):
    """What unmodified ccxt was seen to send, sent again: answered, or refused for the reason it was then."""
    asked, wrong = 0, {}
    for entry in load(shared_dir, "wire_ccxt.json"):
        for text in entry["requests"]:
            call, _, rest = text.partition(" ?")
            query, _, body = rest.partition("BODY")
            params = dict(parse_qsl(query.strip() or body.strip()))
            given = {k: v for k, v in params.items() if k not in ("timestamp", "signature")}
            status, answer = world.call(call, **given)
            asked += 1
            allowed = _REFUSED_HERE.get(entry["call"])
            if status != 200 and answer["code"] != allowed:
                wrong[entry["call"]] = answer
    assert asked == 30
    assert not wrong


# The stub of the recording knew neither the order nor the market, and set no margin type.
_REFUSED_HERE = {
    "cancel_order": -2011,
    "fetch_order stop": -2013,
    "cancel stop": -2011,
    "set_margin_mode": -4046,
}
