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
    r"fapi|\b[sdp]api(?=/|[a-z])|x-mbx|recvwindow|origclientorderid|newclientorderid|"
    r"\b[a-z0-9]{2,}usd[tc]\b|(?<![\w.])-[1-5]_?\d{3}\b(?=[\s,.:;)\]\"']|$)",
    re.IGNORECASE,
)
"""Paths, headers, parameters, raw symbols and error codes of Binance."""
WORDS_OF_OTHERS = frozenset({"_SubParsersAction", "_tau_smallps", "_tau_largeps", "_tau_stars"}) | {
    "_tau_maxs",
    "_tau_mins",
}
"""Private names of argparse (the only type a subcommand's parser has) and of statsmodels' tables."""


READERS = frozenset({"getattr", "setattr", "delattr", "hasattr", "attrgetter"})


def words_of_the_venue(source: str) -> Iterator[str]:
    """Each with its line."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for number, token in enumerate(tokens):
        if token.type in (tokenize.STRING, tokenize.COMMENT, tokenize.NAME):
            found = VENUE_WORDS.search(token.string)
            if found is not None:
                yield f"line {token.start[0]}: {found[0]}"
        elif token.type == tokenize.NUMBER and token.string.replace("_", "").isdigit():
            is_slice = ":" in (tokens[number - 2].string, tokens[number + 1].string)
            is_code = 1000 <= int(token.string) < 6000 and not is_slice
            if is_code and tokens[number - 1].string == "-" and tokens[number - 2].type == tokenize.OP:
                yield f"line {token.start[0]}: -{token.string}"


def defined_names(source: str) -> set[str]:
    """What the module's own classes and functions are called, hold, or set on themselves."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            names.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def is_self(node: ast.expr) -> bool:
    """Whether an attribute is asked of the object itself."""
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def made_here(nodes: list[ast.AST]) -> set[str]:
    """Variables that hold an object of one of the module's own classes."""
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)} | {"cls"}
    found = set(classes)
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if ast.unparse(node.value.func) in classes:
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.arg) and node.annotation and ast.unparse(node.annotation) in classes:
            found.add(node.arg)
    return found


def used_names(node: ast.AST, own: set[str], inherited: frozenset[str], ours: set[str]) -> list[str]:
    """What one node names of others, by whatever way."""
    if isinstance(node, ast.Attribute):
        if is_self(node.value):
            return [] if node.attr in own | inherited else [node.attr]
        is_ours = isinstance(node.value, ast.Name) and node.value.id in ours and node.attr in own
        return [] if is_ours else [node.attr]
    if isinstance(node, ast.ImportFrom) and not str(node.module).startswith("pairbot_ext"):
        return [each.name for each in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in READERS:
        return [str(each.value) for each in node.args if isinstance(each, ast.Constant)]
    is_lookup = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    if is_lookup and re.match(r"vars\(|.*\.__dict__$", ast.unparse(node.value)):
        return [str(node.slice.value)]
    return []


def private_names(source: str, inherited: frozenset[str] = frozenset()) -> Iterator[str]:
    """Private names of others that a module uses, each with its line.

    :param inherited: what its classes may have from other classes of the package.
    """
    nodes = list(ast.walk(ast.parse(source)))
    own, ours = defined_names(source), made_here(nodes)
    for node in nodes:
        for name in used_names(node, own, inherited, ours):
            if re.match(r"_[A-Za-z]", name) and name not in WORDS_OF_OTHERS:
                yield f"line {getattr(node, 'lineno', 0)}: {name}"


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
    ours = frozenset(name for _, source in modules(repo_root) for name in defined_names(source))
    found = {path: list(private_names(source, ours)) for path, source in modules(repo_root, "host", "sim")}
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
        "LASTING = [-2019, -4400]",
        "LASTING = {-2_019}",
        'CODE = "-2015"',
        'book = depth["BTCUSDC"]',
        "client.sapiGetAccount()",
    ],
)
def test_a_word_of_the_venue_is_found(line: str) -> None:
    assert list(words_of_the_venue(line + "\n"))


@pytest.mark.parametrize(
    "line",
    ["MOST = 2022", 'SYMBOL = "ADA/USDT:USDT"', "window = rows[-1440:]", "x = y - 1000.0", "rest = n - 1000"],
)
def test_what_is_no_word_of_the_venue_passes(line: str) -> None:
    assert list(words_of_the_venue(line + "\n")) == []


@pytest.mark.parametrize(
    "line",
    [
        "lock = bot._exit_lock",
        'rpc = getattr(provider, "_DataProvider__rpc", None)',
        "strategy._seen.pop(x)",
        "class A:\n    def f(self, provider):\n        self._exchange = provider._exchange",
        "class A(IStrategy):\n    def f(self):\n        return self._ft_bot",
        "from freqtrade.wallets import _private",
        'lock = vars(bot)["_exit_lock"]',
        'lock = bot.__dict__["_exit_lock"]',
        'there = hasattr(bot, "_exit_lock")',
        'get = operator.attrgetter("_exit_lock")',
    ],
)
def test_a_private_name_is_found(line: str) -> None:
    assert list(private_names(line + "\n"))
