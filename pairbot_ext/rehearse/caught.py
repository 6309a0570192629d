"""Exceptions that were caught, logged and gone on from, by Freqtrade around a callback or a last net of ours.

What the venue, the database and the disk do wrong is what a rehearsal is for. Anything else is a fault in the
code, and a bot that goes on hides it: half of a loop is left out, and its pairs may still end flat.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ccxt
from freqtrade.exceptions import FreqtradeException
from sqlalchemy.exc import SQLAlchemyError

from pairbot_ext.support.errors import PairbotError

OF_THE_WORLD = (ccxt.BaseError, FreqtradeException, SQLAlchemyError, OSError, PairbotError)
"""What a scenario makes happen, or a refusal in words."""
CCXT = Path(ccxt.__file__).parent
METHODS = {"exception": True, "error": False, "warning": False}
"""Of a logger, and whether it tells of the exception where `exc_info` is not named."""


@contextmanager
def caught(found: list[str]) -> Generator[None]:
    """Each such fault is added to `found`, once: its kind, its text and where it was raised.

    The methods of `logging.Logger` themselves are wrapped: a rehearsal switches logging off, and every start
    of Freqtrade's sets the handlers anew.
    """

    def note() -> None:
        error = sys.exception()
        if error is not None and not _is_of_the_world(error):
            text = f"caught and only logged: {_described(error)}"
            if text not in found:
                found.append(text)

    with ExitStack() as stack:
        for name, is_told in METHODS.items():
            before = getattr(logging.Logger, name)
            setattr(logging.Logger, name, _noting(before, note, is_told=is_told))
            stack.callback(partial(setattr, logging.Logger, name, before))
        yield


def _is_of_the_world(error: BaseException) -> bool:
    """An answer that is none may also end as anything in ccxt's own reading of it."""
    frames = traceback.extract_tb(error.__traceback__)
    is_ccxt = bool(frames) and CCXT in Path(frames[-1].filename).parents
    return is_ccxt or isinstance(error, OF_THE_WORLD)


def _noting(log: Callable[..., None], note: Callable[[], None], *, is_told: bool) -> Callable[..., None]:
    def noting(logger: logging.Logger, message: object, *args: object, **options: Any) -> None:
        if options.get("exc_info", is_told):
            note()
        log(logger, message, *args, **{**options, "stacklevel": options.get("stacklevel", 1) + 1})

    return noting


def _described(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
