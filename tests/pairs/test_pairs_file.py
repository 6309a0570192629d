"""The pairs file: every bad input is one clear message, nothing is half read and nothing half written."""

import copy
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairbot_ext.cli import main
from pairbot_ext.pairs import (
    Epoch,
    Pair,
    PairsFile,
    Scan,
    json_schema,
    load_pairs_file,
    parse_pairs_file,
    symbols_of,
    write_pairs_file,
)
from pairbot_ext.support.errors import PairsFileError

Damage = Callable[[dict[str, Any]], object]


@pytest.fixture
def document(repo_root) -> dict[str, Any]:
    """The committed pairs file, decoded."""
    return json.loads((repo_root / "pairs_config.json").read_text())


def _epoch(document: dict[str, Any]) -> dict[str, Any]:
    return document["epochs"][0]


def _pair(document: dict[str, Any], number: int = 4) -> dict[str, Any]:
    """AI_ALGO, unless another number is given."""
    return _epoch(document)["pairs"][number]


def _set(place: Callable[[dict[str, Any]], dict[str, Any]], **values: object) -> Damage:
    return lambda document: place(document).update(values)


def _second_epoch(**changes: object) -> Damage:
    def damage(document: dict[str, Any]) -> None:
        first = _epoch(document)
        first["valid_to"] = "2026-03-01T00:00:00Z"
        second = copy.deepcopy(first) | {"valid_from": "2026-03-01T00:00:00Z", "valid_to": None} | changes
        document["epochs"].append(second)

    return damage


def _renamed_leg_in_second_epoch(document: dict[str, Any]) -> None:
    _second_epoch()(document)
    document["epochs"][1]["pairs"][4]["leg_b"] = "ADA/USDT:USDT"


