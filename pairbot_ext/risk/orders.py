"""What people order of the risk desk: pair ids as they type them, and what they are answered."""

import re

from pairbot_ext.support.errors import PairbotError

_PAIR_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_pair_id(pair_id: str) -> None:
    """Raises PairbotError where it is none."""
    if not _PAIR_ID.fullmatch(pair_id):
        raise PairbotError(
            "this is no pair id", value=repr(pair_id[:80]), remedy="Use an id of the pairs file, e.g. AI_ALGO"
        )


def with_storage(text: str, is_stored: bool) -> str:
    """The answer to an order that holds now, whether it will hold after a restart or not."""
    if is_stored:
        return text
    return f"{text}. The database cannot be written: it holds now, and would be forgotten by a restart"
