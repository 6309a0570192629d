"""The venue's own record of everything it was asked and what became of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_MOST_RECORDS = 200_000
_SECRET_PARAMS = frozenset({"signature"})


@dataclass(frozen=True)
class RequestRecord:
    """One request, by the venue's clock.

    :param number: counts from 1; `received_ms` epoch ms.
    :param status: HTTP status of the answer, 0 where none was sent; `code` Binance's error code, 0 without
        one.
    :param delivery: how the answer went out: send, reset or hang; "late" marks the execution of a request
        whose client had given up, noted when it happened.
    :param executed: whether the venue carried it out, whatever it answered.
    :param fault: name of the rule that bent it, "" for none.
    :param order_id: the order it created or touched, where there is one.
    """

    number: int
    received_ms: int
    call: str
    params: Mapping[str, str]
    weight: int
    status: int
    code: int
    delivery: str
    executed: bool
    fault: str = ""
    order_id: int | None = None

    @property
    def client_id(self) -> str:
        """The client order id it names or gives, "" without one."""
        return self.params.get("newClientOrderId") or self.params.get("origClientOrderId") or ""

    @property
    def is_reduce_only(self) -> bool:
        """Of an order: whether it may only make a position smaller."""
        return self.params.get("reduceOnly") == "true"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class VenueLog:
    """The latest 200,000 requests, oldest first."""

    def __init__(self) -> None:
        self.requests: deque[RequestRecord] = deque(maxlen=_MOST_RECORDS)
        self._count = 0

    def next_number(self) -> int:
        """The number of the request now being worked on."""
        self._count += 1
        return self._count

    def add(self, record: RequestRecord) -> None:
        """Keep a record."""
        self.requests.append(record)

    def since(self, number: int) -> list[RequestRecord]:
        """Records numbered above `number`."""
        return [record for record in self.requests if record.number > number]

    def calls(self, call: str) -> list[RequestRecord]:
        """Records of one call, such as "POST /fapi/v1/order"."""
        return [record for record in self.requests if record.call == call]


def public_params(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters without the signature."""
    return {name: value for name, value in params.items() if name not in _SECRET_PARAMS}
