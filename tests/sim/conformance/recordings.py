"""Recorded answers of Binance, and how the same request is put to a simulated venue in the same state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pairbot_ext.prove.fields import Terms
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.symbols import SymbolSpec, load_symbol

FOLDER = "fixtures/binance"
WIRE, DOCUMENTED = Terms(exact=True), Terms(exact=False)
STATIC = Terms(exact=True, quoted_numbers=True)
Prepare = Callable[[Any], None]


@dataclass(frozen=True)
class Asked:
    """One recording and how it is asked for here.

    :param prices: where the market stands, by Binance id. :param prepare: brings the account there.
    :param pick: what of our answer stands against the recording.
    """

    source: str
    call: str
    params: dict[str, Any]
    response: Any
    terms: Terms
    prices: dict[str, str]
    prepare: Prepare = lambda world: None
    pick: Callable[[Any], Any] = lambda answer: answer
    deposit: str = "10000"


def load(shared: Path, name: str) -> Any:
    """One recording's file."""
    return json.loads((shared / FOLDER / name).read_text())


def recorded_rules(shared: Path) -> dict[str, SymbolSpec]:
    """The recorded contracts as rules of the simulation, with the leverage brackets it has of them."""
    entries = load(shared, "rest_responses.json")["GET /fapi/v1/exchangeInfo"]["examples"][0]["response"]
    return {entry["symbol"]: _rules(entry) for entry in entries["symbols"]}


def _rules(entry: dict[str, Any]) -> SymbolSpec:
    filters = {rule["filterType"]: rule for rule in entry["filters"]}
    lot, market = filters["LOT_SIZE"], filters["MARKET_LOT_SIZE"]
    band = filters["PERCENT_PRICE"]
    return replace(
        load_symbol(entry["symbol"]),
        price_tick=Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize(),
        amount_step=Decimal(lot["stepSize"]),
        min_amount=Decimal(lot["minQty"]),
        max_amount=Decimal(lot["maxQty"]),
        market_max_amount=Decimal(market["maxQty"]),
        min_notional=Decimal(filters["MIN_NOTIONAL"]["notional"]),
        price_up=Decimal(band["multiplierUp"]),
        price_down=Decimal(band["multiplierDown"]),
        price_precision=entry["pricePrecision"],
        amount_precision=entry["quantityPrecision"],
        onboard_ms=entry["onboardDate"],
        status=entry["status"],
        source="recorded",
    )


def market_of(shared: Path, prices: dict[str, str]) -> FixedMarket:
    """A market that stands where a recording's stood, under its rules."""
    rules = {name: rule for name, rule in recorded_rules(shared).items() if name in prices}
    return FixedMarket({name: Decimal(price) for name, price in prices.items()}, rules=rules)


# -- bringing the account where a recording's was --------------------------------------------------

BTC = {"symbol": "BTCUSDT"}


def _ok(world: Any, call: str, **params: Any) -> Any:
    status, payload = world.call(call, **params)
    assert status == 200, (call, payload)
    return payload


def _resting(world: Any) -> None:
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.400", "price": "9000.00"}
    _ok(world, "POST /fapi/v1/order", **BTC, **order, newClientOrderId="abc")


def _position(amount: str, *, leverage: int = 20) -> Prepare:
    def prepare(world: Any) -> None:
        _ok(world, "POST /fapi/v1/leverage", **BTC, leverage=leverage)
        _ok(world, "POST /fapi/v1/order", **BTC, side="BUY", type="MARKET", quantity=amount)

    return prepare


def ccxt_position(world: Any) -> None:
    """The position behind two of ccxt's recordings: 0.009 BTC long from 67445.9 at 80x, crossed."""
    _position("0.009", leverage=80)(world)
    world.market.marks["BTCUSDT"] = Decimal("67502.68519858")


def _algo(world: Any, **changes: Any) -> None:
    stop = {"algoType": "CONDITIONAL", "side": "BUY", "type": "STOP_MARKET", "triggerPrice": "10500.00"}
    _ok(world, "POST /fapi/v1/algoOrder", **BTC, **stop | changes, quantity="0.010", clientAlgoId="algo")


def _triggered(world: Any) -> None:
    _algo(world)
    world.market.prices["BTCUSDT"] = Decimal("10500.00")
    world.clock.advance(60_000)
    world.exchange.tick()


def _ltc_post_only(world: Any) -> None:
    order = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "quantity": "0.400", "price": "50.00"}
    _ok(world, "POST /fapi/v1/order", symbol="LTCUSDT", **order, newClientOrderId="abc")


