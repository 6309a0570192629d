"""Sphinx's configuration. The pages lie in docs/ and know nothing of it."""

from pygments.lexers.special import TextLexer

from docsite import hooks
from docsite.places import ROOT
from docsite.places import version as package_version

project = "pairbot"
author = "the authors of pairbot-ext"
release = package_version()
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
# Without a language a block is a shell's: commands and what they print.
highlight_language = "text"
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = f"pairbot {release}"
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
templates_path = ["templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/versions.html",
        "sidebar/scroll-end.html",
    ]
}

linkcheck_anchors = False
# What the reader runs.
linkcheck_ignore = [r"https?://127\.0\.0\.1"]
linkcheck_timeout = 20
linkcheck_workers = 4


def setup(app):
    """Sphinx calls it with its application."""
    # The state diagram is shown as its text: what draws it in a browser would be loaded from elsewhere.
    app.add_lexer("mermaid", TextLexer)
    hooks.connect(app, ROOT)
