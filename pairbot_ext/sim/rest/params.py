"""Reading request parameters the way Binance refuses them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from pairbot_ext.sim.venue.errors import Code, VenueError

E = TypeVar("E", bound=StrEnum)


class Params:
    """Decoded parameters of one request."""

    def __init__(self, raw: Mapping[str, str]) -> None:
        self.raw = raw

    def __contains__(self, name: str) -> bool:
        return self.raw.get(name, "") != ""

    def text(self, name: str) -> str:
        """A mandatory text.

        :raises VenueError: −1102 without it.
        """
        value = self.raw.get(name, "")
        if not value:
            raise VenueError(Code.MANDATORY_PARAM, name=name)
        return value

    def optional(self, name: str) -> str | None:
        """A text, or None."""
        return self.raw.get(name) or None

    def integer(self, name: str) -> int | None:
        """A whole number, or None.

        :raises VenueError: −1130 where it is no number.
        """
        value = self.raw.get(name, "")
        if not value:
            return None
        try:
            return int(value)
        except ValueError:
            raise VenueError(Code.INVALID_PARAMETER, name=name) from None

    def limit(self, default: int, most: int) -> int:
        """`limit`, within 1 and `most`.

        :raises VenueError: −1130 outside.
        """
        value = self.integer("limit")
        if value is None:
            return default
        if not 1 <= value <= most:
            raise VenueError(Code.INVALID_PARAMETER, name="limit")
        return value

    def decimal(self, name: str) -> Decimal | None:
        """A decimal number, or None.

        :raises VenueError: −1102 where it is no number.
        """
        value = self.raw.get(name, "")
        if not value:
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise VenueError(Code.MANDATORY_PARAM, name=name) from None
        if not number.is_finite():
            raise VenueError(Code.MANDATORY_PARAM, name=name)
        return number

    def mandatory_decimal(self, name: str) -> Decimal:
        """A decimal number.

        :raises VenueError: −1102 without it.
        """
        number = self.decimal(name)
        if number is None:
            raise VenueError(Code.MANDATORY_PARAM, name=name)
        return number

    def flag(self, name: str) -> bool:
        """true or false, false without it.

        :raises VenueError: −1130 for anything else.
        """
        value = self.raw.get(name, "false").lower()
        if value not in ("true", "false"):
            raise VenueError(Code.INVALID_PARAMETER, name=name)
        return value == "true"

    def choice(self, name: str, kind: type[E], error: int) -> E:
        """A mandatory member of `kind`.

        :raises VenueError: −1102 without it, `error` for anything else.
        """
        value = self.text(name)
        try:
            return kind(value)
        except ValueError:
            raise VenueError(error, name=name) from None

    def time_range(self, most_ms: int | None = None) -> tuple[int | None, int | None]:
        """`startTime` and `endTime`, epoch ms.

        :raises VenueError: −1023 backwards, −1127 further apart than `most_ms`.
        """
        start, end = self.integer("startTime"), self.integer("endTime")
        if start is not None and end is not None:
            if start > end:
                raise VenueError(Code.START_AFTER_END)
            if most_ms is not None and end - start > most_ms:
                raise VenueError(Code.LOOKUP_TOO_LONG, hours=most_ms // 3_600_000)
        return start, end
