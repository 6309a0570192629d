"""What a venue must promise before orders are sent to it; Binance is the first that does (`binance`).

Another exchange is a second implementation beside `binance/` and a dialect in `sim/`; nothing else changes.
What the engine's safety rests on is said at each member: where a venue cannot promise it, it may be
backtested and rehearsed, not traded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from pairbot_ext.model.findings import Funding
from pairbot_ext.model.states import Refusal
from pairbot_ext.support.clock import Clock


@dataclass(frozen=True)
class Position:
    """One position.

    :param amount: signed, base currency.
    :param liquidation_price: None where the venue names none.
    :param mark_price: the venue's own valuation; None where it names none.
    """

    amount: Decimal
    liquidation_price: float | None
    mark_price: float | None = None


@dataclass(frozen=True)
class Fill:
    """What one order on the account has filled.

    :param amount: signed, base currency: positive is bought.
    """

    client_id: str
    amount: Decimal


@dataclass(frozen=True)
class SymbolSettings:
    """What a position opened on a symbol would be.

    :param margin_mode: "isolated" or "cross", as ccxt names them.
    """

    margin_mode: str
    leverage: float


@dataclass(frozen=True)
class AccountSettings:
    """What an account is now. A person can change any of it between two pair trades (I14).

    :param symbols: by ccxt symbol; one that is not named is not known.
    """

    may_trade: bool
    is_one_way: bool
    is_single_asset: bool
    symbols: dict[str, SymbolSettings]


@dataclass(frozen=True)
class KeyRights:
    """What an API key may do; None where the venue does not say.

    :param transfers: rights to move money, by the venue's names.
    :param why_unknown: the venue's words where it does not say.
    """

    may_trade: bool | None
    may_withdraw: bool | None
    is_bound_to_ips: bool | None
    transfers: tuple[str, ...]
    why_unknown: str


class DryRefusal(StrEnum):
    """Why a rehearsed order is refused, as the venue would refuse the real one."""

    OVERLOADED = "overloaded"
    EMPTY_BOOK = "empty book"
    NO_FUNDS = "no funds"
    NOTHING_TO_REDUCE = "nothing to reduce"
    BELOW_MINIMUM = "below the minimum"
    NO_AMOUNT = "no amount"
    UNKNOWN_ORDER = "unknown order"


@dataclass(frozen=True)
class OrderRules:
    """What is true of every order.

    :param arrival_window_ms: sent with each order; one that reaches the venue later than this after its
        timestamp is refused. It is what proves "not executed": once the venue's own clock is past timestamp +
        window, an order it does not know will never exist. A venue without such a window cannot be traded.
    :param history_days: how far back `Venue.fills` reaches, and so how long an order is found by its id.
    :param most_id_chars: length of a client order id; letters, digits and "-" must be allowed in one.
    """

    arrival_window_ms: int
    history_days: int
    most_id_chars: int


@dataclass(frozen=True)
class WeightRules:
    """How the venue counts requests: each has a weight, the sum per minute and address is limited.

    :param entry_share: of a limit; no new pair while more is used: closing everything must still fit.
    :param wait_share: of the weight; other requests than orders wait for the next minute above this.
    :param weights: by the request's path below the version; 1 for what is not named.
    :param never_wait: paths of orders, of questions about them and of what lanes ask.
    :param free: (path, HTTP method) without weight.
    :param orders: (path, HTTP method) that count as new orders.
    """

    entry_share: float
    wait_share: float
    weights: Mapping[str, int]
    never_wait: frozenset[str]
    free: frozenset[tuple[str, str]]
    orders: frozenset[tuple[str, str]]

    def weight_of(self, path: str, method: str) -> int:
        """Weight of one request."""
        return 0 if (path, method) in self.free else self.weights.get(path, 1)


@dataclass(frozen=True)
class RateLimits:
    """How much the venue takes.

    :param weight_per_minute: of one address; above it nothing is answered, then the address is banned.
    :param orders: of one account: length of a window in ms -> most new orders in it.
    :param documented: which of the two are the documented ones because the venue has not said them.
    """

    weight_per_minute: int
    orders: Mapping[int, int]
    documented: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """For people."""
        orders = ", ".join(f"{most} orders in {ms / 1000:g} s" for ms, most in sorted(self.orders.items()))
        source = f" ({' and '.join(self.documented)} as documented)" if self.documented else ""
        return f"{self.weight_per_minute} weight a minute, {orders}{source}"


@dataclass(frozen=True)
class RequestBudget:
    """Request weight of this engine at the venue, measured on the simulated exchange.

    :param startup: at start, besides candles; :param candles: one request for candles of one symbol.
    :param held_pair: per loop: both legs' books of an open pair.
    :param funding: in a minute at most: the account's funding history, where exits or the hour ask for it.
    :param close_pair: the loop that exits both legs.
    :param housekeeping: per minute: account, positions, market list.
    :param all_best_prices: one question for the best prices of all symbols.
    """

    startup: int
    candles: int
    held_pair: int
    funding: int
    close_pair: int
    housekeeping: int
    all_best_prices: int = 0


class FundingSource(Protocol):
    """Predicted funding."""

    def read(self, symbol: str) -> Funding:
        """Raises ccxt.BaseError, and PairbotError where the venue names none."""
        ...


class Venue(Protocol):
    """One exchange's futures, spoken to through a ccxt client that is passed to each question.

    Every question raises `ccxt.BaseError` where it is not answered properly; an answer that is none must
    never look like "nothing there" (I3).
    """

    @property
    def title(self) -> str:
        """As people are told."""
        ...

    @property
    def key_hint(self) -> str:
        """How the venue says that a key is wrong, for people who look for the reason."""
        ...

    @property
    def orders(self) -> OrderRules:
        """See OrderRules."""
        ...

    @property
    def weights(self) -> WeightRules:
        """See WeightRules."""
        ...

    @property
    def budget(self) -> RequestBudget:
        """See RequestBudget."""
        ...

    @property
    def documented_limits(self) -> RateLimits:
        """What holds where the venue does not say it."""
        ...

    @property
    def credit_assets(self) -> frozenset[str]:
        """Balances that stand in for the stake currency: with one of these what is free cannot be known."""
        ...

    @property
    def pauses(self) -> frozenset[str]:
        """States of a listed market that does not trade now and will: before its first trade, or halted."""

    @property
    def most_clock_skew_ms(self) -> int:
        """A request dated further ahead of the venue's clock than this is refused."""
        ...

    # -- orders ------------------------------------------------------------------------------------

    def order_params(self, client_id: str, *, is_ioc: bool, reduce_only: bool) -> dict[str, Any]:
        """ccxt parameters that give an order its client id, its arrival window and, for a limit order, the
        promise that nothing of it rests. Of two open orders with one id the venue refuses the second."""
        ...

    def rehearse(self, client: Any, symbol: str, side: str, amount: float, price: float) -> None:
        """Have the venue check a limit IOC order without executing it. Raises what the order itself would be
        refused with; that it passes proves nothing."""
        ...

    def id_params(self, client_id: str) -> dict[str, Any]:
        """ccxt parameters that ask for, or cancel, the order with this client id: within `history_days` the
        venue finds it, whatever became of it. "Not found" proves nothing before its window is over."""
        ...

    def refusal_of(self, error: Exception) -> Refusal | None:
        """Why an order was refused, or None where the answer leaves open whether it was taken: only what is
        known not to have been executed counts as refused."""
        ...

    def lasting_refusal(self, error: str) -> str | None:
        """What would lift a refusal that will be the same on the next candle, in words for people; None where
        the same order may pass later.

        :param error: as `refusal_of` has judged it, or what is stored of it.
        """
        ...

    def dry_refusal(self, why: DryRefusal | int, text: str) -> Exception:
        """The error a rehearsed order meets: the class and code ccxt gives a refused one. An int is a code of
        the venue's own, for tests."""
        ...

    # -- the account -------------------------------------------------------------------------------

    def positions(self, client: Any) -> dict[str, Position]:
        """By ccxt symbol; a symbol without one is left out. The authority on what the account holds."""
        ...

    def open_orders(self, client: Any, symbol: str) -> list[dict[str, Any]]:
        """Orders resting on a symbol, as the venue lists them."""
        ...

    def fills(self, client: Any, symbol: str, since_ms: int) -> list[Fill]:
        """What the symbol's orders since then have filled, each with its client id."""
        ...

    def charges(self, client: Any, symbol: str, since_ms: int) -> float:
        """What the venue took for liquidations on a symbol since then, settle currency, 0 or less: it is in
        the wallet and in no fill."""
        ...

    def account_settings(self, client: Any) -> AccountSettings:
        """The account's modes, and margin mode and leverage of every symbol, position or not."""
        ...

    def key_rights(self, client: Any) -> KeyRights:
        """What the client's key may do. Never raises: what is not said is None."""
        ...

    def funding_reader(self, client: Any, clock: Clock) -> FundingSource:
        """Predicted funding of one bot's symbols, with the interval between settlements as it is now."""
        ...

    def share_funding_history(self, client: Any, clock: Clock, oldest_ms: Callable[[], int | None]) -> None:
        """Have the client answer `fetch_funding_history` of many symbols from one reading, where the venue
        can be asked for all at once.

        :param oldest_ms: since when any open trade needs payments, epoch ms.
        """
        ...

    # -- where requests go -------------------------------------------------------------------------

    def is_on_loopback(self, config: Mapping[str, Any]) -> bool:
        """Whether every address of Freqtrade's configuration that an order may go to is this machine's."""
        ...

    def host(self, client: Any) -> str:
        """The address orders go to; "" where the client names none."""
        ...

    def wait_secs(
        self, status: int, headers: Mapping[str, Any] | None, body: str, now_ms: int
    ) -> float | None:
        """For how long an answer asks to send nothing more; None where it does not."""
        ...

    def read_limits(self, client: Any) -> RateLimits:
        """What the venue says of its limits now; the documented ones where it says nothing of them."""
        ...

    def used_weight(self, headers: Mapping[str, Any] | None) -> int | None:
        """Weight used in the running minute as an answer's headers say it; None where they do not."""
        ...

    def used_orders(self, headers: Mapping[str, Any] | None) -> dict[int, int]:
        """Orders of the running windows as an answer's headers say it: length of the window in ms -> count;
        of the answers to orders alone."""
        ...
