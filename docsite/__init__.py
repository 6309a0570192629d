"""The documentation as a site: `python -m docsite` builds it, search and an index of versions included.

Sphinx with MyST and Furo: the pages stay Markdown that a forge shows, unknown links and anchors are errors,
the search works without a server. MkDocs 1 is no longer maintained, and its most used theme ends with it.
"""
