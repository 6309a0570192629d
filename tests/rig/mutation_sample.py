"""Which mutants: mutmut's operators over one module, what only changes words left out, a seeded sample.

mutmut writes all mutants of a module into one copy of it and chooses among them with trampolines, which these
tests would notice: they look at signatures, and start processes. Its operators are used, its runner is not.
"""

from __future__ import annotations

import ast
import difflib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from mutmut.mutation.file_mutation import Mutation, create_mutations

ORDER_PATH = (
    "pairbot_ext/model/sizing.py",
    "pairbot_ext/journal/registry.py",
    "pairbot_ext/pairtrade/decide.py",
    "pairbot_ext/pairtrade/missing.py",
    "pairbot_ext/pairtrade/performer.py",
    "pairbot_ext/pairtrade/coordinator.py",
    "pairbot_ext/recovery/reconciler.py",
    "pairbot_ext/orders/guard.py",
)
"""What decides how much is ordered, sends it, and finds out what became of it."""

Key = tuple[str, str, str, str, int]


@dataclass(frozen=True)
class CodeMutant:
    """One changed expression.

    :param function: qualified; empty for a statement of the module or of a class.
    :param before, after: the lines that differ, without indentation.
    :param number: 0 for the first mutant of the function with these lines, 1 for the next.
    :param lines: of the statement, or, where it runs at import, of what may depend on it.
    :param code: the whole module, changed.
    """

    file: str
    function: str
    before: str
    after: str
    number: int
    lines: frozenset[int]
    code: str

    @property
    def key(self) -> Key:
        """What it is known by: not by its line, which moves."""
        return (self.file, self.function, self.before, self.after, self.number)


def sample(root: Path, file: str, count: int, seed: int) -> tuple[list[CodeMutant], int]:
    """`count` of a module's mutants, or all, in the order of its text, and how many there are. The same for
    the same text and seed."""
    source = (root / file).read_text(encoding="utf-8")
    module, mutations, _, _ = create_mutations(file, source)
    words = frozenset(_words(module))
    every = [each for each in mutations if each.original_node not in words and not _drops_words(each)]
    order = list(range(len(every)))
    random.Random(f"{seed} {file}").shuffle(order)
    numbers, tree, found = _numbers(module, every), ast.parse(source), dict[int, CodeMutant]()
    for position in order:
        if len(found) == count:
            break
        each = every[position]
        changed = module.deep_replace(each.original_node, each.mutated_node)
        code = cst.ensure_type(changed, cst.Module).code
        first, before, after = _difference(source, code)
        if before and _loads(code):
            function, lines = _place(tree, first)
            found[position] = CodeMutant(file, function, before, after, numbers[position], lines, code)
    return [found[position] for position in sorted(found)], len(every)


def _numbers(module: cst.Module, mutations: Sequence[Mutation]) -> list[int]:
    """How many mutants of the same function made the same change before each."""
    seen, numbers = Counter[tuple[int, str, str]](), []
    for each in mutations:
        texts = module.code_for_node(each.original_node), module.code_for_node(each.mutated_node)
        change = (id(each.contained_by_top_level_function), *texts)
        numbers.append(seen[change])
        seen[change] += 1
    return numbers


def _words(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Everything inside texts, log calls and what is raised: a mutant there changes words alone."""
    if _is_words(node):
        yield from _below(node)
        return
    for child in node.children:
        yield from _words(child)


def _is_words(node: cst.CSTNode) -> bool:
    match node:
        case cst.FormattedString() | cst.ConcatenatedString():
            return True
        case cst.SimpleString():
            # "market", "buy" and the keys of an answer are no words: they have no blank.
            return " " in node.value
        case cst.Call(func=cst.Attribute(value=cst.Name(value="logger"))):
            return True
        case cst.Raise():
            return True
    return False


def _below(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _below(child)


def _drops_words(mutation: Mutation) -> bool:
    """Whether a text that is an argument or a value becomes None."""
    before, after = mutation.original_node, mutation.mutated_node
    if isinstance(before, cst.Call) and isinstance(after, cst.Call) and len(before.args) == len(after.args):
        changed = [old for old, new in zip(before.args, after.args, strict=True) if old is not new]
        return len(changed) == 1 and _is_words(changed[0].value)
    return (
        isinstance(before, cst.Assign | cst.AnnAssign)
        and before.value is not None
        and _is_words(before.value)
    )


def _difference(source: str, code: str) -> tuple[int, str, str]:
    """The first line that differs, and both texts."""
    old, new = source.splitlines(), code.splitlines()
    changes = [
        c for c in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if c[0] != "equal"
    ]
    if not changes:
        return 0, "", ""
    first, last, new_first, new_last = changes[0][1], changes[-1][2], changes[0][3], changes[-1][4]
    return (
        first + 1,
        " ".join(line.strip() for line in old[first:last]),
        " ".join(line.strip() for line in new[new_first:new_last]),
    )


def _loads(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _place(tree: ast.Module, line: int) -> tuple[str, frozenset[int]]:
    """The function a line is in, and the lines whose execution may show what was changed on it."""
    names: list[str] = []
    function: ast.AST | None = None
    inner: ast.stmt | None = None
    node: ast.AST = tree
    while True:
        below = [
            each
            for each in ast.walk(node)
            if isinstance(each, ast.stmt)
            and each is not node
            and each.lineno <= line <= (each.end_lineno or 0)
        ]
        if not below:
            break
        node = inner = min(below, key=lambda each: each.lineno - (each.end_lineno or 0))
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
            function = node if isinstance(node, ast.FunctionDef) else function
    assert inner is not None
    if function is None:
        return "", _readers(tree, inner)
    body = getattr(inner, "body", None)
    if inner is function:
        return ".".join(names), frozenset(range(body[0].lineno, (inner.end_lineno or 0) + 1))
    last = body[0].lineno - 1 if body else inner.end_lineno or inner.lineno
    return ".".join(names), frozenset(range(inner.lineno, max(last, inner.lineno) + 1))


def _readers(tree: ast.Module, statement: ast.stmt) -> frozenset[int]:
    """Of a statement that runs at import: the lines that name what it sets, or all of the module's."""
    names = {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    lines = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
    }
    return frozenset(lines) or frozenset(
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in function.body
    )
