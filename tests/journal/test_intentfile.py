"""The intent file: what was durable stays readable whatever is torn, and an exit always finds a place."""

import fcntl
import json
import os
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import make_order
from sqlalchemy.engine import make_url

from pairbot_ext.journal import intentfile
from pairbot_ext.journal.intentfile import HALF_BYTES, IntentFile, IntentFileFullError, intent_file_path
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import OrderStatus, Refusal
from pairbot_ext.support.errors import PairbotError

SECTOR_BYTES = 512
HEADER_BYTES = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of the test lies."""
    return tmp_path / "intents.dat"


def read(path: Path) -> list[OrderRecord]:
    """What a new process finds."""
    file = IntentFile(path, slots=2)
    try:
        return file.open()
    finally:
        file.close()


def written(path: Path, *orders: OrderRecord, drop: str | None = None) -> bytes:
    """The file's bytes after these updates by one process."""
    file = IntentFile(path, slots=2)
    file.open()
    for order in orders:
        file.put(order)
    if drop is not None:
        file.drop(drop)
    file.close()
    return path.read_bytes()


SENT = make_order()
UNKNOWN = replace(SENT, status=OrderStatus.UNKNOWN, sent_ms=1_770_000_000_500, error="RequestTimeout")
FILLED = replace(
    UNKNOWN, status=OrderStatus.FILLED, order_id="8389765", filled=SENT.amount, average=0.7319, error=None
)
OTHER = make_order(leg=Leg.B)
UPDATES: dict[str, tuple[list[OrderRecord], OrderRecord | None]] = {
    # What is in the file before, and the update: None frees the slot of SENT.
    "first intent": ([], SENT),
    "second intent": ([SENT], OTHER),
    "a change": ([SENT], UNKNOWN),
    "a change of a change": ([SENT, UNKNOWN], FILLED),
    "freed": ([SENT, UNKNOWN], None),
}


def before_and_after(path: Path, name: str) -> tuple[bytes, bytes, list[OrderRecord], list[OrderRecord]]:
    """Bytes before and after one update, and what they say."""
    orders, update = UPDATES[name]
    before = written(path, *orders)
    said_before = read(path)
    after = written(path, update) if update is not None else written(path, drop=SENT.client_id)
    return before, after, said_before, read(path)


def update_span(before: bytes, after: bytes) -> slice:
    """The bytes of the update that say something: header and text of the half it was written to. The rest of
    that half is padding."""
    first = next(number for number in range(len(before)) if before[number] != after[number])
    start = first - first % HALF_BYTES
    length = int.from_bytes(after[start + 12 : start + 16], "little")
    return slice(start, start + HEADER_BYTES + length)


@pytest.mark.parametrize("name", UPDATES)
def test_an_update_torn_at_any_byte_is_all_or_nothing(path: Path, name: str) -> None:
    before, after, said_before, said_after = before_and_after(path, name)
    assert said_before != said_after
    span = update_span(before, after)
    end_of_half = span.start + HALF_BYTES
    assert before[: span.start] + before[end_of_half:] == after[: span.start] + after[end_of_half:]
    changed = [number for number in range(span.start, end_of_half) if before[number] != after[number]]
    for end in range(span.start, changed[-1] + 2):
        image = after[:end] + before[end:]
        path.write_bytes(image)
        # Not believed before its last byte: what was durable before is still there.
        expected = said_after if image[span] == after[span] else said_before
        assert read(path) == expected, f"torn at byte {end}"


