"""`pairbot flatten` when things fail: every position gets its attempt, and what is not known is said."""

import re
from argparse import Namespace
from typing import Any

import pytest
from harness import Rig, ccxt_client
from sqlalchemy import create_engine

from pairbot_ext.commands.flatten import _through_bot, flatten_on_venue
from pairbot_ext.journal.ledger import PairStatus, read_ledger
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.venue import venue_of

BINANCE = venue_of("binance")
YES = Namespace(yes=True, json=False, ignore_database=False)
WITHOUT_DATABASE = Namespace(yes=True, json=False, ignore_database=True)


def open_pairs(live: Rig) -> list[PairStatus]:
    """Two open pair trades, as the database shows them; the bot is dead."""
    live.open("ADA-ALGO", "XRP-DOGE")
    live.kill()
    return read_ledger(create_engine(f"sqlite:///{live.directory / 'trades.sqlite'}"), only_open=True)


@pytest.mark.parametrize(
    "fault",
    [
        {"when": {"call": "GET /fapi/v1/allOrders", "symbol": "ALGOUSDT", "times": 6}, "answer": "html_502"},
        {"when": {"call": "GET /fapi/v1/order", "times": 99}, "answer": "html_502"},
        {"when": {"call": "GET /fapi/v3/positionRisk", "times": 2}, "answer": "empty_200"},
    ],
    ids=["history", "ids", "positions"],
)
def test_questions_that_fail_keep_no_position_open(
    live: Rig,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    fault: dict[str, Any],
) -> None:
    """Nor is a request's signature shown."""
    pairs = open_pairs(live)
    client = ccxt_client(live)
    live.fault(**fault)
    assert flatten_on_venue(YES, BINANCE, client, pairs, None) == 0
    assert not live.positions()
    said = capsys.readouterr()
    assert said.out.count("FILLED") == 4
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("pairbot_ext")]
    assert not re.search("signature=[0-9a-f]", "\n".join((said.out, said.err, *ours)))


def test_a_refused_order_keeps_no_other_from_going(live: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = open_pairs(live)
    live.fault(when={"role": "u", "leg": "A", "symbol": "ADAUSDT"}, answer="reject", code=-1008)
    assert flatten_on_venue(YES, BINANCE, ccxt_client(live), pairs, None) == 1
    assert set(live.positions()) == {"ADAUSDT"}
    out = capsys.readouterr().out
    assert out.count("FILLED") == 3
    assert "STILL OPEN: 248 ADA/USDT:USDT" in out


def test_what_cannot_be_read_again_is_no_success(live: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = open_pairs(live)
    client = ccxt_client(live)
    send = client.create_order

    def fail_afterwards(*order: Any) -> Any:
        live.fault(when={"call": "GET /fapi/v3/positionRisk", "times": 99}, answer="html_502")
        return send(*order)

    client.create_order = fail_afterwards
    assert flatten_on_venue(YES, BINANCE, client, pairs, None) == 1
    assert not live.positions()
    out = capsys.readouterr().out
    assert out.count("FILLED") == 4
    assert "NOT KNOWN what is left" in out


def test_without_a_database_an_unreadable_history_hides_one_symbol_only(
    live: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    open_pairs(live)
    client = ccxt_client(live)
    live.fault(when={"call": "GET /fapi/v1/allOrders", "symbol": "ALGOUSDT", "times": 99}, answer="html_502")
    assert flatten_on_venue(WITHOUT_DATABASE, BINANCE, client, [], None) == 1
    assert set(live.positions()) == {"ALGOUSDT"}
    said = capsys.readouterr()
    assert "ALGO/USDT:USDT could not be read" in said.out + said.err


def test_ctrl_c_in_the_middle_says_what_was_sent(live: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = open_pairs(live)
    client = ccxt_client(live)
    send = client.create_order
    sent: list[str] = []

    def interrupted(symbol: str, *order: Any) -> Any:
        answer = send(symbol, *order)
        sent.append(symbol)
        if len(sent) == 2:
            raise KeyboardInterrupt
        return answer

    client.create_order = interrupted
    assert flatten_on_venue(YES, BINANCE, client, pairs, None) == 1
    out = capsys.readouterr().out
    assert out.count("FILLED") == 1
    assert out.count("UNKNOWN: interrupted") == 1
    assert out.count("not tried: interrupted") == 2
    assert out.count("STILL OPEN") == 2, "the venue is read again"


class Bot:
    """A running bot's API whose calls fail as told. Each of its pairs closes when either leg is exited."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = pairs
        self.trades = {symbol: number for number, pair in enumerate(pairs) for symbol in pair}
        self.ids = {symbol: number for number, symbol in enumerate(self.trades)}
        self.broken: dict[int, BaseException] = {}
        self.asked: list[int] = []
        self.is_deaf = False

    def open_trades(self) -> list[dict[str, Any]]:
        if self.is_deaf:
            raise PairbotError("the running bot refused GET /status")
        return [{"pair": symbol, "trade_id": self.ids[symbol]} for symbol in self.trades]

    def force_exit(self, trade_id: int) -> str:
        self.asked.append(trade_id)
        if trade_id in self.broken:
            raise self.broken[trade_id]
        pair = next(pair for pair in self.pairs if trade_id in (self.ids[pair[0]], self.ids[pair[1]]))
        for symbol in pair:
            self.trades.pop(symbol)
        return "Created exit order"


@pytest.fixture
def statuses(live: Rig) -> list[PairStatus]:
    return open_pairs(live)


@pytest.fixture
def bot(statuses: list[PairStatus]) -> Bot:
    return Bot(*(tuple(leg.symbol for leg in pair.legs) for pair in statuses))


def test_through_the_bot_the_mate_is_tried_where_a_leg_fails(
    statuses: list[PairStatus], bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    bot.broken[0] = PairbotError("the running bot refused POST /forceexit: 502")
    assert _through_bot(YES, bot, statuses) == 0
    assert bot.asked == [0, 1, 2]
    assert capsys.readouterr().out.count("Created exit order") == 2


def test_through_the_bot_one_pair_that_fails_keeps_no_other_open(
    statuses: list[PairStatus], bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    bot.broken = {0: PairbotError("refused: 502"), 1: ValueError("no JSON")}
    assert _through_bot(YES, bot, statuses) == 1
    out = capsys.readouterr().out
    assert f"STILL OPEN: {statuses[0].trade.id}" in out
    assert f"STILL OPEN: {statuses[1].trade.id}" not in out


def test_through_the_bot_ctrl_c_and_a_deaf_bot_are_no_success(
    statuses: list[PairStatus], bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    bot.broken[0] = KeyboardInterrupt()
    assert _through_bot(YES, bot, statuses) == 1
    assert "not tried: interrupted" in capsys.readouterr().out
    bot.broken.clear()
    exit_once = bot.force_exit

    def deaf_afterwards(trade_id: int) -> str:
        bot.is_deaf = True
        return exit_once(trade_id)

    bot.force_exit = deaf_afterwards
    assert _through_bot(YES, bot, statuses) == 1
    out = capsys.readouterr().out
    assert out.count("Created exit order") == 2
    assert "NOT KNOWN what is left" in out
