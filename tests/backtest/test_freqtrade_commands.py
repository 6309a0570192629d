"""Freqtrade's other commands on pairs: each works, or says why not. docs/freqtrade-commands.md lists them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import warm
from backtest_harness import HOUR, REPO_ROOT, pair, pairs_document, symbol
from backtest_markets import CANDLES, START, MarketFiles
from backtest_oracle import regression

from pairbot_ext.pairs import Epoch, Pair
from pairbot_ext.pairs.writing import write_scan

pytestmark = pytest.mark.process
VALID = START + 400 * HOUR
FORMATION = 360


@dataclass(frozen=True)
class World:
    """A user's folders with one finished backtest."""

    folder: Path
    datadir: Path
    first: str

    @property
    def config(self) -> tuple[str, ...]:
        return "-c", str(REPO_ROOT / "config.json"), "-c", str(self.folder / "pairs.json.overlay.json")

    @property
    def result(self) -> str:
        return str(sorted((self.folder / "ud" / "backtest_results").glob("*.zip"))[-1])

    @property
    def data(self) -> tuple[str, ...]:
        return "--datadir", str(self.datadir)

    @property
    def span(self) -> tuple[str, ...]:
        return "--timerange", f"{VALID:%Y%m%d}-{START + (CANDLES - 2) * HOUR:%Y%m%d}"


def freqtrade(world_folder: Path, *arguments: str) -> str:
    """Through `pairbot offline`, so that no market list comes from the network. What it says."""
    done = warm.run(
        ["pairbot", "offline", "--", *arguments, "--userdir", str(world_folder / "ud")],
        cwd=REPO_ROOT, timeout_secs=240,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said[-3000:]
    return f"exit {done.returncode}\n{said}"


def frozen(files: MarketFiles, leg_a: str, leg_b: str) -> Pair:
    """With the model of the formation window: rolling pairs would need 1,440 candles before the first."""
    log_a, log_b = (np.log(files.candles.close[symbol(coin)][:FORMATION]) for coin in (leg_a, leg_b))
    model = regression(log_a, log_b)
    assert model is not None
    return pair(
        f"{leg_a}_{leg_b}", leg_a, leg_b, hedge_ratio=model.beta, alpha=model.alpha, sigma=model.sigma,
        mu=0.0, half_life_hours=4.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, market_files: Callable[[str], MarketFiles]) -> World:
    folder = tmp_path_factory.mktemp("user")
    files = market_files("calm")
    made_it = warm.run(["freqtrade", "create-userdir", "--userdir", str(folder / "ud")], cwd=folder)
    made_it.check_returncode()
    pairs = tuple(frozen(files, *legs) for legs in (("ADA", "LINK"), ("SOL", "DOT")))
    epoch = Epoch(
        valid_from=VALID, formation_start=START, formation_end=START + FORMATION * HOUR, pairs=pairs
    )
    write_scan(folder / "pairs.json", pairs_document([epoch]))
    made = World(folder, files.datadir, "")
    said = freqtrade(
        folder, "backtesting", "--strategy", "PairsArb", *made.config, *made.data, *made.span,
        "--export", "signals", "--breakdown", "week",
    )  # fmt: skip
    return World(folder, files.datadir, said)


def test_the_report_of_a_result_says_it_too(world: World) -> None:
    done = warm.run(
        ["pairbot", "report", world.result, "--pairs-file", str(world.folder / "pairs.json")],
        cwd=REPO_ROOT, timeout_secs=120,
    )  # fmt: skip
    assert re.search(r"2 pairs, [\d,]+ candles, [\d,]+ signals", done.stdout), done.stdout + done.stderr


Command = Callable[[World], tuple[str, ...]]
WORKS: dict[str, tuple[Command, str]] = {
    "backtesting-show": (
        lambda w: ("backtesting-show", *w.config, "--backtest-filename", w.result), "PairsArb",
    ),
    "backtesting-analysis": (
        lambda w: (
            "backtesting-analysis", *w.config, *w.data, "--backtest-filename", w.result,
            "--analysis-groups", "0", "1",
        ),
        "ADA_LINK",
    ),
    "plot-profit": (
        lambda w: (
            "plot-profit", *w.config, *w.data, *w.span, "--strategy", "PairsArb", "--backtest-filename",
            w.result, "--trade-source", "file",
        ),
        "freqtrade-profit-plot.html",
    ),
    "plot-dataframe": (
        lambda w: (
            "plot-dataframe", *w.config, *w.data, *w.span, "--strategy", "PairsArb", "--backtest-filename",
            w.result, "--trade-source", "file", "-p", "ADA/USDT:USDT",
        ),
        "freqtrade-plot-ADA_USDT_USDT-1h.html",
    ),
    "show-trades": (
        lambda w: ("show-trades", *w.config, "--db-url", f"sqlite:///{w.folder}/none.sqlite"),
        "Printing 0 Trades",
    ),
    "list-data": (lambda w: ("list-data", *w.config, *w.data), "Found"),
    "test-pairlist": (lambda w: ("test-pairlist", *w.config), "ADA/USDT:USDT"),
    "hyperopt": (
        lambda w: (
            "hyperopt", *w.config, *w.data, *w.span, "--strategy", "PairsArb", "--hyperopt-loss",
            "SharpeHyperOptLoss", "-e", "2", "-j", "1", "--disable-param-export", "--spaces", "buy", "sell",
        ),
        "Best result",
    ),
}  # fmt: skip
ELSEWHERE = {
    "lookahead-analysis": "test_validators.py",
    "recursive-analysis": "test_validators.py",
    "backtesting": "test_properties.py",
    "webserver": "test_files_of_others.py",
}
"""Commands with a test of their own in this folder."""


def test_a_backtest_with_signals_and_a_breakdown(world: World) -> None:
    assert world.first.startswith("exit 0")
    assert "WEEK BREAKDOWN" in world.first
    assert re.search(r"pairbot: 2 pairs, [\d,]+ candles, [\d,]+ signals, [1-9]", world.first)


@pytest.mark.parametrize("name", WORKS)
def test_a_command_works_on_pairs(world: World, name: str) -> None:
    command, says = WORKS[name]
    said = freqtrade(world.folder, *command(world))
    assert said.startswith("exit 0"), said[-2000:]
    assert says in said, said[-2000:]


@pytest.mark.parametrize("spaces", ["default", "all", "roi", "stoploss", "trailing", "trades"])
def test_hyperopt_may_not_touch_what_is_no_pair(world: World, spaces: str) -> None:
    from freqtrade.exceptions import OperationalException

    from pairbot_ext.startup.checks import check_spaces
    from pairbot_ext.support.errors import SettingsError

    assert OperationalException is not None
    with pytest.raises(SettingsError, match="may not tune"):
        check_spaces({"spaces": [spaces]})
    check_spaces({"spaces": ["buy"]})
    check_spaces({"spaces": ["buy", "sell"]})


def test_every_command_has_its_row(repo_root: Path) -> None:
    text = (repo_root / "docs/freqtrade-commands.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([a-z-]+)` \|", text, re.M))
    assert rows >= set(WORKS) | set(ELSEWHERE)
    for name in ELSEWHERE.values():
        assert (Path(__file__).parent / name).is_file()
