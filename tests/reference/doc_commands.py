"""Every command line of README and docs: the fenced blocks without a language, or with a shell's.

A block whose commands begin with `$ ` has its output beside them; any other block that begins with a command
holds nothing but commands.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHELLS = frozenset({"", "sh", "bash", "console", "shell"})
OURS = frozenset({"pairbot", "freqtrade", "make", "python"})
OTHERS = frozenset(
    [
        *(
            "cat",
            "cd",
            "chown",
            "chromium",
            "cp",
            "createdb",
            "curl",
            "docker",
            "echo",
            "export",
            "git",
            "grep",
        ),
        *(
            "install",
            "journalctl",
            "ln",
            "mkdir",
            "openssl",
            "pip",
            "read",
            "sudo",
            "systemctl",
            "tee",
            "umask",
        ),
        "useradd",
    ]
)
_FENCE = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_PLACEHOLDER = re.compile(r"<[a-z][^<>\n]*>")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
_KEYWORDS = frozenset({"do", "done", "then", "fi"})


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command.

    :ivar page: relative to the checkout. :ivar line: of the block.
    :ivar text: as it stands, its lines joined.
    :ivar words: program and arguments, without assignments and redirections.
    :ivar writes: the file its output goes to.
    """

    page: str
    line: int
    text: str
    words: tuple[str, ...]
    writes: str | None = None

    @property
    def program(self) -> str:
        """Without its folder."""
        return Path(self.words[0]).name

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def pages(root: Path) -> list[Path]:
    """The README, what lies beside it, and every page of docs/."""
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def commands_of(root: Path) -> list[Command]:
    """Of all pages, in order. Raises ValueError for a block that mixes commands with something else."""
    return [
        command
        for page in pages(root)
        for command in commands_in(page.read_text("utf-8"), page.relative_to(root))
    ]


def commands_in(text: str, page: Path) -> Iterator[Command]:
    """Of one page."""
    for fence in _FENCE.finditer(text):
        if fence[3].strip() not in SHELLS:
            continue
        line = text.count("\n", 0, fence.start()) + 1
        for typed in typed_lines(fence[4], f"{page}:{line}"):
            yield from simple_commands(typed, str(page), line)


def typed_lines(block: str, where: str) -> Iterator[str]:
    """What a person types of a block: lines joined where they go on, heredocs with their command."""
    lines = re.sub(r"\\\n\s*", " ", block).splitlines()
    prompts = any(line.startswith("$ ") for line in lines)
    meant = [line for line in lines if line.strip() and not line.startswith("#")]
    if not prompts and not (meant and is_command(meant[0])):
        return
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if prompts and not line.startswith("$ "):
            continue
        line = line.removeprefix("$ ")
        if not line or line.startswith("#"):
            continue
        if not is_command(line):
            raise ValueError(f"{where}: {line!r} is no command that is known here, and the block has no `$ `")
        heredoc = re.search(r"<<'?(\w+)'?$", line)
        if heredoc is not None:
            end = lines.index(heredoc[1], at)
            line = "\n".join([line, *lines[at : end + 1]])
            at = end + 1
        yield line


def is_command(line: str) -> bool:
    """Whether it begins with a program that is known here."""
    words = [word for word in line.replace("(", " ").split() if not _ASSIGNMENT.fullmatch(word)]
    if words[:1] in (["$"], ["for"]):
        return True
    while words and words[0] in _KEYWORDS:
        words = words[1:]
    return not words or words[0].startswith(".venv/bin/") or words[0].rstrip(";") in OURS | OTHERS


def simple_commands(typed: str, page: str, line: int) -> Iterator[Command]:
    """The commands of a pipeline, list, loop or subshell."""
    first = typed.split("\n")[0]
    lexer = shlex.shlex(_PLACEHOLDER.sub("PLACEHOLDER", first), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    tokens = [*lexer, ";"]
    writes, expects_file = None, False
    for token in tokens:
        if token and set(token) <= set("();<>|&"):
            expects_file = token in {">", ">>"}
            if set(token) & set(">"):
                continue
            if token.startswith("<"):
                continue
            words = [word for at, word in enumerate(words) if at or word not in _KEYWORDS]
            while words and (_ASSIGNMENT.fullmatch(words[0]) or words[0] in _KEYWORDS or words[0] == "sudo"):
                words = words[1:]
            if words and words[0] != "for":
                yield Command(page, line, typed, tuple(words), writes)
            words, writes = [], None
        elif expects_file:
            writes, expects_file = token, False
        else:
            words.append(token)
