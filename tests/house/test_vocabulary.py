"""What is one room's own is named in no other: a venue's words, Freqtrade's private names."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

VENUE_ROOMS = ("venue", "sim")
VENUE_WORDS = re.compile(
    r"fapi|x-mbx|recvwindow|origclientorderid|newclientorderid|\b[a-z0-9]{2,}usdt\b|"
    r"(?<![\w.])-[1-5]\d{3}\b(?=[\s,.:;)]|$)",
    re.IGNORECASE,
)
"""Paths, headers, parameters, raw symbols and error codes of Binance."""
WORDS_OF_OTHERS = frozenset({"_SubParsersAction", "_tau_smallps", "_tau_largeps", "_tau_stars"}) | {
    "_tau_maxs",
    "_tau_mins",
}
"""Private names of argparse (the only type a subcommand's parser has) and of statsmodels' tables."""


def words_of_the_venue(source: str) -> Iterator[str]:
    """Each with its line."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for number, token in enumerate(tokens):
        if token.type in (tokenize.STRING, tokenize.COMMENT, tokenize.NAME):
            found = VENUE_WORDS.search(token.string)
            if found is not None:
                yield f"line {token.start[0]}: {found[0]}"
        elif token.type == tokenize.NUMBER and token.string.isdigit():
            is_negative = tokens[number - 1].string == "-" and tokens[number - 2].string != "["
            if is_negative and 1000 <= int(token.string) < 6000:
                yield f"line {token.start[0]}: -{token.string}"


def private_names(source: str) -> Iterator[str]:
    """Attributes with one leading underscore that the module itself does not define, each with its line."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    for node in nodes:
        name = None
        if isinstance(node, ast.Attribute):
            name = node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "delattr"):
            given = node.args[1] if len(node.args) > 1 else None
            name = given.value if isinstance(given, ast.Constant) else None
        if isinstance(name, str) and re.match(r"_[A-Za-z]", name) and name not in own | WORDS_OF_OTHERS:
            yield f"line {node.lineno}: {name}"


def modules(repo_root: Path, *without: str) -> Iterator[tuple[str, str]]:
    """(path, source) of the package's modules outside some rooms, and of the strategy."""
    package = repo_root / "pairbot_ext"
    for path in sorted([*package.rglob("*.py"), *(repo_root / "strategies").glob("*.py")]):
        if not any((package / room) in path.parents for room in without):
            yield path.relative_to(repo_root).as_posix(), path.read_text(encoding="utf-8")


def test_only_the_venue_and_its_simulation_know_the_venue_s_words(repo_root: Path) -> None:
    found = {path: list(words_of_the_venue(source)) for path, source in modules(repo_root, *VENUE_ROOMS)}
    assert {path: words for path, words in found.items() if words} == {}


def test_only_the_host_touches_private_names(repo_root: Path) -> None:
    found = {path: list(private_names(source)) for path, source in modules(repo_root, "host", "sim")}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "line",
    [
        "REFUSED = -2022",
        'order = client.fetch_order(None, symbol, {"origClientOrderId": client_id})',
        "client.fapiPrivateGetOpenOrders(request)",
        'HEADER = "X-MBX-USED-WEIGHT-1M"',
        'book = depth["ADAUSDT"]',
        "# answered -4046 where nothing is to change",
    ],
)
def test_a_word_of_the_venue_is_found(line: str) -> None:
    assert list(words_of_the_venue(line + "\n"))


@pytest.mark.parametrize(
    "line", ["MOST = 2022", 'SYMBOL = "ADA/USDT:USDT"', "window = rows[-1440:]", "x = y - 1000.0"]
)
def test_what_is_no_word_of_the_venue_passes(line: str) -> None:
    assert list(words_of_the_venue(line + "\n")) == []


@pytest.mark.parametrize(
    "line",
    ["lock = bot._exit_lock", 'rpc = getattr(provider, "_DataProvider__rpc", None)', "strategy._seen.pop(x)"],
)
def test_a_private_name_is_found(line: str) -> None:
    assert list(private_names(line + "\n"))
