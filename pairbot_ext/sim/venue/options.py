"""What differs between one simulated venue and another, and the terms of its streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from pairbot_ext.sim.venue.terms import DAY_MS, Fees

HOUR_MS = 3_600_000
MINUTE_MS = 60_000


class StreamTerms(BaseModel):
    """How the streams live; the defaults are Binance's, where it documents them. Times by the venue's clock.

    https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams

    :param listen_key_ms: a listen key lives so long after it was made or extended.
    :param connection_ms: a connection is cut at this age; set it low to rehearse the cut at 24 hours.
    :param ping_every_ms: between two pings of the server; `pong_within_ms` until an unanswered one closes.
    :param messages_per_sec: incoming messages (pings and pongs count) above which a connection is closed.
    :param waiting_messages: so many unsent messages make a slow consumer, which is dropped. Not documented.
    :param book_every_ms: book tickers change at most so often. Binance sends each change.
    :param margin_call_ratio: maintenance over margin from which MARGIN_CALL is sent. Not documented.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen_key_ms: int = Field(default=HOUR_MS, gt=0)
    connection_ms: int = Field(default=DAY_MS, gt=0)
    ping_every_ms: int = Field(default=3 * MINUTE_MS, gt=0)
    pong_within_ms: int = Field(default=10 * MINUTE_MS, gt=0)
    messages_per_sec: int = Field(default=10, gt=0)
    streams_per_connection: int = Field(default=1024, gt=0)
    waiting_messages: int = Field(default=5000, gt=0)
    book_every_ms: int = Field(default=200, gt=0)
    margin_call_ratio: Decimal = Field(default=Decimal("0.8"), gt=0, le=1)


@dataclass(frozen=True)
class VenueOptions:
    """What differs between one simulated venue and another.

    :param deposit: quote the account starts with.
    :param refill_ms: how long an amount taken from the book stays missing.
    :param strict_client_ids: refuse any client order id ever used, not only those of open orders as Binance
        does.
    :param streams: the terms the streams start with; `Venue.stream_terms` holds those in force.
    """

    deposit: Decimal = Decimal(10_000)
    fees: Fees = field(default_factory=Fees)
    refill_ms: int = 1000
    strict_client_ids: bool = False
    streams: StreamTerms = field(default_factory=StreamTerms)