@pytest.mark.parametrize("name", UPDATES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_sectors_that_arrive_in_any_order_are_all_or_nothing(
    path: Path, name: str, data: st.DataObject
) -> None:
    path.unlink(missing_ok=True)
    before, after, said_before, said_after = before_and_after(path, name)
    sectors = range(0, len(before), SECTOR_BYTES)
    touched = [at for at in sectors if before[at : at + SECTOR_BYTES] != after[at : at + SECTOR_BYTES]]
    arrived = set(data.draw(st.lists(st.sampled_from(touched), unique=True)))
    # A sector the power left half-written may hold anything.
    spoiled = data.draw(st.sampled_from([None, *touched]))
    image = bytearray(before)
    for at in arrived:
        image[at : at + SECTOR_BYTES] = after[at : at + SECTOR_BYTES]
    if spoiled is not None and spoiled not in arrived:
        image[spoiled : spoiled + SECTOR_BYTES] = data.draw(
            st.binary(min_size=SECTOR_BYTES, max_size=SECTOR_BYTES)
        )
    path.write_bytes(bytes(image))
    span = update_span(before, after)
    assert read(path) == (said_after if image[span] == after[span] else said_before)


def test_the_next_update_after_a_torn_one_is_whole(path: Path) -> None:
    before = written(path, SENT)
    after = written(path, UNKNOWN)
    first = next(number for number in range(len(before)) if before[number] != after[number])
    path.write_bytes(after[: first + 40] + before[first + 40 :])
    file = IntentFile(path, slots=2)
    assert file.open() == [SENT]
    file.put(FILLED)
    file.put(OTHER)
    file.close()
    assert read(path) == [FILLED, OTHER]


texts = st.text(st.characters(codec=None), max_size=300)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reason=texts, error=st.none() | texts)
def test_any_text_fits_and_everything_else_is_exact(path: Path, reason: str, error: str | None) -> None:
    order = replace(
        FILLED,
        symbol="1000000MOG/USDT:USDT",
        reason=reason,
        error=error,
        order_id="9" * 128,
        status=OrderStatus.REJECTED,
        refusal=Refusal.NO_POSITION,
        amount=Decimal("123456789012345.123456789012345678"),
    )
    path.unlink(missing_ok=True)
    file = IntentFile(path, slots=2)
    file.open()
    file.put(order)
    file.close()
    [found] = read(path)
    assert replace(found, reason="", error=None) == replace(order, reason="", error=None)
    assert reason.startswith(found.reason)
    assert len(found.reason) >= min(len(reason), 100), "at least so many of the widest characters are kept"
    assert (found.error is None) == (error is None)
    assert (error or "").startswith(found.error or "")


def test_a_slot_is_used_again(path: Path) -> None:
    file = IntentFile(path, slots=2)
    file.open()
    size = path.stat().st_size
    for attempt in range(1, 30):
        order = make_order(attempt=attempt)
        file.put(order)
        file.put(replace(order, status=OrderStatus.UNKNOWN))
        assert file.has(order.client_id)
        file.drop(order.client_id)
        assert file.is_empty
    assert path.stat().st_size == size, "nothing was allocated"
    file.put(SENT)
    file.close()
    assert read(path) == [SENT]


def test_the_space_is_really_allocated(path: Path) -> None:
    written(path)
    assert path.stat().st_size == 2 * 2 * HALF_BYTES
    assert path.stat().st_blocks * 512 >= path.stat().st_size, "no holes: a full disk cannot stop a write"


def test_a_creation_that_was_interrupted_is_finished(path: Path) -> None:
    whole = written(path, SENT)
    path.write_bytes(whole[: HALF_BYTES + 100])
    assert read(path) == [SENT]
    assert path.stat().st_size == len(whole)


def full(path: Path, *statuses: OrderStatus) -> IntentFile:
    """A file whose every slot is taken, by orders of these statuses, the oldest first."""
    file = IntentFile(path, slots=len(statuses))
    file.open()
    for attempt, status in enumerate(statuses, start=1):
        filled = SENT.amount if status is OrderStatus.FILLED else Decimal(0)
        file.put(make_order(attempt=attempt, status=status, filled=filled))
    return file


def ids(path: Path) -> list[int]:
    """The attempts a new process finds."""
    return sorted(order.attempt for order in read(path))


def test_a_full_file_grows(path: Path) -> None:
    file = full(path, OrderStatus.UNKNOWN, OrderStatus.FILLED)
    assert file.put(make_order(attempt=3)) is None
    file.close()
    assert ids(path) == [1, 2, 3]
    assert path.stat().st_size == (2 + intentfile.GROW_SLOTS) * 2 * HALF_BYTES


