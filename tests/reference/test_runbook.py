"""The runbook explains everything the bot can say: codes, messages, reasons, errors, read from the source."""

from __future__ import annotations

import re
from pathlib import Path

import operator_messages
import pytest

from pairbot_ext.control.telegram import HELP
from pairbot_ext.model.states import PairState
from pairbot_ext.model.thresholds import ExitReason
from pairbot_ext.preflight.runner import CHECKS
from pairbot_ext.risk.rules import RULES, Effect

REFUSING = [
    rule
    for rule, info in RULES.items()
    if info.effect is Effect.REFUSE or "refuses" in info.does or rule.startswith("break_")
]
"""Rules that can keep a pair from being entered."""


@pytest.fixture(scope="module")
def runbook(repo_root: Path) -> str:
    return " ".join((repo_root / "docs/runbook.md").read_text(encoding="utf-8").split())


def test_every_refusal_has_its_line(runbook) -> None:
    codes = operator_messages.refusal_codes()
    # Those of the risk rules are made of the rules' names.
    (computed,) = codes.pop("…")
    assert computed.startswith("risk/entry.py:")
    codes |= {f"risk_{rule}": [computed] for rule in REFUSING} | {"risk_blind": [computed]}
    assert len(codes) >= 20
    missing = {code: places for code, places in codes.items() if f"| `{code}` |" not in runbook}
    assert missing == {}
    listed = set(re.findall(r"\| `([a-z_]+)` \|", runbook.split("## Signals not taken")[1].split(" ## ")[0]))
    assert listed <= set(codes), "the runbook explains a code that no longer exists"


def test_every_text_has_its_line(runbook) -> None:
    texts = operator_messages.texts()
    assert len(texts) >= 60
    missing = [f"{text.place}: {text.template}" for text in texts if text.fingerprint not in runbook]
    assert missing == []


def test_every_exit_reason_and_state_is_explained(runbook, repo_root) -> None:
    reasons = {reason.value for reason in ExitReason}
    # A backtest's end closes no pair of a bot.
    assert {reason for reason in reasons if f"`{reason}`" not in runbook} == {"pair_data_end"}
    execution = (repo_root / "docs/execution.md").read_text(encoding="utf-8")
    assert [state for state in PairState if f"| `{state}` |" not in execution] == []


def test_every_risk_rule_is_explained(runbook) -> None:
    assert [rule for rule in RULES if f"| `{rule}` |" not in runbook.split("### Risk")[1]] == []


def test_every_command_is_explained(runbook) -> None:
    assert [name for name, *_ in HELP if f"`/{name}" not in runbook.split("## Commands")[1]] == []


def test_every_check_of_the_preflight_is_explained(repo_root) -> None:
    text = (repo_root / "docs/preflight.md").read_text(encoding="utf-8")
    assert [check.name for check in CHECKS if f"| {check.name} |" not in text] == []


def test_the_reader_of_the_source_sees_what_is_added(monkeypatch, tmp_path) -> None:
    """The comparison above is worth nothing if the reader of the source overlooks messages."""
    (tmp_path / "new.py").write_text(
        "class GoneError(PairbotError): pass\n"
        "def f(self, pair, why):\n"
        '    raise RefusedError("brand_new", f"{pair} has met a brand new obstacle: {why}")\n'
        '    self._broker.tell(f"{pair} wants attention of " + "an operator now")\n'
        '    raise GoneError(f"the thing called {why} went away for good")\n'
        '    logger.info("a line for the log alone")\n'
    )
    monkeypatch.setattr(operator_messages, "PACKAGE", tmp_path)
    monkeypatch.setattr(operator_messages, "ALL_TEXTS_OF", ())
    (tmp_path / "errors.py").write_text(
        "class PairbotError(Exception): pass\nclass RefusedError(PairbotError): pass\n"
    )
    assert operator_messages.refusal_codes() == {"brand_new": ["new.py:3"]}
    assert sorted(text.fingerprint for text in operator_messages.texts()) == [
        "has met a brand new obstacle",
        "wants attention of an operator now",
        "went away for good",
    ]


def test_links_of_all_pages_lead_somewhere(repo_root) -> None:
    """Files and headings within the repository; addresses elsewhere are not asked for."""
    broken = []
    for page in [repo_root / "README.md", *sorted((repo_root / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            if not path.exists() or (anchor and anchor not in _anchors(path)):
                broken.append(f"{page.relative_to(repo_root)}: {target}")
    assert broken == []


def _anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
