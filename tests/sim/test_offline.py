"""`pairbot offline` and `pairbot exchange`: which configuration wins, what is passed on, how they end."""

import copy
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from freqtrade.misc import deep_merge_dicts

from pairbot_ext.cli import main
from pairbot_ext.settings import parse_settings
from pairbot_ext.sim import offline
from pairbot_ext.sim.market.scripted import DEMO_PLANTED
from pairbot_ext.sim.overlay import API_KEY, API_SECRET, overlay
from pairbot_ext.support.errors import PairbotError

OVERLAY = Path("overlay.json")


def placed(arguments: list[str]) -> list[str]:
    return offline.with_overlay(arguments, offline._parse(arguments), OVERLAY)


def test_own_files_come_first():
    assert placed(["backtesting", "-c", "a.json", "--strategy", "X", "--config", "b.json"]) == [
        "backtesting", "-c", "a.json", "--strategy", "X", "--config", "b.json", "-c", "overlay.json",
    ]  # fmt: skip


def test_default_file_still_applies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert placed(["trade"]) == ["trade", "-c", "config.json", "-c", "overlay.json"]
    (tmp_path / "user_data").mkdir()
    (tmp_path / "user_data" / "config.json").write_text("{}")
    assert placed(["trade"]) == ["trade", "-c", "user_data/config.json", "-c", "overlay.json"]


def test_options_with_many_values_do_not_swallow_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["download-data", "-c", "a.json", "--pairs", "ADA/USDT:USDT", "ALGO/USDT:USDT"]
    parsed = offline._parse(placed(arguments))
    assert parsed["pairs"] == ["ADA/USDT:USDT", "ALGO/USDT:USDT"]
    assert parsed["config"] == ["a.json", "overlay.json"]


def test_commands_without_configuration_are_left_alone():
    assert placed(["--version"]) == ["--version"]


def test_configuration_from_stdin_is_refused():
    with pytest.raises(PairbotError, match="standard input"):
        placed(["trade", "-c", "-"])


def test_environment(monkeypatch):
    monkeypatch.setenv("FREQTRADE__EXCHANGE__KEY", "a-real-key")
    monkeypatch.setenv("FREQTRADE__MAX_OPEN_TRADES", "4")
    monkeypatch.setenv("NO_PROXY", "example.org")
    environment = offline.child_environment()
    assert "FREQTRADE__EXCHANGE__KEY" not in environment
    assert environment["FREQTRADE__MAX_OPEN_TRADES"] == "4"
    assert environment["NO_PROXY"] == "example.org,127.0.0.1"


def test_the_overlay_changes_nothing_but_addresses_and_keys():
    """Merged as Freqtrade merges files: what the user set besides is still there, and nothing is new."""
    block = {"timeout": 5000, "enableRateLimit": True, "rateLimit": 50, "options": {"recvWindow": 3000}}
    names = ("ccxt_config", "ccxt_sync_config", "ccxt_async_config")
    theirs = {
        "dry_run": False,
        "stake_amount": 100,
        "exchange": {
            "name": "binance", "key": "real", "secret": "real", "enable_ws": True,
            "pair_whitelist": ["A/B:B"],
            **{name: copy.deepcopy(block) for name in names},
        },
    }  # fmt: skip
    merged = deep_merge_dicts(overlay(1234), copy.deepcopy(theirs))
    exchange = merged["exchange"]
    assert merged.pop("$comment")
    for name in names:
        settings = exchange[name]
        assert settings.pop("verify") is False, "the certificate is made at the start"
        assert set(settings.pop("urls")["api"]) >= {"fapiPublic", "fapiPrivate", "ws"}
        for option in ("fetchCurrencies", "fetchMargins", "fetchMarkets"):
            del settings["options"][option]  # interfaces whose addresses are refused
        assert settings == block
    assert (exchange.pop("key"), exchange.pop("secret")) == (API_KEY, API_SECRET)
    assert exchange.pop("demo_trading") is False, "an address, too"
    for name in ("key", "secret"):
        del theirs["exchange"][name]
    assert merged == theirs


