"""The licence page names everything an installation brings with it."""

from __future__ import annotations

import re

from pairbot_ext.reference.licences import PAGE, bundled, closure, runtime_requirements


def test_every_package_and_every_file_of_others_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = {name.strip("*") for name in re.findall(r"^\| (\S+) \| \S+ \| ", text, re.MULTILINE)}
    missing = closure(runtime_requirements()).keys() - named
    assert not missing, "run `python -m pairbot_ext.reference.licences`"
    assert all(str(path) in text for path in bundled())
