"""What must hold of every backtest's trade list, asked of the oracle's numbers. Each answer is a list of
sentences; an empty list is a pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from backtest_harness import Run
from backtest_oracle import Line, Oracle

ALONE = ("liquidation", "stop_loss")
"""What may close one leg alone: the venue, or the distant stop-loss that stands in for it."""
MAX_HEDGE_ERROR = 0.02


@dataclass(frozen=True)
class PairTrade:
    """The legs that carry one tag and opened on one candle, in rows of the candles."""

    pair_id: str
    opened: int
    legs: Sequence[pd.Series]

    def __str__(self) -> str:
        legs = "; ".join(
            f"{leg.pair} {'short' if leg.is_short else 'long'} {leg.open_date}..{leg.close_date} "
            f"{leg.amount} @ {leg.open_rate} {leg.exit_reason}"
            for leg in self.legs
        )
        return f"{self.pair_id} at row {self.opened}: {legs}"

    @property
    def is_liquidated(self) -> bool:
        """Whether the venue has closed a leg."""
        return any(leg.exit_reason in ALONE for leg in self.legs)


def pair_trades(run: Run) -> list[PairTrade]:
    """Group by tag and opening time: legs that open apart are pair trades apart, and both are faulty."""
    return [
        PairTrade(tag, run.candles.row(opened.to_pydatetime()), [leg for _, leg in legs.iterrows()])
        for (opened, tag), legs in run.trades.groupby(["open_date", "enter_tag"], sort=True)
    ]


def naked_leg_candles(run: Run) -> int:
    """Candles on which exactly one leg of a pair trade was open, counted candle by candle."""
    naked = 0
    for trade in pair_trades(run):
        held = [
            set(range(run.candles.row(leg.open_date), run.candles.row(leg.close_date))) for leg in trade.legs
        ]
        if len(held) == 1:
            # A leg that never had a mate is naked on the candle it opened on even if it left at once.
            naked += max(len(held[0]), 1)
        else:
            naked += len(held[0] ^ held[1])
    return naked


def violations(run: Run, oracle: Oracle, amount_steps: dict[str, float], slots: float) -> list[str]:
    """Every rule that some pair trade breaks."""
    found: list[str] = []
    for trade in pair_trades(run):
        problems = _legs(trade, run)
        if not problems:
            line, direction = oracle.winners[trade.opened - 1].get(trade.pair_id, (None, 0))
            if line is None:
                problems = ["its pair had no winning signal on the candle before"]
            else:
                problems = [
                    *_entry(trade, line, direction, run),
                    *_hedge(trade, line, amount_steps),
                    *_exit(trade, line, direction, oracle),
                ]
        found += [f"{trade}: {problem}" for problem in problems]
    return found + _symbols(run) + _after_stops(run, oracle) + _slots(run, slots)


def _legs(trade: PairTrade, run: Run) -> list[str]:
    if len(trade.legs) != 2:
        return [f"{len(trade.legs)} legs"]
    one, two = trade.legs
    if one.is_short == two.is_short:
        return ["both legs on the same side"]
    if one.leverage != two.leverage:
        return ["unequal leverage"]
    if one.close_date == two.close_date and one.exit_reason == two.exit_reason:
        return []
    apart = abs(run.candles.row(one.close_date) - run.candles.row(two.close_date))
    reasons = {one.exit_reason, two.exit_reason}
    if trade.is_liquidated and apart <= 1 and reasons <= {*ALONE, "pair_mate_gone"}:
        return []
    return ["the legs were not closed together for the same reason"]


def _entry(trade: PairTrade, line: Line, direction: int, run: Run) -> list[str]:
    short_leg = line.pair.leg_a if direction < 0 else line.pair.leg_b
    problems = []
    if {leg.pair for leg in trade.legs} != set(line.pair.symbols):
        problems.append("its symbols are not the pair's")
    if [leg.pair for leg in trade.legs if leg.is_short] != [short_leg]:
        problems.append(f"short {short_leg} was due at z {line.z[trade.opened - 1]:.3f}")
    when = run.candles.time(trade.opened)
    if not line.epoch.is_valid_at(when):
        problems.append(f"the epoch is valid from {line.epoch.valid_from} to {line.epoch.valid_to}")
    return problems


def _hedge(trade: PairTrade, line: Line, amount_steps: dict[str, float]) -> list[str]:
    model = line.models[trade.opened - 1]
    assert model is not None
    notional = {leg.pair: leg.amount * leg.open_rate for leg in trade.legs}
    total = sum(notional.values())
    error = abs(model.beta * notional[line.pair.leg_a] - notional[line.pair.leg_b]) / total
    step = max(amount_steps[leg.pair] * leg.open_rate for leg in trade.legs) / total
    return [f"hedge error {error:.4%}, one step {step:.4%}"] if error > max(step, MAX_HEDGE_ERROR) else []


def _exit(trade: PairTrade, line: Line, direction: int, oracle: Oracle) -> list[str]:
    closed, reason = oracle.closing(line, direction, trade.opened)
    first = min(oracle.candles.row(leg.close_date) for leg in trade.legs)
    if trade.is_liquidated:
        return [] if first <= closed else [f"its model said {reason} at row {closed}"]
    if (first, trade.legs[0].exit_reason) != (closed, reason):
        return [f"closed at row {first}, its own model says {reason} at row {closed}"]
    return []


def _symbols(run: Run) -> list[str]:
    found = []
    for name, trades in run.trades.groupby("pair"):
        by_time = trades.sort_values("open_date")
        for (_, before), (_, after) in zip(
            by_time.iloc[:-1].iterrows(), by_time.iloc[1:].iterrows(), strict=True
        ):
            if after.open_date <= before.close_date:
                found.append(f"{name}: opened {after.open_date}, the trade before closed {before.close_date}")
    return found


def _after_stops(run: Run, oracle: Oracle) -> list[str]:
    found = []
    stopped: dict[frozenset[str], int] = {}
    for trade in pair_trades(run):
        coins = frozenset(leg.pair for leg in trade.legs)
        since = stopped.pop(coins, None)
        if since is not None and not oracle.has_recovered(coins, since, trade.opened - 1):
            found.append(f"{trade}: stopped at row {since} and not back inside exit_z since")
        if trade.legs[0].exit_reason != "pair_reverted":
            stopped[coins] = run.candles.row(trade.legs[0].close_date)
    return found


def _slots(run: Run, slots: float) -> list[str]:
    edges = sorted(
        [(when, 1) for when in run.trades.open_date] + [(when, -1) for when in run.trades.close_date]
    )
    count = worst = 0
    for _, change in edges:
        count += change
        worst = max(worst, count)
    return [f"{worst} trades open at once, {slots} slots"] if slots >= 0 and worst > slots else []
