"""Streams against answers: one order, heard of and asked for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pairbot_ext.model.heard import BestPrices, Heard, OrderUpdate, Topic
from pairbot_ext.model.records import OrderRecord
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import Role
from pairbot_ext.orders.answers import read_answer
from pairbot_ext.prove.claims import NotShownError, Said
from pairbot_ext.prove.stage import Stage
from pairbot_ext.venue.binance.sites import client_settings
from pairbot_ext.venue.streams import HasStreams, LostError

logger = logging.getLogger(__name__)

CONNECT_SECS = 20.0
HEAR_SECS = 10.0
_LOOK_SECS = 0.02


def heard_and_asked(stage: Stage) -> Said:
    """See the module."""
    return asyncio.run(_listen(stage))


async def _listen(stage: Stage) -> Said:
    venue = stage.venue
    assert isinstance(venue, HasStreams)
    settings = client_settings(stage.site) | {"verify": stage.client.verify}
    streams = venue.streams({"exchange": {"ccxt_config": settings}}, stage.client)
    # What ccxt has begun by itself ends with its connection, and nobody waits for it.
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logger.debug(str(context)))
    heard: list[Heard] = []
    connections = [
        streams.connect(topic, stage.legs, heard.append, stage.clock)
        for topic in (Topic.ACCOUNT, Topic.BOOKS)
    ]
    tasks = [asyncio.create_task(connection.listen()) for connection in connections]
    try:
        await _until(lambda: all(each.is_listening for each in connections) or _over(tasks), CONNECT_SECS)
        if _over(tasks) or not all(each.is_listening for each in connections):
            raise NotShownError(f"the streams did not come up: {_why(tasks)}")
        order = await asyncio.to_thread(_one_order, stage)
        answered_ms = stage.clock.now_ms()

        def updates() -> list[OrderUpdate]:
            return [
                each
                for each in heard
                if isinstance(each, OrderUpdate) and each.client_id == order.client_id and each.is_final
            ]

        def priced() -> set[str]:
            return {each.symbol for each in heard if isinstance(each, BestPrices) and each.is_sound}

        await _until(lambda: bool(updates()) and priced() == set(stage.legs), HEAR_SECS)
        return _said(order, updates(), priced(), stage, answered_ms)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in connections:
            await connection.close()


def _one_order(stage: Stage) -> OrderRecord:
    """One that finds no price: it costs nothing, and ends at once."""
    trade = stage.pair_trade()
    order = stage.send(stage.intent(trade, Leg.A, Role.ENTRY, price=stage.price_below(stage.legs[0])))
    stage.finished(trade)
    return order


def _said(
    order: OrderRecord, updates: list[OrderUpdate], priced: set[str], stage: Stage, answered_ms: int
) -> Said:
    said = Said({"best prices": "both legs" if priced == set(stage.legs) else f"{len(priced)} of 2 legs"})
    final = read_answer(updates[0].order) if updates else None
    if final is None:
        said.facts["the order"] = "not told"
        return said
    is_same = (final.order_id, final.status, final.filled) == (
        order.order_id,
        order.status,
        Decimal(order.filled),
    )
    said.facts["the order"] = "told as answered" if is_same else "told differently"
    said.measured["told before the answer was recorded"] = f"{answered_ms - updates[0].arrived_ms} ms"
    return said


def _over(tasks: list[asyncio.Task[Any]]) -> bool:
    return any(task.done() for task in tasks)


def _why(tasks: list[asyncio.Task[Any]]) -> str:
    for task in tasks:
        if task.done() and not task.cancelled():
            error = task.exception()
            if isinstance(error, LostError):
                return str(error)[:120]
    return "nothing was confirmed"


async def _until(is_so: Callable[[], bool], secs: float) -> None:
    deadline = time.monotonic() + secs
    while not is_so() and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECS)
