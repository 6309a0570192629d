"""Freqtrade's pause between two loops, as a wait for a bell: what is urgent does not sleep it out.

The worker above a bot sleeps in a method of its own. It is replaced on that one worker, only while this bot
runs under it, and put back with the bot: the worker outlives /reload_config. Nothing of the loop's rhythm
changes: what is woken for is done in the middle of the pause, and the pause goes on.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable
from types import FrameType

from freqtrade.worker import Worker

logger = logging.getLogger(__name__)

SLEEP = "_sleep"
_MOST_FRAMES = 6


class Wake:
    """See the module.

    :param bell: rung from any thread.
    :param work: done in the trading thread for each ring. Must not raise what should end the bot.
    """

    def __init__(self, bell: threading.Event, work: Callable[[], None]) -> None:
        self._bell = bell
        self._work = work
        self._worker: Worker | None = None

    def attend(self) -> None:
        """Called by the bot's loop: its worker, if there is one above, sleeps here from now on."""
        if self._worker is None:
            self._worker = _worker_above(inspect.currentframe())
            if self._worker is not None:
                setattr(self._worker, SLEEP, self.sleep)

    def release(self) -> None:
        """The bot ends."""
        if self._worker is not None:
            vars(self._worker).pop(SLEEP, None)
            self._worker = None

    def sleep(self, secs: float) -> None:
        """In place of the worker's own."""
        end = time.monotonic() + secs
        while (left := end - time.monotonic()) > 0:
            if not self._bell.wait(left):
                return
            self._bell.clear()
            try:
                self._work()
            except Exception:
                logger.exception("What the streams have said could not be dealt with, the next loop reads it")


def _worker_above(frame: FrameType | None) -> Worker | None:
    """Freqtrade gives its bot no way to its worker, but is called by it."""
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return None
        caller = frame.f_locals.get("self")
        if isinstance(caller, Worker):
            return caller
        frame = frame.f_back
    return None
