"""Fuzzed pairs files: whatever the file holds, the answer is one PairsFileError, and nothing is changed.

A mutation may also leave a good file (a p-value replaced by another one). Then the file must mean what it
says: written and read again it is the same, and it fits the published schema.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairbot_ext.cli import main
from pairbot_ext.pairs import PairsFile, json_schema, load_pairs_file, write_pairs_file
from pairbot_ext.pairs.watcher import PairsFileWatcher
from pairbot_ext.support import documents
from pairbot_ext.support.errors import PairsFileError

COMMITTED = (Path(__file__).parents[2] / "pairs_config.json").read_bytes()
DOCUMENT = json.loads(COMMITTED)
SCHEMA = jsonschema.Draft202012Validator(json_schema())
LONGEST_MESSAGE = 1500
SIZE_BYTES = 1024**4


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON document."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found += places(each, (*path, key))
    return found


PLACES = places(DOCUMENT)

TEXTS = st.sampled_from(
    [
        "", " ", "\x00", "\ud800", "\u202eADA/USDT:USDT", "ADA/USDT:USDT\n", "ada/usdt:usdt", "АDA/USDT:USDT",
        "\x1b[31mred", "../../etc/passwd", "%s%n", "${jndi:x}", "A" * 100_000, "1e5", "NaN", "1970", "0",
        "2026-02-01", "2026-13-45T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
        "🙂", "'; DROP TABLE pairs; --", "<script>",
    ]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [
        0, -0.0, -1, 1, 2, 0.5, 1e-320, 1e-300, 1e308, -1e308, float("nan"), float("inf"), float("-inf"),
        10**18, 10**400, -(10**400), 2**63, 253402300800, True, False,
    ]
)  # fmt: skip
HOSTILE = st.recursive(
    TEXTS | NUMBERS | st.none() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@st.composite
def documents_changed(draw: st.DrawFn) -> Any:
    """The committed document with one to three places replaced, removed, doubled or given a strange key."""
    document = copy.deepcopy(DOCUMENT)
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(PLACES))
        try:
            parent = at(document, tuple(parents))
            match draw(st.sampled_from(["replace", "replace", "remove", "double", "key"])):
                case "replace":
                    parent[last] = draw(HOSTILE)
                case "remove":
                    del parent[last]
                case "double" if isinstance(parent, list):
                    parent.insert(0, copy.deepcopy(parent[last]))
                case _:
                    at(document, (*parents, last))[draw(TEXTS)] = draw(HOSTILE)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change has taken the place away
    return document


@st.composite
def bytes_changed(draw: st.DrawFn) -> bytes:
    """The committed bytes, cut off, with other bytes put in, or with a piece repeated."""
    content = bytearray(COMMITTED)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(["cut", "put", "flip", "repeat"])):
            case "cut":
                del content[start:]
            case "put":
                content[start:start] = draw(
                    st.sampled_from(
                        [
                            b"NaN", b"Infinity", b"-", b"\xff", b"\x00", b'"', b"{", b"\\u",
                            b"[" * 5000, b"9" * 5000,
                        ]
                    )
                )  # fmt: skip
            case "flip" if content:
                content[start] ^= 1 << draw(st.integers(0, 7))
            case _:
                content[start:start] = content[start : start + draw(st.integers(1, 300))]
    return bytes(content)


def check(path: Path, content: bytes) -> PairsFile | None:
    """Load what was written there; the one error allowed is one clear line."""
    path.write_bytes(content)
    found, refused = None, None
    try:
        found = load_pairs_file(path)
    except PairsFileError as error:
        refused = error
    if refused is not None:
        message = str(refused)
        assert message.startswith(f"pairs file {path}")
        assert len(message) < LONGEST_MESSAGE
        assert message.isprintable(), "neither a line break nor what a terminal would act on"
        assert refused.remedy
    assert path.read_bytes() == content, "the file is left as it was"
    assert list(path.parent.iterdir()) == [path], "and nothing lies beside it"
    return found


def check_means_what_it_says(path: Path, found: PairsFile | None) -> None:
    if found is None:
        return
    write_pairs_file(path, found)
    assert load_pairs_file(path) == found
    SCHEMA.validate(json.loads(path.read_text()))


@fuzz(80)
@given(documents_changed())
def test_changed_documents(tmp_path, document):
    content = json.dumps(document).encode()
    found = check(tmp_path / "pairs.json", content)
    check_means_what_it_says(tmp_path / "pairs.json", found)
    if found is not None:
        SCHEMA.validate(document)  # what is read, an editor with the published schema accepts too


@fuzz(100)
@given(bytes_changed())
def test_changed_bytes(tmp_path, content):
    check_means_what_it_says(tmp_path / "pairs.json", check(tmp_path / "pairs.json", content))


@fuzz(40)
@given(documents_changed().map(lambda d: json.dumps(d).encode()) | bytes_changed())
def test_a_running_bot_keeps_the_pairs_it_has(tmp_path, content):
    path = tmp_path / "pairs.json"
    path.write_bytes(COMMITTED)
    watcher = PairsFileWatcher(path)
    good = watcher.current
    found = check(path, content)
    change = watcher.poll()
    if found is None:
        assert change is not None
        assert change.pairs_file is None
        assert watcher.current is good
        assert watcher.poll() is None, "reported once"
    else:
        assert watcher.current == found


@fuzz(8)
@given(documents_changed())
def test_a_command_ends_with_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, document):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pairs_config.json"
    found = check(path, json.dumps(document).encode())
    code = main(["download", "--show-command"])
    streams = capsys.readouterr()
    assert list(tmp_path.iterdir()) == [path]
    if found is None:
        assert code == 2
        assert streams.out == ""
        assert streams.err.count("\n") == 1
        assert streams.err.startswith("pairbot download: pairs file")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"refresh_period": ' + b"9" * 5000 + b"}", "number that cannot be read"),
        (b'{"pairs": [], "pairs": []}', "gives a key twice in one object (found: pairs)"),
        (b'{"epochs": [{"pairs": [], "pairs": []}]}', "gives a key twice"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (COMMITTED.decode().encode("utf-16"), "cannot be read"),
        (COMMITTED.replace(b'"scan": {', b'"scan": {"x": [{"y": 1e999}], '), "scan: holds inf"),
        (COMMITTED.replace(b'"binance"', b'"\\ud800"'), "exchange: must"),
        (COMMITTED.replace(b'"2026-02-01T20:40:21Z"', b"1769978421"), "must be a time with its zone"),
        (COMMITTED.replace(b'"2026-02-01T20:40:21Z"', b'"1769978421"'), "must be a time with its zone"),
        (
            COMMITTED.replace(b'"valid_to": null', b'"valid_to": "9999-12-31T00:00:00Z"'),
            "an open end is null",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_known_hostile_files(tmp_path, content, expected):
    path = tmp_path / "pairs.json"
    path.write_bytes(content)
    with pytest.raises(PairsFileError) as caught:
        load_pairs_file(path)
    assert expected in str(caught.value)
    assert check(path, content) is None


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "pairs.json"
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)  # sparse: it could not be read
    with pytest.raises(PairsFileError, match="larger than 16,777,216 bytes"):
        load_pairs_file(path)
    assert path.stat().st_size == SIZE_BYTES


def test_a_file_of_the_largest_size_is_still_judged(tmp_path):
    path = tmp_path / "pairs.json"
    path.write_bytes(COMMITTED + b" " * (documents.MAX_BYTES - len(COMMITTED)))
    assert len(load_pairs_file(path).pair_ids()) == 10


def test_a_thousand_strangers_on_the_whitelist_make_a_short_message(tmp_path):
    document = DOCUMENT | {"pairs": [*DOCUMENT["pairs"], *(f"X{n}/USDT:USDT" for n in range(1000))]}
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(document))
    with pytest.raises(PairsFileError, match=r"no leg of any pair: .* and 995 more"):
        load_pairs_file(path)


def test_the_mutations_reach_both_answers(tmp_path):
    """A fuzz test whose files are all refused, or all accepted, would show little."""
    answers = []

    @fuzz(40)
    @given(documents_changed())
    def run(document):
        answers.append(check(tmp_path / "pairs.json", json.dumps(document).encode()) is None)

    run()
    assert 0.5 < sum(answers) / len(answers) < 1.0
