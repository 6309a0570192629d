"""What the bot's own private names do, on the real classes of whatever release is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration import Configuration
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import ExitCheckTuple, ExitType, State
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Order, Trade
from freqtrade.rpc import RPC, RPCException, RPCManager
from freqtrade.strategy import IStrategy
from freqtrade.wallets import Wallets
from freqtrade.worker import Worker
from plain_bot import ADA, ALGO, PlainBot, plain_bot, proves, recorded

from pairbot_ext.host import private
from pairbot_ext.host.access import read_configuration
from pairbot_ext.host.wake import Wake
from pairbot_ext.sim.venue.actions import ClosePosition

EXIT = ExitCheckTuple(exit_type=ExitType.CUSTOM_EXIT, exit_reason="a reason")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[PlainBot]:
    with plain_bot(tmp_path) as bot:
        yield bot


@proves("DataProvider._DataProvider__rpc", "RPCManager._rpc", "RPC._freqtrade", "DataProvider._exchange")
def test_a_strategy_reaches_its_bot(live: PlainBot) -> None:
    provider = live.bot.strategy.dp
    assert type(provider) is DataProvider
    manager = getattr(provider, private.RPC_OF_PROVIDER)
    assert type(manager) is RPCManager
    assert type(manager._rpc) is RPC
    assert manager._rpc._freqtrade is live.bot
    assert provider._exchange is live.bot.exchange


@proves("FreqtradeBot.exchange", "FreqtradeBot.wallets", "FreqtradeBot.rpc", "FreqtradeBot.state")
@proves(
    "FreqtradeBot.active_pair_whitelist", "FreqtradeBot.get_free_open_trades", "RPCManager.registered_modules"
)
def test_the_bot_s_parts(live: PlainBot) -> None:
    bot = live.bot
    assert type(bot.wallets) is Wallets
    assert bot.wallets._exchange is bot.exchange
    assert bot.state == State.RUNNING
    live.loop()
    assert bot.active_pair_whitelist == [ADA, ALGO]
    assert bot.get_free_open_trades() == 4
    live.enter()
    assert bot.get_free_open_trades() == 3
    # The machine's listener was appended to the modules.
    bot.notify_status("somebody is told")
    assert "somebody is told" in live.told


@proves("IStrategy._IStrategy__last_candle_seen_per_pair")
def test_a_candle_that_is_forgotten_is_analysed_again(live: PlainBot) -> None:
    strategy: Any = live.bot.strategy
    strategy.process_only_new_candles = True
    analysed = recorded(strategy, "populate_entry_trend")["populate_entry_trend"]
    live.next_candle()
    live.loop(2)
    assert len(analysed) == 2, "each symbol once per candle"
    getattr(strategy, private.LAST_CANDLES).pop(ADA)
    live.loop()
    assert [call["metadata"]["pair"] for call in analysed[2:]] == [ADA]


@proves("IStrategy._ft_params_from_file")
def test_a_parameter_file_s_own_keys_are_kept(tmp_path: Path) -> None:
    (tmp_path / "Tuned.json").write_text(
        json.dumps({"strategy_name": "Tuned", "params": {"adopt": {"of": "us"}, "buy": {"level": 3}}})
    )

    class Tuned(IStrategy):
        __file__ = str(tmp_path / "Tuned.py")

    Tuned.__abstractmethods__ = frozenset()
    strategy: Any = Tuned({})
    assert strategy._ft_params_from_file["adopt"] == {"of": "us"}
    Tuned.__file__ = str(tmp_path / "Other.py")
    assert Tuned({})._ft_params_from_file == {}


@proves("FreqtradeBot._exit_lock")
def test_the_lock_is_held_around_exits_and_is_not_reentrant(live: PlainBot) -> None:
    lock, held = live.bot._exit_lock, []
    exits = live.bot.exit_positions

    def exit_positions(trades: list[Trade]) -> int:
        held.append(lock.locked())
        assert not lock.acquire(blocking=False)
        return exits(trades)

    live.bot.exit_positions = exit_positions
    live.loop()
    assert held == [True]
    assert not lock.locked()


@proves("FreqtradeBot.execute_entry")
def test_an_entry_and_a_top_up(live: PlainBot) -> None:
    trade = live.enter()
    assert (trade.enter_tag, trade.leverage, trade.is_short, trade.is_open) == ("a-pair", 2.0, False, True)
    before = trade.amount
    assert live.bot.execute_entry(
        ADA, 50.0, 0.732, is_short=False, ordertype="market", enter_tag="a-pair", trade=trade,
        mode="pos_adjust", leverage_=2,
    )  # fmt: skip
    assert live.trade().amount == pytest.approx(1.5 * before, rel=0.02)
    assert len(Trade.get_open_trades()) == 1
    assert float(live.held("ADAUSDT")) == live.trade().amount


@proves("FreqtradeBot.execute_trade_exit")
def test_a_partial_and_a_whole_exit(live: PlainBot) -> None:
    trade = live.enter()
    half = float(round(trade.amount / 2))
    assert live.bot.execute_trade_exit(trade, 0.732, EXIT, ordertype="market", sub_trade_amt=half)
    assert float(live.held("ADAUSDT")) == live.trade().amount == pytest.approx(trade.amount)
    assert live.trade().is_open
    assert live.bot.execute_trade_exit(live.trade(), 0.732, EXIT, ordertype="market", sub_trade_amt=None)
    assert not live.held("ADAUSDT")
    assert (live.trade().is_open, live.trade().exit_reason) == (False, "a reason")


@proves("FreqtradeBot.exit_positions", "FreqtradeBot.update_trades_without_assigned_fees")
@proves("FreqtradeBot.process", "FreqtradeBot.startup", "FreqtradeBot.process_stopped", "Worker._sleep")
def test_the_worker_and_the_loop_call_what_has_been_replaced(live: PlainBot, tmp_path: Path) -> None:
    live.kill()
    worker = Worker({}, live.configuration())
    live.bot = bot = worker.freqtrade
    bot.strategy.wanted = False
    seen = recorded(bot, "startup", "process", "process_stopped", "exit_positions",
                    "update_trades_without_assigned_fees")  # fmt: skip
    slept = recorded(worker, "_sleep")["_sleep"]
    state = worker._worker(None)
    assert {name for name, calls in seen.items() if calls} == {*seen} - {"process_stopped"}
    assert seen["exit_positions"] == [{"trades": []}]
    bot.state = State.STOPPED
    worker._worker(state)
    assert seen["process_stopped"] == [{}]
    assert all(0 < call["sleep_duration"] <= 60 for call in slept)
    assert len(slept) == 2


@proves("Worker._sleep")
def test_the_worker_is_found_above_its_bot_and_put_back(live: PlainBot) -> None:
    import threading

    live.kill()
    worker = Worker({}, live.configuration())
    live.bot = bot = worker.freqtrade
    bell, works = threading.Event(), []
    wake = Wake(bell, lambda: works.append(1))
    process = bot.process

    def run_process() -> None:
        wake.attend()
        process()

    bot.process = run_process
    bot.strategy.wanted = False
    worker._process_running()
    assert worker._sleep == wake.sleep
    wake.release()
    assert worker._sleep is Worker._sleep


@proves("FreqtradeBot.handle_onexchange_order", "Exchange.fetch_orders")
def test_orders_of_other_hands_are_booked(live: PlainBot) -> None:
    trade = live.enter()
    live.act(ClosePosition(symbol="ADAUSDT"))
    asked = recorded(live.bot.exchange, "fetch_orders")["fetch_orders"]
    live.bot.handle_onexchange_order(trade)
    assert [call["pair"] for call in asked] == [ADA]
    assert asked[0]["since"] <= trade.open_date_utc
    assert not live.trade().is_open


@proves("FreqtradeBot.update_trade_state")
def test_an_answer_is_taken_over_into_an_open_row(live: PlainBot) -> None:
    trade = live.enter()
    row: Order = trade.orders[0]
    answer = live.bot.exchange.fetch_order(row.order_id, ADA)
    row.ft_is_open, row.status, row.filled = True, "open", 0.0
    Trade.commit()
    live.bot.update_trade_state(live.trade(), row.order_id, answer)
    row = live.trade().orders[0]
    assert (row.ft_is_open, row.status, row.filled) == (False, "closed", float(live.held("ADAUSDT")))


@proves("Wallets.update", "Wallets.validate_stake_amount", "Wallets.check_exit_amount")
@proves("Wallets.get_available_stake_amount")
def test_the_wallets_are_asked_where_they_are_replaced(live: PlainBot) -> None:
    wallets = live.bot.wallets
    free = wallets.get_available_stake_amount()
    seen = recorded(wallets, "update", "validate_stake_amount", "check_exit_amount")
    live.want()
    # A native signal goes by the wallets' own bound; a trade's exit is checked before it is looked at.
    assert {call["pair"] for call in seen["validate_stake_amount"]} == {ADA, ALGO}
    assert all(call["stake_amount"] == 100 for call in seen["validate_stake_amount"])
    assert seen["update"]
    live.want(False)
    assert {call["trade"].pair for call in seen["check_exit_amount"]} == {ADA, ALGO}
    assert wallets.get_available_stake_amount() == pytest.approx(free, abs=2)


@proves("Configuration._process_logging_options", "Configuration.get_config")
def test_a_configuration_is_read_without_touching_the_logging(live: PlainBot) -> None:
    import logging

    handlers = list(logging.root.handlers)
    config = read_configuration({"config": [str(live.directory / "config.json")]}, None)
    assert (config["strategy"], config["verbosity"]) == ("TwoSignals", 0)
    assert logging.root.handlers == handlers
    assert Configuration._process_logging_options is not None


@proves("RPC._rpc_start", "RPC._rpc_pause", "RPC._rpc_stop", "RPC._rpc_reload_config", "RPC._rpc_blacklist")
def test_what_a_person_says_to_the_bot(live: PlainBot) -> None:
    bot, rpc = live.bot, live.bot.rpc._rpc
    for say, state in (
        (rpc._rpc_pause, State.PAUSED), (rpc._rpc_stop, State.STOPPED), (rpc._rpc_start, State.RUNNING),
        (rpc._rpc_reload_config, State.RELOAD_CONFIG),
    ):  # fmt: skip
        say()
        assert bot.state == state
    rpc._rpc_blacklist([ALGO])
    assert ALGO in bot.pairlists.blacklist


@proves("RPC._rpc_force_entry", "RPC._rpc_force_exit", "RPC._rpc_cancel_open_order", "RPC._rpc_delete")
@proves("RPC._rpc_reload_trade_from_exchange")
def test_what_a_person_says_of_a_trade(live: PlainBot) -> None:
    rpc = live.bot.rpc._rpc
    rpc._rpc_force_entry(ADA, None)
    trade = live.trade()
    assert float(live.held("ADAUSDT")) == trade.amount > 0
    with pytest.raises(RPCException, match="No open order"):
        rpc._rpc_cancel_open_order(trade.id)
    rpc._rpc_force_exit(str(trade.id), amount=float(round(trade.amount / 2)))
    assert float(live.held("ADAUSDT")) == pytest.approx(live.trade().amount)
    live.act(ClosePosition(symbol="ADAUSDT"))
    rpc._rpc_reload_trade_from_exchange(trade.id)
    assert not live.trade().is_open
    # Another symbol: Freqtrade 2026.6 with newer ccxt enters none whose margin mode is set already.
    rpc._rpc_force_entry(ALGO, None)
    assert live.held("ALGOUSDT")
    rpc._rpc_force_exit("all")
    assert not live.held("ALGOUSDT")
    rpc._rpc_delete(live.trade(ALGO).id)
    assert Trade.get_trades([Trade.pair == ALGO]).all() == []


def test_the_classes_are_freqtrade_s_own(live: PlainBot) -> None:
    assert type(live.bot) is FreqtradeBot
    assert isinstance(live.bot.strategy, IStrategy)
