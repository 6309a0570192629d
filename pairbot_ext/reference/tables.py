"""Markdown tables of a JSON Schema: one row per key, nested blocks as tables of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_BOUNDS = (
    ("exclusiveMinimum", ">"),
    ("minimum", "≥"),
    ("exclusiveMaximum", "<"),
    ("maximum", "≤"),
    ("minLength", "length ≥"),
    ("maxLength", "length ≤"),
)
_TYPE_NAMES = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "array": "list",
    "object": "block",
}
_LONGEST_DEFAULT = 60


@dataclass(frozen=True)
class Key:
    """One key of a block.

    :param default: as JSON, "required" where there is none.
    """

    name: str
    kind: str
    default: str
    description: str


@dataclass(frozen=True)
class Block:
    """One table.

    :param path: where the block lies, like `pairbot.scan.filters`; empty for the document itself.
    :param text: what the model's docstring says.
    """

    path: str
    text: str
    keys: tuple[Key, ...]


def blocks(schema: dict[str, Any], path: str) -> Iterator[Block]:
    """The document's own keys, then those of every nested block, in order."""
    yield from _walk(schema, schema, path)


def _walk(schema: dict[str, Any], node: dict[str, Any], path: str) -> Iterator[Block]:
    nested: list[tuple[str, dict[str, Any]]] = []
    keys = []
    required = set(node.get("required", ()))
    for name, raw in node.get("properties", {}).items():
        given = [each for option in raw.get("anyOf", [raw]) for each in option.get("oneOf", [option])]
        options = [_resolved(schema, option) for option in given]
        items = [option for option in options if "properties" in option]
        suffix = ""
        for option in options:
            inner = _resolved(schema, option.get("items", {}))
            if "properties" in inner:
                items, suffix = [inner], "[]"
        item = items[0] if items else None
        description = raw.get("description") or (_first_paragraph(item) if item else "")
        for each in items:
            where = f"{path}.{name}{suffix}" if path else f"{name}{suffix}"
            kind = each["properties"].get("kind", {}).get("const")
            nested.append((f"{where} ({kind})" if len(items) > 1 else where, each))
        keys.append(
            Key(
                name,
                " or ".join(dict.fromkeys(_kind(schema, option) for option in options)),
                "required" if name in required else _default(raw, is_block=item is not None),
                description,
            )
        )
    yield Block(path, _first_paragraph(node), tuple(keys))
    for where, inner in nested:
        yield from _walk(schema, inner, where)


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    name = node["$ref"].removeprefix("#/$defs/")
    found: dict[str, Any] = schema["$defs"][name]
    return found


def _kind(schema: dict[str, Any], node: dict[str, Any]) -> str:
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{json.dumps(value)}`" for value in node["enum"])
    if node.get("format") == "date-time":
        return "time with zone"
    kind = _TYPE_NAMES[node["type"]]
    if node["type"] == "array" and "items" in node:
        inner = _resolved(schema, node["items"])
        kind = "list of blocks" if "properties" in inner else f"list of {_kind(schema, inner)}"
    bounds = [f"{sign} {_number(node[name])}" for name, sign in _BOUNDS if name in node]
    if "pattern" in node:
        bounds.append(f"like `{node['pattern']}`")
    return ", ".join([kind, *bounds])


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else f"{value:g}"


def _default(node: dict[str, Any], *, is_block: bool) -> str:
    if "default" not in node or node["default"] is None:
        return "none"
    if is_block:
        return "see below"
    value = node["default"]
    text = f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    if len(text) > _LONGEST_DEFAULT:
        return f"{len(value)} of them, see the schema" if isinstance(value, list) else "see the schema"
    return f"`{text}`"


def _first_paragraph(node: dict[str, Any]) -> str:
    text = str(node.get("description", "")).split("\n\n")[0]
    return " ".join(text.replace("``", "`").split())


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table. Bars within cells are escaped."""
    lines = ["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return lines


def block_lines(block: Block, level: int, title: str) -> list[str]:
    """Heading, sentence and table of one block."""
    lines = ["#" * level + f" {title}", ""]
    if block.text:
        lines += [block.text, ""]
    rows = [(f"`{key.name}`", key.kind, key.default, key.description) for key in block.keys]
    return [*lines, *table(("key", "value", "default", "meaning"), rows), ""]
