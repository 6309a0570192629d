"""The pages as a site: built from a clean copy without a warning, whole without a network, all in reach."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docsite import hooks, navigation, versions
from docsite.places import forge, version

COPIED = ("docs", "docsite", "pairbot_ext/__init__.py", "pyproject.toml")


class Page(HTMLParser):
    """What one HTML file loads, where its links lead, and what can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Scripts, styles and pictures are loaded; anchors lead somewhere."""
        values = {name: value for name, value in attrs if value}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag in {"script", "img", "iframe", "source"} and "src" in values:
            self.loads.append(values["src"])
        elif tag == "link" and "href" in values:
            self.loads.append(values["href"])
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])


def built_site(repo_root: Path, root: Path) -> Path:
    """As `make site` builds it, of a copy that holds what it needs and the files pages link to."""
    named = {
        target.relative_to(repo_root)
        for page in (repo_root / "docs").rglob("*.md")
        for link in re.findall(r"\]\((\.\.?/[^)\s#]+)", page.read_text(encoding="utf-8"))
        if (target := (page.parent / link).resolve()).is_relative_to(repo_root) and target.exists()
    }
    for name in [*map(Path, COPIED), *sorted(named)]:
        source, target = repo_root / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif not target.exists():
            shutil.copy(source, target)
    done = subprocess.run(
        [sys.executable, "-m", "docsite"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return root / "site"


def test_it_is_whole(repo_root: Path, tmp_path: Path) -> None:
    """One test: it takes seconds to build."""
    site = built_site(repo_root, tmp_path)
    start = site / version() / "index.html"
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in start.parent.rglob("*.html")}

    # Every page is in the navigation.
    sidebar = start.read_text(encoding="utf-8").split('class="sidebar-tree"')[1].split("</aside>")[0]
    shown = {link.partition("#")[0] for link in Page(sidebar).links}
    docs = repo_root / "docs"
    wanted = {str(page.relative_to(docs).with_suffix(".html")) for page in docs.rglob("*.md")}
    assert wanted - shown == {"index.html"}

    # Nothing is loaded from elsewhere.
    loads = {urlsplit(url) for page in pages.values() for url in page.loads}
    assert {url.geturl() for url in loads if url.scheme not in {"", "data"} or url.netloc} == set()
    styles = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\s]*", styles) == []

    assert broken_links(pages) == []

    # The search knows the pages' words, and the index this version.
    words = (site / version() / "searchindex.js").read_text(encoding="utf-8")
    assert '"runbook"' in words
    assert "cointegr" in words
    listed = json.loads((site / "versions.json").read_text())
    assert listed == [{"version": version(), "url": f"{version()}/index.html"}]


def broken_links(pages: dict[Path, Page]) -> list[str]:
    """Links within the site to a file or an anchor that is not there."""
    broken = []
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            anchor = unquote(url.fragment)
            if not target.exists() or (anchor and anchor not in pages[target].ids):
                broken.append(f"{path.name}: {link}")
    return broken


def test_the_index_lists_every_version_newest_first(tmp_path: Path) -> None:
    for name in ("0.9", "0.10", "0.10rc1", "drafts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").touch()
    assert versions.write_index(tmp_path) == ["0.10", "0.10rc1", "0.9"]
    listed = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert listed.links == ["0.10/index.html", "0.10rc1/index.html", "0.9/index.html"]


def test_the_start_page_is_the_navigation() -> None:
    start = (
        "# x\n[no](a.md)\n## Try\n- [a](a.md), [b](s/README.md#there)\n"
        "## Run\n- [a](a.md), [c](c.md)\n## Empty\n"
    )
    assert navigation.groups(start, ["a", "c", "d", "s/README", "s/one"]) == [
        navigation.Group("Try", ("a", "s/README")),
        navigation.Group("Run", ("c",)),
        navigation.Group(navigation.REST, ("d",)),
    ]
    assert navigation.below("s/README", ["a", "s/README", "s/two", "s/one"]) == ("one", "two")


def test_links_out_of_the_pages_lead_to_the_forge_or_take_the_file_along(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "a b.txt").touch()
    (tmp_path / "a.txt").touch()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert forge(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text("[project.urls]\nRepository = 'https://forge.example/p/'\n")
    address = forge(tmp_path)
    assert address == "https://forge.example/p"
    folder = tmp_path / "docs"

    def read(text: str, address: str | None) -> str:
        return hooks.outside(text, folder, tmp_path, address)

    assert read("[x](../a.txt#l1) [y](./b.md)", address) == f"[x]({address}/blob/main/a.txt#l1) [y](./b.md)"
    assert read("[x](../deploy)", address) == f"[x]({address}/tree/main/deploy)"
    assert read("[x](../a.txt)", None) == "[x](path:../a.txt)"
    with pytest.raises(ValueError, match="is a folder"):
        read("[x](../deploy)", None)
    with pytest.raises(ValueError, match="leads nowhere"):
        read("[x](../none.txt)", address)