# What is done to the committed file, and what the message must say: the place, then what is wrong.
BAD_DOCUMENTS: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "symbol with itself": (
        _set(_pair, leg_b="AI/USDT:USDT"),
        ("AI_ALGO", "leg A and leg B are the same symbol AI/USDT:USDT"),
    ),
    "duplicate id": (_set(_pair, id="AAVE_AI"), ("pair id AAVE_AI appears twice",)),
    "same legs twice": (
        _set(_pair, leg_a="AI/USDT:USDT", leg_b="AAVE/USDT:USDT"),
        ("pairs AI_ALGO and AAVE_AI have the same legs",),
    ),
    "beta zero": (
        _set(_pair, hedge_ratio=0),
        ("(AI_ALGO).hedge_ratio", "must be greater than 0", "found: 0"),
    ),
    "beta negative": (_set(_pair, hedge_ratio=-0.7), ("(AI_ALGO).hedge_ratio", "same side", "found: -0.7")),
    "beta NaN": (_set(_pair, hedge_ratio=float("nan")), ("(AI_ALGO).hedge_ratio", "found: nan")),
    "beta infinite": (_set(_pair, hedge_ratio=float("inf")), ("(AI_ALGO).hedge_ratio", "found: inf")),
    "beta as text": (_set(_pair, hedge_ratio="0.7"), ("(AI_ALGO).hedge_ratio", "number", "found: '0.7'")),
    "beta true": (_set(_pair, hedge_ratio=True), ("(AI_ALGO).hedge_ratio", "number", "found: True")),
    "beta null": (_set(_pair, hedge_ratio=None), ("(AI_ALGO).hedge_ratio", "found: None")),
    "beta missing": (lambda d: _pair(d).pop("hedge_ratio"), ("(AI_ALGO).hedge_ratio", "is missing")),
    "entry above stop": (
        _set(_pair, entry_z=4.5),
        ("AI_ALGO", "exit_z < entry_z < stop_z", "0.5 / 4.5 / 4.0"),
    ),
    "entry at stop": (_set(_pair, entry_z=4.0), ("AI_ALGO", "exit_z < entry_z < stop_z", "0.5 / 4.0 / 4.0")),
    "exit above entry": (
        _set(_pair, exit_z=2.5),
        ("AI_ALGO", "exit_z < entry_z < stop_z", "2.5 / 2.0 / 4.0"),
    ),
    "exit negative": (_set(_pair, exit_z=-0.1), ("(AI_ALGO).exit_z", "found: -0.1")),
    "time stop zero": (_set(_pair, max_half_lives=0), ("(AI_ALGO).max_half_lives", "greater than 0")),
    "half-life zero": (_set(_pair, half_life_hours=0), ("(AI_ALGO).half_life_hours", "greater than 0")),
    "p above one": (_set(_pair, coint_p=1.01), ("(AI_ALGO).coint_p", "found: 1.01")),
    "p negative": (_set(_pair, adf_p=-0.01), ("(AI_ALGO).adf_p", "found: -0.01")),
    "q above one": (_set(_pair, q_value=2), ("(AI_ALGO).q_value", "found: 2")),
    "alpha without sigma": (_set(_pair, alpha=0.1), ("AI_ALGO", "needs both alpha and sigma")),
    "sigma without alpha": (_set(_pair, sigma=0.1), ("AI_ALGO", "needs both alpha and sigma")),
    "sigma zero": (_set(_pair, alpha=0.1, sigma=0), ("(AI_ALGO).sigma", "greater than 0")),
    "mu alone": (_set(_pair, mu=0.0), ("AI_ALGO", "mu without alpha and sigma")),
    "id missing": (lambda d: _pair(d).pop("id"), ("epochs[0].pairs[4].id", "is missing")),
    "id with spaces": (_set(_pair, id="AI ALGO"), ("id", "must look like AI_ALGO", "found: 'AI ALGO'")),
    "id empty": (_set(_pair, id=""), ("id", "must look like AI_ALGO")),
    "id of 65 characters": (_set(_pair, id="A" * 65), ("id", "at most 64")),
    "bare coin as leg": (
        _set(_pair, leg_a="AI"),
        ("(AI_ALGO).leg_a", "must look like ADA/USDT:USDT", "'AI'"),
    ),
    "spot symbol": (_set(_pair, leg_a="AI/USDT"), ("(AI_ALGO).leg_a", "must look like ADA/USDT:USDT")),
    "misspelt key": (_set(_pair, entry_zscore=2.0), ("(AI_ALGO).entry_zscore", "is no key")),
    "pair no object": (
        lambda d: _epoch(d)["pairs"].insert(4, "AI_ALGO"),
        ("epochs[0].pairs[4]", "JSON object"),
    ),
    "pairs no list": (_set(_epoch, pairs={}), ("epochs[0].pairs", "must be a list")),
    "epochs no list": (lambda d: d.update(epochs={}), ("epochs", "must be a list")),
    "epochs missing": (lambda d: d.pop("epochs"), ("epochs", "is missing")),
    "valid before formation ends": (
        _set(_epoch, valid_from="2026-02-01T19:59:59Z"),
        ("epochs[0]", "valid_from 2026-02-01T19:59:59Z lies before formation_end 2026-02-01T20:00:00Z"),
    ),
    "formation backwards": (
        _set(_epoch, formation_start="2026-02-01T20:00:00Z"),
        ("epochs[0]", "formation_start 2026-02-01T20:00:00Z is not before formation_end"),
    ),
    "valid to before from": (
        _set(_epoch, valid_to="2026-02-01T20:40:21Z"),
        ("epochs[0]", "valid_to 2026-02-01T20:40:21Z is not after valid_from"),
    ),
    "time without zone": (
        _set(_epoch, valid_from="2026-02-01T20:40:21"),
        ("epochs[0].valid_from", "needs a time zone", "found: '2026-02-01T20:40:21'"),
    ),
    "time that is none": (_set(_epoch, valid_from="soon"), ("epochs[0].valid_from", "found: 'soon'")),
    "epochs overlap": (
        _second_epoch(valid_from="2026-02-28T23:59:59Z"),
        ("epochs overlap", "2026-03-01T00:00:00Z", "2026-02-28T23:59:59Z"),
    ),
    "open epoch before another": (
        lambda d: (_second_epoch()(d), d["epochs"][0].update(valid_to=None)),
        ("epochs overlap", "valid to ever"),
    ),
    "id changes its legs": (_renamed_leg_in_second_epoch, ("pair id AI_ALGO names",)),
    "whitelist lacks a leg": (
        lambda d: d["pairs"].remove("ALGO/USDT:USDT"),
        ("`pairs` must be the union", "missing: ALGO/USDT:USDT"),
    ),
    "whitelist has a stranger": (
        lambda d: d["pairs"].append("BTC/USDT:USDT"),
        ("`pairs` must be the union", "no leg of any pair: BTC/USDT:USDT"),
    ),
    "whitelist has a symbol twice": (
        lambda d: d["pairs"].append("AI/USDT:USDT"),
        ("pairs holds a symbol twice",),
    ),
    "whitelist missing": (lambda d: d.pop("pairs"), ("pairs", "is missing")),
    "refresh period zero": (lambda d: d.update(refresh_period=0), ("refresh_period", "found: 0")),
    "refresh period fractional": (lambda d: d.update(refresh_period=1.5), ("refresh_period", "found: 1.5")),
    "unknown schema version": (
        lambda d: d.update(schema_version=3),
        ("schema_version", "must be 1 or 2", "found: 3"),
    ),
    "unknown top key": (lambda d: d.update(epoch=[]), ("epoch", "is no key")),
    "timeframe": (lambda d: d.update(timeframe="hourly"), ("timeframe", "must look like 1h", "'hourly'")),
    "scan missing": (lambda d: d.pop("scan"), ("scan", "is missing")),
    "scan without rule": (lambda d: d["scan"].pop("rule"), ("scan.rule", "is missing")),
}


