"""The navigation is the start page: each heading of docs/index.md with the pages its list names.

So a page needs no directive, and what a reader of the forge sees is what the site's sidebar shows. A
README.md in a folder of docs/ heads the other pages of that folder. Pages that nobody names are under `REST`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

REST = "More pages"
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_PAGE = re.compile(r"\]\(([\w./-]+)\.md(?:#[\w-]*)?\)")


@dataclass(frozen=True, slots=True)
class Group:
    """One caption of the sidebar.

    :ivar pages: names of pages relative to docs/, without the suffix; no page is in two groups.
    """

    caption: str
    pages: tuple[str, ...]


def groups(start_page: str, pages: Iterable[str]) -> list[Group]:
    """What the sidebar shows.

    :param start_page: the text of docs/index.md.
    :param pages: every page but the start page, without the suffix; those below a README are its own.
    """
    listed = set(pages)
    heads = {page.removesuffix("README") for page in listed if page.endswith("/README")}
    left = {page for page in listed if page.endswith("/README") or not page.startswith(tuple(heads))}
    found = []
    titles = list(_HEADING.finditer(start_page))
    for at, title in enumerate(titles):
        end = titles[at + 1].start() if at + 1 < len(titles) else len(start_page)
        named = dict.fromkeys(page for page in _PAGE.findall(start_page[title.end() : end]) if page in left)
        left -= named.keys()
        if named:
            found.append(Group(title[1], tuple(named)))
    if left:
        found.append(Group(REST, tuple(sorted(left))))
    return found


def below(head: str, pages: Iterable[str]) -> tuple[str, ...]:
    """The pages that a folder's README heads, relative to its folder."""
    folder = head.removesuffix("README")
    return tuple(sorted(p.removeprefix(folder) for p in pages if p.startswith(folder) and p != head))


def toctree(pages: Iterable[str], caption: str | None = None) -> str:
    """A hidden toctree in MyST's words."""
    options = [":hidden:"] if caption is None else [":hidden:", f":caption: {caption}"]
    return "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])
