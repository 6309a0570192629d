"""I13, I15: who may enter, candle by candle: a bot's registry, file gate and arbiter, a backtest's columns.

Histories of files that rename, swap and drop pairs, of files that may not come in, of missing candles and
restarts. What the bot has done is compared with what a backtest does on the same candles and files.
`PAIRBOT_CHAOS=1` plays 500 histories (`make chaos`).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pairbot_ext.entry.pair_gate import PairGate
from pairbot_ext.journal.registry import Registry
from pairbot_ext.model.plan import EntryPlan
from pairbot_ext.model.records import PairTrade
from pairbot_ext.model.refusals import RefusedError
from pairbot_ext.model.registry import Coins, coins_of, leaves_armed
from pairbot_ext.model.states import Goal, PairState
from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan, symbols_of, write_pairs_file
from pairbot_ext.pairs.accept import Terms, accept
from pairbot_ext.pairs.watcher import PairsFileWatcher
from pairbot_ext.settings import Settings
from pairbot_ext.signals.book import SignalBook
from pairbot_ext.signals.rules import PairRules

START = datetime(2025, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
HISTORY = 4
"""Candles before the first decision; frozen models need none."""
SIZE = 48
COINS = tuple(f"{name}/USDT:USDT" for name in ("AAA", "BBB", "CCC", "DDD"))
SETTINGS = Settings(rearm_lookback_candles=9, risk={"break_stop": None})  # type: ignore[arg-type]
TERMS = Terms("1h", "USDT", "binance")
RELATED = ((0, 1, 0.8), (2, 1, 1.1), (3, 2, 0.9), (0, 2, 0.73))
"""Which coins are paired, and their hedge ratio; every coin is wanted by two pairs at least."""
SPOILT = {"timeframe": "4h", "exchange": "bybit", "epochs": 7}


def prices(seed: int) -> dict[str, np.ndarray]:
    """Log closes, shape (SIZE,) each: spreads of RELATED wander far and come back within some candles."""
    rng = np.random.default_rng(seed)
    noise = np.zeros((len(COINS), SIZE))
    for row in range(1, SIZE):
        noise[:, row] = 0.7 * noise[:, row - 1] + rng.normal(0, 0.008, len(COINS))
    trend = np.cumsum(rng.normal(0, 0.004, SIZE))
    return {coin: 2.0 + trend + noise[number] for number, coin in enumerate(COINS)}


def chosen_pair(number: int, name: str, is_swapped: bool, level: float) -> Pair:
    """One of RELATED with a frozen model."""
    a, b, beta = RELATED[number]
    if is_swapped:
        a, b, beta = b, a, 1 / beta
    return Pair(
        id=name, leg_a=COINS[a], leg_b=COINS[b], hedge_ratio=beta, alpha=2.0 - 2.0 * beta, mu=0.0,
        sigma=0.01, half_life_hours=1.6, adf_p=0.01, coint_p=0.01, entry_z=level, exit_z=0.4,
        stop_z=level + 0.8, max_half_lives=3.0,
    )  # fmt: skip


@dataclass
class Trade:
    """A pair trade of either side."""

    plan: EntryPlan
    opened: datetime
    closed: datetime | None = None
    reason: str = ""

    def told(self) -> tuple[Any, ...]:
        """What is compared."""
        return (
            self.plan.leg_a,
            self.plan.leg_b,
            self.plan.direction,
            self.opened,
            str(self.closed),
            self.reason,
        )


@dataclass
class Disk:
    """Where the registry keeps things, and the ended pair trades a journal would know."""

    values: dict[str, Any] = field(default_factory=dict)
    left: list[tuple[str, str, str, str, int]] = field(default_factory=list)

    def setting(self, key: str) -> Any | None:
        return self.values.get(key)

    def set_setting(self, key: str, value: Any) -> None:
        self.values[key] = value

    def left_pairs(self, *, dry_run: bool) -> list[tuple[str, str, str, str, int]]:
        assert not dry_run
        return self.left


class Histories(RuleBasedStateMachine):
    """See the module."""

    @initialize(seed=st.integers(0, 2**31))
    def begin(self, seed: int) -> None:
        # Beside pytest's own: thousands of files are written and synced.
        self.folder = Path(tempfile.mkdtemp(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
        self.path = self.folder / "pairs.json"
        self.log = prices(seed)
        self.present = {coin: np.ones(SIZE, np.bool_) for coin in COINS}
        self.row = HISTORY
        self.epochs: list[Epoch] = []
        self.disk = Disk()
        self.trades: list[Trade] = []
        self.book: SignalBook | None = None
        self.write_file([chosen_pair(number, f"P{number}", False, 1.1) for number in range(len(RELATED))])
        self.start()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)
            self.compare()

    # -- the bot -----------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """Shortly after the candle before `row` has closed."""
        return START + self.row * HOUR + timedelta(seconds=5)

    def start(self) -> None:
        """A new process."""
        self.watcher = PairsFileWatcher(self.path, lambda made: accept(made, TERMS))
        self.registry = Registry(self.disk, dry_run=False)
        self.registry.load()
        self.rules = PairRules(lambda: cast(SignalBook, self.book), SETTINGS, HOUR, 100)
        filled = SimpleNamespace(filled=1)
        self.gate = PairGate(
            self.registry,
            cast(Any, SimpleNamespace(owner_of=self.owner_of, orders_of=lambda _: [filled])),
            cast(Any, SimpleNamespace(has_open_trade=self.owner_of, lock_reason=lambda *_: None)),
            self.rules,
            cast(Any, SimpleNamespace(now_ms=lambda: round(self.now.timestamp() * 1000))),
            cast(Any, None),
        )
        self.learn()
        self.book = self.book_at(self.row)

    def learn(self) -> None:
        for epoch in self.watcher.current.epochs:
            for each in epoch.pairs:
                self.registry.learn(each.id, *each.symbols)

    def owner_of(self, symbol: str) -> Trade | None:
        return next(
            (t for t in self.trades if t.closed is None and symbol in (t.plan.leg_a, t.plan.leg_b)), None
        )

    def frames(self, rows: int) -> dict[str, pd.DataFrame]:
        made = {}
        for coin, closes in self.log.items():
            there = self.present[coin][:rows]
            close = np.exp(closes[:rows][there])
            made[coin] = pd.DataFrame(
                {
                    "date": pd.date_range(START, periods=rows, freq="1h")[there],
                    "open": close, "high": close * 1.001, "low": close * 0.999, "close": close,
                    "volume": np.ones(close.size),
                }
            )  # fmt: skip
        return made

    def book_at(self, rows: int) -> SignalBook:
        return SignalBook(
            self.watcher.current, SETTINGS, 3600, self.frames(rows), fee=0.0005, is_out_now=self.is_out_now
        )

    def is_out_now(self, book: SignalBook, pair: Pair) -> bool:
        since = self.gate.disarmed_since(*pair.symbols)
        has_come_back = since is None or book.has_recovered(
            coins_of(*pair.symbols), since, book.newest_candle
        )
        return self.gate.is_out(pair.id, *pair.symbols, has_come_back, self.now)

    def one_candle(self) -> None:
        """The loops of one candle, in the order of `PairStrategy.on_loop_start` and Freqtrade's own."""
        self.row += 1
        if self.watcher.poll() is not None:
            self.learn()
        # Exits are decided before the book that knows them as closed says who wins.
        self.book = self.book_at(self.row)
        before = [trade for trade in self.trades if trade.closed is None]
        just_closed: set[str] = set()
        for trade in before:
            reason = self.rules.model_exit(trade.plan, trade.opened, self.now)
            if reason is not None:
                self.close(trade, reason)
                just_closed.update((trade.plan.leg_a, trade.plan.leg_b))
        for pair_id in self.watcher.current.pair_ids():
            plan = self.rules.entry_plan(pair_id, self.now)
            if plan is None or any(
                symbol in just_closed or self.owner_of(symbol) for symbol in (plan.leg_a, plan.leg_b)
            ):
                continue
            memory = self.registry.of(plan.leg_a, plan.leg_b)
            try:
                self.gate.check(plan)
            except RefusedError:
                continue
            assert memory.disarmed_ms is None or self.was_back(plan), "a disarmed pair enters"
            self.trades.append(Trade(plan, self.now.replace(second=0)))
        book = self.book
        self.gate.note_returns(lambda coins, since: book.has_come_back(coins, since, book.newest_candle))

    def was_back(self, plan: EntryPlan) -> bool:
        """By closes alone: some model in force since it was left saw |z| <= exit, or that is long ago."""
        coins = coins_of(plan.leg_a, plan.leg_b)
        last = max(
            t.closed for t in self.trades if t.closed and coins_of(t.plan.leg_a, t.plan.leg_b) == coins
        )
        if plan.candle - last >= SETTINGS.rearm_lookback_candles * HOUR:
            return True
        for row in range(self.row):
            close = START + (row + 1) * HOUR
            if close <= last or not all(self.present[coin][row] for coin in coins):
                continue
            for epoch in self.epochs:
                for each in epoch.pairs:
                    if epoch.is_valid_at(close) and coins_of(*each.symbols) == coins:
                        log_a, log_b = (self.log[name][row] for name in each.symbols)
                        if abs(log_a - each.alpha - each.hedge_ratio * log_b) <= each.exit_z * each.sigma:
                            return True
        return False

    def close(self, trade: Trade, reason: str) -> None:
        trade.closed, trade.reason = self.now.replace(second=0), reason
        at_ms = round(self.now.timestamp() * 1000)
        record = PairTrade(
            id="x", plan=trade.plan, sizing=cast(Any, None), state=PairState.CLOSING, goal=Goal.CLOSE,
            was_hedged=True, reason=reason, dry_run=False, created_ms=0, updated_ms=0, closed_ms=None,
        )  # fmt: skip
        self.gate.ended(record, replace(record, state=PairState.CLOSED, closed_ms=at_ms))
        self.disk.left.append((trade.plan.pair_id, trade.plan.leg_a, trade.plan.leg_b, reason, at_ms))

    # -- what happens ------------------------------------------------------------------------------

    @rule(candles=st.integers(1, 9))
    def candles_close(self, candles: int) -> None:
        for _ in range(candles):
            if self.row < SIZE - 1:
                self.one_candle()

    @rule(data=st.data())
    def another_file(self, data: st.DataObject) -> None:
        """Pairs renamed, swapped, dropped, with other thresholds; written half an hour into a candle."""
        numbers = data.draw(
            st.lists(st.integers(0, len(RELATED) - 1), min_size=1, max_size=len(RELATED), unique=True)
        )
        names = data.draw(st.permutations(["P0", "P1", "P2", "P3", "Q0", "Q1"]))
        level = data.draw(st.sampled_from([0.9, 1.1, 1.4]))
        self.write_file(
            [
                chosen_pair(number, name, data.draw(st.booleans()), level)
                for number, name in zip(numbers, names, strict=False)
            ]
        )

    @rule(what=st.sampled_from(sorted(SPOILT)))
    def a_file_that_may_not_come_in(self, what: str) -> None:
        good = self.path.read_text()
        self.path.write_text(json.dumps({**json.loads(good), what: SPOILT[what]}))
        told = self.watcher.poll()
        assert told is not None
        assert told.pairs_file is None
        assert self.watcher.poll() is None, "told once"
        self.path.write_text(good)

    @rule(coin=st.sampled_from(COINS))
    def a_candle_will_be_missing(self, coin: str) -> None:
        self.present[coin][self.row] = False

    @rule()
    def restart(self) -> None:
        self.start()

    def write_file(self, pairs: list[Pair]) -> None:
        since = START + self.row * HOUR + timedelta(minutes=30)
        if self.epochs and self.epochs[-1].valid_from == since:
            del self.epochs[-1]
        if self.epochs:
            self.epochs[-1] = self.epochs[-1].model_copy(update={"valid_to": since})
        epoch = Epoch(
            valid_from=since, formation_start=START - 9 * HOUR, formation_end=START, pairs=tuple(pairs)
        )
        write_pairs_file(self.path, self.document([epoch]))
        # Within one file a name means the same legs in every epoch; from file to file it may move.
        called = [each.model_copy(update={"id": f"{each.leg_a[:3]}{each.leg_b[:3]}"}) for each in pairs]
        self.epochs.append(epoch.model_copy(update={"pairs": tuple(called)}))

    def document(self, epochs: list[Epoch]) -> PairsFile:
        return PairsFile(
            pairs=symbols_of(epochs), refresh_period=300, generated_at=START, exchange="binance",
            timeframe="1h", scan=Scan(rule="drawn"), epochs=tuple(epochs),
        )  # fmt: skip

    # -- the backtest ------------------------------------------------------------------------------

    def compare(self) -> None:
        """A backtest over everything that happened: one file with an epoch for each that was in force."""
        file = self.document(self.epochs)
        book = SignalBook(file, SETTINGS, 3600, self.frames(self.row), fee=0.0005)
        rules = PairRules(lambda: book, SETTINGS, HOUR, 100)
        trades: list[Trade] = []
        left: dict[Coins, datetime] = {}
        for row in range(HISTORY + 1, self.row + 1):
            now = START + row * HOUR
            held: set[str] = set()
            for trade in [each for each in trades if each.closed is None]:
                held.update((trade.plan.leg_a, trade.plan.leg_b))
                reason = rules.model_exit(trade.plan, trade.opened, now)
                if reason is not None:
                    trade.closed, trade.reason = now, reason
                    coins = coins_of(trade.plan.leg_a, trade.plan.leg_b)
                    left.pop(coins, None)
                    if not leaves_armed(reason):
                        left[coins] = now
            for pair_id in file.pair_ids():
                plan = rules.entry_plan(pair_id, now)
                if plan is None or not held.isdisjoint((plan.leg_a, plan.leg_b)):
                    continue
                coins = coins_of(plan.leg_a, plan.leg_b)
                if coins in left and not rules.has_recovered(coins, left[coins], plan.candle):
                    continue
                trades.append(Trade(plan, now))
                held.update((plan.leg_a, plan.leg_b))
        assert sorted(t.told() for t in self.trades) == sorted(t.told() for t in trades)


class TestHistories(Histories.TestCase):
    # What a mutant is noticed by need not be the smallest history.
    phases = (Phase.explicit, Phase.generate) if "PAIRBOT_MUTANT" in os.environ else tuple(Phase)
    histories = 500 if {"PAIRBOT_MUTANT", "PAIRBOT_CHAOS"} & os.environ.keys() else 150
    settings = settings(max_examples=histories, stateful_step_count=6, deadline=None, phases=phases)
