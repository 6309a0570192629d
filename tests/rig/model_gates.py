"""Signals and gates for the protocol machine: what a strategy and Freqtrade's wrapper around it do."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import log
from typing import Any

from model_venue import PRICES

from pairbot_ext.host.gates import fail_closed
from pairbot_ext.journal.journal import JournalUnavailableError
from pairbot_ext.model.plan import EntryModel, EntryPlan
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.thresholds import SHORT_SPREAD, Thresholds

NOW = datetime(2026, 2, 2, tzinfo=UTC)
SIGMA, STAKE = 0.02, 100.0
PAIRS = {"A-B": ("A", "B", 1.2), "C-B": ("C", "B", 0.8)}


def plan_of(pair_id: str) -> EntryPlan:
    """A signal at z = 2.5 on the model's prices."""
    leg_a, leg_b, beta = PAIRS[pair_id]
    alpha = log(PRICES[leg_a]) - beta * log(PRICES[leg_b]) - 2.5 * SIGMA
    model = EntryModel(alpha=alpha, beta=beta, mu=0.0, sigma=SIGMA, half_life_candles=10.0)
    return EntryPlan(pair_id, leg_a, leg_b, SHORT_SPREAD, model, Thresholds(2.0, 0.3, 4.0, 4.0), NOW, 2.5)


class Gates:
    """The strategy's gating callbacks, as PairsArb has them."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.refused_symbols: set[str] = set()
        self.cleared: Any = None

    @fail_closed(0.0)
    def custom_stake_amount(self, pair: str, plan: EntryPlan, broken: str | None) -> float:
        try:
            self.cleared = self.world.preflight.clear(plan, STAKE, NOW)
        except RefusedError:
            return 0.0
        if broken == "stake":
            raise ZeroDivisionError("injected")
        return STAKE

    @fail_closed(False)
    def confirm_trade_entry(self, pair: str, plan: EntryPlan, broken: str | None) -> bool:
        if pair in self.refused_symbols:
            return False
        if broken == "confirm":
            raise ZeroDivisionError("injected")
        sizing = self.cleared.sizing
        try:
            order = self.world.native.plan_entry(
                plan, sizing, sizing.leg_a.price, "limit", self.cleared.books
            )
        except JournalUnavailableError:
            return False
        self.world.guard.arm(order.client_id)
        return True


def freqtrade_calls(gate: Callable[..., Any], default: Any, *args: Any) -> Any:
    """Freqtrade's strategy_safe_wrapper: an exception lets the entry through."""
    try:
        return gate(*args)
    except Exception:  # noqa: BLE001 - as Freqtrade does
        return default
