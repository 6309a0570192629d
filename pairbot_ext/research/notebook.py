"""The research bench for a notebook: candles in, frames and plotly figures out, nothing to configure.

from pairbot_ext import research

found = research.study("user_data/data/binance", placebos=200)
found                      # the verdict and what it rests on
found.trades               # a pandas frame, one row per pair trade
found.figures["Weeks"]     # a plotly figure
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pairbot_ext.candles.files import candle_length
from pairbot_ext.pairs import PairsFile, load_pairs_file
from pairbot_ext.pairs.writing import build_pairs_file
from pairbot_ext.research.account import Terms
from pairbot_ext.research.costs import CostModel
from pairbot_ext.research.ledger import TrialLedger, trial_of
from pairbot_ext.research.market import load_market
from pairbot_ext.research.outcome import Outcome
from pairbot_ext.research.page import (
    equity_figure,
    exposure_figure,
    nets_figure,
    placebo_figure,
    waterfall_figure,
    weeks_figure,
)
from pairbot_ext.research.texts import sentences
from pairbot_ext.research.walkforward import Plan, WalkForward, simulate, walk, with_whitelist
from pairbot_ext.scan.epochs import Schedule, walk_forward
from pairbot_ext.scan.pipeline import ScanOptions, epoch_of
from pairbot_ext.scan.rules import Rule
from pairbot_ext.scan.sources import from_datadir
from pairbot_ext.scan.table import summary
from pairbot_ext.settings import parse_settings
from pairbot_ext.settings.knobs import DEFAULT_RULE
from pairbot_ext.startup.checks import required_startup_candles
from pairbot_ext.support.errors import DataError
from pairbot_ext.tasks.workers import Backend, Workers

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

ROWS_SHOWN = 10
_PICTURES = {
    "Place among placebos": placebo_figure,
    "Pair trades over the placebos'": nets_figure,
    "From gross to net": waterfall_figure,
    "Equity and drawdown": equity_figure,
    "Weeks": weeks_figure,
    "Open pairs and exposure": exposure_figure,
}
Pairs = PairsFile | Path | str


@dataclass(frozen=True)
class Backtest:
    """One simulated backtest, in sample or out of it as its pairs file is.

    :param costs: those Freqtrade does not book; in the `_bp` columns of `trades`, not in `equity`.
    """

    outcome: Outcome
    costs: CostModel

    @cached_property
    def trades(self) -> pd.DataFrame:
        """One row per pair trade: when, how long, N_A + N_B and what was made of it, quote currency, and each
        part in bp of that notional, all costs included."""
        made = self.outcome.pair_trades
        if made.empty:
            return made
        return made.drop(columns="net_bp").join(self.costs.waterfall(made).add_suffix("_bp"))

    @cached_property
    def equity(self) -> pd.Series:
        """Wallet at the close of each candle, open legs marked to market, quote currency."""
        market, values = self.outcome.market, self.outcome.equity
        dates = pd.date_range(market.grid.start, periods=values.size, freq=market.step)
        return pd.Series(values, index=dates, name="equity")

    @property
    def figure(self) -> Figure:
        """Equity over time."""
        from plotly.graph_objects import Figure, Layout, Scatter

        drawn = Scatter(x=self.equity.index, y=self.equity, name="equity", mode="lines")
        return Figure(
            drawn, Layout(template="simple_white", yaxis_title="quote currency, backtest costs only")
        )

    def _repr_html_(self) -> str:
        made = self.trades
        if made.empty:
            return "<p>No pair trade was made.</p>"
        said = (
            f"{len(made)} pair trades, net {made['net_bp'].mean():+.1f} bp of N_A + N_B each, all costs in; "
            f"wallet {self.outcome.terms.wallet:,.0f} to {self.outcome.final_balance:,.0f} before slippage "
            "and legging."
        )
        return f"<p>{escape(said)}</p>{_html(made)}"


@dataclass(frozen=True)
class Study:
    """A walk-forward and its verdict."""

    result: WalkForward
    costs: CostModel
    pairs_file: PairsFile

    @property
    def verdict(self) -> str:
        """none, weak or strong."""
        return self.result.evidence.value

    @property
    def trades(self) -> pd.DataFrame:
        """One row per pair trade out of sample, see `Backtest.trades`."""
        return self.result.trades

    @property
    def weeks(self) -> pd.DataFrame:
        """Net of each week, a share of the wallet, all costs included."""
        return self.result.weekly.rename("net").rename_axis("week").to_frame()

    @cached_property
    def placebos(self) -> pd.DataFrame:
        """One row per placebo: kind, mean net in bp, that over its week-clustered error, pair trades."""
        kinds = self.result.placebos.items()
        parts = [
            pd.DataFrame({"kind": k, "mean_bp": c.means, "t": c.ts, "pair_trades": c.pair_trades})
            for k, c in kinds
        ]
        return pd.concat(parts, ignore_index=True)

    @property
    def figures(self) -> dict[str, Figure]:
        """The pictures of the report, by title."""
        return {title: draw(self.result) for title, draw in _PICTURES.items()}

    def _repr_html_(self) -> str:
        first, *others = sentences(self.result, self.costs)
        listed = "".join(f"<li>{escape(each)}</li>" for each in others)
        return f"<p><strong>{escape(first)}</strong></p><ul>{listed}</ul>{_html(self.trades)}"


def _html(frame: pd.DataFrame) -> str:
    return frame.to_html(max_rows=ROWS_SHOWN, float_format="{:.2f}".format, border=0)


def backtest(
    datadir: Path | str,
    pairs: Pairs,
    *,
    thresholds: Mapping[str, float] | None = None,
    timerange: str | None = None,
    costs: CostModel | None = None,
    terms: Terms | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Backtest:
    """The trades `freqtrade backtesting` would make, some hundred times faster.

    :param datadir: Freqtrade's, with futures, mark and funding candles.
    :param pairs: a pairs file, or its path.
    :param thresholds: in place of every pair's own: entry, exit, stop, max_half_lives.
    :param terms: wallet, stake, slots and fee; its whitelist is the file's.
    :param settings: as `pairbot` in the configuration.
    :raises PairbotError: candles or settings that do not do.
    """
    plan = _plan(Path(datadir), _file(pairs), (), costs, terms, settings, timerange)
    return Backtest(simulate(plan, overrides=thresholds), plan.costs)


def study(
    datadir: Path | str,
    *,
    pairs: Pairs | None = None,
    rule: str = DEFAULT_RULE.value,
    formation: int = 1440,
    step: int = 168,
    symbols: Sequence[str] | None = None,
    timeframe: str = "1h",
    placebos: int = 200,
    seed: int = 1,
    costs: CostModel | None = None,
    terms: Terms | None = None,
    settings: Mapping[str, Any] | None = None,
    ledger: Path | None = None,
) -> Study:
    """What `pairbot walkforward` does: scan epoch after epoch, trade each out of sample, judge.

    :param datadir, terms, settings: see `backtest`.
    :param pairs: a walk-forward pairs file in place of a scan; then nothing is phase-shuffled.
    :param formation, step: candles. :param placebos: of each kind.
    :param ledger: of the trials; default: beside the data.
    :raises PairbotError: see `walkforward.check_data`.
    """
    data, options = Path(datadir), None
    looked_at: list[str] = []
    if pairs is None:
        parsed = parse_settings(settings)
        options = ScanOptions(Rule(rule), parsed.scan)
        pairs_file, looked_at = _scanned(data, timeframe, symbols, options, formation, step)
        knobs = parsed.scan.model_dump(mode="json")
        trial: dict[str, Any] = {"rule": rule, "formation": formation, "step": step, "timerange": ""}
        trial |= {"knobs": knobs, "symbols": sorted(looked_at)}
    else:
        pairs_file = _file(pairs)
        trial = trial_of(pairs_file)
    plan = _plan(data, pairs_file, looked_at, costs, terms, settings, None)
    plan = replace(plan, options=options, placebos=placebos, seed=seed, trial=trial)
    kept = TrialLedger(ledger) if ledger is not None else TrialLedger.beside(data)
    result = walk(plan, kept, now=datetime.now(UTC), workers=Workers(Backend.SERIAL))
    return Study(result, plan.costs, pairs_file)


def _file(pairs: Pairs) -> PairsFile:
    return pairs if isinstance(pairs, PairsFile) else load_pairs_file(Path(pairs))


def _scanned(
    datadir: Path,
    timeframe: str,
    symbols: Sequence[str] | None,
    options: ScanOptions,
    formation: int,
    step: int,
) -> tuple[PairsFile, list[str]]:
    """The file of a scan of every epoch the data allow, and the symbols looked at."""
    candles = from_datadir(datadir, timeframe, symbols)
    first = min(frame["date"].iloc[0] for frame in candles.frames.values() if len(frame)).to_pydatetime()
    begin, end = first + formation * candle_length(timeframe), candles.last_close()
    if begin >= end:
        raise DataError(
            "the formation is longer than the data",
            value=f"{formation} candles",
            remedy="Give a shorter formation, or download more candles",
        )
    schedule = Schedule(timeframe, begin, end, formation, step)
    results = walk_forward(candles.frames, schedule.windows(), options, funding=candles.funding)
    epochs = [
        epoch_of(each, options.knobs.thresholds, each.window.end, each.window.end + schedule.step)
        for each in results
    ]
    made = build_pairs_file(
        epochs, scan=summary(results), exchange="binance", timeframe=timeframe,
        generated_at=results[-1].window.end,
    )  # fmt: skip
    return made, list(candles.frames)


def _plan(
    datadir: Path,
    pairs_file: PairsFile,
    looked_at: Sequence[str],
    costs: CostModel | None,
    terms: Terms | None,
    settings: Mapping[str, Any] | None,
    timerange: str | None,
) -> Plan:
    parsed = parse_settings(settings)
    startup = required_startup_candles(pairs_file, parsed, pairs_file.timeframe) if pairs_file.pairs else 1
    wanted = list(dict.fromkeys([*pairs_file.pairs, *looked_at]))
    market = load_market(datadir, wanted, pairs_file.timeframe, parsed, startup, timerange=timerange)
    return with_whitelist(
        Plan(
            pairs_file=pairs_file,
            market=market,
            settings=parsed,
            terms=terms or Terms(()),
            costs=costs or CostModel(),
            startup_candles=startup,
            options=None,
            placebos=0,
            seed=1,
            trial={},
        )
    )
