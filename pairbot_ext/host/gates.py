"""Entry gates that fail closed.

Freqtrade wraps strategy callbacks so that an exception in `confirm_trade_entry`, `custom_stake_amount` or
`leverage` lets the entry through at the full stake. Here an exception in any of them refuses it.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

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
