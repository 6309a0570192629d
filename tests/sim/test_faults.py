"""Two truths: what the venue holds, and what it answers. Every form of fault, and the schedule that picks
them.
"""

import json
from decimal import Decimal
from typing import get_args

import ccxt
import pytest

from pairbot_ext.sim.venue.actions import Action, OpenPosition, apply
from pairbot_ext.sim.venue.faults import AnswerForm, FaultRule, Faults, Schedule, When, load_schedule
from pairbot_ext.sim.venue.orders import OrderStatus
from pairbot_ext.sim.venue.stream_faults import StreamFault
from pairbot_ext.support.errors import PairbotError

ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"
UNCLEAR = [
    "read_timeout", "reset", "unknown_503_msg", "unknown_503_code_0", "unknown_503_code_1000", "html_502",
    "html_503", "html_504", "unexpected_1006", "timeout_1007", "empty_200", "truncated_200",
]  # fmt: skip


def send(client: ccxt.binance, side: str = "buy", **params) -> dict | None:
    """A market order of 100 ADA; None where the client learned nothing of its fate."""
    try:
        order = client.create_order(ADA, "market", side, 100, None, params)
    except ccxt.BaseError:
        return None
    return order if order["id"] else None


@pytest.mark.parametrize("form", UNCLEAR)
@pytest.mark.parametrize("executed", [True, False])
def test_lost_answers(world, client, form, executed):
    world.fault(answer=form, execute=executed)
    assert send(client, newClientOrderId="lost-1") is None
    assert world.held() == (100 if executed else 0)
    assert world.gateway.log.calls("POST /fapi/v1/order")[-1].executed is executed
    if executed:
        assert client.fetch_order(None, ADA, {"clientOrderId": "lost-1"})["filled"] == 100
    else:
        with pytest.raises(ccxt.OrderNotFound):
            client.fetch_order(None, ADA, {"clientOrderId": "lost-1"})
    assert send(client), "one request only"


@pytest.mark.parametrize("form", ["unavailable_503", "overloaded_1008", "html_403"])
def test_forms_that_mean_not_executed(world, client, form):
    world.fault(answer=form)
    assert send(client) is None
    assert world.held() == 0


def test_a_rejection_that_lies(world, client):
    world.fault(answer="reject", code=-2019, execute=True)
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(ADA, "market", "buy", 100)
    assert world.held() == 100


def test_timeout_takes_as_long_as_the_client_waits(world, client):
    started = world.clock()
    world.fault(answer="read_timeout")
    with pytest.raises(ccxt.RequestTimeout):
        client.create_order(ADA, "market", "buy", 100)
    assert world.clock() - started == 2000


def test_execution_after_the_client_gave_up(world, client):
    """Not found now, filled a moment later: why a 404 is no proof before recvWindow has passed."""
    world.fault(answer="read_timeout", execute_delay_ms=3000)
    assert send(client, newClientOrderId="slow-1") is None
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(None, ADA, {"clientOrderId": "slow-1"})
    world.clock.advance(1001)
    assert client.fetch_order(None, ADA, {"clientOrderId": "slow-1"})["filled"] == 100
    sent, late = world.gateway.log.calls("POST /fapi/v1/order")
    assert (sent.executed, late.executed, late.delivery) == (False, True, "late")
    assert late.received_ms - sent.received_ms == 3000


def test_execution_later_than_recv_window_does_not_happen(world, client):
    world.fault(answer="read_timeout", execute_delay_ms=11_000)
    assert send(client, newClientOrderId="stale-1") is None
    world.clock.advance(12_000)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(None, ADA, {"clientOrderId": "stale-1"})
    assert world.held() == 0


@pytest.mark.parametrize(("fraction", "filled"), [("0.6", 60), ("0", 0), ("0.999", 99)])
def test_partial_and_zero_fills_expire(world, client, fraction, filled):
    world.fault(fill={"fraction": fraction})
    order = client.create_order(ADA, "market", "buy", 100)
    assert (order["status"], order["filled"]) == ("expired", filled)
    assert world.held() == filled


