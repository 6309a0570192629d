"""One reading of the account's funding answers for every symbol, and is never older than a settlement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import Rig
from scenario import PRICES, unified

from pairbot_ext.venue.binance.income import HOUR_MS, MOST_PAGES, ROWS, FundingHistory

INCOME = "GET /fapi/v1/income"
ADA, ALGO = "ADA/USDT:USDT", "ALGO/USDT:USDT"


class Now:
    ms = 100 * HOUR_MS + 600_000

    def now_ms(self) -> int:
        return self.ms

    def sleep(self, secs: float) -> None:
        self.ms += round(secs * 1000)


class Ledger:
    """A venue's payments; counts the questions."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows, self.asked = rows, list[tuple[Any, Any]]()

    def __call__(
        self, symbol: Any, since: Any, limit: int = 100, _params: Any = None
    ) -> list[dict[str, Any]]:
        self.asked.append((symbol, since))
        mine = [row for row in self.rows if symbol in (None, row["symbol"]) and row["timestamp"] >= since]
        return sorted(mine, key=lambda row: row["timestamp"])[:limit]


def payments(symbols: int, stamps: int, now_ms: int) -> list[dict[str, Any]]:
    return [
        {"symbol": f"S{n}", "timestamp": now_ms - k * HOUR_MS, "id": f"{n}-{k}", "amount": float(n + k)}
        for n in range(symbols)
        for k in range(stamps)
    ]


@pytest.mark.parametrize(("symbols", "stamps"), [(3, 5), (100, 30), (7, 400)])
def test_each_symbol_gets_its_own_payments_whatever_the_pages(symbols: int, stamps: int) -> None:
    clock = Now()
    ledger = Ledger(payments(symbols, stamps, clock.ms - 600_000))
    history = FundingHistory(ledger, clock, lambda: clock.ms - stamps * HOUR_MS)
    for n in range(symbols):
        since = clock.ms - (n % stamps) * HOUR_MS - 1_800_000
        expected = {r["id"] for r in ledger.rows if r["symbol"] == f"S{n}" and r["timestamp"] >= since}
        assert {row["id"] for row in history(f"S{n}", since)} == expected
    assert len(ledger.asked) == symbols * stamps // ROWS + 1


def test_too_many_payments_are_asked_for_by_symbol() -> None:
    clock = Now()
    ledger = Ledger(payments(100, 120, clock.ms - 600_000))
    history = FundingHistory(ledger, clock, lambda: clock.ms - 120 * HOUR_MS)
    found = history("S5", clock.ms - 10 * HOUR_MS)
    assert len(found) == 10
    assert ledger.asked[-1][0] == "S5"
    assert len(ledger.asked) == MOST_PAGES + 1


@pytest.mark.parametrize(
    ("at_secs", "later_secs", "asked"),
    [
        (600, 20, 1),
        (600, 40, 2),  # too old
        (3590, 12, 2),  # a settlement has passed
        (2, 4, 1),
        (2, 7, 2),  # within a minute of one the venue may still be booking
    ],
)
def test_a_reading_is_good_for_a_while_and_never_past_a_settlement(
    at_secs: int, later_secs: int, asked: int
) -> None:
    clock = Now()
    clock.ms = 100 * HOUR_MS + at_secs * 1000
    ledger = Ledger(payments(2, 3, 100 * HOUR_MS))
    history = FundingHistory(ledger, clock, lambda: None)
    history("S0", 98 * HOUR_MS)
    clock.sleep(later_secs)
    history("S1", 98 * HOUR_MS)
    assert len(ledger.asked) == asked


def test_a_failed_reading_is_no_reading() -> None:
    clock = Now()
    ledger = Ledger(payments(2, 3, clock.ms - 600_000))
    history = FundingHistory(ledger, clock, lambda: None)
    history("S0", clock.ms - HOUR_MS)
    clock.sleep(60)

    def fails(*_: Any) -> Any:
        raise RuntimeError("no answer")

    history._fetch = fails
    for _ in range(2):
        with pytest.raises(RuntimeError):
            history("S0", clock.ms - HOUR_MS)


def test_many_pairs_that_leave_cost_one_question(make_rig: Callable[..., Rig]) -> None:
    """Real Freqtrade, real ccxt: what is booked is what the venue has paid, leg by leg."""
    rig = make_rig(symbols=tuple(PRICES))
    names = ["ADA-ALGO", "XRP-DOGE", "LINK-AVAX", "DOT-LTC"]
    rig.open(*names)
    for _ in range(9):
        rig.next_candle()
        rig.loop()
    paid = {row.symbol: row.amount for row in rig.venue.account.income if row.type == "FUNDING_FEE"}
    assert len(paid) == 8
    rig.clock.sleep(120)
    since = rig.gateway.log.requests[-1].number
    rig.close(*names)
    rig.check_flat()
    asked = [r for r in rig.gateway.log.requests if r.number > since and r.call == INCOME]
    assert len(asked) == 1
    from freqtrade.persistence import Trade

    booked = {trade.pair: trade.funding_fees for trade in Trade.get_trades().all()}
    assert booked == pytest.approx({unified(name): float(amount) for name, amount in paid.items()}, abs=1e-9)
