"""What is replaced on one bot's ccxt client, and its dry-run: every order passes the engine (I1).

Only instances are changed: nothing global, nothing that survives /reload_config.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import ccxt
from freqtrade.exceptions import InsufficientFundsError, InvalidOrderException, TemporaryError

from pairbot_ext.host.hooks import Hooks

if TYPE_CHECKING:
    from pairbot_ext.host.bridge import Bridge

logger = logging.getLogger(__name__)


def route_orders(bridge: Bridge, hooks: Hooks) -> None:
    """Creating, asking for and cancelling orders goes through the engine."""
    fetch, cancel = bridge.originals["fetch_order"], bridge.originals["cancel_order"]

    def create_order(
        symbol: str, type: str, side: str, amount: float, price: Any = None, params: Any = None
    ) -> dict[str, Any]:
        return hooks.create(symbol, type, side, amount, price, params or {})

    def fetch_order(id: str | None, symbol: str | None = None, params: Any = None) -> dict[str, Any]:
        return hooks.fetch(id, symbol or "", lambda: fetch(id, symbol, params or {}))

    def cancel_order(id: str | None, symbol: str | None = None, params: Any = None) -> dict[str, Any]:
        return hooks.cancelled(id, symbol or "", lambda: cancel(id, symbol, params or {}))

    bridge.api.create_order, bridge.api.fetch_order, bridge.api.cancel_order = (
        create_order,
        fetch_order,
        cancel_order,
    )


def accept_margin_mode(client: Any) -> None:
    """A margin mode that is set already is as good as one just set. Newer ccxt says so by an exception, which
    Freqtrade 2026.6 takes for a failed entry."""
    set_mode = client.set_margin_mode

    def set_margin_mode(*args: Any, **kwargs: Any) -> Any:
        try:
            return set_mode(*args, **kwargs)
        except ccxt.MarginModeAlreadySet as error:
            return {"info": str(error)}

    client.set_margin_mode = set_margin_mode


def count_requests(client: Any, hooks: Hooks) -> None:
    """Every request is announced and its answer heard; one refused for its time is sent once more."""
    fetch2 = client.fetch2

    def counted(path: str, *args: Any, **kwargs: Any) -> Any:
        method = kwargs.get("method") or (args[1] if len(args) > 1 else "GET")
        hooks.before_request(path, method)
        try:
            answer = fetch2(path, *args, **kwargs)
        except ccxt.OperationFailed:
            hooks.request_ended(True)
            raise
        hooks.request_ended(False)
        return answer

    def request(path: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return counted(path, *args, **kwargs)
        except ccxt.InvalidNonce:
            # Refused unread, so it may be sent again. Orders have a short arrival window: with a clock
            # three seconds off every exit would be refused while questions are still answered.
            if path == "time" or not _follow_venue_clock(client):
                raise
        return counted(path, *args, **kwargs)

    heard = client.on_rest_response

    def on_rest_response(
        code: int, reason: str, url: str, method: str, response_headers: Any, *rest: Any
    ) -> Any:
        # Called for every answer and for no timeout: `last_response_headers` would then still be those
        # of an earlier answer.
        hooks.after_request(response_headers)
        hooks.asked_to_wait(code, response_headers, str(rest[0]) if rest else "")
        return heard(code, reason, url, method, response_headers, *rest)

    client.fetch2 = request
    client.on_rest_response = on_rest_response
    # In place of ccxt's pause before every request, whose costs are not the venue's weights.
    client.throttle = lambda _cost=None: None


def _follow_venue_clock(client: Any) -> bool:
    """Have the client stamp its requests with the venue's time. Returns whether it could be read."""
    try:
        ahead_ms = int(client.load_time_difference())
    except Exception as error:  # noqa: BLE001 - ccxt stumbles over an empty answer with a TypeError
        logger.error(f"The venue refuses this machine's clock, and its own cannot be read: {error}")
        return False
    logger.error(
        f"A request was refused for its time: this clock is {ahead_ms} ms ahead of the venue's. "
        "Requests carry the venue's time from now on; set the clock"
    )
    return True


def rehearse_orders(bridge: Bridge, hooks: Hooks) -> None:
    """Freqtrade's dry-run orders go through the engine as the live ones do."""

    def create_dry_run_order(
        pair: str, ordertype: str, side: str, amount: float, rate: float, *_: Any, **options: Any
    ) -> dict[str, Any]:
        trade = bridge.open_trade(pair)
        is_reduce = trade is not None and trade.exit_side == side
        is_stop = bool(options.get("stop_loss"))
        try:
            return hooks.create_dry(pair, ordertype, side, amount, rate, is_reduce, is_stop)
        # As Exchange.create_order maps them; its dry-run branch lies outside its own try block.
        except ccxt.InsufficientFunds as error:
            raise InsufficientFundsError(str(error)) from error
        except ccxt.InvalidOrder as error:
            raise InvalidOrderException(str(error)) from error
        except ccxt.BaseError as error:
            raise TemporaryError(str(error)) from error

    cast(Any, bridge.exchange).create_dry_run_order = create_dry_run_order
