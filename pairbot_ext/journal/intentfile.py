"""A file of intents whose space is already allocated: exits stay durable when the database is not writable.

A full disk, a locked or read-only database must not stop an exit, and an order must not leave without a
durable intent (I1, I5). Overwriting blocks that exist needs no new space (a copy-on-write file system may
still want some), so slots are written in place and fsynced. What is in them is moved to the database as soon
as that can be written again.

A slot is two halves of one block each, written in turn: `magic, sequence, length, CRC-32`, then the order as
JSON. The half with the higher sequence and a right checksum counts. A write torn by a crash spoils only the
half that did not count, so what was durable before stays readable, and what the torn half was to say is not
believed: it was never fsynced, so its order never left. Length 0 frees the slot.
"""

import hashlib
import json
import logging
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Refusal, Role
from pairbot_ext.support.errors import PairbotError

logger = logging.getLogger(__name__)

HALF_BYTES = 4096
SLOTS = 256
GROW_SLOTS = 64
"""Added where every slot is taken and the disk has room."""
_HEADER = struct.Struct("<4sQII")
_MAGIC = b"PBI2"
_TEXT_BYTES = 1200
"""Of reason and error each, as JSON: with them every order fits into a half."""


def intent_file_path(database: URL, user_data_dir: Path) -> Path:
    """Where the preallocated intents of a bot's database lie: beside a SQLite file, so that whatever way a
    second bot names that, it meets the first one's lock; in the user data for a database on a server."""
    if database.get_backend_name() == "sqlite":
        name = str(database.database or "").removeprefix("file:")
        if name in ("", ":memory:"):
            # It ends with the process, and so does what its intents would be good for.
            return Path(tempfile.gettempdir()) / f"pairbot-intents-{os.getpid()}.dat"
        file = Path(name).resolve()
        return file.with_name(f"{file.name}.pairbot-intents")
    # Without the password: a new one must not hide what is waiting.
    digest = hashlib.sha256(database.set(password=None).render_as_string().encode()).hexdigest()[:12]
    return user_data_dir / f"pairbot-intents-{digest}.dat"


class IntentFileFullError(OSError):
    """Every slot holds an order of unknown fate and the disk has no room for more."""


@dataclass
class _Slot:
    """What is in one slot. `current` is the half that counts, None where neither was ever written."""

    sequence: int = 0
    current: int | None = None
    order: OrderRecord | None = None


class IntentFile:
    """Slots of one order each, keyed by client order id. One process at a time has the file open.

    :param slots: how many slots a new file gets.
    """

    def __init__(self, path: Path, slots: int = SLOTS) -> None:
        self.path = path
        self._initial_slots = slots
        self._slots: list[_Slot] = []
        self._slot_of: dict[str, int] = {}
        self._handle: int | None = None

    def open(self) -> list[OrderRecord]:
        """Allocate the file if it is new, lock it, and read what a former run left in it.

        :raises PairbotError: another bot has it open, it cannot be written, or another version wrote it.
        """
        # Not at the top: backtesting imports this module where fcntl does not exist.
        import fcntl

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._allocate(handle, self._initial_slots)
                self._read(handle)
            except BaseException:
                os.close(handle)
                raise
        except BlockingIOError as error:
            raise PairbotError(
                f"another bot has this bot's database open: it holds the lock on {self.path}",
                remedy="Stop that bot, or give this one a database of its own (db_url)",
            ) from error
        except OSError as error:
            raise PairbotError(
                f"the intent file {self.path} cannot be prepared: {error.strerror or error}",
                remedy="It keeps exits durable when the database fails: make its directory writable, with "
                f"{self._initial_slots * 2 * HALF_BYTES // 1024} KiB free",
            ) from error
        self._handle = handle
        return [slot.order for slot in self._slots if slot.order is not None]

    def _allocate(self, handle: int, slots: int) -> None:
        """Make the file at least `slots` long; what is in it stays. Raises OSError."""
        size = os.fstat(handle).st_size
        wanted = slots * 2 * HALF_BYTES
        if size >= wanted:
            return
        # Written, not truncated to size: a hole has no blocks.
        for offset in range(size, wanted, HALF_BYTES):
            _write(handle, bytes(min(HALF_BYTES, wanted - offset)), offset)
        os.fsync(handle)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _read(self, handle: int) -> None:
        self._slots, self._slot_of = [], {}
        count = os.fstat(handle).st_size // (2 * HALF_BYTES)
        for number in range(count):
            halves = [os.pread(handle, HALF_BYTES, _offset(number, half)) for half in (0, 1)]
            slot = _newest(halves, number, self.path)
            self._slots.append(slot)
            if slot.order is not None:
                self._slot_of[slot.order.client_id] = number

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be moved to the database."""
        return not self._slot_of

    def has(self, client_id: str) -> bool:
        """Whether an order waits here."""
        return client_id in self._slot_of

    def put(self, order: OrderRecord) -> str | None:
        """Make `order` durable, replacing what was known of it.

        Where all slots are taken the file grows. Where the disk has no room for that either, a settled order
        gives its slot away: the venue can be asked for it, nothing of it is unknown. One that filled nothing
        first, then the oldest.

        :returns: the client order id of the settled order that was overwritten, or None.
        :raises IntentFileFullError: all slots hold orders of unknown fate.
        :raises OSError: the file cannot be written.
        """
        handle = self._open_handle()
        number = self._slot_of.get(order.client_id)
        evicted: str | None = None
        if number is None:
            number = self._free_slot(handle)
            before = self._slots[number].order
            evicted = None if before is None else before.client_id
        self._store(number, order)
        if evicted is not None:
            del self._slot_of[evicted]
            logger.error(f"The intent file {self.path} is full: {order.client_id} took the slot of {evicted}")
        self._slot_of[order.client_id] = number
        return evicted

    def _free_slot(self, handle: int) -> int:
        for number, slot in enumerate(self._slots):
            if slot.order is None:
                return number
        count = len(self._slots)
        try:
            self._allocate(handle, count + GROW_SLOTS)
        except OSError as error:
            logger.error(f"The intent file {self.path} cannot grow beyond {count} slots: {error}")
        # However far it came: whole slots count.
        grown = os.fstat(handle).st_size // (2 * HALF_BYTES)
        self._slots += [_Slot() for _ in range(count, grown)]
        if grown > count:
            return count
        settled = [
            (bool(slot.order.filled), slot.order.intent_ms, number)
            for number, slot in enumerate(self._slots)
            if slot.order is not None and slot.order.status.is_settled
        ]
        if not settled:
            raise IntentFileFullError(
                f"the intent file {self.path} is full: {count} orders of unknown fate wait for the database"
            )
        return min(settled)[2]

    def drop(self, client_id: str) -> None:
        """Free the slot of an order that is in the database now. Raises OSError."""
        number = self._slot_of.get(client_id)
        if number is not None:
            self._store(number, None)
            del self._slot_of[client_id]

    def _store(self, number: int, order: OrderRecord | None) -> None:
        """Write the half that does not count; from then on it does."""
        handle = self._open_handle()
        slot = self._slots[number]
        half = 1 if slot.current == 0 else 0
        text = b"" if order is None else _encode(order)
        block = _block(number, slot.sequence + 1, text)
        _write(handle, block, _offset(number, half))
        os.fsync(handle)
        slot.sequence, slot.current, slot.order = slot.sequence + 1, half, order

    def _open_handle(self) -> int:
        if self._handle is None:
            raise OSError(f"the intent file {self.path} is not open")
        return self._handle

    def close(self) -> None:
        """Release the file and its lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _offset(slot: int, half: int) -> int:
    return (2 * slot + half) * HALF_BYTES


