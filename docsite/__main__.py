"""`python -m docsite [--out site]`: docs/ as a site in `<out>/<version>/`, warnings being errors.

`--linkcheck` asks every external link instead, which needs internet.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from docsite.places import DOCS, ROOT, version
from docsite.versions import write_index


def main(argv: Sequence[str] | None = None) -> int:
    """Returns Sphinx's exit code: 0, or 1 where a page has a fault or a link is dead."""
    parser = argparse.ArgumentParser(prog="python -m docsite", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "site", help="folder of all versions (default: site)"
    )
    parser.add_argument("--linkcheck", action="store_true", help="ask the external links, build nothing")
    args = parser.parse_args(argv)

    from sphinx.cmd.build import build_main

    strict = ["--fail-on-warning", "--keep-going", "--quiet", "--conf-dir", str(ROOT / "docsite")]
    with tempfile.TemporaryDirectory() as scratch:
        doctrees = ["--doctree-dir", f"{scratch}/doctrees"]
        if args.linkcheck:
            return build_main([*strict, *doctrees, "--builder", "linkcheck", str(DOCS), f"{scratch}/links"])
        target = args.out / version()
        code = build_main([*strict, *doctrees, "--builder", "html", str(DOCS), str(target)])
    if code == 0:
        (target / ".buildinfo").unlink(missing_ok=True)
        print(f"{target}/index.html; versions: {', '.join(write_index(args.out))}")
    return code


if __name__ == "__main__":
    sys.exit(main())
