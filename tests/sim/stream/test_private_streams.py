"""The user data stream under a clock the test moves: listen keys, events and their order."""

from decimal import Decimal
from typing import Any

import pytest

from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.stream.within import StreamTap
from pairbot_ext.sim.venue import actions
from pairbot_ext.sim.venue.options import StreamTerms

HOUR_MS = 3_600_000
MINUTE_MS = 60_000


def key_of(world: Any) -> str:
    return world.call("POST /fapi/v1/listenKey")[1]["listenKey"]


def listen(world: Any, **options: Any) -> StreamTap:
    return StreamTap(world.exchange, "/private/ws", f"listenKey={key_of(world)}", **options)


def later(world: Any, ms: int) -> None:
    world.clock.advance(ms)
    world.exchange.tick()


def isolated(world: Any, leverage: int = 10, symbol: str = "ADAUSDT") -> None:
    world.call("POST /fapi/v1/marginType", symbol=symbol, marginType="ISOLATED")
    world.call("POST /fapi/v1/leverage", symbol=symbol, leverage=leverage)


# -- listen keys ---------------------------------------------------------------------------------------


def test_one_key_for_an_hour(world):
    key = key_of(world)
    assert len(key) == 64
    later(world, HOUR_MS - 1)
    assert key_of(world) == key, "a repeated POST extends the key and returns it"
    later(world, HOUR_MS - 1)
    assert world.call("PUT /fapi/v1/listenKey") == (200, {"listenKey": key})
    later(world, HOUR_MS)
    status, refusal = world.call("PUT /fapi/v1/listenKey")
    assert (status, refusal) == (400, {"code": -1125, "msg": "This listenKey does not exist."})
    assert key_of(world) != key


def test_key_calls_need_the_api_key_and_weigh_one(world):
    answer = world.gateway.handle(Request("POST", "/fapi/v1/listenKey"))
    assert (answer.status, b"-2014" in answer.body) == (401, True)
    key_of(world)
    assert [record.weight for record in world.gateway.log.calls("POST /fapi/v1/listenKey")] == [1, 1]


def test_an_expired_key_is_told_once_then_silence_on_an_open_connection(world):
    tap = listen(world)
    key = tap.connection.key
    later(world, HOUR_MS)
    (event,) = tap.messages()
    assert event == {"e": "listenKeyExpired", "E": world.clock(), "listenKey": key}
    world.place("BUY", 100)
    later(world, 1000)
    assert (tap.messages(), tap.end) == ([], "")
    assert world.exchange.streams.report()[0]["has_valid_key"] is False
    fresh = listen(world)
    world.place("BUY", 100)
    assert fresh.messages()
    assert tap.messages() == []


def test_a_closed_key_closes_its_connections(world):
    tap = listen(world)
    assert world.call("DELETE /fapi/v1/listenKey") == (200, {})
    assert tap.end == "listen key closed"
    assert world.call("PUT /fapi/v1/listenKey")[0] == 400
    assert world.call("DELETE /fapi/v1/listenKey") == (200, {})


def test_forms_of_a_private_connection(world):
    key = key_of(world)
    taps = [
        StreamTap(world.exchange, "/private/ws", f"listenKey={key}"),
        StreamTap(world.exchange, f"/private/ws/{key}"),
        StreamTap(world.exchange, "/private/stream", f"streams={key}"),
        StreamTap(world.exchange, "/private/ws"),
    ]
    taps[3].send({"method": "SUBSCRIBE", "params": [key], "id": 1})
    silent = [
        StreamTap(world.exchange, f"/ws/{key}"),
        StreamTap(world.exchange, "/ws", f"listenKey={key}"),
        StreamTap(world.exchange, f"/public/ws/{key}"),
        StreamTap(world.exchange, "/private/ws", "listenKey=unknown"),
        StreamTap(world.exchange, "/private/ws"),
    ]
    world.place("BUY", 100)
    counts = [len([m for m in tap.messages() if "result" not in m]) for tap in taps]
    assert counts == [3, 3, 3, 3]
    assert [tap.messages() for tap in silent] == [[]] * 5
    assert key not in str([row["path"] for row in world.exchange.streams.report()]), "keys are secrets"