@pytest.fixture
def no_room() -> Iterator[None]:
    """No file of this process may become larger than four blocks: a real limit, as a full disk is one."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * HALF_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize(
    ("statuses", "evicted", "left"),
    [
        ((OrderStatus.FILLED, OrderStatus.UNKNOWN), 1, [2, 3]),
        ((OrderStatus.FILLED, OrderStatus.FILLED), 1, [2, 3]),
        ((OrderStatus.FILLED, OrderStatus.REJECTED), 2, [1, 3]),
    ],
)
def test_a_full_file_on_a_full_disk_gives_up_what_is_settled(
    path: Path, statuses: tuple[OrderStatus, ...], evicted: int, left: list[int]
) -> None:
    file = full(path, *statuses)
    assert file.put(make_order(attempt=3)) == make_order(attempt=evicted).client_id
    assert not file.has(make_order(attempt=evicted).client_id)
    file.close()
    assert ids(path) == left


@pytest.mark.usefixtures("no_room")
def test_a_file_full_of_unknowns_gives_nothing_up(path: Path) -> None:
    file = full(path, OrderStatus.UNKNOWN, OrderStatus.INTENT)
    with pytest.raises(IntentFileFullError, match="2 orders of unknown fate"):
        file.put(make_order(attempt=3))
    # What is there can still change, and makes room when it is settled.
    file.put(make_order(attempt=1, status=OrderStatus.EXPIRED))
    assert file.put(make_order(attempt=3)) == make_order(attempt=1).client_id
    file.close()
    assert ids(path) == [2, 3]


def test_a_short_write_is_an_error_and_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = IntentFile(path, slots=2)
    file.open()
    file.put(SENT)
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, block, at: pwrite(handle, block[:100], at))
    with pytest.raises(OSError, match="only 100 of 4096"):
        file.put(UNKNOWN)
    monkeypatch.undo()
    assert read_beside(file) == [SENT]
    file.put(FILLED)
    assert read_beside(file) == [FILLED]
    file.close()


def read_beside(file: IntentFile) -> list[OrderRecord]:
    """What a process would find that started now, while the file is open."""
    copy = file.path.with_suffix(".copy")
    shutil.copyfile(file.path, copy)
    return read(copy)


def test_a_second_process_is_refused(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pairbot_ext.journal.intentfile import IntentFile\n"
        "from pairbot_ext.support.errors import PairbotError\n"
        "try:\n    print(len(IntentFile(Path(sys.argv[1])).open()))\n"
        "except PairbotError as error:\n    print(error)\n"
    )

    def second() -> str:
        done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True)
        return done.stdout.decode()

    file = IntentFile(path)
    file.open()
    file.put(SENT)
    said = second()
    assert "another bot has this bot's database open" in said
    assert str(path) in said
    assert "db_url" in said
    file.close()
    assert second() == "1\n"


def test_what_cannot_be_prepared_is_said_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in ((tmp_path / "file" / "intents.dat", "xists"), (tmp_path, "directory")):
        file = IntentFile(path)
        with pytest.raises(PairbotError, match=why) as caught:
            file.open()
        assert "2048 KiB free" in str(caught.value)
        with pytest.raises(OSError, match="not open"):
            file.put(SENT)


@pytest.mark.usefixtures("no_room")
def test_a_disk_too_full_for_the_file_refuses_the_start(path: Path) -> None:
    with pytest.raises(PairbotError, match="cannot be prepared"):
        IntentFile(path).open()
    # The lock is not left behind.
    with path.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_another_versions_order_is_refused_not_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(order: OrderRecord) -> bytes:
        document: dict[str, Any] = json.loads(original(order))
        return json.dumps(document | {"invented_later": 1}).encode()

    original = intentfile._encode
    monkeypatch.setattr(intentfile, "_encode", encode)
    written(path, SENT)
    with pytest.raises(PairbotError, match=r"slot 0 .* cannot read"):
        read(path)


def test_an_order_damaged_in_both_halves_is_not_believed(path: Path) -> None:
    image = bytearray(written(path, SENT, UNKNOWN))
    for half in (0, 1):
        image[half * HALF_BYTES + 30] ^= 0xFF
    path.write_bytes(bytes(image))
    assert read(path) == []


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{}/trades.sqlite",
        "sqlite:///{}/sub/../trades.sqlite",
        "sqlite:///file:{}/trades.sqlite?uri=true",
    ],
)
def test_one_database_has_one_file_however_it_is_named(tmp_path: Path, url: str) -> None:
    (tmp_path / "sub").mkdir()
    found = intent_file_path(make_url(url.format(tmp_path)), tmp_path / "user_data")
    assert found == tmp_path / "trades.sqlite.pairbot-intents"


def test_a_relative_name_or_a_link_is_the_same_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "trades.sqlite")
    for name in ("trades.sqlite", "link.sqlite"):
        assert (
            intent_file_path(make_url(f"sqlite:///{name}"), tmp_path).name == "trades.sqlite.pairbot-intents"
        )


def test_databases_on_servers_differ_by_all_but_the_password(tmp_path: Path) -> None:
    urls = [
        "postgresql+psycopg://bot:one@db/trades",
        "postgresql+psycopg://bot:two@db/trades",
        "postgresql+psycopg://bot:one@db/others",
        "postgresql+psycopg://bot:one@elsewhere/trades",
    ]
    names = [intent_file_path(make_url(url), tmp_path).name for url in urls]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert set(names[0]) <= set(string.ascii_lowercase + string.digits + "-.")
