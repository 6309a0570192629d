"""The harness of the demo's second half: what it waits for, how it fails, and what it calls sound."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pairbot_ext.demo import process
from pairbot_ext.demo.bot import BotResult, table, venue_table
from pairbot_ext.demo.process import BotProcess, ExchangeProcess, _Process
from pairbot_ext.demo.steps import Workplace
from pairbot_ext.pairs import load_pairs_file
from pairbot_ext.report.pairing import LegTrade, PairTrade, total
from pairbot_ext.sim.market.scripted import DEMO_PLANTED
from pairbot_ext.support.errors import PairbotError

T0 = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def workplace(tmp_path: Path, repo_root: Path) -> Workplace:
    return Workplace(repo_root, tmp_path)


def start(workplace: Workplace, code: str) -> _Process:
    return _Process(workplace, [sys.executable, "-c", code], workplace.folder / "child.log")


def says(child: _Process, text: str) -> bool:
    return text in child.log.read_text(encoding="utf-8")


def test_a_process_ends_with_sigint(workplace: Workplace) -> None:
    code = (
        "import time\nprint('up', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('bye')"
    )
    with start(workplace, code) as child:
        child.wait_for("come up", lambda: says(child, "up"), 20)
    assert says(child, "bye")
    assert child.stop() == 0


def test_one_that_will_not_end_is_killed(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_STOP_TIMEOUT_SECS", 0.3)
    code = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    began = time.monotonic()
    with start(workplace, code) as child:
        child.wait_for("come up", lambda: says(child, "up"), 20)
    assert child.stop() == -signal.SIGKILL
    assert time.monotonic() - began < 30


def test_one_that_dies_is_reported_with_its_last_words(workplace: Workplace) -> None:
    with (
        start(workplace, "raise SystemExit('no such strategy')") as child,
        pytest.raises(PairbotError, match=r"exit code 1 and did not trade[\s\S]*no such strategy"),
    ):
        child.wait_for("trade", lambda: False, 20)


def test_one_that_takes_too_long_is_reported(workplace: Workplace) -> None:
    with (
        start(workplace, "import time; time.sleep(60)") as child,
        pytest.raises(PairbotError, match="did not trade within 1 s"),
    ):
        child.wait_for("trade", lambda: False, 1)


@pytest.mark.process
def test_a_terminated_demo_leaves_no_process_behind(workplace: Workplace) -> None:
    """SIGTERM is what `timeout`, CI and service managers send."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "pairbot_ext.cli", "demo", "--part", "bot", "--folder", str(workplace.folder)],
        cwd=workplace.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = workplace.folder / "exchange.log"
    try:
        deadline = time.monotonic() + 60
        while not (log.is_file() and "Serving." in log.read_text(encoding="utf-8")):
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        overlay = json.loads((workplace.folder / "exchange.json").read_text(encoding="utf-8"))
        demo.terminate()
        assert demo.wait(90) == 128 + signal.SIGTERM
    finally:
        demo.kill()
    port = urlsplit(overlay["exchange"]["ccxt_config"]["urls"]["api"]["fapiPublic"]).port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port or 0)) != 0


@pytest.mark.process
def test_the_exchange_of_the_demo_serves_its_pairs_and_its_truth(workplace: Workplace) -> None:
    with ExchangeProcess(workplace, seed=7) as exchange:
        state = exchange.control.state()
        assert state["positions"] == []
        assert state["fills"] == 0
        pairs_file = load_pairs_file(exchange.pairs)
        assert pairs_file.pair_ids() == [pair.pair_id for pair in DEMO_PLANTED]
        assert pairs_file.timeframe == "1m"
        assert str(exchange.pairs) in exchange.overlay.read_text(encoding="utf-8")
    assert exchange.stop() == 0


def test_final_statistics_are_what_the_package_says_at_the_end(workplace: Workplace) -> None:
    bot = BotProcess.__new__(BotProcess)
    bot.log = workplace.folder / "bot.log"
    bot.log.write_text(
        "t - pairbot_ext.runtime - INFO - starting\n"
        "t - freqtrade.freqtradebot - INFO - Cleaning up modules ...\n"
        "t - pairbot_ext.desk.trade_desk - INFO - pairbot: uptime 0.02 h\n"
        "t - pairbot_ext.voice.watch - INFO - TRADE EXECUTED: Pair A_B: closed\n"
        "t - pairbot_ext.recovery.standstill - WARNING - Pair trade x is parked\n"
        "t - freqtrade.rpc - INFO - Shutting down\n",
        encoding="utf-8",
    )
    assert bot.final_statistics() == ["uptime 0.02 h"]


def leg(symbol: str, *, short: bool, pair_id: str) -> LegTrade:
    return LegTrade(
        symbol=symbol,
        pair_id=pair_id,
        is_short=short,
        amount=1.0,
        notional=100.0,
        open_rate=100.0,
        close_rate=101.0,
        opened=T0,
        closed=T0 + timedelta(minutes=1),
        profit=1.0,
        funding=0.0,
        exit_reason="done",
    )


def pair_trade(pair_id: str, beta: float = 1.0) -> PairTrade:
    return PairTrade(
        pair_id,
        (leg("A/USDT:USDT", short=False, pair_id=pair_id),),
        (leg("B/USDT:USDT", short=True, pair_id=pair_id),),
        beta,
    )


def good_run() -> BotResult:
    trades = [pair_trade("A_B"), pair_trade("C_D")]
    return BotResult("live", trades, total(trades), [], 8, {}, 0, Decimal(4))


def with_trades(trades: list[PairTrade]) -> BotResult:
    return replace(good_run(), trades=trades, summary=total(trades))


@pytest.mark.parametrize(
    "broken",
    [
        with_trades([pair_trade("A_B")]),
        with_trades([pair_trade("A_B"), replace(pair_trade("C_D"), legs_b=())]),
        with_trades([pair_trade("A_B"), pair_trade("C_D", beta=1.1)]),
        replace(good_run(), venue_positions={"ADAUSDT": Decimal(3)}),
        replace(good_run(), venue_open_orders=1),
        replace(good_run(), venue_fills=0),
        replace(good_run(), mode="dry-run"),
    ],
    ids=[
        "too few",
        "a lone leg",
        "badly hedged",
        "not flat",
        "resting order",
        "no fill",
        "a dry-run that traded",
    ],
)
def test_what_is_not_sound(broken: BotResult) -> None:
    assert good_run().is_sound
    assert not broken.is_sound


def test_tables_show_a_position_left_behind() -> None:
    from rich.console import Console

    console = Console(width=140, record=True, file=StringIO())
    left = replace(good_run(), venue_positions={"ADAUSDT": Decimal(3)})
    console.print(table(left), venue_table([good_run(), left]))
    text = console.export_text()
    assert "ADAUSDT 3" in text
    assert "flat" in text
    assert "means nothing" in text


def test_tables_fit_a_terminal_of_80_columns() -> None:
    from rich.console import Console

    long = replace(pair_trade("1000SHIB_1000PEPE"), legs_a=(leg("A/USDT:USDT", short=True, pair_id="x"),))
    run = replace(with_trades([long]), mode="dry-run")
    console = Console(width=80, record=True, file=StringIO())
    console.print(table(run), venue_table([run, good_run()]))
    text = console.export_text()
    assert "…" not in text, "no cell and no header is cut"
    for header in ("opened", "naked", "hedge", "error", "PnL", "USDT", "wallet change", "the bot says"):
        assert header in text
    assert "12:00:00" in text
    assert max(len(line) for line in text.splitlines()) <= 80
