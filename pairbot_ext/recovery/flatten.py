"""Closing pair trades straight on the venue: for a bot or a database that is dead.

Only what is ours is touched: positions explained by the journal, or, where that cannot be read, by the fills
of our own client order ids that the venue remembers. Orders are reduce-only, carry ids of their own, and an
unclear one is asked for by id. Anything else on the account is listed and left alone.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import ccxt

from pairbot_ext.journal.ledger import PairStatus
from pairbot_ext.model.sizing import Leg
from pairbot_ext.model.states import ClientOrderId, Role
from pairbot_ext.orders.answers import read_answer
from pairbot_ext.orders.lanes import Lanes
from pairbot_ext.support.redact import scrub
from pairbot_ext.venue.protocol import Fill, Venue

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Item = TypeVar("Item")

FIRST_ATTEMPT = 9001
"""Ids of these orders begin here, so that they cannot be the bot's."""
UNASKED_ATTEMPTS = range(9500, 10_000)
"""Where the venue cannot be asked which ids are free, the second of the clock chooses one of these."""
READ_ATTEMPTS = 3
READ_PAUSE_SECS = 1.0
ASK_SECS = 10.0
POLL_SECS = 0.5
DAY_MS = 86_400_000


def _sleep(secs: float) -> None:
    """Looked up when it is called: tests replace time.sleep."""
    time.sleep(secs)


@dataclass(frozen=True)
class Ours:
    """A position that is ours.

    :param amount: signed, base currency: what our fills add up to.
    :param source: where that is known from.
    """

    pair_trade: str
    leg: Leg
    symbol: str
    amount: Decimal
    source: str


@dataclass(frozen=True)
class Closing:
    """One order of the plan. `amount` is positive, base currency."""

    pair_trade: str
    leg: Leg
    symbol: str
    side: str
    amount: Decimal
    source: str


@dataclass(frozen=True)
class FlattenPlan:
    """What would be sent, and what would be left.

    :param untouched: signed amounts on the account that are not explained, by symbol.
    """

    closings: tuple[Closing, ...]
    untouched: dict[str, Decimal]


def patiently(question: Callable[[], Answer], sleep: Callable[[float], None] = _sleep) -> Answer:
    """What `question` answers, asked READ_ATTEMPTS times. Raises its last ccxt.BaseError."""
    for _ in range(READ_ATTEMPTS - 1):
        try:
            return question()
        except ccxt.BaseError:
            sleep(READ_PAUSE_SECS)
    return question()


def ours_from_journal(
    venue: Venue,
    client: Any,
    pairs: Iterable[PairStatus],
    now_ms: int,
    *,
    unread: Callable[[str, Exception], None] | None = None,
) -> list[Ours]:
    """What the journal says is open, brought up to date by the venue: orders with our ids that the journal
    has not settled (a crash), or does not know (an earlier flatten), count as the venue says.

    :param unread: told of a symbol whose orders cannot be read; then the journal alone counts. Without it
        the error is raised.
    """
    found: list[Ours] = []
    for pair in pairs:
        settled = {order.client_id for order in pair.orders if order.status.is_settled}
        for leg in pair.legs:
            amount = leg.held if leg.side == "long" else -leg.held
            source = "the journal"
            try:
                fills = _our_fills(venue, client, leg.symbol, now_ms)
            except ccxt.BaseError as error:
                if unread is None:
                    raise
                unread(leg.symbol, error)
                fills, source = [], "the journal alone, the venue's order history cannot be read"
            for fill in fills:
                parsed = ClientOrderId.parse(fill.client_id)
                if parsed is None or parsed.pair_trade != pair.trade.id or fill.client_id in settled:
                    continue
                amount += fill.amount
            if amount:
                found.append(Ours(pair.trade.id, leg.leg, leg.symbol, amount, source))
    return found


def ours_from_venue(
    venue: Venue,
    client: Any,
    symbols: Iterable[str],
    now_ms: int,
    *,
    unread: Callable[[str, Exception], None] | None = None,
) -> list[Ours]:
    """What the fills of our client order ids add up to, from the venue's order history (weight 5 each).

    A pair trade older than the venue's history cannot be explained this way.

    :param unread: told of a symbol whose orders cannot be read; it is left out then. Without it the error is
        raised.
    """
    found: list[Ours] = []
    for symbol in symbols:
        sums: dict[tuple[str, Leg], Decimal] = {}
        try:
            fills = _our_fills(venue, client, symbol, now_ms)
        except ccxt.BaseError as error:
            if unread is None:
                raise
            unread(symbol, error)
            continue
        for fill in fills:
            parsed = ClientOrderId.parse(fill.client_id)
            if parsed is not None:
                key = (parsed.pair_trade, parsed.leg)
                sums[key] = sums.get(key, Decimal(0)) + fill.amount
        found += [
            Ours(pair_trade, leg, symbol, amount, "the venue's order history")
            for (pair_trade, leg), amount in sums.items()
            if amount
        ]
    return found


def _our_fills(venue: Venue, client: Any, symbol: str, now_ms: int) -> list[Fill]:
    """Of the symbol's orders, as far back as the venue tells."""
    return venue.fills(client, symbol, now_ms - venue.orders.history_days * DAY_MS + 60_000)