def test_combined_private_messages_name_the_key(world):
    key = key_of(world)
    tap = StreamTap(world.exchange, "/private/stream", f"listenKey={key}")
    world.place("BUY", 100)
    assert {message["stream"] for message in tap.messages()} == {key}


# -- orders --------------------------------------------------------------------------------------------


def kinds(messages: list[Any]) -> list[str]:
    return [
        f"{message['o']['x']} {message['o']['X']}"
        if message["e"] == "ORDER_TRADE_UPDATE"
        else f"{message['e']} {message['a']['m']}"
        for message in messages
    ]


def test_a_market_order(world):
    tap = listen(world)
    _, answer = world.call(
        "POST /fapi/v1/order", symbol="ADAUSDT", side="BUY", type="MARKET", quantity=100,
        newClientOrderId="pb-abc-A-e-1",
    )  # fmt: skip
    messages = tap.messages()
    assert kinds(messages) == ["NEW NEW", "ACCOUNT_UPDATE ORDER", "TRADE FILLED"]
    now = world.clock()
    new, trade = messages[0], messages[2]
    assert (trade["E"], trade["T"], trade["o"]["T"]) == (now, now, now)
    assert new["o"] | {"x": "", "X": ""} == {
        "s": "ADAUSDT", "c": "pb-abc-A-e-1", "S": "BUY", "o": "MARKET", "f": "GTC", "q": "100",
        "p": "0.00000", "ap": "0.000000", "sp": "0", "x": "", "X": "", "i": answer["orderId"],
        "l": "0", "z": "0",
        "L": "0.00000", "T": now, "t": 0, "b": "0", "a": "0", "m": False, "R": False, "wt": "CONTRACT_PRICE",
        "ot": "MARKET", "ps": "BOTH", "cp": False, "rp": "0.00000000", "pP": False, "si": 0, "ss": 0,
        "V": "EXPIRE_MAKER", "pm": "NONE", "gtd": 0, "er": "0",
    }  # fmt: skip
    assert "n" not in new["o"], "no commission, no commission field"
    assert {key: trade["o"][key] for key in ("l", "z", "L", "ap", "n", "N", "m", "rp")} == {
        "l": "100", "z": "100", "L": "0.73210", "ap": "0.732100", "n": "0.03660500", "N": "USDT", "m": False,
        "rp": "0.00000000",
    }  # fmt: skip
    (fill,) = world.venue.engine.fills
    assert (trade["o"]["t"], trade["o"]["i"]) == (fill.trade_id, fill.order_id)


def test_a_fill_in_parts_and_its_end(world):
    world.market.books["ADAUSDT"] = world.market.book("ADAUSDT", 0).__class__(
        bids=((Decimal("0.7319"), Decimal(50)),),
        asks=((Decimal("0.7321"), Decimal(50)), (Decimal("0.7322"), Decimal(30))),
    )
    tap = listen(world)
    world.place("BUY", 100, price="0.7330", tif="IOC")
    messages = tap.messages()
    assert kinds(messages) == [
        "NEW NEW", "ACCOUNT_UPDATE ORDER", "TRADE PARTIALLY_FILLED", "ACCOUNT_UPDATE ORDER",
        "TRADE PARTIALLY_FILLED", "EXPIRED EXPIRED",
    ]  # fmt: skip
    filled = [message["o"]["z"] for message in messages if message["e"] == "ORDER_TRADE_UPDATE"]
    assert filled == ["0", "50", "80", "80"]
    assert messages[-1]["o"]["er"] == "2"
    assert messages[1]["a"]["P"][0]["pa"] == "50"


def test_a_cancel_and_a_resting_fill(world):
    tap = listen(world)
    order = world.place("BUY", 100, price="0.7000")
    other = world.place("BUY", 50, price="0.7000")
    world.call("DELETE /fapi/v1/order", symbol="ADAUSDT", orderId=order.order_id)
    world.market.prices["ADAUSDT"] = Decimal("0.6990")
    later(world, 1000)
    messages = tap.messages()
    assert kinds(messages) == [
        "NEW NEW", "NEW NEW", "CANCELED CANCELED", "ACCOUNT_UPDATE ORDER", "TRADE FILLED",
    ]  # fmt: skip
    assert (messages[-1]["o"]["i"], messages[-1]["o"]["m"]) == (other.order_id, True)


