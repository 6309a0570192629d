"""What unmodified Freqtrade does at this venue, in process, on a virtual clock: the baseline, and that it
bites.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from freqtrade.configuration import Configuration
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import InProcessTransport
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.venue import Venue

HERE = Path(__file__).resolve().parent
START = datetime(2026, 2, 2, 1, 0, 5, tzinfo=UTC)
CONFIG = {
    "trading_mode": "futures", "margin_mode": "isolated", "stake_currency": "USDT", "stake_amount": 100,
    "max_open_trades": 4, "strategy": "TwoSignals", "strategy_path": str(HERE / "strategies"),
    "pairlists": [{"method": "StaticPairList"}], "initial_state": "running",
    "exchange": {"name": "binance", "pair_whitelist": ["ADA/USDT:USDT", "ALGO/USDT:USDT"]},
    "entry_pricing": {"use_order_book": True, "order_book_top": 1, "price_side": "other"},
    "exit_pricing": {"use_order_book": True, "order_book_top": 1, "price_side": "other"},
}  # fmt: skip


class Bot:
    """A real FreqtradeBot in front of the venue; time passes only when somebody waits for it."""

    def __init__(self, directory: Path, traveller: Any, *, dry_run: bool) -> None:
        self.traveller = traveller
        prices = {"ADAUSDT": Decimal("0.7320"), "ALGOUSDT": Decimal("0.2110")}
        self.venue = Venue(FixedMarket(prices), wall_clock_ms)
        self.gateway = Gateway(self.venue, CREDENTIALS)
        transport = InProcessTransport(SimulatedExchange(self.gateway), self.advance)
        path = directory / "config.json"
        database = {"db_url": f"sqlite:///{directory / 'trades.sqlite'}", "user_data_dir": str(directory)}
        path.write_text(json.dumps(CONFIG | database | {"dry_run": dry_run}))
        config = Configuration({"config": [str(path)], "verbosity": 0}, None).get_config()
        config["exchange"] |= transport.overlay()["exchange"]
        self.bot = FreqtradeBot(config)
        self.bot.startup()

    def advance(self, ms: float) -> None:
        self.traveller.shift(ms / 1000)

    def loop(self, times: int = 1) -> None:
        for _ in range(times):
            time.sleep(5)
            self.bot.process()

    def fault(self, **rule: Any) -> None:
        self.gateway.faults.add(FaultRule.model_validate(rule))

    def held(self) -> dict[str, float]:
        """The venue's truth."""
        return {position.symbol: float(position.amount) for position in self.venue.account.open_positions()}

    def believed(self) -> dict[str, float]:
        """What Freqtrade's database says."""
        return {
            trade.pair.replace("/USDT:USDT", "USDT"): trade.amount * (-1 if trade.is_short else 1)
            for trade in Trade.get_open_trades()
        }


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Bot]]:
    with time_machine.travel(START, tick=False) as traveller:
        bots: list[Bot] = []

        def make(*, dry_run: bool = False) -> Bot:
            bots.append(Bot(tmp_path, traveller, dry_run=dry_run))
            return bots[-1]

        with patch("time.sleep", lambda secs: traveller.shift(secs)):
            yield make
            for bot in bots:
                bot.bot.cleanup()


def test_both_legs_in_and_out(start):
    bot = start()
    bot.loop(2)
    assert bot.held() == bot.believed()
    assert set(bot.held()) == {"ADAUSDT", "ALGOUSDT"}
    assert bot.held()["ADAUSDT"] > 0 > bot.held()["ALGOUSDT"]
    bot.bot.strategy.wanted = False
    bot.loop(2)
    assert bot.held() == bot.believed() == {}
    closed = Trade.get_trades([Trade.is_open.is_(False)]).all()
    gained = bot.venue.account.wallet - 10_000
    assert sum(trade.close_profit_abs for trade in closed) == pytest.approx(float(gained), abs=1e-6)


def test_dry_run_sends_no_order(start):
    bot = start(dry_run=True)
    bot.loop(2)
    assert set(bot.believed()) == {"ADAUSDT", "ALGOUSDT"}
    assert bot.held() == {}
    assert not bot.gateway.log.calls("POST /fapi/v1/order")


def test_funding_reaches_the_trade(start):
    bot = start()
    bot.loop()
    bot.advance(7 * 3_600_000)
    bot.bot.strategy.wanted = False
    bot.loop(2)
    fees = [trade.funding_fees for trade in Trade.get_trades([Trade.is_open.is_(False)]).all()]
    booked = [float(row.amount) for row in bot.venue.account.income if row.type == "FUNDING_FEE"]
    assert sorted(fees) == pytest.approx(sorted(booked))
    assert len(booked) == 2


@pytest.mark.parametrize(
    "form", ["unknown_503_msg", "unknown_503_code_0", "html_504", "reset", "timeout_1007"]
)
def test_lost_answer_doubles_the_position(start, form):
    """The baseline of issue C: executed, answered "unknown", sent again. Nothing ever notices."""
    bot = start()
    bot.fault(when={"symbol": "ADAUSDT"}, answer=form)
    bot.loop(4)
    assert bot.held()["ADAUSDT"] == 2 * bot.believed()["ADAUSDT"]
    assert bot.held()["ALGOUSDT"] == bot.believed()["ALGOUSDT"]
    bot.loop(20)
    assert bot.held()["ADAUSDT"] == 2 * bot.believed()["ADAUSDT"], "and it is never reconciled"


def test_rejected_leg_leaves_the_other_naked(start):
    bot = start()
    bot.fault(when={"symbol": "ALGOUSDT", "times": None}, answer="reject", code=-2019)
    bot.loop(3)
    assert set(bot.held()) == set(bot.believed()) == {"ADAUSDT"}


def test_partial_fill_leaves_the_legs_unequal(start):
    bot = start()
    bot.fault(when={"symbol": "ALGOUSDT"}, fill={"fraction": "0.6"})
    bot.loop(3)
    assert bot.held() == bot.believed()
    ratio = abs(bot.held()["ALGOUSDT"] * 0.2110) / (bot.held()["ADAUSDT"] * 0.7320)
    assert ratio == pytest.approx(0.6, abs=0.01)