def plan_flatten(positions: dict[str, Decimal], ours: Iterable[Ours], only: str | None = None) -> FlattenPlan:
    """Which orders close what is ours: never more than the position, never against its direction.

    :param positions: signed, by symbol.
    :param only: one pair trade's id; None for all.
    """
    left = dict(positions)
    closings: list[Closing] = []
    for each in ours:
        position = left.get(each.symbol, Decimal(0))
        if position * each.amount <= 0:
            continue
        amount = min(abs(position), abs(each.amount))
        left[each.symbol] = position - amount * (1 if position > 0 else -1)
        if only in (None, each.pair_trade):
            closings.append(
                Closing(
                    each.pair_trade,
                    each.leg,
                    each.symbol,
                    "sell" if position > 0 else "buy",
                    amount,
                    each.source,
                )
            )
    untouched = {symbol: amount for symbol, amount in left.items() if amount}
    return FlattenPlan(tuple(closings), untouched)


def attempt_each(
    groups: Sequence[Sequence[Item]],
    act: Callable[[Sequence[Item]], Iterable[tuple[Item, str]]],
    tell: Callable[[Item, str], None],
) -> bool:
    """Have `act` try every group, whatever becomes of the others, and tell each outcome as it comes.

    :return: False where a person has interrupted it (Ctrl+C): then the rest is told as not tried.
    """
    for number, group in enumerate(groups):
        left = list(group)
        try:
            for item, outcome in act(group):
                left.remove(item)
                tell(item, outcome)
        except KeyboardInterrupt:
            for item in left:
                tell(item, "UNKNOWN: interrupted while it was being closed; look at the position")
            for rest in chain(*groups[number + 1 :]):
                tell(rest, "not tried: interrupted")
            return False
        except Exception as error:  # noqa: BLE001 - the next one has its turn
            for item in left:
                tell(item, f"FAILED: {type(error).__name__}: {error}")
    return True


def by_pair_trade(closings: Iterable[Closing]) -> list[list[Closing]]:
    """The legs of each pair trade."""
    groups: dict[str, list[Closing]] = {}
    for closing in closings:
        groups.setdefault(closing.pair_trade, []).append(closing)
    return list(groups.values())


def close_together(
    venue: Venue,
    client: Any,
    closings: Sequence[Closing],
    lanes: Lanes,
    *,
    sleep: Callable[[float], None] = _sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Closing, str]]:
    """Close the legs of a pair trade: which ids are free is asked first, then the orders leave at once.
    Yields what happened to each, as it is known.

    :param client: asks; the orders leave on connections of `lanes`.
    """
    works = [
        partial(
            close_on_venue,
            venue,
            closing=closing,
            attempt=_free_attempt(venue, client, closing, sleep, clock),
            sleep=sleep,
            clock=clock,
        )
        for closing in closings
    ]
    for number, outcome in lanes.run(works):
        is_error = isinstance(outcome, Exception)
        yield closings[number], f"FAILED: {type(outcome).__name__}: {outcome}" if is_error else str(outcome)


def close_on_venue(
    venue: Venue,
    client: Any,
    closing: Closing,
    attempt: int,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> str:
    """Send one reduce-only market order, or find out what became of it. Returns what happened, with numbers.

    :param attempt: numbers its id.
    """
    client_id = str(ClientOrderId(closing.pair_trade, closing.leg, Role.UNWIND, attempt))
    params = venue.order_params(client_id, is_ioc=False, reduce_only=True)
    answer = None
    try:
        order = client.create_order(
            closing.symbol, "market", closing.side, float(closing.amount), None, params
        )
        answer = read_answer(order)
    except ccxt.BaseError as error:
        if venue.refusal_of(error) is not None:
            return f"refused: {error}"
    except Exception as error:  # noqa: BLE001 - ccxt stumbles over an empty answer; the order may be live
        answer = None
        logger.warning(scrub(f"{client_id}: {type(error).__name__}: {error}"))
    deadline = clock() + ASK_SECS
    while answer is None and clock() < deadline:
        sleep(POLL_SECS)
        try:
            answer = read_answer(_ask(venue, client, closing, client_id))
        except Exception as error:  # noqa: BLE001 - no answer yet, whatever it is
            logger.debug(scrub(f"{client_id}: {type(error).__name__}: {error}"))
    if answer is None:
        return f"UNKNOWN: {client_id} was sent and is not answered for; look at the position before repeating"
    return f"{answer.status}: {answer.filled} of {closing.amount} at {answer.average} ({client_id})"


def _free_attempt(
    venue: Venue,
    client: Any,
    closing: Closing,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> int:
    """An id that was used before is not used again. Where that cannot be asked the order goes out all the
    same."""
    attempt = FIRST_ATTEMPT
    try:
        while patiently(partial(_known, venue, client, closing, attempt), sleep):
            attempt += 1
    except Exception as error:  # noqa: BLE001 - what cannot be asked must not keep a position open
        attempt = UNASKED_ATTEMPTS[int(clock()) % len(UNASKED_ATTEMPTS)]
        text = f"The ids used for {closing.symbol} cannot be asked for, {attempt} is used: {error}"
        logger.warning(scrub(text))
    return attempt


def _known(venue: Venue, client: Any, closing: Closing, attempt: int) -> bool:
    client_id = str(ClientOrderId(closing.pair_trade, closing.leg, Role.UNWIND, attempt))
    try:
        _ask(venue, client, closing, client_id)
    except ccxt.OrderNotFound:
        return False
    return True


def _ask(venue: Venue, client: Any, closing: Closing, client_id: str) -> dict[str, Any]:
    order: dict[str, Any] = client.fetch_order(None, closing.symbol, venue.id_params(client_id))
    return order
