"""What a claim is, and those that only read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import ccxt

from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, Role
from pairbot_ext.prove.stage import Stage
from pairbot_ext.support.redact import scrub, without_secrets
from pairbot_ext.venue.streams import HasStreams

CODE = re.compile(r'"code"\s*:\s*(-?\d+)')
MOST_ERROR_CHARS = 160


class NotShownError(Exception):
    """The venue's present state does not let a claim be shown: nothing is wrong, and nothing proved."""


@dataclass
class Said:
    """What one side has answered to a claim.

    :param facts: compared between the simulation and the venue: words, never amounts of money.
    :param measured: shown beside them, and different by nature: times, prices' widths.
    """

    facts: dict[str, str] = field(default_factory=dict)
    measured: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """For people."""
        return ", ".join(f"{name}: {value}" for name, value in self.facts.items()) or "-"


@dataclass(frozen=True)
class Claim:
    """One thing the engine relies on.

    :param reads_only: neither orders nor settings are touched.
    """

    name: str
    sentence: str
    ask: Callable[[Stage], Said]
    reads_only: bool = False


def error_text(error: BaseException) -> str:
    """ccxt's class and the venue's code; the whole text where there is none, without secrets."""
    code = CODE.search(str(error))
    if code is not None:
        return f"{type(error).__name__} {code[1]}"
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return without_secrets(scrub(text))[:MOST_ERROR_CHARS]


def refusal_of(ask: Callable[[], object]) -> str:
    """What a question is refused with, or "taken"."""
    try:
        ask()
    except ccxt.BaseError as error:
        return error_text(error)
    return "taken"


def _clock(stage: Stage) -> Said:
    said, round_trips = Said(), []
    for _ in range(3):
        started = time.monotonic()
        venue_ms, now_ms = stage.port.venue_ms(), stage.clock.now_ms()
        round_trips.append((time.monotonic() - started) * 1000)
    ahead_ms = now_ms - round_trips[-1] / 2 - venue_ms
    said.facts["off by"] = (
        "less than 1 s" if abs(ahead_ms) < stage.venue.most_clock_skew_ms else "more than 1 s"
    )
    said.measured |= {"this clock is ahead": f"{ahead_ms:.0f} ms", "round trip": f"{min(round_trips):.1f} ms"}
    return said


def _limits(stage: Stage) -> Said:
    return Said({"limits": stage.venue.read_limits(stage.client).text})


def _legs(stage: Stage) -> Said:
    said = Said()
    for leg in Leg:
        symbol = stage.symbol(leg)
        market = stage.client.market(symbol)
        tick, step = market["precision"]["price"], market["precision"]["amount"]
        said.facts[symbol] = (
            f"{'trading' if market['active'] else 'not trading'}, tick {tick:g}, step {step:g}, "
            f"least {stage.least_notional(symbol):g}"
        )
    return said


def _account(stage: Stage) -> Said:
    settings = stage.venue.account_settings(stage.client)
    named = [symbol for symbol in stage.legs if symbol in settings.symbols]
    return Said(
        {
            "may trade": _yes(settings.may_trade),
            "one-way": _yes(settings.is_one_way),
            "single asset": _yes(settings.is_single_asset),
            "both legs named": _yes(len(named) == len(stage.legs)),
        }
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _balance(stage: Stage) -> Said:
    settle = str(stage.client.market(stage.legs[0])["settle"])
    row = stage.client.fetch_balance().get(settle, {})
    return Said({settle: "something" if (row.get("free") or 0.0) > 0 else "nothing"})


def _unknown_id(stage: Stage) -> Said:
    never = str(ClientOrderId(stage.intents.new_id(), Leg.A, Role.ENTRY, 1))
    params = stage.venue.id_params(never)
    return Said({"answer": refusal_of(lambda: stage.client.fetch_order(None, stage.legs[0], params))})


def _books(stage: Stage) -> Said:
    said = Said()
    assert isinstance(stage.venue, HasStreams)
    best = stage.venue.best_prices(stage.client, stage.clock.now_ms())
    for symbol in stage.legs:
        quote = stage.quote(symbol)
        listed = symbol in best and best[symbol].is_sound
        said.facts[symbol] = "two sides, listed" if listed and 0 < quote.bid < quote.ask else "not sound"
        said.measured[f"{symbol} spread"] = f"{(quote.ask / quote.bid - 1) * 10_000:.1f} bp"
    return said


def _funding(stage: Stage) -> Said:
    said, reader = Said(), stage.venue.funding_reader(stage.client, stage.clock)
    for symbol in stage.legs:
        found = reader.read(symbol)
        left_hours = (found.next_ms - stage.clock.now_ms()) / 3_600_000
        said.facts[symbol] = (
            "a rate, due within its interval" if left_hours <= found.interval_hours else "not due"
        )
        said.measured[f"{symbol} interval"] = f"{found.interval_hours:g} h"
    return said


def _weights(stage: Stage) -> Said:
    """What the venue counts for questions of which the engine has written down the weight."""
    said, client = Said(), stage.client
    questions: dict[str, Callable[[], object]] = {
        "positions": lambda: stage.venue.positions(client),
        "balance": client.fetch_balance,
        "book": lambda: client.fetch_order_book(stage.legs[0], 5),
    }
    for name, ask in questions.items():
        client.fetch_time()
        before = stage.venue.used_weight(client.last_response_headers)
        ask()
        after = stage.venue.used_weight(client.last_response_headers)
        if before is None or after is None or after <= before:
            raise NotShownError("the venue tells no weights, or a new minute has begun")
        said.facts[name] = f"weight {after - before}"
    return said


def nothing_held(stage: Stage) -> Said:
    """Neither positions nor orders on the two legs."""
    held, resting = stage.held(), stage.resting()
    return Said({"positions": "none" if not held else "some", "orders": "none" if not resting else "some"})


READING = (
    Claim("clock", "This clock and the venue's are close enough for signed requests", _clock, True),
    Claim("limits", "The venue says its limits of weight and orders", _limits, True),
    Claim("legs", "Both legs trade, and their tick, step and least notional are named", _legs, True),
    Claim(
        "account",
        "The account's modes, and both legs' settings, can be read without a position",
        _account,
        True,
    ),
    Claim("balance", "The balance names the stake currency", _balance, True),
    Claim("unknown id", "A client order id that was never used is not found", _unknown_id, True),
    Claim("books", "Both books have two sides, and best prices come in one question", _books, True),
    Claim("funding", "Predicted funding and its next settlement are named", _funding, True),
    Claim("weights", "The venue counts what the engine expects a question to cost", _weights, True),
    Claim("at rest", "Neither positions nor orders on the two legs", nothing_held, True),
)
