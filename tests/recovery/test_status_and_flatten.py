"""What people do from the outside: look, and close everything when the bot is dead."""

import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from harness import Rig, ccxt_client
from sqlalchemy import create_engine

from pairbot_ext.cli import main
from pairbot_ext.commands.status import shown
from pairbot_ext.host.access import with_own_connections
from pairbot_ext.journal.ledger import read_ledger
from pairbot_ext.model.sizing import Leg
from pairbot_ext.orders.lanes import Lanes
from pairbot_ext.recovery.flatten import (
    Ours,
    by_pair_trade,
    close_together,
    ours_from_journal,
    ours_from_venue,
    plan_flatten,
)
from pairbot_ext.sim.venue.actions import OpenPosition
from pairbot_ext.sim.venue.orders import Side
from pairbot_ext.venue import venue_of

BINANCE = venue_of("binance")


def amounts(client: Any) -> dict[str, Decimal]:
    """Signed positions on the venue."""
    return {symbol: position.amount for symbol, position in BINANCE.positions(client).items()}


def url(rig: Rig) -> str:
    """The rig's database."""
    return f"sqlite:///{rig.directory / 'trades.sqlite'}"


def test_status_shows_open_and_closed(live: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    live.open("ADA-ALGO", "XRP-DOGE")
    live.close("ADA-ALGO")
    assert main(["status", "--db-url", url(live), "--orders"]) == 0
    shown = capsys.readouterr().out
    assert "ADA-ALGO" in shown
    assert "pair_reverted" in shown
    assert main(["status", "--db-url", url(live), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["state"], second["state"]) == ("CLOSED", "HEDGED")
    assert first["profit"] == pytest.approx(-0.6554, abs=0.01)
    assert second["hedge_error"] < 0.02
    assert second["naked_secs"] == 0.0
    assert all(order["intent_ms"] <= order["sent_ms"] <= order["settled_ms"] for order in first["orders"])
    assert main(["status", "--db-url", url(live), "--open", "--json"]) == 0
    assert [pair["id"] for pair in json.loads(capsys.readouterr().out)] == [second["id"]]


def test_status_answers_1_where_a_person_is_needed(live: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    live.fault(when={"leg": "B", "role": "e"}, answer="read_timeout")
    live.fault(when={"call": "GET /fapi/v1/order", "times": 60}, answer="html_502")
    live.open()
    assert main(["status", "--db-url", url(live)]) == 1
    capsys.readouterr()


def test_status_without_a_database(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--db-url", f"sqlite:///{tmp_path / 'none.sqlite'}"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("source", ["journal", "venue"])
@pytest.mark.parametrize("fault", [None, "read_timeout", "unknown_503_msg", "empty_200"])
def test_a_dead_bot_is_flattened_on_the_venue(live: Rig, source: str, fault: str | None) -> None:
    live.open("ADA-ALGO", "XRP-DOGE")
    live.act(OpenPosition(symbol="ALGOUSDT", side=Side.BUY, amount=500))
    live.kill()
    client = ccxt_client(live)
    positions = amounts(client)
    pairs = read_ledger(create_engine(url(live)), only_open=True)

    def ours() -> list[Ours]:
        now_ms = live.clock.now_ms()
        if source == "journal":
            return ours_from_journal(BINANCE, client, pairs, now_ms)
        return ours_from_venue(BINANCE, client, positions, now_ms)

    plan = plan_flatten(positions, ours())
    assert plan.untouched == {"ALGO/USDT:USDT": Decimal("500")}
    assert len(plan.closings) == 4
    if fault is not None:
        live.fault(when={"role": "u", "times": 2}, answer=fault)
    seen = len(live.posts())
    with closing(Lanes(lambda: with_own_connections(client), lambda lane: lane, live.clock)) as lanes:
        for legs in by_pair_trade(plan.closings):
            assert [each.leg for each in legs] == ["A", "B"]
            outcomes = dict(
                close_together(
                    BINANCE,
                    client,
                    legs,
                    lanes,
                    sleep=live.clock.sleep,
                    clock=lambda: live.clock.now_ms() / 1e3,
                )
            )
            assert all(outcome.startswith("FILLED") for outcome in outcomes.values()), outcomes
            assert len(outcomes) == 2
    sent = [post.received_ms for post in live.posts()[seen:]]
    # Where an answer is lost its question lets the one virtual clock pass for both.
    assert fault or (sent[0], sent[2]) == (sent[1], sent[3]), "both legs of a pair leave together"
    assert live.positions() == {"ALGOUSDT": Decimal("500")}, "what is not ours is not touched"
    assert not plan_flatten(amounts(client), ours()).closings, "a second run finds nothing of ours"
    # The bot comes back, finds its legs gone and books why.
    live.start()
    live.loop(2, pause_secs=31)
    assert live.states() == ["CLOSED", "CLOSED"]
    assert not live.trades()


def test_flatten_closes_one_pair_trade_only(live: Rig) -> None:
    live.open("ADA-ALGO", "XRP-DOGE")
    client = ccxt_client(live)
    pairs = read_ledger(create_engine(url(live)), only_open=True)
    ours = ours_from_journal(BINANCE, client, pairs, live.clock.now_ms())
    only = live.pair_trades()[0].id
    plan = plan_flatten(amounts(client), ours, only)
    assert {closing.pair_trade for closing in plan.closings} == {only}
    assert not plan.untouched


def test_flatten_never_turns_a_position() -> None:
    mine = [Ours("0123456789ab", Leg.A, "ADA/USDT:USDT", Decimal(100), "the journal")]
    assert plan_flatten({"ADA/USDT:USDT": Decimal(-40)}, mine).closings == ()
    smaller = plan_flatten({"ADA/USDT:USDT": Decimal(40)}, mine).closings
    assert [(closing.side, closing.amount) for closing in smaller] == [("sell", Decimal(40))]


def test_a_database_address_is_shown_without_its_password() -> None:
    assert shown("postgresql://bot:secret@db/trades") == "postgresql://bot:***@db/trades"
    assert "secret" not in shown("postgresql//bot:secret@db")


def test_a_userdir_is_not_taken_from_under_open_pairs_and_a_report_says_no_amount(
    live: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live.open("ADA-ALGO")
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    config = tmp_path / "user_data" / "pairbot.json"
    written = config.read_text()
    config.write_text(json.dumps(json.loads(written) | {"db_url": url(live)}))
    capsys.readouterr()
    assert main(["init", "--remove"]) == 1
    assert "1 live pair trades are open" in capsys.readouterr().out
    assert config.is_file()

    assert main(["doctor", "--json"]) == 0
    (reported,) = json.loads(capsys.readouterr().out)["pair_trades"]
    assert (reported["pair"], reported["state"]) == ("ADA-ALGO", "HEDGED")
    assert len(reported["orders"]) == 2
    assert {"amount", "filled", "price", "profit"}.isdisjoint(reported["orders"][0].keys() | reported.keys())

    live.close("ADA-ALGO")
    config.write_text(written)
    assert main(["init", "--remove"]) == 0
    assert not config.exists()
