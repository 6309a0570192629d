"""`pairbot drill` as a stranger types it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from drill_world import drilled, user_pair, user_setup, write_user

from pairbot_ext.cli import main
from pairbot_ext.rehearse.drill import Drill
from pairbot_ext.rehearse.page import page
from pairbot_ext.rehearse.show import Progress
from pairbot_ext.rehearse.strip import TimeAxis, strip
from pairbot_ext.support.exitcode import ExitCode


def test_the_list_needs_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "--list"]) == ExitCode.OK
    assert "kill-entry-b-after" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "no-such"], "No scenario is called so (found: no-such)"),
        (["--seeds", "0"], "--seeds must be at least 1"),
        (["--seeds", "3", "--fault", "kill"], "One thing is played at a time"),
        (["--search", "-1"], "--search takes minutes"),
        (["--out", "x.json"], "--out belongs to --search"),
        (["--seed", "-3"], "--seed must not be negative"),
        (["--pair", "NOBODY"], "Choose from ADA_ALGO, XRP_DOGE"),
        (["--schedule", "nowhere.json"], "cannot be read"),
        (["--pairs", "nowhere.json"], "does not exist"),
    ],
)
def test_wrong_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    config = write_user(tmp_path)
    assert main(["drill", "-c", str(config), *arguments]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert says in err
    assert "Traceback" not in err
    assert out == ""


def test_an_empty_pairs_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_user(tmp_path)
    document = json.loads((tmp_path / "pairs.json").read_text())
    document["epochs"][0]["pairs"], document["pairs"] = [], []
    (tmp_path / "pairs.json").write_text(json.dumps(document))
    assert main(["drill", "-c", str(config)]) == ExitCode.USAGE
    assert "no pair to rehearse" in capsys.readouterr().err


def test_a_coin_that_is_too_new_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Freqtrade brings its leverage table along; what was listed since is not in it."""
    new = user_pair("ADA-ALGO", id="NEW_ALGO", leg_a="NOTYETLISTED/USDT:USDT")
    setup = user_setup(tmp_path / "one", new, user_pair("XRP-DOGE"))
    assert [pair.id for pair in setup.pairs] == ["XRP_DOGE"]
    assert any("NEW_ALGO left out" in text and "NOTYETLISTED/USDT:USDT" in text for text in setup.assumed)
    config = write_user(tmp_path / "all", new)
    assert main(["drill", "-c", str(config)]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "knows none of their contracts (found: NOTYETLISTED/USDT:USDT)" in said
    assert "Traceback" not in said


def test_ctrl_c_shows_what_was_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second result is there; the person presses the keys."""

    def pressed(self: Progress, done: int, wanted: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "__call__", pressed)
    config = write_user(tmp_path, user_pair("ADA-ALGO"))
    page_file = tmp_path / "drill.html"
    arguments = ["-c", str(config), "--fault", "entry-a-half", "--jobs", "1", "--html", str(page_file)]
    assert main(["drill", *arguments]) == 130
    out, err = capsys.readouterr()
    assert out.startswith("1 rehearsals")
    assert "1 of 2 were played" in err
    assert page_file.read_text().count("<svg") == 1
    stranger = tmp_path / "mine.html"
    stranger.write_text("my own page")
    assert main(["drill", *arguments[:-1], str(stranger)]) == ExitCode.USAGE
    assert stranger.read_text() == "my own page"


def test_the_page_holds_every_rehearsal_and_no_script(tmp_path: Path) -> None:
    setup = user_setup(tmp_path, user_pair("ADA-ALGO"))
    result = drilled(setup, "kill-entry-b-before")
    text = page(Drill(setup, calm=[result], results=[result]))
    assert "<script" not in text
    assert "default-src 'none'" in text
    picture = ET.fromstring(strip(result))
    namespace = "{http://www.w3.org/2000/svg}"
    titles = [element.text for element in picture.iter(f"{namespace}title")]
    assert len(titles) == 1 + len(result.marks) + len(result.messages)
    assert "pairbot-drill-" not in text, "no path of the rehearsal's own folder is shown"


def test_hours_without_an_event_take_little_room() -> None:
    axis = TimeAxis([0, 1, 2, 7_200, 7_201])
    places = [axis.x(secs) for secs in (0, 1, 2, 3_600, 7_200, 7_201)]
    assert places == sorted(places)
    assert len(axis.cuts()) == 1
    assert places[1] - places[0] > (places[4] - places[2]) / 20