def test_new_then_filled(world, client):
    world.fault(fill={"fraction": 0, "hold_ms": 1500})
    order = client.create_order(ADA, "market", "buy", 100)
    assert (order["status"], order["filled"]) == ("open", 0)
    world.clock.advance(1499)
    assert client.fetch_order(order["id"], ADA)["status"] == "open"
    world.clock.advance(1)
    assert client.fetch_order(order["id"], ADA)["status"] == "closed"
    assert world.held() == 100


def test_late_fill_at_a_price_that_ran_away(world, client):
    world.fault(fill={"fraction": "0.3", "hold_ms": 1000})
    order = client.create_order(ADA, "limit", "buy", 100, 0.7325, {"timeInForce": "IOC"})
    assert (order["status"], order["filled"]) == ("open", 30)
    world.market.prices["ADAUSDT"] = Decimal("0.7400")
    world.clock.advance(1000)
    assert client.fetch_order(order["id"], ADA)["status"] == "expired"
    assert world.held() == 30


def test_held_for_ever_until_cancelled(world, client):
    world.fault(fill={"fraction": "0.3", "hold_ms": -1})
    order = client.create_order(ADA, "market", "buy", 100)
    world.clock.advance(3_600_000)
    assert client.fetch_order(order["id"], ADA)["status"] == "open"
    cancelled = client.cancel_order(order["id"], ADA)
    assert (cancelled["status"], cancelled["filled"]) == ("canceled", 30)


def test_fill_during_cancel(world, client):
    world.fault(fill={"fraction": 0, "hold_ms": -1})
    world.fault(when={"call": "DELETE /fapi/v1/order"}, before=[{"do": "fill_orders"}])
    order = client.create_order(ADA, "market", "buy", 100)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(order["id"], ADA)
    assert client.fetch_order(order["id"], ADA)["status"] == "closed"
    assert world.held() == 100


def test_partial_fill_during_cancel(world, client):
    world.fault(fill={"fraction": 0, "hold_ms": -1})
    world.fault(when={"call": "DELETE /fapi/v1/order"}, before=[{"do": "fill_orders", "amount": "40"}])
    order = client.create_order(ADA, "market", "buy", 100)
    cancelled = client.cancel_order(order["id"], ADA)
    assert (cancelled["status"], cancelled["filled"]) == ("canceled", 40)


def test_fill_of_a_resting_order_during_cancel(world, client):
    world.fault(when={"call": "DELETE /fapi/v1/order"}, before=[{"do": "fill_orders"}])
    order = client.create_order(ADA, "limit", "buy", 100, 0.72)
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(order["id"], ADA)
    done = client.fetch_order(order["id"], ADA)
    assert (done["status"], done["average"]) == ("closed", 0.72)


def test_failing_and_delayed_reads(world, client):
    world.fault(when={"call": "GET /fapi/v3/*", "times": 2}, answer="html_502")
    for _ in range(2):
        with pytest.raises(ccxt.ExchangeNotAvailable):
            client.fetch_balance()
    assert client.fetch_balance()["USDT"]["total"] == 10_000
    world.fault(when={"call": "GET /fapi/v1/depth"}, delay_ms=1500)
    started = world.clock()
    client.fetch_order_book(ADA, 5)
    assert world.clock() - started == 1500
    world.fault(when={"call": "GET /fapi/v1/depth"}, delay_ms=2500)
    with pytest.raises(ccxt.RequestTimeout):
        client.fetch_order_book(ADA, 5)


def test_round_trip(world, client):
    world.gateway.round_trip_ms = 51
    started = world.clock()
    assert client.fetch_time() == started + 25
    assert world.clock() == started + 51


def test_closed_by_hand_just_before_the_exit(world, client):
    client.create_order(ADA, "market", "buy", 100)
    world.fault(when={"reduce_only": True}, before=[{"do": "close_position"}])
    with pytest.raises(ccxt.InvalidOrder, match="-2022"):
        client.create_order(ADA, "market", "sell", 100, None, {"reduceOnly": True})
    assert world.held() == 0
    assert world.venue.engine.fills[-1].client_order_id.startswith("web_")


