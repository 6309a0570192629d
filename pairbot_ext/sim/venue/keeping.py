"""A venue put away and taken out again: everything it holds, to go on from the instant it was left at.

What lies outside of it (market, clock) is named, not kept. Reading accepts the simulation's own classes and a
few containers, and calls nothing else: a kept venue is a file, and a file may be anybody's.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

from pairbot_ext.sim.market.base import Market
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.support.errors import DataError

_OWN = "pairbot_ext.sim."
_CONTAINERS = {
    ("collections", "deque"), ("collections", "defaultdict"), ("collections", "OrderedDict"),
    ("decimal", "Decimal"), ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "list"),
}  # fmt: skip
_METHODS = frozenset({"mark", "now_ms"})
_METHOD = "pairbot_ext.sim.venue.keeping", "method_of"


def method_of(owner: Any, name: str) -> Callable[..., Any]:
    """A bound method that the venue's parts give one another. Raises UnpicklingError for any other."""
    if name not in _METHODS:
        raise pickle.UnpicklingError(f"no method {name}")
    found: Callable[..., Any] = getattr(owner, name)
    return found


class _Keeper(pickle.Pickler):
    def __init__(self, file: io.BytesIO, outside: Mapping[str, object]) -> None:
        super().__init__(file, protocol=5)
        self._names = {id(each): name for name, each in outside.items()}

    def persistent_id(self, obj: Any) -> str | None:
        """The name of what is not kept."""
        return self._names.get(id(obj))

    def reducer_override(self, obj: Any) -> Any:
        """Methods by owner and name."""
        if isinstance(obj, MethodType):
            return method_of, (obj.__self__, obj.__name__)
        return NotImplemented


class _Restorer(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, outside: Mapping[str, object]) -> None:
        super().__init__(file)
        self._outside = outside

    def persistent_load(self, pid: Any) -> object:
        """What is not kept."""
        return self._outside[pid]

    def find_class(self, module: str, name: str) -> Any:
        """The simulation's own classes, and containers."""
        if (module, name) in _CONTAINERS or (module, name) == _METHOD:
            return super().find_class(module, name)
        found = super().find_class(module, name) if module.startswith(_OWN) and "." not in name else None
        if isinstance(found, type):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is nothing a venue is made of")


def keep(venue: Venue, clock: object) -> bytes:
    """Everything the venue holds.

    :param clock: the object whose `now_ms` is the venue's clock.
    """
    file = io.BytesIO()
    _Keeper(file, _outside(venue.market, clock)).dump(venue)
    return file.getvalue()


def restore(kept: bytes, market: Market, clock: object) -> Venue:
    """The same venue on the same market. Raises DataError for what `keep` has not made."""
    try:
        venue = _Restorer(io.BytesIO(kept), _outside(market, clock)).load()
    except Exception as error:
        raise DataError(
            f"The kept books of the simulated exchange cannot be read: {type(error).__name__} {error}",
            remedy="Begin anew with an empty directory",
        ) from error
    if not isinstance(venue, Venue):
        raise DataError("The kept books hold no venue", remedy="Begin anew with an empty directory")
    return venue


def _outside(market: Market, clock: object) -> dict[str, object]:
    return {"market": market, "symbols": market.symbols, "clock": clock}
