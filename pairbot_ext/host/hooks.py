"""What the execution engine wants to be asked and told by the bot it works in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Hooks:
    """What the engine is told by the bot. Set once, before `Bridge.install`."""

    create: Callable[..., dict[str, Any]]
    """(symbol, type, side, amount, price, params): replaces the ccxt client's create_order."""
    create_dry: Callable[..., dict[str, Any]]
    """(symbol, type, side, amount, price, is_reduce, is_stop): replaces create_dry_run_order."""
    fetch: Callable[[str | None, str, Callable[[], dict[str, Any]]], dict[str, Any]]
    """Wraps the client's fetch_order."""
    cancelled: Callable[[str | None, str, Callable[[], dict[str, Any]]], dict[str, Any]]
    """Wraps the client's cancel_order."""
    is_planned: Callable[[str], bool]
    """Whether the next entry on a symbol is the engine's own: its stake was checked with both legs."""
    is_managed: Callable[[str], bool]
    """Whether a symbol belongs to an open pair trade: then the reconciler explains differences."""
    entry_done: Callable[[str], None]
    """After Freqtrade's execute_entry for a symbol, however it ended."""
    close_pair: Callable[[str, str, bool], bool]
    """(symbol, reason, whether a person wants it): Freqtrade is about to exit a whole leg. True where the
    engine closes the pair."""
    before_request: Callable[[str, str], None]
    """(path, HTTP method), before any request of a synchronous client, in the thread that sends it."""
    after_request: Callable[[Any], None]
    """The headers of an answer, in the thread that has sent the request."""
    asked_to_wait: Callable[[int, Any, str], None]
    """(HTTP status, headers, body) of an answer, whatever it says."""
    request_ended: Callable[[bool], None]
    """Whether a request got no proper answer: unreachable, overloaded, rate limit, garbage."""
    book_read: Callable[[str, Any], None]
    """(symbol, ccxt's order book), whoever asked for it."""
    before_exits: Callable[[], None]
    """Before Freqtrade looks at its open trades one by one, holding its exit lock. Must not raise."""
    best_book: Callable[[str], dict[str, Any] | None]
    """A symbol's best prices as an order book of one level, known without asking for it; None where the book
    is to be asked for."""
    loop_begins: Callable[[], None]
    """First of all in each of Freqtrade's loops. Must not raise."""
    before_startup: Callable[[], None]
    while_stopped: Callable[[], None]