def test_no_address_of_the_overlay_leaves_this_machine():
    from ccxt.pro import binance, binanceusdm

    exchange = overlay(1234)["exchange"]
    for block in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        urls = dict(exchange[block]["urls"]["api"])
        theirs = binance().urls["api"]
        assert set(urls) == set(theirs), "every interface of ccxt's Binance is redirected"
        streams = urls.pop("ws")
        assert set(streams) == set(theirs["ws"])
        assert set(streams["ws-api"]) == set(theirs["ws"]["ws-api"])
        found = [*streams.values(), *streams["ws-api"].values()]
        assert all(url.startswith("wss://127.0.0.1:1234/") for url in found if isinstance(url, str))
        client = binanceusdm({"urls": exchange[block]["urls"]})
        assert client.get_ws_url("linear", "market") == "wss://127.0.0.1:1234/market/ws"
        assert client.get_private_ws_url("linear", "k") == "wss://127.0.0.1:1234/private/ws?listenKey=k"
        assert all(url.startswith("https://demo-fapi@127.0.0.1:1234/") for url in urls.values())
    assert exchange["demo_trading"] is False, "it would put Binance's own addresses back"


@pytest.mark.parametrize(
    ("script", "code"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 15)", 143), ("pass", 0)],
)
def test_exit_codes_pass_through(script, code):
    assert offline.run_child([sys.executable, "-c", script], dict(os.environ)) == code


def test_nothing_to_run(capsys):
    assert main(["offline"]) == main(["offline", "--"]) == 2
    assert "nothing to run" in capsys.readouterr().err


def test_wrong_market(capsys):
    assert main(["offline", "--market", "/no/such/dir", "--", "list-markets", "-c", "x.json"]) == 2
    assert "/no/such/dir" in capsys.readouterr().err


FUTURES = {
    "trading_mode": "futures", "margin_mode": "isolated", "stake_currency": "USDT", "stake_amount": 100,
    "max_open_trades": 2, "dry_run": True,
    "exchange": {
        "name": "binance", "key": "k", "secret": "s", "pair_whitelist": [],
        "ccxt_config": {"urls": {"api": {"fapiPublic": "https://192.0.2.1/fapi/v1"}}},
    },
    "pairlists": [{"method": "StaticPairList"}],
    "entry_pricing": {"use_order_book": True}, "exit_pricing": {"use_order_book": True},
}  # fmt: skip


def test_a_bot_trades_the_pairs_of_the_served_market(tmp_path, monkeypatch, capsys):
    """With --pairs-out the overlay names the market's own pairs and their timeframe; the files are there."""
    seen = {}

    def look_instead_of_running(command, environment):
        seen.update(json.loads(Path(command[-1]).read_text()))
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(offline, "run_child", look_instead_of_running)
    trade = ["--", "trade", "--strategy", "PairsArb"]
    assert main(["offline", "--market", "demo", *trade]) == 0
    assert "pairbot" not in seen, "without it nothing about pairs is changed"
    assert main(["offline", "--market", "demo", "--pairs-out", "sim-pairs.json", *trade]) == 0
    pairs = json.loads((tmp_path / "sim-pairs.json").read_text())
    assert seen["pairbot"]["pairs_file"] == str(tmp_path / "sim-pairs.json")
    assert seen["timeframe"] == pairs["timeframe"] == "1m"
    # The demo's spreads follow a script: the rule that looks for broken pairs would find nothing else.
    assert parse_settings(seen["pairbot"]).risk.break_stop is None
    assert "https" in seen["exchange"]["ccxt_config"]["urls"]["api"]["fapiPublic"]
    assert main(["offline", "--pairs", "x.json", *trade]) == 2
    assert "--pairs-out" in capsys.readouterr().err


