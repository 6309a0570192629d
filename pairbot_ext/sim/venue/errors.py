"""Binance USDⓈ-M futures error codes, their messages and the HTTP status they come with.

Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code. Binance notes
that codes are universal and messages can vary; the texts here are the documented ones, or the ones seen on
the wire where they differ.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The codes this venue can answer by itself. Fault rules may answer any other number as well."""

    UNKNOWN = -1000
    DISCONNECTED = -1001
    TOO_MANY_REQUESTS = -1003
    UNEXPECTED_RESP = -1006
    TIMEOUT = -1007
    OVERLOADED = -1008
    TOO_MANY_ORDERS = -1015
    INVALID_TIMESTAMP = -1021
    INVALID_SIGNATURE = -1022
    START_AFTER_END = -1023
    MANDATORY_PARAM = -1102
    PARAM_NOT_REQUIRED = -1106
    BAD_PRECISION = -1111
    TIF_NOT_REQUIRED = -1114
    INVALID_TIF = -1115
    INVALID_ORDER_TYPE = -1116
    INVALID_SIDE = -1117
    BAD_INTERVAL = -1120
    BAD_SYMBOL = -1121
    NO_LISTEN_KEY = -1125
    LOOKUP_TOO_LONG = -1127
    BAD_OPTIONAL_COMBO = -1128
    INVALID_PARAMETER = -1130
    CANCEL_REJECTED = -2011
    NO_SUCH_ORDER = -2013
    BAD_API_KEY_FORMAT = -2014
    REJECTED_KEY = -2015
    BALANCE_INSUFFICIENT = -2018
    MARGIN_INSUFFICIENT = -2019
    UNABLE_TO_FILL = -2020
    WOULD_TRIGGER = -2021
    REDUCE_ONLY_REJECT = -2022
    MAX_OPEN_ORDERS = -2025
    MAX_LEVERAGE_RATIO = -2027
    PRICE_BELOW_ZERO = -4001
    PRICE_ABOVE_MAX = -4002
    QUANTITY_NOT_POSITIVE = -4003
    QUANTITY_BELOW_MIN = -4004
    QUANTITY_ABOVE_MAX = -4005
    PRICE_BELOW_MIN = -4013
    PRICE_OFF_TICK = -4014
    BAD_CLIENT_ORDER_ID = -4015
    PRICE_ABOVE_CAP = -4016
    BAD_DEPTH_LIMIT = -4021
    QUANTITY_OFF_STEP = -4023
    PRICE_BELOW_FLOOR = -4024
    INVALID_LEVERAGE = -4028
    MAX_STOP_ORDERS = -4045
    SAME_MARGIN_TYPE = -4046
    MARGIN_TYPE_OPEN_ORDERS = -4047
    MARGIN_TYPE_POSITION = -4048
    SAME_POSITION_MODE = -4059
    POSITION_SIDE_MISMATCH = -4061
    MODE_OPEN_ORDERS = -4067
    MODE_POSITION = -4068
    DUPLICATED_CLIENT_ID = -4116
    REDUCE_ONLY_MARGIN = -4118
    USE_ALGO_ORDERS = -4120
    MARKET_ORDER_REJECT = -4131
    SYMBOL_NOT_TRADING = -4140
    LEVERAGE_DOWN_WITH_POSITION = -4161
    MIN_NOTIONAL = -4164
    SAME_ASSET_MODE = -4171
    FOK_REJECT = -5021
    POST_ONLY_REJECT = -5022
    QUANT_RULES = -4400


