"""A bot's database read back as pair trades, written by Freqtrade's own models."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.persistence import Order, Trade, init_db
from small_export import make_pair, make_pairs_file

from pairbot_ext.cli import main
from pairbot_ext.pairs import write_pairs_file
from pairbot_ext.report.database import load_database
from pairbot_ext.report.document import build_report
from pairbot_ext.report.folder import write_report
from pairbot_ext.report.models import journal_spans
from pairbot_ext.report.pairing import pair_trades
from pairbot_ext.report.sources import open_source
from pairbot_ext.support.errors import DataError

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
    symbol: str,
    *,
    short: bool,
    amount: float,
    rate: float,
    opened: datetime,
    closed: datetime | None,
    first_order: int = 1,
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
        strategy="PairsArb",
        timeframe=60,
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
    add_order(trade, first_order, entry, amount, rate, opened)
    if closed is not None:
        add_order(trade, first_order + 1, leave, amount, rate * 1.01, closed)
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


def add_journal(database: Path, *, simulated: bool) -> None:
    """The journal of a bot that closed one pair trade, gave one entry up, and never filled a third."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    from pairbot_ext.journal.schema import migrate
    from pairbot_ext.journal.tables import EventRow, OrderRow, PairTradeRow
    from pairbot_ext.model.plan import EntryModel, EntryPlan
    from pairbot_ext.model.thresholds import Thresholds

    engine = create_engine(f"sqlite:///{database}")
    migrate(engine)
    plan = EntryPlan(
        pair_id="ADA_LINK",
        leg_a="ADA/USDT:USDT",
        leg_b="LINK/USDT:USDT",
        direction=1,
        model=EntryModel(alpha=0.5, beta=0.8, mu=0.0, sigma=0.01, half_life_candles=5.0),
        thresholds=Thresholds(entry=2.0, exit=0.5, stop=4.0, max_half_lives=4.0),
        candle=T0,
        z=-2.5,
    )
    signature = "0a1b2c3d" * 8
    with Session(engine) as session:
        for number, (state, reason) in enumerate(
            [("CLOSED", "pair_reverted"), ("ABORTED", "leg B refused"), ("ABORTED", f"signature={signature}")]
        ):
            session.add(
                PairTradeRow(
                    id=f"trade{number:07d}",
                    pair_id="ADA_LINK",
                    leg_a="ADA/USDT:USDT",
                    leg_b="LINK/USDT:USDT",
                    state=state,
                    goal="CLOSE",
                    was_hedged=not number,
                    reason=reason,
                    plan=json.dumps(plan.to_json()),
                    sizing="{}",
                    dry_run=False,
                    created_ms=1000 * number,
                    updated_ms=1000 * number,
                    hedged_ms=None if number else 400,
                )
            )
        for client_id, owner, symbol, order_id in (
            ("pb-0-A", "trade0000000", "ADA/USDT:USDT", "ADA/USDT:USDT-1"),
            ("pb-0-B", "trade0000000", "LINK/USDT:USDT", "LINK/USDT:USDT-1"),
            ("pb-1-A", "trade0000001", "ADA/USDT:USDT", "ADA/USDT:USDT-3"),
        ):
            session.add(
                OrderRow(
                    client_id=client_id,
                    pair_trade_id=owner,
                    leg=client_id[-1],
                    role="e",
                    attempt=1,
                    symbol=symbol,
                    side="buy",
                    order_type="limit",
                    amount=Decimal(1),
                    leverage=1.0,
                    reduce_only=False,
                    reason="",
                    status="FILLED",
                    order_id=order_id,
                    filled=Decimal(1),
                    intent_ms=0,
                )
            )
        session.add(EventRow(at_ms=0, kind="started", detail=json.dumps({"simulated": simulated})))
        session.commit()
    engine.dispose()


def add_closed_pair_trade() -> None:
    end = T0 + timedelta(minutes=10)
    add_leg("ADA/USDT:USDT", short=False, amount=1000.0, rate=0.5, opened=T0, closed=end)
    add_leg("LINK/USDT:USDT", short=True, amount=20.0, rate=20.0, opened=T0, closed=end)


def test_a_journal_needs_no_pairs_file(database: Path) -> None:
    add_closed_pair_trade()
    # Leg A again, before the first pair trade has ended: only the journal can tell the two apart.
    again = T0 + timedelta(minutes=5)
    add_leg("ADA/USDT:USDT", short=False, amount=10.0, rate=0.5, opened=again, closed=again, first_order=3)
    add_journal(database, simulated=True)
    report = build_report(open_source(f"sqlite:///{database}"), None, now=T0 + timedelta(days=1))
    assert report.source.kind == "live"
    assert report.simulated.startswith("Simulated market")
    whole, given_up = report.trades
    assert [leg.symbol for leg in whole.legs] == ["ADA/USDT:USDT", "LINK/USDT:USDT"]
    assert whole.hedge_error == pytest.approx(0.0)
    # Five candles of one hour.
    assert whole.half_life_hours == 5.0
    assert given_up.was_aborted
    assert given_up.faults == ()
    assert report.everything.aborted == 1
    assert report.everything.worst_hedge_error == pytest.approx(0.0)
    assert report.problems == []
    said = "\n".join([*report.statements, *report.notes])
    assert "Entries given up after the first fill and unwound: 1" in said
    assert "Planned and never filled: 1 (signature=[removed])" in said
    assert "both legs filled: median 0.40 s" in said
    assert report.everything.profit == pytest.approx(4.5)