def test_late_reduction_of_a_position_that_is_gone(world, client):
    client.create_order(ADA, "market", "buy", 100)
    world.fault(fill={"fraction": 0, "hold_ms": 1000})
    late = client.create_order(ADA, "market", "sell", 100, None, {"reduceOnly": True})
    assert apply(OpenPosition(symbol="ADAUSDT", side="SELL", amount="70"), world.venue) is None
    world.clock.advance(1000)
    done = client.fetch_order(late["id"], ADA)
    assert (done["status"], done["filled"]) == ("expired", 30)
    assert world.held() == 0


def test_foreign_position_and_order_after_an_entry(world, client):
    resting = {"do": "resting_order", "symbol": "ALGOUSDT", "side": "BUY", "amount": "100", "price": "0.2"}
    world.fault(
        after=[{"do": "open_position", "symbol": "ALGOUSDT", "side": "SELL", "amount": "500"}, resting]
    )
    client.create_order(ADA, "market", "buy", 100)
    assert {row["symbol"]: row["side"] for row in client.fetch_positions()} == {ADA: "long", ALGO: "short"}
    assert client.fetch_open_orders(ALGO)[0]["amount"] == 100


def test_timed_actions(new_world, new_client):
    actions = [{"do": "open_position", "symbol": "ADAUSDT", "side": "BUY", "amount": "100"}]
    schedule = Schedule.model_validate({"timed": [{"at_ms": 5000, "actions": actions}]})
    world = new_world(schedule=schedule)
    client = new_client(world)
    world.clock.advance(4999)
    assert client.fetch_positions() == []
    world.clock.advance(1)
    assert client.fetch_positions()[0]["contracts"] == 100


def test_custom_answer(world, client):
    world.fault(when={"call": "GET /fapi/v1/time"}, answer="custom", status=200, body='{"serverTime":1}')
    assert client.fetch_time() == 1


def test_plain_double_entry(world, client):
    """Why the guard exists: an executed entry answered 503 and sent again is twice the position."""
    world.fault(answer="unknown_503_msg")
    assert send(client) is None
    assert send(client) is not None
    assert world.held() == 200


# -- the schedule ----------------------------------------------------------------------------------------


def picked(rules: list[dict], calls: list[tuple[str, dict, str]], seed: int = 0) -> list[str]:
    faults = Faults(Schedule(seed=seed, rules=tuple(FaultRule.model_validate(rule) for rule in rules)), 0)
    rules_found = [faults.pick(call, params, client_id, 1000) for call, params, client_id in calls]
    return ["-" if rule is None else rule.name for rule in rules_found]


POST = "POST /fapi/v1/order"


def test_counts_by_symbol_and_number():
    ada, algo = (POST, {"symbol": "ADAUSDT"}, ""), (POST, {"symbol": "ALGOUSDT"}, "")
    rule = {"name": "x", "when": {"symbol": "ALGOUSDT", "nth": 2, "times": 2}}
    assert picked([rule], [algo, ada, algo, ada, algo, algo]) == ["-", "-", "x", "-", "x", "-"]
    assert picked([{"name": "x", "when": {"times": None}}], [ada] * 3) == ["x"] * 3


def test_roles_and_legs_of_our_ids():
    calls = [(POST, {}, f"pb-k3j9x2m4q8z1-{leg}-{role}-1") for leg in "AB" for role in ("entry", "exit")]
    assert picked([{"name": "x", "when": {"role": "exit", "leg": "B"}}], calls) == ["-", "-", "-", "x"]
    assert picked([{"name": "x", "when": {"client_order_id": "pb-*-A-exit-*"}}], calls) == [
        "-",
        "x",
        "-",
        "-",
    ]
    assert picked([{"name": "x", "when": {"role": "exit"}}], [(POST, {}, "x-cvBPrNm988e8d0ae18")]) == ["-"]


