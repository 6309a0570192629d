"""Every picture of README and docs stands beside the command that makes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAD, AROUND = 10, 12
"""Lines of a page's head, and below a picture, in which its command is looked for."""
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MADE = re.compile(
    r"(?:(?:[Mm]ade|[Dd]rawn|[Ww]ritten|Generated) by|Pictures:)\s+"
    r"`(?:python -m|make|pairbot|chromium) ?[^`]*`"
)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
IMAGES = [(page, found) for page in PAGES for found in _IMAGE.finditer(page.read_text(encoding="utf-8"))]


def made_by(page: str, at: int, name: str) -> bool:
    """Whether a command is named above all, below the picture, or names the picture's file itself."""
    head, below = page.splitlines()[:HEAD], page[at:].splitlines()[:AROUND]
    itself = re.search(rf"^[^#\n]*--\w+[= ]\S*{re.escape(name)}", page, re.MULTILINE)
    return bool(itself or any(_MADE.search(" ".join(lines)) for lines in (head, below)))


@pytest.mark.parametrize(("page", "image"), IMAGES, ids=lambda value: getattr(value, "name", ""))
def test_a_picture_has_words_a_file_and_a_command(page: Path, image: re.Match[str]) -> None:
    assert image[1], "what it shows, for those who cannot see it"
    file = page.parent / image[2]
    assert file.is_file()
    assert made_by(image.string, image.start(), file.name), f"{page.name}: who makes {image[2]}?"


def test_a_picture_without_its_command_is_seen() -> None:
    page = "# x\n" + "\n" * HEAD + "![something](images/a.png)\n"
    assert not made_by(page, page.index("!"), "a.png")
    assert made_by(page + "\n*Made by `pairbot plot A`.*\n", page.index("!"), "a.png")
    assert made_by(page + "```\npairbot x --png images/a.png\n```\n", page.index("!"), "a.png")


def test_no_picture_is_left_over() -> None:
    links = [(page, link) for page in PAGES for link in _LINK.findall(page.read_text(encoding="utf-8"))]
    shown = {(page.parent / link).resolve() for page, link in links}
    there = {path for folder in (ROOT / "docs").rglob("images") for path in folder.iterdir()}
    assert there - shown == set()
