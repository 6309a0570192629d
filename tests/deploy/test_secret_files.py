"""Secrets from files: what is read, what is refused, what is warned of, and that none is ever said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from freqtrade.configuration.environment_vars import _flat_vars_to_nested_dict

from pairbot_ext.cli import main
from pairbot_ext.hosting.secretfiles import MOST_BYTES, NAMES_OF_FILES, SecretFileError, with_secrets
from pairbot_ext.settings import Settings

NAME = "FREQTRADE__EXCHANGE__SECRET"
SECRET = "s3cret-of-the-test"


def file_with(directory: Path, content: bytes, mode: int = 0o600) -> Path:
    path = directory / "a secret ä"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"], ids=["none", "line", "windows", "lines"])
def test_a_line_end_is_no_part_of_it(tmp_path: Path, end: bytes) -> None:
    path = file_with(tmp_path, SECRET.encode() + end)
    assert with_secrets({f"{NAME}_FILE": str(path), "HOME": "/"}) == ({NAME: SECRET, "HOME": "/"}, [])


def test_a_key_of_several_lines_is_taken_whole(tmp_path: Path) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"
    path = file_with(tmp_path, b"\xef\xbb\xbf" + key.encode() + b"\n")
    assert with_secrets({f"{NAME}_FILE": str(path)}) == ({NAME: key}, [])


def test_freqtrade_reads_what_was_in_the_files(tmp_path: Path) -> None:
    """Its reader gets no `secret_file`, which would be a setting it does not know."""
    path = file_with(tmp_path, b"12345\n")
    named = {"FREQTRADE__API_SERVER__PASSWORD_FILE": str(path), "FREQTRADE__EXCHANGE__KEY_FILE": ""}
    environment, _ = with_secrets(named)
    found = _flat_vars_to_nested_dict(environment, "FREQTRADE__")
    assert found == {"api_server": {"password": "12345"}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"a" * (MOST_BYTES + 1), "is larger than"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b"ab\0cd", "zero byte"),
        (b"123e45", "takes for a number"),
        (b"[1]", "takes for a number"),
        (b"True", "takes for a number"),
    ],
)
def test_what_is_no_secret_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SecretFileError, match=says) as refused:
        with_secrets({f"{NAME}_FILE": str(file_with(tmp_path, content))})
    assert f"{NAME}_FILE" in str(refused.value)
    assert "123e45" not in str(refused.value)


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, says in ((tmp_path / "none", "does not exist"), (tmp_path, "no regular|directory"),
                       (pipe, "no regular file"), (Path("/dev/null"), "no regular file")):  # fmt: skip
        with pytest.raises(SecretFileError, match=says):
            with_secrets({f"{NAME}_FILE": str(path)})


def test_one_that_this_user_may_not_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_with(tmp_path, SECRET.encode(), 0o000)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    # Root reads everything; a service does not run as root.
    before = os.geteuid()
    if not before:
        os.seteuid(65_534)
    try:
        with pytest.raises(SecretFileError, match="cannot be read: Permission denied"):
            with_secrets({f"{NAME}_FILE": path.name})
    finally:
        if not before:
            os.seteuid(before)


def test_one_that_everybody_reads_or_that_has_spaces_is_warned_of(tmp_path: Path) -> None:
    path = file_with(tmp_path, f"{SECRET} \n".encode(), 0o644)
    environment, (first, second) = with_secrets({"PGPASSWORD_FILE": str(path)})
    assert environment == {"PGPASSWORD": f"{SECRET} "}
    assert "every user" in first
    assert "a space" in second
    assert SECRET not in first + second


def test_two_sources_for_one_secret_are_refused(tmp_path: Path) -> None:
    path = str(file_with(tmp_path, SECRET.encode()))
    with pytest.raises(SecretFileError, match="both set") as refused:
        with_secrets({NAME: "another", f"{NAME}_FILE": path})
    assert "another" not in str(refused.value)
    # Set and empty is not set: so a compose file passes on what may be missing.
    assert with_secrets({NAME: "", f"{NAME}_FILE": path})[0] == {NAME: SECRET}
    assert with_secrets({NAME: "another", f"{NAME}_FILE": ""})[0] == {NAME: "another"}


def test_settings_that_are_names_of_files_are_left_alone() -> None:
    others = {
        "FREQTRADE__PAIRBOT__PAIRS_FILE": "pairs.json", "FREQTRADE__PAIRBOT__LOG__FILE": "x.log",
        "SSL_CERT_FILE": "/etc/x", "FREQTRADE__FILE": "y", "_FILE": "z",
    }  # fmt: skip
    assert with_secrets(others) == (others, [])
    named = {name.upper() for name in Settings.model_fields if name.endswith("_file")}
    assert named == NAMES_OF_FILES


def test_a_secret_that_cannot_be_had_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it was started"))
    assert main(["run", "--", "trade"]) == 2
    assert capsys.readouterr().err.startswith(f"pairbot run: the file {tmp_path / 'none'} that {NAME}_FILE")