@pytest.mark.process
def test_freqtrade_lists_the_markets(tmp_path):
    """The real command, with addresses in the user's own file that would lead elsewhere."""
    (tmp_path / "user_data").mkdir()
    (tmp_path / "config.json").write_text(json.dumps(FUTURES))
    done = subprocess.run(
        [sys.executable, "-m", "pairbot_ext.cli", "offline", "--", "list-markets", "--print-json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    listed = json.loads(done.stdout.splitlines()[-1])
    assert "ADA/USDT:USDT" in listed
    assert len(listed) > 700, "analysis commands see every symbol of the leverage table"
    assert "SIMULATION" in done.stderr
    assert not list(tmp_path.glob("pairbot-*")), "temporary files are removed"


@pytest.mark.process
def test_exchange_command(tmp_path):
    """Started as a user does: ready soon, overlay and pairs file written, ended by Ctrl+C with exit code
    0.
    """
    overlay_file, pairs_file = tmp_path / "overlay.json", tmp_path / "pairs.json"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "pairbot_ext.cli", "exchange", "--market", "demo", "--deposit", "777",
            "--overlay-out", str(overlay_file), "--pairs-out", str(pairs_file),
        ],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("Serving"):
                break
        port = int(re.search(r"https://127\.0\.0\.1:(\d+)", "".join(lines)).group(1))
        from pairbot_ext.sim.control import ControlClient

        assert ControlClient(port).state()["account"]["totalWalletBalance"] == "777.00000000"
        config = json.loads(overlay_file.read_text())
        assert f":{port}/" in config["exchange"]["ccxt_config"]["urls"]["api"]["fapiPrivate"]
        assert config["pairbot"]["pairs_file"] == str(pairs_file)
        assert config["timeframe"] == json.loads(pairs_file.read_text())["timeframe"]
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
    assert code == 0
    assert "Not modelled" in "".join(lines)


def test_exchange_serves_books_as_deep_and_wide_as_asked(tmp_path, monkeypatch):
    """The flags reach the books that are served, best price first."""
    import requests

    books = []

    def read_a_book_instead_of_waiting():
        port = urlsplit(json.loads(overlay_file.read_text())["exchange"]["ccxt_config"]["urls"]["api"]
                        ["fapiPublic"]).port  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the certificate is the simulated exchange's own
            answer = requests.get(
                f"https://127.0.0.1:{port}/fapi/v1/depth",
                {"symbol": f"{DEMO_PLANTED[0].a}USDT", "limit": 20},
                verify=False, timeout=10,
            )  # fmt: skip
        books.append(answer.json())

    overlay_file = tmp_path / "overlay.json"
    monkeypatch.setattr("pairbot_ext.sim.launch.run_until_stopped", read_a_book_instead_of_waiting)
    flags = ["--spread-bp", "40", "--depth-usdt", "500", "--levels", "3"]
    for chosen in ([], flags):
        assert main(["exchange", "--market", "demo", "--overlay-out", str(overlay_file), *chosen]) == 0
    plain, thin = books
    assert (len(plain["asks"]), len(thin["asks"]), len(thin["bids"])) == (20, 3, 3)
    (bid, _), (ask, amount) = ([float(x) for x in thin[side][0]] for side in ("bids", "asks"))
    assert (ask - bid) / bid * 1e4 == pytest.approx(40, abs=2), "on the tick"
    assert ask * amount == pytest.approx(500, rel=0.35), "give or take the jitter"
    best_bid, best_ask = (float(plain[side][0][0]) for side in ("bids", "asks"))
    assert (best_ask - best_bid) / best_bid * 1e4 < 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "70000"], ["--deposit", "-5"], ["--deposit", "much"],
        ["--spread-bp", "-1"], ["--depth-usdt", "nan"], ["--depth-usdt", "deep"],
    ],
)  # fmt: skip
def test_exchange_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["exchange", *arguments])
    assert stop.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_exchange_bad_input(tmp_path, capsys):
    faults = tmp_path / "faults.json"
    faults.write_text('{"rules": [{"answer": "reject"}]}')
    assert main(["exchange", "--faults", str(faults)]) == 2
    assert main(["exchange", "--pairs", "x.json"]) == 2
    assert main(["exchange", "--round-trip-ms", "-1"]) == 2
    assert main(["exchange", "--levels", "0"]) == main(["exchange", "--depth-usdt", "0"]) == 2
    errors = capsys.readouterr().err
    assert "faults.json" in errors
    assert "--pairs-out" in errors
    assert errors.count("No order book has this shape") == 2


@pytest.mark.process
def test_interrupt_reaches_the_child_once(tmp_path):
    """Ctrl+C sent to `pairbot offline` alone ends the child cleanly, and its exit code is ours."""
    script = tmp_path / "child.py"
    script.write_text(
        "import signal, sys, time\n"
        "seen = []\n"
        "signal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 30\n"
        "while not seen and time.monotonic() < end: time.sleep(0.02)\n"
        "time.sleep(0.2)\n"
        "sys.exit(40 + len(seen))\n"
    )
    runner = (
        "import sys, os\n"
        "from pairbot_ext.sim.offline import run_child\n"
        f"sys.exit(run_child([sys.executable, {str(script)!r}], dict(os.environ)))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", runner], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 41
    assert time.monotonic() - started < 10
