"""Every picture of README and docs stands beside the command that makes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAD, AROUND = 8, 12
"""Lines of a page's head, and below a picture, in which its command is looked for."""
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_MADE = re.compile(
    r"(?:[Mm]ade|[Dd]rawn|[Ww]ritten|Generated) by\s+`(?:python -m|make|pairbot|chromium) ?[^`]*`"
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
    assert len(image[1]) > 10, "what it shows, for those who cannot see it"
    file = page.parent / image[2]
    assert file.is_file()
    assert made_by(image.string, image.start(), file.name), f"{page.name}: who makes {image[2]}?"


def test_a_picture_without_its_command_is_seen() -> None:
    page = "# x\n" + "\n" * HEAD + "![something](images/a.png)\n"
    assert not made_by(page, page.index("!"), "a.png")
    assert made_by(page + "\n*Made by `pairbot plot A`.*\n", page.index("!"), "a.png")
    assert made_by(page + "```\npairbot x --png images/a.png\n```\n", page.index("!"), "a.png")


def test_no_picture_is_left_over() -> None:
    shown = {(page.parent / image[2]).resolve() for page, image in IMAGES}
    there = {path for folder in (ROOT / "docs").rglob("images") for path in folder.iterdir()}
    assert there - shown == set()
