"""Answers have the keys and types Binance documents, endpoint by endpoint."""

import json
from typing import Any

import pytest

TEXT, INT, FLAG, LIST, DICT = str, int, bool, list, dict
_ASSET_MONEY = [
    "walletBalance",
    "unrealizedProfit",
    "marginBalance",
    "maintMargin",
    "initialMargin",
    "positionInitialMargin",
    "openOrderInitialMargin",
    "crossWalletBalance",
    "crossUnPnl",
    "availableBalance",
    "maxWithdrawAmount",
]
_TOTALS = [
    "totalInitialMargin",
    "totalMaintMargin",
    "totalWalletBalance",
    "totalUnrealizedProfit",
    "totalMarginBalance",
    "totalPositionInitialMargin",
    "totalOpenOrderInitialMargin",
    "totalCrossWalletBalance",
    "totalCrossUnPnl",
    "availableBalance",
    "maxWithdrawAmount",
]
_ORDER = {
    **dict.fromkeys(
        [
            "symbol",
            "status",
            "clientOrderId",
            "price",
            "avgPrice",
            "origQty",
            "executedQty",
            "cumQuote",
            "timeInForce",
            "type",
            "side",
            "positionSide",
            "stopPrice",
            "workingType",
            "origType",
            "priceMatch",
            "selfTradePreventionMode",
        ],
        TEXT,
    ),
    **dict.fromkeys(("orderId", "updateTime", "goodTillDate"), INT),
    **dict.fromkeys(("reduceOnly", "closePosition", "priceProtect"), FLAG),
}
_QUERIED = _ORDER | {"time": INT}
_ALGO = {
    **dict.fromkeys(
        [
            "clientAlgoId",
            "algoType",
            "orderType",
            "symbol",
            "side",
            "positionSide",
            "timeInForce",
            "quantity",
            "algoStatus",
            "triggerPrice",
            "price",
            "selfTradePreventionMode",
            "workingType",
            "priceMatch",
        ],
        TEXT,
    ),
    **dict.fromkeys(["algoId", "createTime", "updateTime", "triggerTime", "goodTillDate"], INT),
    **dict.fromkeys(("closePosition", "priceProtect", "reduceOnly"), FLAG),
}
# Keys a reader of each endpoint may rely on, from Binance's documentation of each.
EXPECTED: dict[str, Any] = {
    "GET /fapi/v1/time": {"serverTime": INT},
    "GET /fapi/v1/exchangeInfo": {
        "timezone": TEXT,
        "serverTime": INT,
        "futuresType": TEXT,
        "rateLimits": LIST,
        "exchangeFilters": LIST,
        "assets": LIST,
        "symbols": LIST,
    },
    "GET /fapi/v1/depth": {"lastUpdateId": INT, "E": INT, "T": INT, "bids": LIST, "asks": LIST},
    "GET /fapi/v1/ticker/24hr": {
        **dict.fromkeys(
            [
                "symbol",
                "priceChange",
                "priceChangePercent",
                "weightedAvgPrice",
                "lastPrice",
                "lastQty",
                "openPrice",
                "highPrice",
                "lowPrice",
                "volume",
                "quoteVolume",
            ],
            TEXT,
        ),
        **dict.fromkeys(["openTime", "closeTime", "firstId", "lastId", "count"], INT),
    },
    "GET /fapi/v1/ticker/bookTicker": {
        **dict.fromkeys(["symbol", "bidPrice", "bidQty", "askPrice", "askQty"], TEXT),
        "time": INT,
    },
    "GET /fapi/v1/premiumIndex": {
        **dict.fromkeys(
            ["symbol", "markPrice", "indexPrice", "estimatedSettlePrice", "lastFundingRate", "interestRate"],
            TEXT,
        ),
        "nextFundingTime": INT,
        "time": INT,
    },
    "GET /fapi/v1/fundingRate": [{"symbol": TEXT, "fundingRate": TEXT, "fundingTime": INT}],
    "GET /fapi/v3/account": {**dict.fromkeys(_TOTALS, TEXT), "assets": LIST, "positions": LIST},
    "GET /fapi/v3/positionRisk": [
        {
            **dict.fromkeys(
                [
                    "symbol",
                    "positionSide",
                    "positionAmt",
                    "entryPrice",
                    "breakEvenPrice",
                    "markPrice",
                    "unRealizedProfit",
                    "liquidationPrice",
                    "isolatedMargin",
                    "notional",
                    "marginAsset",
                    "isolatedWallet",
                    "initialMargin",
                    "maintMargin",
                    "positionInitialMargin",
                    "openOrderInitialMargin",
                    "bidNotional",
                    "askNotional",
                ],
                TEXT,
            ),
            "adl": INT,
            "updateTime": INT,
        }
    ],
    "GET /fapi/v1/leverageBracket": [{"symbol": TEXT, "brackets": LIST}],
    "GET /fapi/v1/positionSide/dual": {"dualSidePosition": FLAG},
    "GET /fapi/v1/multiAssetsMargin": {"multiAssetsMargin": FLAG},
    "GET /fapi/v1/userTrades": [
        {
            **dict.fromkeys(
                [
                    "symbol",
                    "side",
                    "price",
                    "qty",
                    "realizedPnl",
                    "marginAsset",
                    "quoteQty",
                    "commission",
                    "commissionAsset",
                    "positionSide",
                ],
                TEXT,
            ),
            **dict.fromkeys(("id", "orderId", "time"), INT),
            **dict.fromkeys(("maker", "buyer"), FLAG),
        }
    ],
    "GET /fapi/v1/income": [
        {
            **dict.fromkeys(["symbol", "incomeType", "income", "asset", "info", "tradeId"], TEXT),
            "time": INT,
            "tranId": INT,
        }
    ],
    "POST /fapi/v1/leverage": {"leverage": INT, "maxNotionalValue": TEXT, "symbol": TEXT},
    "POST /fapi/v1/marginType": {"code": INT, "msg": TEXT},
    "POST /fapi/v1/order": _ORDER | {"cumQty": TEXT},
    "DELETE /fapi/v1/order": _ORDER | {"cumQty": TEXT},
    "GET /fapi/v1/order": _QUERIED,
    "GET /fapi/v1/openOrders": [_QUERIED],
    "GET /fapi/v1/allOrders": [_QUERIED],
    "POST /fapi/v1/algoOrder": _ALGO,
    "GET /fapi/v1/algoOrder": _ALGO
    | dict.fromkeys(["actualOrderId", "actualPrice", "actualQty", "actualType"], TEXT),
    "DELETE /fapi/v1/algoOrder": _ALGO,
}


