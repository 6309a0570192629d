"""How Freqtrade calls a strategy: entry gates that fail closed, callbacks that are given no copies.

Freqtrade wraps strategy callbacks so that an exception in `confirm_trade_entry`, `custom_stake_amount` or
`leverage` lets the entry through at the full stake. Here an exception in any of them refuses it.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from freqtrade.strategy import IStrategy

logger = logging.getLogger(__name__)

Gate = TypeVar("Gate", bound=Callable[..., Any])


def fail_closed(refusal: Any) -> Callable[[Gate], Gate]:
    """Decorate a gating callback of a strategy that has a set `refused_symbols`.

    On an exception the symbol joins that set and `refusal` is returned. `confirm_trade_entry`, the last gate
    before the order, refuses every symbol in the set (see `PairsArb.confirm_trade_entry`): `leverage` has no
    return value that refuses, so it needs the set.
    """

    def decorate(gate: Gate) -> Gate:
        @functools.wraps(gate)
        def guarded(self: Any, pair: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return gate(self, pair, *args, **kwargs)
            except Exception:
                logger.exception("%s failed for %s: the entry is refused", gate.__name__, pair)
                self.refused_symbols.add(pair)
                return refusal

        return guarded  # type: ignore[return-value]

    return decorate


class _Uncopied:
    """A callback that Freqtrade takes for its own, by the name it goes by: those are given no copy."""

    def __init__(self, callback: Callable[..., Any]) -> None:
        self._callback = callback
        self.__name__ = callback.__name__
        self.__qualname__ = f"{IStrategy.__qualname__}.{callback.__name__}"

    def __call__(self, **kwargs: Any) -> Any:
        return self._callback(**kwargs)


def reads_only(callback: Gate) -> Gate:
    """Decorate a callback of a strategy that changes nothing of the trade it is given."""
    callback.reads_only = True  # type: ignore[attr-defined]
    return callback


def spare_copies(strategy: IStrategy) -> None:
    """Have the trade itself given to the strategy's `reads_only` callbacks.

    Freqtrade copies a trade with all its orders before each of them, on every candle it is open: more than
    a tenth of a backtest. A subclass that overrides one of them gets its copies.
    """
    for name in ("custom_exit", "confirm_trade_exit", "order_filled"):
        callback = getattr(strategy, name)
        if getattr(callback, "reads_only", False):
            setattr(strategy, name, _Uncopied(callback))