def _write(handle: int, block: bytes, offset: int) -> None:
    written = os.pwrite(handle, block, offset)
    if written != len(block):
        raise OSError(f"only {written} of {len(block)} bytes could be written")


def _checksum(slot: int, sequence: int, text: bytes) -> int:
    # With the slot's number: a block that a disk has put elsewhere is no order.
    return zlib.crc32(struct.pack("<QQI", slot, sequence, len(text)) + text)


def _block(slot: int, sequence: int, text: bytes) -> bytes:
    header = _HEADER.pack(_MAGIC, sequence, len(text), _checksum(slot, sequence, text))
    if len(header) + len(text) > HALF_BYTES:
        raise OSError(f"an intent of {len(text)} bytes does not fit into {HALF_BYTES - len(header)}")
    return (header + text).ljust(HALF_BYTES, b"\0")


def _newest(halves: list[bytes], number: int, path: Path) -> _Slot:
    """The half with a right checksum and the higher sequence."""
    best = _Slot()
    is_torn = [False, False]
    for half, block in enumerate(halves):
        read = _read_block(block, number)
        if read is None:
            is_torn[half] = any(block)
        elif read[0] > best.sequence:
            best = _Slot(read[0], half, read[1])
    if all(is_torn):
        # No crash does that: only one half is ever being written.
        logger.error(f"Slot {number} of {path} is damaged: an order in it is lost, compare the positions")
    return best


def _read_block(block: bytes, number: int) -> tuple[int, OrderRecord | None] | None:
    """(sequence, order) of a half; None where it was never written or not completely."""
    magic, sequence, length, checksum = _HEADER.unpack_from(block)
    text = block[_HEADER.size : _HEADER.size + length]
    if magic != _MAGIC or len(text) != length or checksum != _checksum(number, sequence, text):
        return None
    if not text:
        return sequence, None
    try:
        return sequence, _decode(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise PairbotError(
            f"slot {number} of the intent file holds an order this version of pairbot cannot read",
            value=error,
            remedy="Start the version that wrote it once, with a database that can be written",
        ) from error


def _clip(text: str) -> str:
    """As much of `text` as fits into _TEXT_BYTES of JSON; an escaped character takes up to twelve."""
    sizes = (len(json.dumps(character)) - 2 for character in text)
    return "".join(_while_fitting(text, sizes))


def _while_fitting(text: str, sizes: Iterator[int]) -> Iterator[str]:
    left = _TEXT_BYTES
    for character, size in zip(text, sizes, strict=True):
        left -= size
        if left < 0:
            return
        yield character


def _encode(order: OrderRecord) -> bytes:
    document = asdict(order)
    document["amount"], document["filled"] = str(order.amount), str(order.filled)
    document["error"] = None if order.error is None else _clip(order.error)
    document["reason"] = _clip(order.reason)
    # ASCII escapes: a lone surrogate in a venue's message has no UTF-8.
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode("ascii")


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
