"""What the tests of this room share."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator

import pytest
from control_world import api_block, control_rig
from deployed_bot import DeployedBot
from freqtrade.rpc.api_server import ApiServer


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedBot]:
    """A bot with two pairs open. Whoever changes it takes another."""
    root, factory = logging.getLogger(), logging.getLogRecordFactory()
    handlers, level = list(root.handlers), root.level
    block = api_block()
    with control_rig(tmp_path_factory.mktemp("deployed"), api_server=block) as rig:
        rig.bot.process()
        assert rig.states() == ["HEDGED", "HEDGED"]
        yield DeployedBot(rig, block)
        ApiServer.shutdown()
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.setLogRecordFactory(factory)


@pytest.fixture
def unused_port() -> Callable[[], int]:
    """A port of this machine on which nothing listens."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find
