"""What is done to a page's text on its way into Sphinx."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sphinx.util.logging import getLogger

from docsite import navigation
from docsite.places import forge

_logger = getLogger(__name__)

_LINK = re.compile(r"(?<=\]\()(\.{1,2}/[^)\s#]+)(#[^)\s]*)?(?=\))")


def connect(app: Any, root: Path) -> None:
    """Add navigation and addresses to every page Sphinx reads.

    :param app: Sphinx's application.
    :param root: the checkout; its docs/ is what is built.
    """
    address = forge(root)

    def on_read(app: Any, page: str, source: list[str]) -> None:
        text = source[0]
        try:
            text = outside(text, (root / "docs" / page).parent, root, address)
        except ValueError as error:
            _logger.warning("%s", error, location=page)
        others = app.env.found_docs - {app.config.root_doc}
        if page == app.config.root_doc:
            text += "".join(
                navigation.toctree(group.pages, group.caption) for group in navigation.groups(text, others)
            )
        elif page.endswith("/README"):
            text += navigation.toctree(navigation.below(page, others))
        source[0] = text

    app.connect("source-read", on_read)


def outside(text: str, folder: Path, root: Path, address: str | None) -> str:
    """Links to files outside docs/ made to lead somewhere in the site.

    :param folder: where the page lies.
    :param address: of the project on a forge; without one the file is copied into the site.
    :raises ValueError: if nothing is there, or a folder where no forge is known.
    """

    def place(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link[1]))
        if target.is_relative_to(root / "docs"):
            return link[0]
        if not target.exists():
            raise ValueError(f"link to {link[1]} leads nowhere")
        if address is not None:
            kind = "tree" if target.is_dir() else "blob"
            return f"{address}/{kind}/main/{quote(str(target.relative_to(root)))}{link[2] or ''}"
        if target.is_dir():
            raise ValueError(f"link to {link[1]} is a folder, and pyproject.toml names no forge to show it")
        return f"path:{link[1]}"

    return _LINK.sub(place, text)