def test_what_was_trimmed_at_the_entry_is_hedged(database: Path) -> None:
    """1,100 A were bought, 100 sold again because B filled less: hedged, although the entry fills are not."""
    end = T0 + timedelta(minutes=10)
    add_leg("ADA/USDT:USDT", short=False, amount=1100.0, rate=0.5, opened=T0, closed=end)
    add_leg("LINK/USDT:USDT", short=True, amount=20.0, rate=20.0, opened=T0, closed=end)
    leg_a = Trade.session.query(Trade).filter(Trade.pair == "ADA/USDT:USDT").one()
    add_order(leg_a, 9, "sell", 100.0, 0.5, T0 + timedelta(milliseconds=300))
    Trade.commit()
    add_journal(database, simulated=False)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE pairbot_orders SET order_id = 'ADA/USDT:USDT-9', role = 'r', intent_ms = 300, "
            "pair_trade_id = 'trade0000000' WHERE client_id = 'pb-1-A'"
        )
    (trade,) = build_report(open_source(str(database)), None, now=end).trades
    assert trade.legs_a[0].amount == 1100.0
    assert trade.legs_a[0].trimmed == 100.0
    assert trade.hedge_error == pytest.approx(0.0)


def test_what_the_operator_must_see_to_is_a_problem(database: Path) -> None:
    add_closed_pair_trade()
    add_journal(database, simulated=False)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE pairbot_pair_trades SET state = 'NEEDS_OPERATOR' WHERE id LIKE '%2'")
    report = build_report(open_source(str(database)), None, now=T0 + timedelta(days=1))
    assert report.simulated == ""
    (problem,) = report.problems
    assert problem.startswith("ADA_LINK (trade0000002) is NEEDS_OPERATOR")


def test_a_database_without_our_tables_needs_a_pairs_file(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("schema", "events", "orders", "pair_trades"):
            connection.execute(f"DROP TABLE IF EXISTS pairbot_{table}")
    add_closed_pair_trade()
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(database)]) == 2
    assert "--pairs-file" in capsys.readouterr().err
    pair = make_pair(id="ADA_LINK", leg_a="ADA/USDT:USDT", leg_b="LINK/USDT:USDT", hedge_ratio=0.8)
    write_pairs_file(tmp_path / "pairs_config.json", make_pairs_file(pair))
    before = database.read_bytes()
    assert main(["report", str(database), "--json"]) == 0
    assert database.read_bytes() == before
    document = json.loads(capsys.readouterr().out)
    assert document["source"]["kind"] == "live"
    assert document["total"]["net"] == pytest.approx(3.0)
    assert document["trades"][0]["hedge_error"] is None  # opened before the file's epoch
    assert any("no journal" in note for note in document["notes"])


def test_an_open_pair_trade_is_not_in_the_money(database: Path) -> None:
    add_leg("ADA/USDT:USDT", short=False, amount=1000.0, rate=0.5, opened=T0, closed=None)
    add_leg("LINK/USDT:USDT", short=True, amount=20.0, rate=20.0, opened=T0, closed=None)
    add_journal(database, simulated=False)
    report = build_report(open_source(str(database)), None, now=T0 + timedelta(days=1))
    assert (report.everything.open, report.everything.profit) == (1, 0)
    assert report.everything.naked_leg_hours == 0
    assert report.statements[0] == "No pair trade has closed: there is no result yet."


def test_a_bots_page_shows_the_models_that_ruled(database: Path, tmp_path: Path) -> None:
    add_closed_pair_trade()
    add_journal(database, simulated=False)
    source = open_source(str(database))
    spans = journal_spans(source.journal or (), "ADA_LINK", 3600)
    assert [span.valid_from for span in spans] == [each.planned for each in source.journal or ()]
    assert [span.valid_to for span in spans] == [*(span.valid_from for span in spans[1:]), None]
    assert spans[0].pair.half_life_hours == 5.0
    # Without candles: the z of the plan, no picture.
    report = build_report(source, None, now=T0 + timedelta(hours=5))
    write_report(report, tmp_path / "plain")
    page = (tmp_path / "plain" / "pairs" / "ADA_LINK.html").read_text(encoding="utf-8")
    assert "−2.50" in page
    assert "no candles of both legs" in page
    # log A = 0.5 + 0.8 log B - 0.03: z = -3 on every candle.
    log_b = np.linspace(3.0, 3.1, 72)
    frames = {
        symbol: pd.DataFrame(
            {
                "date": pd.date_range(T0 - timedelta(hours=48), periods=72, freq="1h"),
                "open": close, "high": close * 1.001, "low": close, "close": close, "volume": 1.0,
            }
        )
        for symbol, close in (
            ("ADA/USDT:USDT", np.exp(0.5 + 0.8 * log_b - 0.03)), ("LINK/USDT:USDT", np.exp(log_b))
        )
    }  # fmt: skip
    report = build_report(source, None, now=T0 + timedelta(hours=5), frames=frames)
    write_report(report, tmp_path / "drawn")
    page = (tmp_path / "drawn" / "pairs" / "ADA_LINK.html").read_text(encoding="utf-8")
    assert "−3.00" in page
    assert (tmp_path / "drawn" / "pairs" / "ADA_LINK.png").read_bytes().startswith(b"\x89PNG")


def test_a_bot_that_has_not_traded_yet(database: Path, tmp_path: Path) -> None:
    report = build_report(open_source(str(database)), None, now=T0)
    assert report.source.kind == "bot without trades"
    assert report.statements == ["No pair trade has closed: there is no result yet."]
    write_report(report, tmp_path / "out")
    assert "no result yet" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