@pytest.mark.parametrize("case", BAD_DOCUMENTS)
def test_a_bad_document_is_refused_with_place_value_and_remedy(case, document, tmp_path):
    damage, expected = BAD_DOCUMENTS[case]
    damage(document)
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(document))
    before = path.read_bytes()
    with pytest.raises(PairsFileError) as caught:
        load_pairs_file(path)
    message = str(caught.value)
    assert message.startswith(f"pairs file {path}: ")
    for part in expected:
        assert part in message
    assert caught.value.remedy
    assert "\n" not in message
    assert path.read_bytes() == before


@pytest.mark.parametrize("case", ["symbol with itself", "duplicate id", "beta negative", "entry above stop"])
@pytest.mark.parametrize("command", [["plot", "AI_ALGO"], ["download", "--show-command"]], ids=lambda c: c[0])
def test_commands_answer_a_bad_pairs_file_with_exit_code_2_and_write_nothing(
    case, command, document, tmp_path, monkeypatch, capsys
):
    damage, expected = BAD_DOCUMENTS[case]
    damage(document)
    monkeypatch.chdir(tmp_path)
    Path("pairs_config.json").write_text(json.dumps(document))
    assert main(command) == 2
    streams = capsys.readouterr()
    assert expected[0] in streams.err
    assert "Traceback" not in streams.err
    assert streams.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["pairs_config.json"]


def test_further_problems_are_counted(document):
    _pair(document)["hedge_ratio"] = -1
    _pair(document, 5)["coint_p"] = 2
    with pytest.raises(PairsFileError, match=r"AI_ALGO.*\(1 more problem after it\)"):
        parse_pairs_file(document, origin="x.json")


