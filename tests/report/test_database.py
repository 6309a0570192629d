"""A bot's database read back as pair trades, written by Freqtrade's own models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freqtrade.persistence import Order, Trade, init_db

from pairbot_ext.errors import DataError
from pairbot_ext.report.database import load_database
from pairbot_ext.report.pair_trades import pair_trades

T0 = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
LEGS = {"ADA_LINK": ("ADA/USDT:USDT", "LINK/USDT:USDT")}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "bot.sqlite"
    init_db(f"sqlite:///{path}")
    yield path
    Trade.session.remove()


def add_order(trade: Trade, number: int, side: str, amount: float, price: float, when: datetime) -> None:
    trade.orders.append(
        Order(
            ft_order_side=side,
            ft_pair=trade.pair,
            ft_is_open=False,
            ft_amount=amount,
            ft_price=price,
            order_id=f"{trade.pair}-{number}",
            status="closed",
            symbol=trade.pair,
            order_type="market",
            side=side,
            price=price,
            average=price,
            amount=amount,
            filled=amount,
            remaining=0.0,
            order_date=when,
            order_filled_date=when,
        )
    )


def add_leg(
    symbol: str, *, short: bool, amount: float, rate: float, opened: datetime, closed: datetime | None
) -> None:
    trade = Trade(
        pair=symbol,
        base_currency=symbol.split("/")[0],
        stake_currency="USDT",
        stake_amount=amount * rate,
        amount=amount,
        open_rate=rate,
        open_date=opened - timedelta(seconds=3),
        fee_open=0.0005,
        fee_close=0.0005,
        is_open=closed is None,
        is_short=short,
        exchange="binance",
        enter_tag="ADA_LINK",
        leverage=1.0,
        close_rate=None if closed is None else rate * 1.01,
        close_date=closed,
        close_profit_abs=None if closed is None else 1.5,
        realized_profit=0.0,
        funding_fees=-0.25,
        exit_reason=None if closed is None else "pair_reverted",
    )
    entry, leave = ("sell", "buy") if short else ("buy", "sell")
    add_order(trade, 1, entry, amount, rate, opened)
    if closed is not None:
        add_order(trade, 2, leave, amount, rate * 1.01, closed)
    Trade.session.add(trade)
    Trade.commit()


def test_legs_of_a_live_bot_become_a_pair_trade(database: Path) -> None:
    add_leg(
        "ADA/USDT:USDT", short=False, amount=1000.0, rate=0.5, opened=T0, closed=T0 + timedelta(minutes=5)
    )
    later = T0 + timedelta(milliseconds=400)
    add_leg(
        "LINK/USDT:USDT", short=True, amount=20.0, rate=20.0, opened=later, closed=T0 + timedelta(seconds=301)
    )
    (trade,) = pair_trades(load_database(database), LEGS, lambda pair_id, opened: 0.8)
    assert trade.faults == ()
    assert trade.hedge_error == pytest.approx(0.0)
    # Fill to fill, not when the trade row was made: 0.4 s apart at the open, 1 s at the close.
    assert trade.naked_secs() == pytest.approx(1.4)
    assert trade.profit == pytest.approx(3.0)
    assert trade.funding == pytest.approx(-0.5)
    assert trade.exit_reasons == ("pair_reverted",)


def test_an_open_leg_is_open(database: Path) -> None:
    add_leg("ADA/USDT:USDT", short=False, amount=1000.0, rate=0.5, opened=T0, closed=None)
    (trade,) = pair_trades(load_database(database), LEGS)
    assert trade.closed is None
    assert trade.naked_secs(until=T0 + timedelta(minutes=2)) == 120.0


def test_reading_never_writes(database: Path) -> None:
    add_leg("ADA/USDT:USDT", short=False, amount=1000.0, rate=0.5, opened=T0, closed=None)
    before = database.read_bytes()
    assert len(load_database(database)) == 1
    assert database.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load_database(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to be looked at as one " * 10)
    with pytest.raises(DataError, match="cannot be read"):
        load_database(tmp_path / "text.sqlite")
    (tmp_path / "empty.sqlite").touch()
    assert load_database(tmp_path / "empty.sqlite") == []
