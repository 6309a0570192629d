"""What happens by itself as time passes: late executions, funding, resting orders, liquidation."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from pairbot_ext.sim.venue.account import IncomeType
from pairbot_ext.sim.venue.clock import VenueClock
from pairbot_ext.sim.venue.conditional import ConditionalOrders
from pairbot_ext.sim.venue.engine import Engine
from pairbot_ext.sim.venue.orders import ZERO, OrderStatus, Side
from pairbot_ext.sim.venue.positions import Position
from pairbot_ext.sim.venue.tape import AccountChanged, MarginCalled, Reason
from pairbot_ext.sim.venue.terms import LIQUIDATION_FEE

# Margin is looked at this often while time passes, and no more than _MOST_LOOKS times in one jump.
_LOOK_EVERY_MS = 60_000
_MOST_LOOKS = 600
# Requests come in bursts within one loop of a bot; looking again within this time would find the same prices.
_FRESH_MS = 250
_FUNDING_PAGE = 1000
ADL_ID = "adl_autoclose"  # the client order id of every auto-deleveraging


class Timeline:
    """Brings the venue from the last instant it was looked at to now, in order of time."""

    def __init__(self, engine: Engine, conditional: ConditionalOrders, clock: VenueClock) -> None:
        self._engine = engine
        self._conditional = conditional
        self._clock = clock
        self._settled_ms = clock()
        self._looked_ms = self._settled_ms
        self._pending: list[tuple[int, int, Callable[[], object]]] = []
        self._pending_count = 0
        self._next_funding_ms: dict[str, int] = {}
        self._called: set[str] = set()

    def schedule(self, due_ms: int, action: Callable[[], object]) -> None:
        """Have `action` run when the venue's time reaches `due_ms`."""
        heapq.heappush(self._pending, (due_ms, self._pending_count, action))
        self._pending_count += 1

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        now_ms = self._clock.running()
        due = self._instants(now_ms)
        for instant_ms in due:
            with self._clock.held_at(instant_ms):
                self._pay_funding(instant_ms)
                self._run_pending(instant_ms)
                self._look()
        if due:
            self._looked_ms = due[-1]
        self._settled_ms = now_ms

    def _instants(self, now_ms: int) -> list[int]:
        """The times up to now at which something may happen, in order."""
        instants = {max(due_ms, self._settled_ms) for due_ms, _, _ in self._pending if due_ms <= now_ms}
        positions = self._engine.account.open_positions()
        self._forget_stamps({position.symbol for position in positions})
        waiting = bool(self._engine.open_orders) or bool(self._conditional.open_orders())
        if positions or waiting:
            step = max(_LOOK_EVERY_MS, (now_ms - self._looked_ms) // _MOST_LOOKS)
            instants.update(range(self._looked_ms + step, now_ms, step))
            instants.update(self._funding_stamps(positions, now_ms))
            if waiting or now_ms - self._looked_ms >= _FRESH_MS:
                instants.add(now_ms)
        return sorted(instants)

    def _forget_stamps(self, held: set[str]) -> None:
        """Of positions that are closed: what fell due since is not the business of the next one."""
        for symbol in [symbol for symbol in self._next_funding_ms if symbol not in held]:
            del self._next_funding_ms[symbol]

    def _funding_stamps(self, positions: list[Position], now_ms: int) -> set[int]:
        stamps = set()
        for symbol in [position.symbol for position in positions]:
            stamp_ms = self._next_funding_ms.get(symbol)
            if stamp_ms is None:
                # First look at this position: what fell due before it was opened is not its business.
                opened_ms = self._engine.account.position(symbol).updated_ms
                stamp_ms = self._engine.market.next_funding_ms(symbol, opened_ms)
                self._next_funding_ms[symbol] = stamp_ms
            while stamp_ms <= now_ms:
                stamps.add(stamp_ms)
                stamp_ms = self._engine.market.next_funding_ms(symbol, stamp_ms)
        return stamps

    def _pay_funding(self, instant_ms: int) -> None:
        account, market = self._engine.account, self._engine.market
        for position in account.open_positions():
            due_ms = self._next_funding_ms.get(position.symbol)
            if due_ms is None or due_ms > instant_ms:
                continue
            rates = market.funding_rates(position.symbol, due_ms, instant_ms, _FUNDING_PAGE, instant_ms)
            for stamp_ms, rate in rates:
                mark = market.mark_price(position.symbol, stamp_ms)
                paid = account.pay_funding(position, mark, rate, stamp_ms)
                changed = (position,) if position.isolated else ()
                self._engine.tape.record(AccountChanged(Reason.FUNDING_FEE, changed, paid))
            self._next_funding_ms[position.symbol] = market.next_funding_ms(position.symbol, instant_ms)

    def _run_pending(self, instant_ms: int) -> None:
        while self._pending and self._pending[0][0] <= instant_ms:
            _, _, action = heapq.heappop(self._pending)
            action()

    def _look(self) -> None:
        self._engine.match_resting()
        self._conditional.trigger()
        for position in self._engine.account.to_liquidate():
            self.liquidate(position)
        self._call_margin()

    def _call_margin(self) -> None:
        """Warn once of each position that comes near its liquidation, and again if it comes back."""
        near = self._engine.account.to_liquidate(self._engine.stream_terms.margin_call_ratio)
        fresh = tuple(position for position in near if position.symbol not in self._called)
        self._called = {position.symbol for position in near}
        if fresh:
            self._engine.tape.record(MarginCalled(fresh))

    def liquidate(self, position: Position, *, deleveraged: bool = False) -> None:
        """Take a position over: cancel its orders, close it at the mark price, pay the fund its fee.

        Auto-deleveraging closes it alike, against another trader instead of the fund: without that fee.

        An isolated position loses at most its own margin: beyond it the insurance fund bears the loss, which
        shows as a close at the bankruptcy price.
        """
        engine, account = self._engine, self._engine.account
        for order in engine.orders_open_on(position.symbol):
            engine.close(order, OrderStatus.CANCELED)
        size, sign = abs(position.amount), 1 if position.amount > 0 else -1
        price, margin = engine.mark(position.symbol), position.isolated_wallet
        if position.isolated:
            bankruptcy = position.entry_price - sign * margin / size
            price = max(price, bankruptcy) if sign > 0 else min(price, bankruptcy)
            left = margin + size * sign * (price - position.entry_price)
        else:
            left = account.cross_wallet() + account.unrealized(crossed_only=True)
        side = Side.SELL if sign > 0 else Side.BUY
        client_id = ADL_ID if deleveraged else f"autoclose-{self._clock()}{len(engine.orders) % 1000:03d}"
        engine.forced_order(position.symbol, side, size, price, client_id)
        if deleveraged:
            return
        fee = max(ZERO, min(left, size * price * LIQUIDATION_FEE))
        covered = max(ZERO, -account.cross_wallet()) if not position.isolated else ZERO
        booked = account.book_income(
            IncomeType.INSURANCE_CLEAR, covered - fee, self._clock(), position.symbol
        )
        engine.tape.record(AccountChanged(Reason.INSURANCE_CLEAR, change=booked))
