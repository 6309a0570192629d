"""What a replay says: one headline, the causes, the cost of legging as a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pairbot_ext.rehearse.replay.inputs import when_text
from pairbot_ext.rehearse.replay.session import Replayed
from pairbot_ext.rehearse.replay.trades import PairResult

SCHEMA_VERSION = 1
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SIMULATED = (
    "Prices are recorded; spread, depth, latency and faults are the parameters above, not measurements."
)


def distribution(values: Sequence[float]) -> dict[str, Any]:
    """Count, mean, standard deviation and quantiles; empty of all but the count where there is no value."""
    if not values:
        return {"count": 0}
    array = np.asarray(values, dtype=float)
    return {
        "count": len(values),
        "mean": float(array.mean()),
        "sd": float(array.std(ddof=1)) if len(values) > 1 else 0.0,
        "quantiles": {f"{share:g}": float(np.quantile(array, share)) for share in QUANTILES},
    }


def whole_trades(played: Replayed) -> list[PairResult]:
    """Pair trades whose both ends have been traded: what legging has cost is known of them."""
    return [each for each in played.ledger.trades if each.closed_ms is not None and not each.is_aborted]


def legging_document(played: Replayed) -> dict[str, Any]:
    """The cost of legging, for whoever simulates many pair trades; its schema is in docs/replay.md."""
    done = whole_trades(played)
    found = [(trade, trade.legging) for trade in done if trade.legging is not None]
    return {
        "schema_version": SCHEMA_VERSION,
        "unit": "basis points of both legs' notional at entry, per pair trade; positive costs",
        "terms": played.terms.to_json(),
        "timeframe": played.inputs.timeframe,
        "detail": played.inputs.detail,
        "from": when_text(played.begin_ms),
        "to": when_text(played.reached_ms),
        "pair_trades": [
            {
                "pair": trade.pair_id,
                "opened_ms": trade.opened_ms,
                "closed_ms": trade.closed_ms,
                "notional": trade.notional,
                "alone_secs": legging.alone_secs,
                "entry_bp": legging.entry_bp,
                "exit_bp": legging.exit_bp,
                "cost_bp": legging.cost_bp,
                "shortfall_bp": legging.shortfall_bp,
            }
            for trade, legging in found
        ],
        "cost_bp": distribution([legging.cost_bp for _, legging in found]),
        "shortfall_bp": distribution([legging.shortfall_bp for _, legging in found]),
        "alone_secs": distribution([legging.alone_secs for _, legging in found]),
    }


def weight(played: Replayed) -> dict[str, float]:
    """Request weight: the most in one minute, and the mean of an hour."""
    used = played.counted.weight
    hours = max((played.reached_ms - played.begin_ms) / 3_600_000, 1.0)
    return {
        "most_per_minute": max(used.values(), default=0),
        "limit_per_minute": played.weight_limit,
        "per_hour": sum(used.values()) / hours,
    }


def headline(played: Replayed) -> str:
    """What matters, in one sentence."""
    trades = played.ledger.trades
    aborted = sum(each.is_aborted for each in trades)
    text = f"{len(trades)} pair trades, {aborted} aborted, profit {played.ledger.change:+.2f}"
    beside = played.comparison
    if beside is None:
        return text + "; no backtest beside it"
    return (
        f"{text}; the backtest {beside.backtest_profit:+.2f}: {beside.same} of {len(beside.sides)} "
        f"pair trades are the same, the difference of {beside.difference:+.2f} is explained but for "
        f"{beside.unexplained:+.4f}"
    )


def to_json(played: Replayed) -> dict[str, Any]:
    """The whole result."""
    inputs = played.inputs
    return {
        "schema_version": SCHEMA_VERSION,
        "headline": headline(played),
        "simulated": SIMULATED,
        "stake_currency": inputs.raw.get("stake_currency", "USDT"),
        "from": when_text(played.begin_ms),
        "to": when_text(played.reached_ms),
        "stopped": played.stopped,
        "interrupted": played.is_interrupted,
        "notes": list(inputs.notes),
        "doubts": played.doubts,
        "terms": played.terms.to_json(),
        "pair_trades": [each.to_json() for each in played.ledger.trades],
        "profit": played.ledger.change,
        "comparison": None if played.comparison is None else played.comparison.to_json(),
        "refused": dict(played.refused),
        "mishaps": dict(played.counted.mishaps),
        "weight": weight(played),
        "legging": legging_document(played),
        "candles": played.candles,
        "wall_secs": round(played.wall_secs, 1),
    }
