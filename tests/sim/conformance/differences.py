"""What differs from Binance's recorded answers, and why: the table of `docs/exchange.md`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from pairbot_ext.prove.fields import Row


class Kind(StrEnum):
    """What is to be thought of a difference. A third kind, a fault to mend, is mended and has no row."""

    DELIBERATE = "deliberate"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Difference:
    """One explained difference.

    :param call: method and path, with `*`; `field`: a regular expression its path must match wholly.
    :param aspects: the aspects it explains, as `Row.problem` begins.
    :param shown: the field as the table names it.
    """

    call: str
    field: str
    aspects: tuple[str, ...]
    kind: Kind
    shown: str
    why: str

    def explains(self, row: Row) -> bool:
        """Whether this is the reason of a row's problem."""
        return (
            fnmatchcase(row.call, self.call)
            and re.fullmatch(self.field, row.path) is not None
            and row.problem.partition(":")[0] in self.aspects
        )

    def line(self) -> str:
        """The row of the documentation's table."""
        return f"| `{self.call}` | {self.shown} | {self.kind} | {self.why} |"


_ABSENT, _EXTRA, _BOTH = ("absent",), ("extra",), ("absent", "extra")
_OWN, _OPEN = Kind.DELIBERATE, Kind.UNKNOWN
_DAY = "GET /fapi/v1/ticker/24hr"

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "GET /fapi/v1/exchangeInfo",
        r"assets\[[1-8]\].*",
        _ABSENT,
        _OWN,
        "`assets` beside USDT",
        "one margin asset; BNFCR appears in the account where an action puts it there",
    ),
    Difference(
        "GET /fapi/v1/exchangeInfo",
        r"symbols\[\d\].filters\[0\].(min|max)Price",
        ("value",),
        _OWN,
        "`minPrice`, `maxPrice` of PRICE_FILTER",
        "one tick and 10¹⁰ ticks for every contract: PERCENT_PRICE binds long before either",
    ),
    Difference(
        "GET /fapi/v1/exchangeInfo",
        r"symbols\[\d\].underlyingSubType.*",
        _BOTH,
        _OWN,
        "`underlyingSubType`",
        "empty: nothing here sorts contracts by theme",
    ),
    Difference(
        "GET /fapi/v1/fundingInfo",
        r".*",
        _BOTH,
        _OWN,
        "every row",
        "lists contracts with other caps or intervals than usual; there are none here",
    ),
    Difference(
        "GET /fapi/v1/fundingRate",
        r"\[0\].markPrice",
        _EXTRA,
        _OWN,
        "`markPrice`",
        "the recording is of 2020; Binance has added it since",
    ),
    Difference(
        "GET /fapi/v1/premiumIndex",
        r"\[\d\].estimatedSettlePrice",
        _EXTRA,
        _OWN,
        "`estimatedSettlePrice`",
        "one recording is of 2020; that of 2023 has it",
    ),
    Difference(
        "GET /fapi/v1/depth",
        r"(bids|asks)\[\d\]\[1\]",
        ("magnitude",),
        _OWN,
        "amounts",
        "what others offer is no rule of the venue: `--depth-usdt` sets it here",
    ),
    Difference(
        "GET /fapi/v1/ticker/bookTicker",
        r"(\[\d\].)?(bid|ask)Qty",
        ("magnitude",),
        _OWN,
        "amounts",
        "as in the book",
    ),
    Difference(
        _DAY,
        r"lastQty",
        ("magnitude",),
        _OWN,
        "`lastQty`",
        "trades of others are not modelled: the least amount",
    ),
    Difference(
        "GET /fapi/v3/account",
        r"assets\[[12]\].*",
        _ABSENT,
        _OWN,
        "`assets` beside USDT",
        "one margin asset",
    ),
    Difference(
        "GET /fapi/v1/income",
        r"\[\d\].tranId|\[\d\].tradeId",
        ("type",),
        _OPEN,
        "`tranId`, `tradeId`",
        "the documentation's own example writes numbers and texts for the same field; numbers and texts here",
    ),
    Difference(
        "GET /fapi/v1/income",
        r"\[1\].info",
        ("form",),
        _OPEN,
        "`info` of a commission",
        "the documentation's example says the type again, here it is the trade's number",
    ),
    Difference(
        "* /fapi/v1/*rder*",
        r"(\[0\].)?(activatePrice|priceRate)",
        _ABSENT,
        _OWN,
        "`activatePrice`, `priceRate`",
        "the documentation's example is a trailing stop; those are refused here",
    ),
    Difference(
        "POST /fapi/v1/order",
        r"goodTillDate",
        ("magnitude",),
        _OWN,
        "`goodTillDate`",
        "the documentation's example is GTD, which is refused here",
    ),
    Difference(
        "DELETE /fapi/v1/order",
        r"avgPrice",
        _EXTRA,
        _OPEN,
        "`avgPrice`",
        "left out of the documentation's example; ccxt reads it where it is there",
    ),
    Difference(
        "POST /fapi/v1/order",
        r"time|cumQty",
        _BOTH,
        _OPEN,
        "`time`, `cumQty`",
        "two examples of the documentation disagree; the recorded answer has `cumQty` and no `time`, as here",
    ),
    Difference(
        "GET /fapi/v1/allOrders",
        r"\[0\].(priceMatch|selfTradePreventionMode|goodTillDate)",
        _EXTRA,
        _OWN,
        "`priceMatch`, `selfTradePreventionMode`, `goodTillDate`",
        "an older example of the documentation; the present one has them",
    ),
    Difference(
        "* /fapi/v1/*rder",
        r"(\[0\].)?avgPrice",
        ("decimals",),
        _OPEN,
        "decimals of `avgPrice`",
        "recorded as 0.00 of one contract and 0.00000 of another with the same precision; one more than the "
        "price's here",
    ),
    Difference(
        "GET /fapi/v3/positionRisk",
        r"\[\d\].(leverage|maxNotionalValue|marginType|isAutoAddMargin)",
        _ABSENT,
        _OWN,
        "`leverage`, `marginType`, …",
        "the documentation's example is of version 2; the recorded answer of version 3 has none of them",
    ),
    Difference(
        "GET /fapi/v3/positionRisk",
        r"\[\d\].(marginAsset|.*[mM]argin|adl|(bid|ask)Notional)",
        _EXTRA,
        _OWN,
        "`marginAsset`, `initialMargin`, …",
        "the same example; the recorded answer has them",
    ),
    Difference(
        "GET /fapi/v1/userTrades",
        r"\[0\].marginAsset",
        _EXTRA,
        _OWN,
        "`marginAsset`",
        "an older example of the documentation; the recorded answer has it",
    ),
    Difference(
        "GET /fapi/v2/account",
        r".*",
        _BOTH,
        _OWN,
        "the route",
        "not served: the pinned ccxt and Freqtrade read version 3 (and refused aloud, with 404 and −5000)",
    ),
    Difference(
        "GET /papi/*",
        r".*",
        _BOTH,
        _OWN,
        "the route",
        "portfolio margin is not simulated: 404 and −5000",
    ),
)