def test_first_rule_wins_and_all_count():
    rules = [{"name": "first", "when": {"nth": 2}}, {"name": "second", "when": {"nth": 2, "times": 2}}]
    assert picked(rules, [(POST, {}, "")] * 3) == ["-", "first", "second"]


def test_side_reduce_only_and_wildcards():
    buy, sell = (POST, {"side": "BUY"}, ""), (POST, {"side": "SELL", "reduceOnly": "true"}, "")
    read = ("GET /fapi/v3/account", {}, "")
    assert picked([{"name": "x", "when": {"side": "SELL"}}], [buy, sell]) == ["-", "x"]
    assert picked([{"name": "x", "when": {"reduce_only": False}}], [sell, buy]) == ["-", "x"]
    assert picked([{"name": "x", "when": {"call": "GET *"}}], [buy, read]) == ["-", "x"]


def test_time_window():
    faults = Faults(Schedule(rules=(FaultRule(when=When(after_ms=100, until_ms=200, times=None)),)), 1000)
    assert [faults.pick(POST, {}, "", at) is not None for at in (1099, 1100, 1199, 1200)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_probability_is_seeded():
    rule = {"name": "x", "when": {"times": None, "probability": 0.3}}
    calls = [(POST, {}, "")] * 300
    first = picked([rule], calls, seed=7)
    assert first == picked([rule], calls, seed=7)
    assert first != picked([rule], calls, seed=8)
    assert 60 <= first.count("x") <= 120


def test_requests_that_name_an_order_by_number(world, client):
    """A rule for an order's role also finds the cancel and the query that only carry its number."""
    world.fault(fill={"fraction": 0, "hold_ms": -1})
    world.fault(when={"call": "GET /fapi/v1/order", "role": "entry"}, answer="html_502")
    order = client.create_order(
        ADA, "market", "buy", 100, None, {"newClientOrderId": "pb-abcdefghijkl-A-entry-1"}
    )
    with pytest.raises(ccxt.ExchangeNotAvailable):
        client.fetch_order(order["id"], ADA)
    assert world.venue.engine.orders[int(order["id"])].status is OrderStatus.NEW


def test_schedule_file(tmp_path):
    path = tmp_path / "faults.json"
    rule = {"name": "lost", "when": {"role": "entry", "leg": "B"}, "answer": "reset"}
    path.write_text(json.dumps({"seed": 3, "rules": [rule]}))
    assert load_schedule(path).rules[0].executes
    for text, place in (
        ('{"rules": [{"answer": "reject"}]}', "needs a"),
        ('{"rules": [{"when": {"nth": 0}}]}', "rules.0.when.nth"),
        ('{"rules": [{"typo": 1}]}', "typo"),
        ('{"rules": [{"before": [{"do": "explode"}]}]}', "before"),
        ('{"rules": [{"execute_delay_ms": 5}]}', "no normal answer"),
        ('{"rules": [{"execute": false}]}', "no normal answer"),
        ("nonsense", "JSON"),
    ):
        path.write_text(text)
        with pytest.raises(PairbotError, match=place) as wrong:
            load_schedule(path)
        assert "faults.json" in str(wrong.value)
    with pytest.raises(PairbotError, match="cannot be read"):
        load_schedule(tmp_path / "absent.json")


def test_the_guide_is_right(repo_root, tmp_path):
    """The schedules in docs/exchange.md load; the guide names every answer form, action and stream fault."""
    guide = (repo_root / "docs" / "exchange.md").read_text(encoding="utf-8")
    examples = [block.partition("```")[0] for block in guide.split("```json\n")[1:]]
    loaded = []
    for example in examples:
        (tmp_path / "faults.json").write_text(example)
        loaded.append(load_schedule(tmp_path / "faults.json"))
    assert [(len(schedule.rules), len(schedule.streams)) for schedule in loaded] == [(6, 0), (0, 4)]
    actions = {kind.model_fields["do"].default for kind in get_args(get_args(Action)[0])}
    assert len(actions) == 13
    assert not {
        name
        for name in {form.value for form in AnswerForm} - {"normal"} | actions | set(StreamFault)
        if f"`{name}`" not in guide
    }
