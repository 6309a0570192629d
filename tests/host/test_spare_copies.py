"""A backtest's callbacks that only read are given Freqtrade's trade itself, by Freqtrade's own wrapper."""

from typing import Any

from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from pairbot_ext.host.gates import reads_only, spare_copies


class Reader:
    """Three callbacks; each gives back what it was given."""

    @reads_only
    def custom_exit(self, trade: Any) -> Any:
        return trade

    @reads_only
    def confirm_trade_exit(self, trade: Any) -> Any:
        return trade

    def order_filled(self, trade: Any) -> Any:
        return trade


class Writer(Reader):
    def custom_exit(self, trade: Any) -> Any:
        return trade


def is_copied(callback: Any) -> bool:
    trade = ["a trade"]
    given = strategy_safe_wrapper(callback)(trade=trade)
    assert given == trade
    return given is not trade


def test_only_what_reads_is_spared_the_copy() -> None:
    reader: Any = Reader()
    assert is_copied(reader.custom_exit)
    spare_copies(reader)
    assert not is_copied(reader.custom_exit)
    assert not is_copied(reader.confirm_trade_exit)
    assert is_copied(reader.order_filled)


def test_an_override_is_given_copies_again() -> None:
    writer: Any = Writer()
    spare_copies(writer)
    assert is_copied(writer.custom_exit)
    assert not is_copied(writer.confirm_trade_exit)
