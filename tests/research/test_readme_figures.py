"""The out-of-sample figures the README and two pages quote, made anew by today's code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pairbot_ext.cli import build_parser
from pairbot_ext.report.wording import number
from pairbot_ext.research.costs import net_bp
from pairbot_ext.research.evidence import week_bootstrap
from pairbot_ext.research.session import prepare
from pairbot_ext.research.walkforward import simulate
from pairbot_ext.research.weeks import week_numbers

ROOT = Path(__file__).resolve().parents[2]
REAL_DATADIR = ROOT.parent / "shared" / "data" / "binance"
WRITTEN = {
    "naive": r"the usual rule \(p < 0\.05, half-life < 24 h\) earned {net} bp per pair trade "
    r"\({count} of them; 95 % interval {low} to {high}\)",
    "robust": r"the default rule {net} bp \({count} of them; {low} to {high}\)",
}


@pytest.mark.shared_data
@pytest.mark.skipif(not REAL_DATADIR.is_dir(), reason="no real candles beside this checkout")
@pytest.mark.parametrize("rule", list(WRITTEN))
def test_what_the_readme_says_is_what_the_code_makes(rule) -> None:
    page = (ROOT / "docs/statistics/walkforward.md").read_text(encoding="utf-8")
    command = re.search(rf"pairbot (walkforward .*--rule {rule} .*)", page.replace("\\\n", " "))
    assert command is not None
    arguments = command[1].replace("DIR", str(REAL_DATADIR)).replace("config.json", str(ROOT / "config.json"))
    args = build_parser("walkforward").parse_args(arguments.split())
    plan, _, _ = prepare(args)
    trades = simulate(plan).pair_trades
    nets = net_bp(trades, plan.costs)
    low, high = week_bootstrap(nets, week_numbers(trades), 0.95, plan.seed)
    figures = {
        "net": number(float(nets.mean()), 1, signed=True),
        "count": str(nets.size),
        "low": number(low, 0, signed=True),
        "high": number(high, 0, signed=True),
    }
    wanted = WRITTEN[rule].format(**{name: re.escape(value) for name, value in figures.items()})
    for name in ("README.md", "docs/what-to-expect.md"):
        text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
        assert re.search(wanted, text), f"{name}, {rule}: the code makes {figures}"
    said = f"net {figures['net']} bp per pair trade"
    assert said in " ".join(page.split()), f"docs/statistics/walkforward.md does not say: {said}"