def missing(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where `found` lacks a key of `expected` or has another type there."""
    if isinstance(expected, list):
        assert isinstance(found, list), path
        assert found, f"{path}: an empty list proves nothing"
        return missing(expected[0], found[0], path + "[0]")
    return [
        f"{path}.{key}: {found.get(key)!r}"
        for key, kind in expected.items()
        if key not in found or type(found[key]) is not kind
    ]


@pytest.fixture
def answers(world) -> dict[str, Any]:
    """One answer of every endpoint as the wire has it, with a position, orders and a stop behind them."""
    found: dict[str, Any] = {}

    def note(call: str, **params: Any) -> Any:
        status, payload = world.call(call, **params)
        assert status == 200, (call, payload)
        found[call] = payload
        return payload

    ada = {"symbol": "ADAUSDT"}
    note("GET /fapi/v1/time")
    note("GET /fapi/v1/exchangeInfo")
    note("POST /fapi/v1/marginType", **ada, marginType="ISOLATED")
    note("POST /fapi/v1/leverage", **ada, leverage=3)
    resting = {"side": "BUY", "type": "LIMIT", "quantity": 50, "price": "0.70", "timeInForce": "GTC"}
    first = note("POST /fapi/v1/order", **ada, **resting)
    note("POST /fapi/v1/order", **ada, **resting)
    note("POST /fapi/v1/order", **ada, side="BUY", type="MARKET", quantity=100)
    stop = {"algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "0.6"}
    algo = note("POST /fapi/v1/algoOrder", **ada, **stop, quantity=100)
    note("GET /fapi/v1/algoOrder", algoId=algo["algoId"])
    note("DELETE /fapi/v1/algoOrder", algoId=algo["algoId"])
    note("GET /fapi/v1/order", **ada, orderId=first["orderId"])
    note("GET /fapi/v1/openOrders")
    note("GET /fapi/v1/allOrders", **ada)
    note("DELETE /fapi/v1/order", **ada, orderId=first["orderId"])
    for call in (
        "v1/ticker/24hr",
        "v1/ticker/bookTicker",
        "v1/premiumIndex",
        "v1/fundingRate",
        "v1/userTrades",
    ):
        note(f"GET /fapi/{call}", **ada)
    for call in ("v1/klines", "v1/markPriceKlines", "v1/premiumIndexKlines"):
        note(f"GET /fapi/{call}", **ada, interval="1h", limit=3)
    note("GET /fapi/v1/indexPriceKlines", pair="ADAUSDT", interval="1h", limit=3)
    note("GET /fapi/v1/depth", **ada, limit=5)
    note("GET /fapi/v1/income", incomeType="COMMISSION")
    for call in (
        "v1/fundingInfo", "v1/leverageBracket", "v1/positionSide/dual", "v1/multiAssetsMargin", "v3/account",
        "v3/positionRisk",
    ):  # fmt: skip
        note(f"GET /fapi/{call}")
    return found


def test_documented_keys(answers):
    wrong = {call: missing(expected, answers[call]) for call, expected in EXPECTED.items()}
    assert not {call: lacking for call, lacking in wrong.items() if lacking}


def test_position_risk_is_v3(answers):
    """v3 lists open symbols only and tells neither leverage nor margin type; ccxt depends on that."""
    rows = answers["GET /fapi/v3/positionRisk"]
    assert [row["symbol"] for row in rows] == ["ADAUSDT"]
    assert not {"leverage", "marginType"} & set(rows[0])


def test_candles_are_arrays_of_twelve(answers):
    names = ("klines", "markPriceKlines", "indexPriceKlines", "premiumIndexKlines")
    for rows in (answers[f"GET /fapi/v1/{name}"] for name in names):
        assert len(rows) == 3
        for row in rows:
            assert [type(value) for value in row] == [int, *[str] * 5, int, str, int, str, str, str]


def test_account_totals_and_assets(answers):
    account = answers["GET /fapi/v3/account"]
    (asset,) = account["assets"]
    assert set(_ASSET_MONEY) <= set(asset)
    assert asset["updateTime"] > 0, "ccxt drops a balance whose updateTime is 0"
    assert [position["symbol"] for position in account["positions"]] == ["ADAUSDT"]


def test_symbols_have_every_filter(answers):
    for symbol in answers["GET /fapi/v1/exchangeInfo"]["symbols"]:
        kinds = {rule["filterType"] for rule in symbol["filters"]}
        assert kinds >= {
            "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MAX_NUM_ORDERS", "MIN_NOTIONAL", "PERCENT_PRICE",
        }  # fmt: skip
        assert symbol["orderTypes"], "ccxt needs the list"
        assert symbol["contractType"] == "PERPETUAL"


# Documentation examples show hedge mode, older versions or other asset classes; these keys are theirs alone.
_NOT_OURS = {
    "GET /fapi/v3/positionRisk": {"leverage", "maxNotionalValue", "marginType", "isAutoAddMargin"},
    # For trailing stops only, which this venue refuses.
    "POST /fapi/v1/order": {"activatePrice", "priceRate", "time"},
    "DELETE /fapi/v1/order": {"activatePrice", "priceRate"},
    "GET /fapi/v1/order": {"activatePrice", "priceRate"},
    "GET /fapi/v1/openOrders": {"activatePrice", "priceRate"},
    "GET /fapi/v1/allOrders": {"activatePrice", "priceRate"},
}
# Numbers that Binance sends in both forms, or that its examples write differently from its recorded answers.
_EITHER_TYPE = {
    "cum",
    "tranId",
    "tradeId",
    "notionalCoef",
    "notionalCap",
    "notionalFloor",
    "maintMarginRatio",
}


def same_shape(example: Any, found: Any, path: str, ignored: set[str]) -> list[str]:
    """Where `found` lacks what `example` has, at any depth."""
    if isinstance(example, dict):
        if not isinstance(found, dict):
            return [f"{path}: {type(found).__name__} instead of an object"]
        return [
            problem
            for key, value in example.items()
            if key not in ignored
            for problem in (
                same_shape(value, found[key], f"{path}.{key}", ignored)
                if key in found
                else [f"{path}.{key} missing"]
            )
        ]
    if isinstance(example, list):
        if not isinstance(found, list):
            return [f"{path}: {type(found).__name__} instead of a list"]
        return same_shape(example[0], found[0], path + "[0]", ignored) if example and found else []
    if example is None or path.rpartition(".")[2] in _EITHER_TYPE or type(example) is type(found):
        return []
    return [f"{path}: {found!r} instead of {example!r}"]


def test_recorded_shapes(shared_dir, answers):
    """Every recorded or documented answer, key by key and type by type."""
    document = json.loads((shared_dir / "fixtures/binance/rest_responses.json").read_text())
    compared, wrong = 0, {}
    for name, entry in document.items():
        call = name.partition(" (")[0]
        for example in entry["examples"]:
            response, ours = example["response"], answers[call]
            refused = isinstance(response, dict) and "msg" in response and response["code"] < 0
            if response is None or refused:
                continue
            if isinstance(response, list) != isinstance(ours, list) and not call.endswith(("Bracket",)):
                # One symbol answers an object, all of them a list of the same objects.
                response, ours = (response[0], ours) if isinstance(response, list) else (response, ours[0])
            compared += 1
            problems = same_shape(response, ours, "", _NOT_OURS.get(call, set()))
            if problems:
                wrong[name] = problems
    assert compared >= 30
    assert not wrong
