"""Secrets from files, as service managers and container engines hand them over.

`NAME_FILE=/run/secrets/x` in the environment becomes `NAME` with what is in the file, for every setting of
Freqtrade (`FREQTRADE__EXCHANGE__SECRET_FILE`) and for the password of a PostgreSQL server (`PGPASSWORD_FILE`,
which its client reads as `PGPASSWORD`). Nothing here prints or returns a value but in that environment:
messages name variables and paths.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pairbot_ext.support.errors import PairbotError

PREFIX = "FREQTRADE__"
SUFFIX = "_FILE"
OTHERS = frozenset({"PGPASSWORD"})
"""Besides Freqtrade's settings."""
NAMES_OF_FILES = frozenset({"PAIRS_FILE"})
"""Settings that are names of files themselves and end as ours do."""
MOST_BYTES = 65_536
_TEXTS = frozenset({"CHAT_ID", "PASSWORD"})
"""Freqtrade leaves these as they are; anything else that looks like a number becomes one."""


class SecretFileError(PairbotError):
    """A secret cannot be had from the file that should hold it."""


def with_secrets(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The environment with every `NAME_FILE` replaced by `NAME`, and what is to be warned of.

    A variable that is set and empty counts as not set: compose files pass on what may be missing.

    :raises SecretFileError: a file is missing, cannot be read, is empty or no text, or NAME is set as well.
    """
    found = dict(environment)
    warnings: list[str] = []
    for variable in sorted(environment):
        if not _is_named(variable):
            continue
        path = found.pop(variable)
        if not path:
            continue
        name = variable.removesuffix(SUFFIX)
        if environment.get(name):
            raise SecretFileError(
                f"{name} and {variable} are both set", remedy="Which of the two is meant? Unset the other"
            )
        found[name] = _read(variable, Path(path), warnings)
    return found, warnings


def _is_named(variable: str) -> bool:
    name = variable.removesuffix(SUFFIX)
    if name == variable:
        return False
    # A key that is "file" and nothing else, such as pairbot.log.file, is a setting.
    setting = variable.rpartition("__")[2]
    is_ours = name.startswith(PREFIX) and not name.endswith("_") and setting not in NAMES_OF_FILES
    return is_ours or name in OTHERS


def _read(variable: str, path: Path, warnings: list[str]) -> str:
    """What is in the file, without the line end that editors and `echo` put there."""
    try:
        # A FIFO nobody writes to would keep the bot from starting for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise _wrong(variable, path, "is no regular file")
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise _wrong(variable, path, "does not exist") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise _wrong(variable, path, f"cannot be read: {why}") from None
    if len(content) > MOST_BYTES:
        raise _wrong(variable, path, f"is larger than {MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _wrong(variable, path, "is no text in UTF-8") from None
    if not text.strip():
        raise _wrong(variable, path, "is empty")
    if "\0" in text:
        raise _wrong(variable, path, "holds a zero byte")
    name = variable.removesuffix(SUFFIX)
    if name.startswith(PREFIX) and name.rpartition("__")[2] not in _TEXTS and _is_no_text(text):
        raise _wrong(variable, path, "holds what Freqtrade takes for a number, a list, true or false")
    if os.name == "posix" and status.st_mode & stat.S_IROTH:
        warnings.append(f"{path} ({variable}) can be read by every user of this machine: chmod o-r")
    if text != text.strip():
        warnings.append(f"{path} ({variable}) begins or ends with a space, which is taken as part of it")
    return text


def _is_no_text(text: str) -> bool:
    """Whether Freqtrade makes something else of it (`freqtrade.configuration.environment_vars`)."""
    if text.lower() in ("t", "true", "f", "false") or text.lstrip().startswith("["):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong(variable: str, path: Path, what: str) -> SecretFileError:
    return SecretFileError(
        f"the file {path} that {variable} names {what}",
        remedy="It holds the secret and nothing else, and is read by the user the bot runs as",
    )
