"""What a test, a fault or the control API can make happen at the venue besides the bot's own requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pairbot_ext.sim.venue.errors import VenueError
from pairbot_ext.sim.venue.orders import Order, OrderRequest, OrderType, Side
from pairbot_ext.sim.venue.positions import MarginType
from pairbot_ext.sim.venue.venue import Venue
from pairbot_ext.support.errors import PairbotError

# The client order ids Binance's own pages send; they tell such orders from the bot's in the venue's log.
HAND_MADE_PREFIX = "web_"


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClosePosition(_Action):
    """Close a position by hand at market. `symbol` defaults to the one of the request that set this off."""

    do: Literal["close_position"] = "close_position"
    symbol: str | None = None
    fraction: Decimal = Field(default=Decimal(1), gt=0, le=1)

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Send the closing order of a user at the website."""
        name = _symbol(self.symbol, symbol, self.do)
        position, spec = venue.account.position(name), venue.engine.spec(name)
        amount = abs(position.amount) * self.fraction // spec.amount_step * spec.amount_step
        if amount:
            side = Side.SELL if position.amount > 0 else Side.BUY
            venue.engine.place(_by_hand(venue, name, side, amount, reduce_only=True))


class OpenPosition(_Action):
    """A position that is not the bot's: a market order by hand. `amount` in base."""

    do: Literal["open_position"] = "open_position"
    symbol: str | None = None
    side: Side
    amount: Decimal = Field(gt=0)

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Send the order of a user at the website."""
        name = _symbol(self.symbol, symbol, self.do)
        venue.engine.place(_by_hand(venue, name, self.side, self.amount, reduce_only=False))


class RestingOrder(_Action):
    """An open order that is not the bot's: a GTC limit order by hand. `amount` in base, `price` in quote."""

    do: Literal["resting_order"] = "resting_order"
    symbol: str | None = None
    side: Side
    amount: Decimal = Field(gt=0)
    price: Decimal = Field(gt=0)

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Send the order of a user at the website."""
        name = _symbol(self.symbol, symbol, self.do)
        request = _by_hand(venue, name, self.side, self.amount, reduce_only=False, price=self.price)
        venue.engine.place(request)


class FillOrders(_Action):
    """Execute open orders of a symbol now; with `amount` (base) at most so much of each."""

    do: Literal["fill_orders"] = "fill_orders"
    symbol: str | None = None
    client_order_id: str | None = None
    amount: Decimal | None = Field(default=None, gt=0)

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Execute against the book."""
        for order in _open(venue, _symbol(self.symbol, symbol, self.do), self.client_order_id):
            venue.engine.fill_open(order, self.amount)


class CancelOrders(_Action):
    """Cancel open orders of a symbol, as a user at the website or the venue itself would."""

    do: Literal["cancel_orders"] = "cancel_orders"
    symbol: str | None = None
    client_order_id: str | None = None

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Cancel them."""
        for order in _open(venue, _symbol(self.symbol, symbol, self.do), self.client_order_id):
            venue.engine.cancel(order)


class Liquidate(_Action):
    """Liquidate a position whatever its margin; with `adl` it is auto-deleveraged, which costs no fee."""

    do: Literal["liquidate"] = "liquidate"
    symbol: str | None = None
    adl: bool = False

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Take the position over."""
        position = venue.account.position(_symbol(self.symbol, symbol, self.do))
        if position.amount:
            venue.timeline.liquidate(position, deleveraged=self.adl)


