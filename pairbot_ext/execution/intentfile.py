"""A file of intents whose space is already allocated: exits stay durable when the database is not writable.

A full disk, a locked or read-only database must not stop an exit, and an order must not leave without a
durable intent (I1, I5). Overwriting blocks that exist needs no new space, so slots of fixed size are written
in place and fsynced. What is in them is moved to the database as soon as that can be written again.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from pairbot_ext.execution.records import OrderRecord
from pairbot_ext.execution.states import OrderStatus, Refusal, Role
from pairbot_ext.sizing import Leg

SLOT_BYTES = 1024
SLOTS = 256
_ERROR_CHARS = 200


def _encode(order: OrderRecord) -> bytes:
    document = asdict(order)
    document["amount"], document["filled"] = str(order.amount), str(order.filled)
    document["error"] = (order.error or "")[:_ERROR_CHARS] or None
    document["reason"] = order.reason[:_ERROR_CHARS]
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()


def _decode(document: dict[str, Any]) -> OrderRecord:
    refusal = document["refusal"]
    return OrderRecord(
        **{
            **document,
            "leg": Leg(document["leg"]),
            "role": Role(document["role"]),
            "status": OrderStatus(document["status"]),
            "refusal": None if refusal is None else Refusal(refusal),
            "amount": Decimal(document["amount"]),
            "filled": Decimal(document["filled"]),
        }
    )


class IntentFile:
    """Slots of one order each, keyed by client order id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._slot_of: dict[str, int] = {}
        self._handle: int | None = None

    def open(self) -> list[OrderRecord]:
        """Allocate the file if it is new and read what a former run left in it. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._handle).st_size < SLOT_BYTES * SLOTS:
            os.pwrite(self._handle, b" " * (SLOT_BYTES * SLOTS), 0)
            os.fsync(self._handle)
        return list(self._read())

    def _read(self) -> Iterator[OrderRecord]:
        assert self._handle is not None
        for slot in range(SLOTS):
            text = os.pread(self._handle, SLOT_BYTES, slot * SLOT_BYTES).strip(b" \n\0")
            if not text:
                continue
            try:
                order = _decode(json.loads(text))
            except (ValueError, KeyError, TypeError):
                # A slot torn by a crash was never fsynced, so its order never left.
                continue
            self._slot_of[order.client_id] = slot
            yield order

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be moved to the database."""
        return not self._slot_of

    def has(self, client_id: str) -> bool:
        """Whether an order waits here."""
        return client_id in self._slot_of

    def put(self, order: OrderRecord) -> None:
        """Make `order` durable, replacing what was known of it. Raises OSError where even that fails."""
        if self._handle is None:
            raise OSError(f"the intent file {self.path} is not open")
        text = _encode(order)
        if len(text) > SLOT_BYTES:
            raise OSError(f"intent {order.client_id} needs {len(text)} bytes, a slot has {SLOT_BYTES}")
        slot = self._slot_of.get(order.client_id)
        if slot is None:
            taken = set(self._slot_of.values())
            slot = next((number for number in range(SLOTS) if number not in taken), None)
            if slot is None:
                raise OSError(f"the intent file {self.path} is full: {SLOTS} orders wait for the database")
        os.pwrite(self._handle, text.ljust(SLOT_BYTES), slot * SLOT_BYTES)
        os.fsync(self._handle)
        self._slot_of[order.client_id] = slot

    def drop(self, client_id: str) -> None:
        """Free the slot of an order that is in the database now."""
        slot = self._slot_of.pop(client_id, None)
        if slot is not None and self._handle is not None:
            os.pwrite(self._handle, b" " * SLOT_BYTES, slot * SLOT_BYTES)
            os.fsync(self._handle)

    def close(self) -> None:
        """Release the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