def test_a_refused_order_tells_nothing(world):
    tap = listen(world)
    status, _ = world.call("POST /fapi/v1/order", symbol="ADAUSDT", side="BUY", type="MARKET", quantity=1)
    assert (status, tap.messages()) == (400, [])


def test_wallet_and_positions_of_an_update_are_those_of_the_account(world):
    isolated(world)
    tap = listen(world)
    world.place("BUY", 1000)
    world.place("SELL", 400, reduce_only=True)
    account, position = world.venue.account, world.venue.account.position("ADAUSDT")
    update = [message for message in tap.messages() if message["e"] == "ACCOUNT_UPDATE"][-1]["a"]
    (balance,) = update["B"]
    assert (balance["a"], balance["wb"]) == ("USDT", f"{account.wallet:.8f}")
    assert (balance["cw"], balance["bc"]) == (f"{account.cross_wallet():.8f}", "0.00000000")
    (told,) = update["P"]
    _, (asked,) = world.call("GET /fapi/v3/positionRisk", symbol="ADAUSDT")
    assert (told["pa"], told["ep"], told["iw"], told["bep"]) == (
        asked["positionAmt"], asked["entryPrice"], asked["isolatedWallet"], asked["breakEvenPrice"],
    )  # fmt: skip
    assert (told["mt"], told["ps"], told["up"]) == ("isolated", "BOTH", asked["unRealizedProfit"])
    assert Decimal(told["cr"]) == position.realized == Decimal("-0.08")


# -- what is not an order ------------------------------------------------------------------------------


def test_only_positions_that_changed_are_told(world):
    world.place("BUY", 100)
    tap = listen(world)
    world.place("BUY", 100, symbol="ALGOUSDT")
    updates = [message for message in tap.messages() if message["e"] == "ACCOUNT_UPDATE"]
    assert [[row["s"] for row in update["a"]["P"]] for update in updates] == [["ALGOUSDT"]]


@pytest.mark.parametrize("margin", ["isolated", "cross"])
def test_funding(world, margin):
    if margin == "isolated":
        isolated(world)
    world.place("BUY", 1000)
    tap = listen(world)
    told = []
    for _ in range(8):
        later(world, HOUR_MS - 1)
        world.call("PUT /fapi/v1/listenKey")
        told += tap.messages()
    (update,) = told
    assert update["a"]["m"] == "FUNDING_FEE"
    assert update["a"]["B"][0]["bc"] == "-0.07320000"
    assert [row["s"] for row in update["a"]["P"]] == (["ADAUSDT"] if margin == "isolated" else [])
    assert update["T"] % (8 * HOUR_MS) == 0, "at its stamp, by the venue's clock"


def test_settings_and_transfers(world):
    tap = listen(world)
    apply = lambda action: actions.apply(action, world.venue, "ADAUSDT")  # noqa: E731
    world.call("POST /fapi/v1/leverage", symbol="ADAUSDT", leverage=7)
    world.call("POST /fapi/v1/marginType", symbol="ADAUSDT", marginType="ISOLATED")
    world.call("POST /fapi/v1/multiAssetsMargin", multiAssetsMargin="true")
    apply(actions.AccountMode(multi_assets=False))
    apply(actions.Transfer(amount=Decimal(5)))
    apply(actions.Transfer(amount=Decimal(-3)))
    told = tap.messages()
    assert [message.get("ac") or message.get("ai") or message["a"]["m"] for message in told] == [
        {"s": "ADAUSDT", "l": 7}, "MARGIN_TYPE_CHANGE", {"j": True}, {"j": False}, "DEPOSIT", "WITHDRAW",
    ]  # fmt: skip
    assert [message["a"]["B"][0]["bc"] for message in told[-2:]] == ["5.00000000", "-3.00000000"]
    world.place("BUY", 700)
    tap.messages()
    apply(actions.MoveMargin(amount=Decimal(20)))
    world.call("POST /fapi/v1/leverage", symbol="ADAUSDT", leverage=10)
    moved, config, freed = tap.messages()
    assert (moved["a"]["m"], moved["a"]["P"][0]["iw"]) == ("MARGIN_TRANSFER", "93.21000000")
    assert (config["e"], freed["a"]["m"]) == ("ACCOUNT_CONFIG_UPDATE", "MARGIN_TRANSFER")
    assert freed["a"]["P"][0]["iw"] == "51.24700000"


