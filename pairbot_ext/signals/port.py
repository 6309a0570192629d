"""What an entry gate and a desk ask of the signals; `PairRules` answers."""

from datetime import datetime
from typing import Protocol

from pairbot_ext.model.findings import Breach, Reading, Verdict
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.registry import Coins


class Signals(Protocol):
    """What an entry gate and the desk ask of the signals (`rules.PairRules`)."""

    def entry_plan(self, pair_id: str, now: datetime) -> EntryPlan | None:
        """The plan of the entry this pair has won on the last closed candle, or None."""
        ...

    def model_exit(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> str | None:
        """What the model at entry says about leaving on the last closed candle."""
        ...

    def entry_breach(self, plan: EntryPlan, now: datetime) -> Verdict:
        """The break rule that forbids entering this plan, or that cannot be judged; None where it may be."""
        ...

    def exit_breach(self, plan: EntryPlan, opened_at: datetime, now: datetime, reason: str) -> Breach | None:
        """The rule behind a stop `model_exit` has just named; None where it named none."""
        ...

    def gauges(self, plan: EntryPlan, opened_at: datetime, now: datetime) -> list[Reading]:
        """What the rules on closed candles read of an open pair trade."""
        ...

    def missing_candles(self, plan: EntryPlan, now: datetime) -> dict[str, float]:
        """Per leg, for how many candles up to the last closed one there was none that was traded."""
        ...

    def has_recovered(self, coins: Coins, left_at: datetime, candle: datetime) -> bool:
        """Whether the pair of these coins, left at `left_at`, may be entered again."""
        ...