_BTC_10K = {"BTCUSDT": "10000.00"}
_LIMIT = {"side": "SELL", "type": "LIMIT", "timeInForce": "GTC"}
_LIMIT_NOW = {**_LIMIT, "quantity": "0.200", "price": "110001.00"}

# How each answer of `rest_responses.json` is asked for: by its name and number.
_ASKED: dict[tuple[str, int], dict[str, Any]] = {
    ("GET /fapi/v1/depth", 0): {"prices": {"BTCUSDT": "11492.10"}},
    ("GET /fapi/v1/depth", 1): {
        "prices": {"BTCUSDT": "69607.80"},
        "pick": lambda answer: answer | {side: answer[side][:5] for side in ("bids", "asks")},
    },
    ("GET /fapi/v1/fundingInfo", 0): {"prices": _BTC_10K},
    ("GET /fapi/v1/fundingRate", 0): {
        "prices": {"LTCUSDT": "50.49"},
        "params": {"symbol": "LTCUSDT", "limit": 1},
    },
    **{
        ("GET /fapi/v1/klines", number): {
            "prices": {"LTCUSDT": "50.49"},
            "params": {"symbol": "LTCUSDT", "interval": "5m", "limit": 3},
            "pick": lambda answer: [row[:3] for row in answer],
        }
        for number in (0, 1)
    },
    ("GET /fapi/v1/premiumIndex", 0): {"prices": {"BTCUSDT": "26780.80"}},
    ("GET /fapi/v1/premiumIndex", 1): {
        "prices": {"XRPUSDT": "2.5983", "TRXUSDT": "0.69218", "LTCUSDT": "13.91"},
    },
    ("GET /fapi/v1/ticker/24hr", 0): {"prices": _BTC_10K},
    ("GET /fapi/v1/ticker/24hr", 1): {"prices": {"BTCUSDT": "47028.50"}},
    ("GET /fapi/v1/ticker/bookTicker", 0): {
        "prices": {"BTCUSDT": "11495.40", "ETHUSDT": "377.63", "BCHUSDT": "263.60"},
    },
    ("GET /fapi/v1/ticker/bookTicker", 1): {"prices": {"BTCUSDT": "19116.10"}},
    ("GET /fapi/v1/time", 0): {"prices": _BTC_10K},
    ("POST /fapi/v1/leverage", 0): {"prices": _BTC_10K, "params": {**BTC, "leverage": 21}},
    ("POST /fapi/v1/marginType", 0): {"prices": _BTC_10K, "params": {**BTC, "marginType": "ISOLATED"}},
    ("GET /fapi/v3/account", 0): {"prices": _BTC_10K, "prepare": _position("0.010")},
    ("GET /fapi/v1/leverageBracket", 0): {
        "prices": {"ETHUSDT": "377.63"},
        "pick": lambda answer: [answer[0] | {"brackets": answer[0]["brackets"][:1]}],
    },
    ("GET /fapi/v1/income", 0): {"prices": _BTC_10K, "prepare": _position("0.010")},
    ("GET /fapi/v1/multiAssetsMargin", 0): {"prices": _BTC_10K},
    ("DELETE /fapi/v1/algoOrder", 0): {
        "prices": _BTC_10K, "prepare": _algo, "params": {"clientAlgoId": "algo"},
    },
    ("DELETE /fapi/v1/order", 0): {
        "prices": _BTC_10K, "prepare": _resting, "params": {**BTC, "origClientOrderId": "abc"},
    },
    ("GET /fapi/v1/algoOrder", 0): {
        "prices": _BTC_10K, "prepare": _triggered, "params": {"clientAlgoId": "algo"},
    },
    ("GET /fapi/v1/openOrders", 0): {"prices": _BTC_10K, "prepare": _resting},
    ("GET /fapi/v1/order", 0): {
        "prices": _BTC_10K, "prepare": _resting, "params": {**BTC, "origClientOrderId": "abc"},
    },
    ("GET /fapi/v1/allOrders", 0): {"prices": _BTC_10K, "prepare": _resting, "params": BTC},
    ("GET /fapi/v1/allOrders (second example)", 0): {
        "prices": _BTC_10K, "prepare": _resting, "params": BTC,
    },
    ("GET /fapi/v3/positionRisk", 0): {
        "prices": {"BTCUSDT": "21123.10"}, "prepare": _position("0.010", leverage=4),
        "pick": lambda answer: answer * 2,  # one-way here, both sides of hedge mode there
    },
    ("GET /fapi/v1/userTrades", 0): {
        "prices": {"BTCUSDT": "11492.10"}, "prepare": _position("0.010"), "params": BTC,
    },
    ("GET /fapi/v1/userTrades (second example)", 0): {
        "prices": {"BTCUSDT": "11492.10"}, "params": BTC, "pick": lambda answer: answer[:2],
        "prepare": lambda world: [_position("0.010")(world), _position("0.020")(world)][0],
    },
    ("POST /fapi/v1/algoOrder", 0): {
        "prices": _BTC_10K,
        "params": {
            **BTC, "algoType": "CONDITIONAL", "side": "SELL", "type": "TAKE_PROFIT", "quantity": "0.01",
            "triggerPrice": "10100.00", "price": "10100.00", "timeInForce": "GTC",
        },
    },
    ("POST /fapi/v1/order", 0): {"prices": {"BTCUSDT": "110000.00"}, "params": BTC | _LIMIT_NOW},
    ("POST /fapi/v1/order (second example)", 0): {
        "prices": {"BTCUSDT": "110000.00"}, "params": BTC | _LIMIT_NOW,
    },
    ("GET /fapi/v1/positionSide/dual", 0): {"prices": _BTC_10K},
    ("GET /fapi/v1/markPriceKlines", 0): {
        "prices": {"BTCUSDT": "9653.20"}, "params": {**BTC, "interval": "1h", "limit": 1},
        "pick": lambda answer: [row[:3] for row in answer],
    },
}  # fmt: skip
_EXCHANGE_INFO = "GET /fapi/v1/exchangeInfo"
# Answers kept by ccxt's own tests: the request each one belongs to.
_STATIC: dict[str, tuple[str, dict[str, Any]]] = {
    "createOrders_batch_POST_fapi_v1_batchOrders": (
        "POST /fapi/v1/order",
        {"prices": {"BTCUSDT": "110000.00"}, "params": BTC | _LIMIT_NOW, "pick": lambda answer: [answer]},
    ),
    "fetchOpenOrder_GET_fapi_v1_openOrder_GTX": (
        "GET /fapi/v1/openOrder",
        {
            "prices": {"LTCUSDT": "50.20"}, "prepare": _ltc_post_only,
            "params": {"symbol": "LTCUSDT", "origClientOrderId": "abc"},
        },
    ),
    "fetchPositions_GET_fapi_v3_positionRisk": (
        "GET /fapi/v3/positionRisk",
        {"prices": {"BTCUSDT": "67445.80"}, "prepare": ccxt_position, "deposit": "26"},
    ),
    "fetchPositions_method_account_GET_fapi_v3_account": (
        "GET /fapi/v3/account",
        {"prices": {"BTCUSDT": "67445.80"}, "prepare": ccxt_position, "deposit": "26"},
    ),
    "fetchBalance_swap_GET_fapi_v2_account_shape": ("GET /fapi/v2/account", {"prices": _BTC_10K}),
    "fetchMyTrades_GET_fapi_v1_userTrades": (
        "GET /fapi/v1/userTrades",
        {"prices": {"BTCUSDT": "36567.10"}, "prepare": _position("0.010"), "params": BTC},
    ),
    "fetchMarginMode_GET_fapi_v1_symbolConfig": (
        "GET /fapi/v1/symbolConfig", {"prices": _BTC_10K, "params": BTC},
    ),
    "papi_um_openOrders": ("GET /papi/v1/um/openOrders", {"prices": _BTC_10K}),
}  # fmt: skip