class SymbolStatus(_Action):
    """Halt or resume a symbol: TRADING, PENDING_TRADING, PRE_SETTLE, SETTLING, CLOSE."""

    do: Literal["symbol_status"] = "symbol_status"
    symbol: str | None = None
    status: str

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Set it."""
        venue.engine.statuses[_symbol(self.symbol, symbol, self.do)] = self.status


class Transfer(_Action):
    """Move quote into (or, negative, out of) the account."""

    do: Literal["transfer"] = "transfer"
    amount: Decimal

    def apply(self, venue: Venue, symbol: str | None) -> None:  # noqa: ARG002 (one signature for all actions)
        """Book it."""
        venue.transfer(self.amount)


class MoveMargin(_Action):
    """Add quote to an isolated position's margin, or, negative, take it out, by hand."""

    do: Literal["move_margin"] = "move_margin"
    symbol: str | None = None
    amount: Decimal

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Move it."""
        venue.add_margin(_symbol(self.symbol, symbol, self.do), self.amount)


class EndListenKey(_Action):
    """End the listen key: `told` with its event, as when nobody extended it; else without a word."""

    do: Literal["end_listen_key"] = "end_listen_key"
    told: bool = True

    def apply(self, venue: Venue, symbol: str | None) -> None:  # noqa: ARG002 (one signature for all actions)
        """End it."""
        keys = venue.listen_keys
        if self.told:
            keys.expire(keys.until_ms)
        else:
            keys.forget()


class AccountMode(_Action):
    """Set what the bot cannot trade with: hedge mode, multi-assets margin, an account that may not trade, one
    whose margin is held in BNFCR."""

    do: Literal["account_mode"] = "account_mode"
    dual_side: bool = False
    multi_assets: bool = False
    can_trade: bool = True
    credit: Decimal = Decimal(0)

    def apply(self, venue: Venue, symbol: str | None) -> None:  # noqa: ARG002 (one signature for all actions)
        """Set them all."""
        if venue.account.multi_assets is not self.multi_assets:
            venue.set_multi_assets(self.multi_assets)
        venue.account.dual_side = self.dual_side
        venue.account.can_trade, venue.account.credit = self.can_trade, self.credit


class SymbolSettings(_Action):
    """Change leverage or margin type behind the bot's back. The margin type only of a flat symbol."""

    do: Literal["symbol_settings"] = "symbol_settings"
    symbol: str | None = None
    leverage: int | None = Field(default=None, ge=1, le=125)
    margin_type: MarginType | None = None

    def apply(self, venue: Venue, symbol: str | None) -> None:
        """Set what is given."""
        name = _symbol(self.symbol, symbol, self.do)
        if self.leverage is not None:
            venue.set_leverage(name, self.leverage)
        if self.margin_type is not None:
            venue.set_margin_type(name, self.margin_type)


class AdvanceTime(_Action):
    """Set the venue's clock ahead by `ms` more."""

    do: Literal["advance_time"] = "advance_time"
    ms: int = Field(ge=0)

    def apply(self, venue: Venue, symbol: str | None) -> None:  # noqa: ARG002 (one signature for all actions)
        """Move it; what falls due happens at the next look."""
        venue.clock.advance(self.ms)


Action = Annotated[
    ClosePosition | OpenPosition | RestingOrder | FillOrders | CancelOrders | Liquidate | SymbolStatus |
    Transfer | MoveMargin | AccountMode | SymbolSettings | EndListenKey | AdvanceTime,
    Field(discriminator="do"),
]  # fmt: skip


def _symbol(own: str | None, of_request: str | None, do: str) -> str:
    name = own or of_request
    if name is None:
        raise PairbotError(f"The action {do} needs a symbol", remedy='Add "symbol": "ADAUSDT" to it')
    return name


def _open(venue: Venue, symbol: str, client_order_id: str | None) -> list[Order]:
    return [
        order
        for order in venue.engine.orders_open_on(symbol)
        if client_order_id in (None, order.request.client_order_id)
    ]


def _by_hand(
    venue: Venue, symbol: str, side: Side, amount: Decimal, *, reduce_only: bool, price: Decimal | None = None
) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        amount=amount,
        client_order_id=f"{HAND_MADE_PREFIX}{len(venue.engine.orders):020d}",
        price=price,
        reduce_only=reduce_only,
    )


def apply(action: Action, venue: Venue, symbol: str | None = None) -> VenueError | None:
    """Make it happen; returns the venue's refusal, if any: a disaster may come too late to matter."""
    try:
        action.apply(venue, symbol)
    except VenueError as refusal:
        return refusal
    return None
