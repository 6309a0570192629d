"""Fixtures of the control tests: a real bot, Freqtrade's own Telegram module and API server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from control_world import control_rig, kept_logging
from harness import Rig
from telegram.ext import Application, ApplicationBuilder

from pairbot_ext.sim.telegram_api import FakeTelegram


@pytest.fixture(autouse=True)
def _logging_stays() -> Iterator[None]:
    with kept_logging():
        yield


_real_sleep = asyncio.sleep


async def _sleep(delay: float, result: Any = None) -> Any:
    """Freqtrade's Telegram thread looks every 10 s whether it should end; every test would wait for that."""
    return await _real_sleep(min(delay, 0.05), result)


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTelegram]:
    """A Bot API; the Telegram module of every bot built in this test finds it there."""
    with FakeTelegram() as fake:

        def builder() -> Any:
            return ApplicationBuilder().base_url(f"{fake.url}/bot").base_file_url(f"{fake.url}/file/bot")

        # python-telegram-bot's own setting; Freqtrade has none for it.
        monkeypatch.setattr(Application, "builder", staticmethod(builder))
        monkeypatch.setattr(asyncio, "sleep", _sleep)
        yield fake


@pytest.fixture
def make_bot(tmp_path: Path, chat: FakeTelegram) -> Iterator[Callable[..., Rig]]:
    """A bot with PairsArb; keyword arguments are top-level keys of the configuration. It ends before the
    chat does."""
    with ExitStack() as stack:
        yield lambda **config: stack.enter_context(control_rig(tmp_path, **config))