def every_answer(shared: Path) -> Iterator[Asked]:
    """Every recorded answer. One that nothing here asks for is an error of this table."""
    document = load(shared, "rest_responses.json")
    for name, entry in document.items():
        call = name.partition(" (")[0]
        for number, example in enumerate(entry["examples"]):
            if example["response"] is None:
                continue  # the recording client's request was refused, and nothing was kept
            terms = WIRE if entry["kind"] == "recorded" else DOCUMENTED
            if call == _EXCHANGE_INFO:
                yield _market_list(example["response"])
                continue
            how = {"params": dict(parse_qsl(example["query"])), **_ASKED[name, number]}
            yield Asked(f"rest_responses {number}", call, response=example["response"], terms=terms, **how)
    for name, response in load(shared, "ccxt_static_response_linear.json").items():
        if name.startswith("_"):
            continue
        call, how = _STATIC[name]
        yield Asked(f"ccxt {name}", call, response=response, terms=STATIC, **{"params": {}, **how})


def _market_list(response: dict[str, Any]) -> Asked:
    names = [entry["symbol"] for entry in response["symbols"]]
    return Asked(
        "rest_responses 0", _EXCHANGE_INFO, {}, response,
        Terms(exact=True, equal_under=r"symbols|rateLimits|futuresType|timezone"),
        dict(zip(names, ("11492.10", "377.63", "263.60", "2.5983", "50.49", "0.27000"), strict=True)),
    )  # fmt: skip
