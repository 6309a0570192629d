"""`pairbot init`: what it writes, what it never touches, and how it leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pairbot_ext.cli import main
from pairbot_ext.settings import parse_settings
from pairbot_ext.startup.checks import check_pairs_source, check_trading_mode
from pairbot_ext.userdir import texts
from pairbot_ext.userdir.apply import apply
from pairbot_ext.userdir.manifest import NAME
from pairbot_ext.userdir.overlay import TEMPLATE, make_overlay
from pairbot_ext.userdir.plan import FOLDERS, make_plan

OWN = """// my bot, since 2021
{
    "max_open_trades": 3, "stake_currency": "USDT", "stake_amount": "unlimited", "timeframe": "5m",
    "strategy": "Mine", "dry_run": false, "trading_mode": "spot",
    "stoploss": -0.1, "trailing_stop": true, "order_types": {"entry": "limit", "stoploss_on_exchange": true},
    "exchange": {"name": "binance", "key": "my-own-key-1234", "secret": "my-own-secret-1234",},
    "pairlists": [{"method": "StaticPairList"}],
    "telegram": {"enabled": true, "token": "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "chat_id": "1"},
    "api_server": {"enabled": true, "listen_port": 8080, "password": "hunter2hunter2"},
    "db_url": "postgresql://me:geheim123@db/mine",
}
"""
WRITTEN = [
    "pairbot.json",
    "pairs.json",
    "strategies/PairsArb.py",
    "hyperopts/PairsHyperOptLoss.py",
    ".env.example",
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """Somebody's user_data, with a space and a letter in its path that is not ASCII."""
    userdir = tmp_path / "mein böt" / "user_data"
    (userdir / "strategies").mkdir(parents=True)
    (userdir / "strategies" / "Mine.py").write_text("class Mine: ...\n")
    (userdir / "config.json").write_text(OWN)
    return userdir


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def merged(userdir: Path) -> dict:
    """As Freqtrade reads pairbot.json."""
    from freqtrade.configuration.load_config import load_from_files

    return load_from_files([str(userdir / "pairbot.json")])


def test_a_folder_out_of_nothing(tmp_path: Path) -> None:
    assert main(["init"]) == 0
    userdir = tmp_path / "user_data"
    assert sorted(tree(userdir)) == sorted([*WRITTEN, NAME])
    assert all((userdir / name).is_dir() for name in FOLDERS)
    config = merged(userdir)
    assert config["dry_run"] is True
    check_trading_mode(config)
    check_pairs_source(config, parse_settings(config["pairbot"]))
    before = tree(userdir)
    assert main(["init", "--check"]) == 0
    assert main(["init"]) == 0
    assert tree(userdir) == before, "a second one changes nothing"


def test_an_existing_bot_is_built_on_and_left_alone(owned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(owned)
    assert main(["init", "--userdir", str(owned), "--dry-run"]) == 0
    assert tree(owned) == before, "shown first"
    assert main(["init", "--userdir", str(owned)]) == 0
    said = capsys.readouterr().out
    after = tree(owned)
    assert {name: after[name] for name in before} == before
    for secret in ("my-own-key", "my-own-secret", "hunter2", "geheim123", "AAAAAAAA"):
        assert secret not in said
        assert all(secret.encode() not in text for name, text in after.items() if name not in before)
    assert '- trading_mode: "spot"' in said
    assert "one token serves one bot" in said

    config = merged(owned)
    assert config["exchange"]["key"] == "my-own-key-1234", "theirs stay in force"
    wanted = {
        "strategy": "PairsArb", "dry_run": True, "timeframe": "1h", "trading_mode": "futures",
        "stoploss": -0.99, "trailing_stop": False, "stake_amount": "unlimited",
    }  # fmt: skip
    assert {key: config[key] for key in wanted} == wanted
    assert config["order_types"]["stoploss_on_exchange"] is False
    assert config["telegram"]["enabled"] is False
    assert config["api_server"] == {"enabled": True, "listen_port": 8081, "password": "hunter2hunter2"}
    assert config["db_url"].endswith("mein böt/user_data/pairbot.dryrun.sqlite")

    assert main(["init", "--userdir", str(owned), "--remove"]) == 0
    assert tree(owned) == before
    assert sorted(path.name for path in owned.iterdir()) == ["config.json", "strategies"], "empty folders too"


def test_the_strategy_and_the_loss_load_from_there(tmp_path: Path) -> None:
    from freqtrade.resolvers import StrategyResolver
    from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver

    from pairbot_ext import __version__

    main(["init"])
    userdir = tmp_path / "user_data"
    config = merged(userdir) | {"user_data_dir": userdir, "hyperopt_loss": "PairsHyperOptLoss"}
    strategy = StrategyResolver.load_strategy(config)
    assert strategy.version() == __version__, "what /show_config says"
    assert HyperOptLossResolver.load_hyperoptloss(config) is not None
    assert "pairbot_ext.runtime.pairs_arb" in texts.STRATEGY


def test_return_targets_cannot_be_overlaid_so_the_file_stands_alone(owned: Path) -> None:
    (owned / "config.json").write_text(
        '{"minimal_roi": {"0": 0.04}, "stake_amount": 55, "exchange": {"name": "binance"}}'
    )
    plan = make_plan(owned, None, Path.cwd())
    apply(plan)
    assert "sets minimal_roi" in plan.notes[0]
    config = merged(owned)
    assert "minimal_roi" not in config
    assert config["stake_amount"] == 55


def test_two_configurations_are_merged_in_their_order(tmp_path: Path, owned: Path) -> None:
    private = tmp_path / "private.json"
    private.write_text('{"stake_amount": 77, "exchange": {"key": "another-key-9"}}')
    assert (
        main(["init", "--userdir", str(owned), "-c", str(owned / "config.json"), "-c", "private.json"]) == 0
    )
    config = merged(owned)
    assert config["stake_amount"] == 77
    assert config["exchange"]["key"] == "another-key-9"
    # The next time they need not be named.
    assert make_plan(owned, None, tmp_path).configs == (owned / "config.json", private)


def test_an_upgrade_renews_what_is_ours_and_keeps_what_was_changed(
    owned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["init", "--userdir", str(owned)])
    mine = (owned / "pairbot.json").read_text().replace('"max_open_trades": 10', '"max_open_trades": 4')
    (owned / "pairbot.json").write_text(mine)
    assert main(["init", "--userdir", str(owned), "--check"]) == 0, "a change of one's own is nothing to do"

    monkeypatch.setattr(texts, "STRATEGY", texts.STRATEGY + "# newer\n")
    template = json.loads(TEMPLATE.read_text()) | {"max_open_trades": 12}
    newer = owned / "template.json"
    newer.write_text(json.dumps(template))
    monkeypatch.setattr("pairbot_ext.userdir.overlay.TEMPLATE", newer)
    capsys.readouterr()
    assert main(["init", "--userdir", str(owned), "--check"]) == 1
    said = capsys.readouterr().out
    assert "strategies/PairsArb.py: brought up to date" in said
    assert "pairbot.json: KEPT" in said
    assert '-    "max_open_trades": 4' in said
    assert '+    "max_open_trades": 12' in said
    assert main(["init", "--userdir", str(owned)]) == 0
    assert (owned / "pairbot.json").read_text() == mine
    assert (owned / "strategies" / "PairsArb.py").read_text().endswith("# newer\n")
    assert main(["init", "--userdir", str(owned), "--check"]) == 0, "said once"

    assert main(["init", "--userdir", str(owned), "--remove"]) == 0
    assert "Kept, because you have changed it: pairbot.json" in capsys.readouterr().out
    assert (owned / "pairbot.json").read_text() == mine


def test_line_ends_of_windows_are_no_change(owned: Path) -> None:
    (owned / "config.json").write_bytes(OWN.replace("\n", "\r\n").encode())
    assert main(["init", "--userdir", str(owned)]) == 0
    for name in WRITTEN:
        path = owned / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert main(["init", "--userdir", str(owned), "--check"]) == 0
    assert main(["init", "--userdir", str(owned), "--remove"]) == 0
    assert not (owned / "pairbot.json").exists()


def test_a_scan_replaces_the_pairs_file_and_no_init_does(owned: Path) -> None:
    main(["init", "--userdir", str(owned)])
    scanned = (owned / "pairs.json").read_text().replace("none yet", "a scan")
    (owned / "pairs.json").write_text(scanned)
    assert main(["init", "--userdir", str(owned)]) == 0
    assert (owned / "pairs.json").read_text() == scanned


def test_a_link_stays_the_owners(tmp_path: Path, owned: Path) -> None:
    link = tmp_path / "user_data"
    link.symlink_to(owned, target_is_directory=True)
    assert main(["init"]) == 0
    assert (owned / "pairbot.json").is_file()
    assert merged(link)["user_data_dir"] == str(link)
    assert merged(link)["exchange"]["key"] == "my-own-key-1234"


@pytest.mark.parametrize("name", ["pairbot.json", "strategies/PairsArb.py", "pairs.json", ".env.example"])
def test_a_file_of_somebody_else_stops_it_before_anything_is_written(
    owned: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """I18."""
    (owned / name).write_text("{}")
    before = tree(owned)
    assert main(["init", "--userdir", str(owned)]) == 2
    assert f"{name} in {owned} is there already" in capsys.readouterr().err
    assert tree(owned) == before


def test_what_was_interrupted_finds_its_own_files(owned: Path) -> None:
    main(["init", "--userdir", str(owned)])
    (owned / NAME).unlink()
    (owned / ".env.example").unlink()
    assert main(["init", "--userdir", str(owned)]) == 0
    assert main(["init", "--userdir", str(owned), "--check"]) == 0


def test_what_cannot_be_used_is_said(tmp_path: Path, owned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*arguments: str) -> str:
        assert main(["init", *arguments]) == 2
        return capsys.readouterr().err

    (tmp_path / "a-file").write_text("")
    assert "a-file is no folder" in refused("--userdir", "a-file")
    assert "Not a directory" in refused("--userdir", "a-file/below")
    assert "nothing into" in refused("--userdir", "nowhere", "--remove")
    assert not (tmp_path / "nowhere").exists()
    assert "not found" in refused("--userdir", str(owned), "-c", "missing.json")
    (tmp_path / "bot.yaml").write_text("max_open_trades: 3\n")
    assert "no YAML" in refused("--userdir", str(owned), "-c", "bot.yaml")
    (tmp_path / "list.json").write_text("[1]")
    assert "cannot be read" in refused("--userdir", str(owned), "-c", "list.json")
    (owned / NAME).write_text('{"pairbot": 1}')
    assert "no manifest" in refused("--userdir", str(owned))
    (owned / NAME).unlink()
    shutil.rmtree(owned / "strategies")
    (owned / "strategies").write_text("")
    before = tree(owned)
    assert "strategies is no folder" in refused("--userdir", str(owned))
    assert tree(owned) == before


def test_a_folder_that_cannot_be_written_is_left_as_it_was(
    owned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The third of five files fails, as on a disk that fills up."""
    before = tree(owned)
    written: list[str] = []

    def full(handle: int) -> None:
        written.append("")
        if len(written) == 3:
            raise OSError(28, "No space left on device", str(owned))

    monkeypatch.setattr("os.fsync", full)
    assert main(["init", "--userdir", str(owned)]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert tree(owned) == before


def test_the_template_is_the_delivered_configuration(repo_root: Path) -> None:
    """One bot, whether it runs in a checkout or in a userdir of `init`."""
    delivered = json.loads((repo_root / "config.json").read_text())
    made = make_overlay(Path("/bot/user_data"), {}, ()).document
    for place in ("$schema", "strategy_path", "user_data_dir"):
        delivered.pop(place)
    for place in ("user_data_dir", "db_url"):
        made.pop(place)
    for each in (made, delivered):
        each["pairbot"].pop("pairs_file")
        each["pairlists"][0].pop("pairlist_url")
    assert made == delivered