def test_margin_call_then_liquidation(world):
    isolated(world)
    world.place("BUY", 1000)
    tap = listen(world)
    later(world, MINUTE_MS)
    assert tap.messages() == []
    world.market.prices["ADAUSDT"] = Decimal("0.6626")
    for _ in range(3):
        later(world, MINUTE_MS)
    assert [message["e"] for message in tap.messages()] == ["MARGIN_CALL"], "once, not at each look"
    world.market.prices["ADAUSDT"] = Decimal("0.6500")
    later(world, MINUTE_MS)
    rest = tap.messages()
    assert kinds(rest) == [
        "NEW NEW", "ACCOUNT_UPDATE ORDER", "CALCULATED FILLED", "ACCOUNT_UPDATE INSURANCE_CLEAR",
    ]  # fmt: skip
    order = rest[0]["o"]
    assert order["c"].startswith("autoclose-")
    assert (order["o"], order["ot"], order["S"]) == ("LIQUIDATION", "LIQUIDATION", "SELL")
    assert rest[1]["a"]["P"][0]["pa"] == "0"


def test_margin_call_names_the_position(new_world):
    world = new_world(streams=StreamTerms(margin_call_ratio=Decimal("0.05")))
    isolated(world)
    world.place("BUY", 1000)
    tap = listen(world)
    world.market.prices["ADAUSDT"] = Decimal("0.7000")
    later(world, MINUTE_MS)
    later(world, MINUTE_MS)
    (call,) = tap.messages()
    (row,) = call["p"]
    assert call["e"] == "MARGIN_CALL"
    assert "cw" not in call, "only pushed with a crossed position"
    assert (row["s"], row["ps"], row["pa"], row["mt"]) == ("ADAUSDT", "BOTH", "1000", "ISOLATED")
    assert (row["mp"], row["up"], row["iw"]) == ("0.70000000", "-32.10000000", "73.21000000")
    assert Decimal(row["mm"]) == world.venue.account.maintenance(world.venue.account.position("ADAUSDT"))
    world.market.prices["ADAUSDT"] = Decimal("0.8000")
    later(world, MINUTE_MS)
    world.market.prices["ADAUSDT"] = Decimal("0.7000")
    later(world, MINUTE_MS)
    assert len(tap.messages()) == 1, "again where it comes back"


def test_auto_deleveraging(world):
    world.place("SELL", 500)
    wallet = world.venue.account.wallet
    tap = listen(world)
    actions.apply(actions.Liquidate(symbol="ADAUSDT", adl=True), world.venue)
    messages = tap.messages()
    assert kinds(messages) == ["NEW NEW", "ACCOUNT_UPDATE ORDER", "CALCULATED FILLED"]
    assert messages[0]["o"]["c"] == "adl_autoclose"
    assert world.held() == 0
    assert world.venue.account.wallet - wallet == Decimal("-0.05"), "the price's move; no fee is taken"


def test_order_within_a_type_and_across(world):
    """Within a type by E and by T; nothing is told before it has happened."""
    tap = listen(world)
    for number in range(10):
        world.clock.advance(17)
        world.place("BUY" if number % 2 else "SELL", 100 + number)
    messages = tap.messages()
    for kind in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"):
        for stamp in ("E", "T"):
            stamps = [message[stamp] for message in messages if message["e"] == kind]
            assert stamps == sorted(stamps)
    assert all(message["T"] <= message["E"] for message in messages)