MESSAGES: dict[int, str] = {
    Code.UNKNOWN: "An unknown error occurred while processing the request.",
    Code.DISCONNECTED: "Internal error; unable to process your request. Please try again.",
    Code.TOO_MANY_REQUESTS: (
        "Too many requests; current limit of IP(127.0.0.1) is {limit} requests per minute. "
        "Please use the websocket for live updates to avoid polling the API."
    ),
    Code.UNEXPECTED_RESP: (
        "An unexpected response was received from the message bus. Execution status unknown."
    ),
    Code.TIMEOUT: (
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
    ),
    Code.OVERLOADED: (
        "Server is currently overloaded with other requests. Please try again in a few minutes."
    ),
    Code.TOO_MANY_ORDERS: "Too many new orders; current limit is {limit} orders per {interval}.",
    Code.INVALID_TIMESTAMP: "Timestamp for this request is outside of the recvWindow.",
    Code.INVALID_SIGNATURE: "Signature for this request is not valid.",
    Code.START_AFTER_END: "Start time is greater than end time.",
    Code.MANDATORY_PARAM: "Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
    Code.PARAM_NOT_REQUIRED: "Parameter '{name}' sent when not required.",
    Code.BAD_PRECISION: "Precision is over the maximum defined for this asset.",
    Code.TIF_NOT_REQUIRED: "TimeInForce parameter sent when not required.",
    Code.INVALID_TIF: "Invalid timeInForce.",
    Code.INVALID_ORDER_TYPE: "Invalid orderType.",
    Code.INVALID_SIDE: "Invalid side.",
    Code.BAD_INTERVAL: "Invalid interval.",
    Code.BAD_SYMBOL: "Invalid symbol.",
    Code.NO_LISTEN_KEY: "This listenKey does not exist.",
    Code.LOOKUP_TOO_LONG: "More than {hours} hours between startTime and endTime.",
    Code.BAD_OPTIONAL_COMBO: "Combination of optional parameters invalid.",
    Code.INVALID_PARAMETER: "Data sent for parameter '{name}' is not valid.",
    -2010: "NEW_ORDER_REJECTED",
    Code.CANCEL_REJECTED: "Unknown order sent.",
    Code.NO_SUCH_ORDER: "Order does not exist.",
    Code.BAD_API_KEY_FORMAT: "API-key format invalid.",
    Code.REJECTED_KEY: "Invalid API-key, IP, or permissions for action.",
    Code.BALANCE_INSUFFICIENT: "Balance is insufficient.",
    Code.MARGIN_INSUFFICIENT: "Margin is insufficient.",
    Code.UNABLE_TO_FILL: "Unable to fill.",
    Code.WOULD_TRIGGER: "Order would immediately trigger.",
    Code.REDUCE_ONLY_REJECT: "ReduceOnly Order is rejected.",
    Code.MAX_OPEN_ORDERS: "Reach max open order limit.",
    Code.MAX_LEVERAGE_RATIO: "Exceeded the maximum allowable position at current leverage.",
    Code.PRICE_BELOW_ZERO: "Price less than 0.",
    Code.PRICE_ABOVE_MAX: "Price greater than max price.",
    Code.QUANTITY_NOT_POSITIVE: "Quantity less than or equal to zero.",
    Code.QUANTITY_BELOW_MIN: "Quantity less than min quantity.",
    Code.QUANTITY_ABOVE_MAX: "Quantity greater than max quantity.",
    Code.PRICE_BELOW_MIN: "Price less than min price.",
    Code.PRICE_OFF_TICK: "Price not increased by tick size.",
    Code.BAD_CLIENT_ORDER_ID: "Client order id is not valid.",
    Code.PRICE_ABOVE_CAP: "Limit price can't be higher than {bound}.",
    Code.BAD_DEPTH_LIMIT: "'{limit}' is not valid depth limit.",
    Code.QUANTITY_OFF_STEP: "Qty not increased by step size.",
    Code.PRICE_BELOW_FLOOR: "Limit price can't be lower than {bound}.",
    Code.INVALID_LEVERAGE: "Leverage {leverage} is not valid",
    Code.MAX_STOP_ORDERS: "Reach max stop order limit.",
    Code.SAME_MARGIN_TYPE: "No need to change margin type.",
    Code.MARGIN_TYPE_OPEN_ORDERS: "Margin type cannot be changed if there exists open orders.",
    Code.MARGIN_TYPE_POSITION: "Margin type cannot be changed if there exists position.",
    Code.SAME_POSITION_MODE: "No need to change position side.",
    Code.POSITION_SIDE_MISMATCH: "Order's position side does not match user's setting.",
    Code.MODE_OPEN_ORDERS: "Position side cannot be changed if there exists open orders.",
    Code.MODE_POSITION: "Position side cannot be changed if there exists position.",
    Code.DUPLICATED_CLIENT_ID: "ClientOrderId is duplicated.",
    Code.REDUCE_ONLY_MARGIN: ("ReduceOnly Order Failed. Please check your existing position and open orders"),
    Code.USE_ALGO_ORDERS: (
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
    ),
    Code.MARKET_ORDER_REJECT: ("The counterparty's best price does not meet the PERCENT_PRICE filter limit."),
    Code.SYMBOL_NOT_TRADING: "Invalid symbol status for opening position.",
    Code.LEVERAGE_DOWN_WITH_POSITION: (
        "Leverage reduction is not supported in Isolated Margin Mode with open positions."
    ),
    Code.MIN_NOTIONAL: "Order's notional must be no smaller than {notional} (unless you choose reduce only).",
    Code.SAME_ASSET_MODE: "No need to change Multi-Assets mode.",
    Code.FOK_REJECT: (
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history"
    ),
    Code.POST_ONLY_REJECT: (
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history"
    ),
    Code.QUANT_RULES: (
        "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed, "
        "please try again later."
    ),
}

_HTTP_STATUS: dict[int, int] = {
    Code.UNKNOWN: 500,
    Code.DISCONNECTED: 500,
    Code.TOO_MANY_REQUESTS: 429,
    Code.UNEXPECTED_RESP: 500,
    Code.TIMEOUT: 408,
    Code.OVERLOADED: 503,
    Code.TOO_MANY_ORDERS: 429,
    Code.BAD_API_KEY_FORMAT: 401,
    Code.REJECTED_KEY: 401,
}


def http_status(code: int) -> int:
    """The HTTP status a code is sent with: 400 but for server faults, limits and key problems."""
    return _HTTP_STATUS.get(code, 400)


def message(code: int, **values: object) -> str:
    """The text of `code`, its placeholders filled. A code this venue does not know gets a neutral text."""
    template = MESSAGES.get(code, "Error {code}.")
    try:
        return template.format(code=code, **values)
    except KeyError:  # a fault rule asks for the code without knowing the numbers that belong to it
        return template


class VenueError(Exception):
    """A refusal of the venue: nothing was executed.

    :param code: Binance's error code; `values` fill the placeholders of its message.
    """

    def __init__(self, code: int, **values: object) -> None:
        self.code = int(code)
        self.msg = message(code, **values)
        self.status = http_status(code)
        super().__init__(f"{self.code} {self.msg}")

    def payload(self) -> dict[str, object]:
        """The JSON body."""
        return {"code": self.code, "msg": self.msg}