@pytest.mark.parametrize("value", [[], None, 1, "text"])
def test_a_document_that_is_no_object_is_refused(value):
    with pytest.raises(PairsFileError, match=r"x\.json: the document: must be a JSON object"):
        parse_pairs_file(value, origin="x.json")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not JSON"),
        (b'{"pairs": [', "is not JSON: Expecting value at line 1, column 12"),
        (b'{"pairs": [],}', "is not JSON"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_torn_file_is_named_with_the_place(tmp_path, content, expected):
    path = tmp_path / "pairs.json"
    path.write_bytes(content)
    with pytest.raises(PairsFileError) as caught:
        load_pairs_file(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    with pytest.raises(PairsFileError, match=r"nowhere\.json does not exist.*pairbot scan --out"):
        load_pairs_file(tmp_path / "nowhere.json")
    with pytest.raises(PairsFileError, match="cannot be read"):
        load_pairs_file(tmp_path)


def test_the_committed_file_carries_its_provenance(repo_root):
    committed = load_pairs_file(repo_root / "pairs_config.json")
    (epoch,) = committed.epochs
    assert len(epoch.pairs) == 10
    assert committed.scan.combinations == 435
    assert committed.scan.expected_false_positives == 21.75
    assert "by chance alone" in committed.scan.model_extra["note"]
    assert epoch.valid_from == datetime(2026, 2, 1, 20, 40, 21, tzinfo=UTC)
    assert not any(pair.is_frozen for pair in epoch.pairs)
    assert committed.longest_formation_secs == 1440 * 3600


# --- times -------------------------------------------------------------------------------------------------


def test_valid_from_is_inclusive_and_valid_to_exclusive(document):
    _second_epoch(valid_from="2026-03-02T00:00:00Z")(document)
    pairs_file = parse_pairs_file(document, origin="x")
    first, second = pairs_file.epochs
    moment = timedelta(microseconds=1)
    assert pairs_file.epoch_at(first.valid_from - moment) is None
    assert pairs_file.epoch_at(first.valid_from) is first
    assert pairs_file.epoch_at(first.valid_to - moment) is first
    assert pairs_file.epoch_at(first.valid_to) is None  # a day without selection between the two
    assert pairs_file.epoch_at(second.valid_from) is second
    assert pairs_file.epoch_at(datetime(2030, 1, 1, tzinfo=UTC)) is second


def test_times_of_other_zones_are_the_same_instant_and_written_as_utc(document, tmp_path):
    _epoch(document)["valid_from"] = "2026-02-01T21:40:21+01:00"
    pairs_file = parse_pairs_file(document, origin="x")
    write_pairs_file(tmp_path / "p.json", pairs_file)
    written = json.loads((tmp_path / "p.json").read_text())
    assert written["epochs"][0]["valid_from"] == "2026-02-01T20:40:21Z"


# --- writing -----------------------------------------------------------------------------------------------


def test_writing_the_committed_file_gives_the_committed_file(repo_root, tmp_path):
    path = repo_root / "pairs_config.json"
    write_pairs_file(tmp_path / "p.json", load_pairs_file(path))
    assert (tmp_path / "p.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_litter(repo_root, tmp_path, monkeypatch, failing):
    path = tmp_path / "pairs.json"
    path.write_text("the old one")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, full_disk)
    with pytest.raises(OSError, match="No space"):
        write_pairs_file(path, load_pairs_file(repo_root / "pairs_config.json"))
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


numbers = st.floats(min_value=1e-9, max_value=1e9, allow_nan=False)
probabilities = st.floats(min_value=0, max_value=1)
coins = st.sampled_from(["ADA", "1000CAT", "AI", "BTC", "1INCH"])


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    a, b = draw(st.lists(coins, min_size=2, max_size=2, unique=True))
    exit_z, entry_z, stop_z = sorted(draw(st.lists(st.floats(0.01, 50), min_size=3, max_size=3, unique=True)))
    frozen = draw(st.booleans())
    return Pair(
        id=f"{a}_{b}",
        leg_a=f"{a}/USDT:USDT",
        leg_b=f"{b}/USDT:USDT",
        hedge_ratio=draw(numbers),
        alpha=draw(st.floats(-1e6, 1e6)) if frozen else None,
        mu=draw(st.none() | st.floats(-1, 1)) if frozen else None,
        sigma=draw(numbers) if frozen else None,
        half_life_hours=draw(st.none() | numbers),
        adf_p=draw(probabilities),
        coint_p=draw(probabilities),
        q_value=draw(st.none() | probabilities),
        entry_z=entry_z,
        exit_z=exit_z,
        stop_z=stop_z,
        max_half_lives=draw(st.floats(0.1, 100)),
    )


@st.composite
def pairs_files(draw: st.DrawFn) -> PairsFile:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    epochs = []
    for number in range(draw(st.integers(0, 3))):
        begin = start + timedelta(days=7 * number)
        chosen = draw(st.lists(pairs(), max_size=4, unique_by=lambda pair: frozenset(pair.symbols)))
        epochs.append(
            Epoch(
                valid_from=begin,
                valid_to=begin + timedelta(days=7),
                formation_start=begin - timedelta(days=60),
                formation_end=begin,
                pairs=tuple(chosen),
            )
        )
    return PairsFile(
        pairs=symbols_of(epochs),
        refresh_period=draw(st.integers(1, 10**6)),
        generated_at=start,
        exchange="binance",
        timeframe=draw(st.sampled_from(["1m", "1h", "4h", "1d"])),
        scan=Scan(rule="any", combinations=draw(st.none() | st.integers(0, 10**6))),
        epochs=tuple(epochs),
    )


@settings(max_examples=60, deadline=None)
@given(pairs_files())
def test_every_file_we_write_reads_back_equal_and_fits_the_published_schema(tmp_path_factory, pairs_file):
    path = tmp_path_factory.mktemp("pairs") / "pairs.json"
    write_pairs_file(path, pairs_file)
    assert load_pairs_file(path) == pairs_file
    written = json.loads(path.read_text())
    jsonschema.validate(written, json_schema(), format_checker=jsonschema.FormatChecker())
    assert isinstance(written["pairs"], list)  # what RemotePairList reads
    assert isinstance(written["refresh_period"], int)
    assert all("valid_to" in epoch for epoch in written["epochs"])


# --- the published schema ----------------------------------------------------------------------------------


@pytest.fixture
def published(repo_root) -> dict[str, Any]:
    return json.loads((repo_root / "pairbot_ext/schemas/pairs_config.schema.json").read_text())


def test_the_published_schema_is_the_models_schema(published):
    """After a change: write `json.dumps(json_schema(), indent=2)` and a newline to that file."""
    assert published == json_schema()


def test_the_published_schema_is_a_valid_schema_and_accepts_the_committed_file(published, document):
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(document, published)


# JSON Schema cannot compare fields with each other; what it can say about one field it must say.
WITHIN_ONE_FIELD = [
    "beta zero",
    "beta negative",
    "beta as text",
    "beta true",
    "beta missing",
    "exit negative",
    "time stop zero",
    "p above one",
    "sigma zero",
    "id with spaces",
    "bare coin as leg",
    "spot symbol",
    "misspelt key",
    "pairs no list",
    "epochs missing",
    "refresh period zero",
    "refresh period fractional",
    "unknown schema version",
    "unknown top key",
    "timeframe",
    "scan without rule",
]


@pytest.mark.parametrize("case", WITHIN_ONE_FIELD)
def test_the_published_schema_refuses_what_concerns_one_field(case, published, document):
    BAD_DOCUMENTS[case][0](document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, published)
