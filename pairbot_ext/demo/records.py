"""What the demo's tables hold, as plain JSON values."""

from __future__ import annotations

from typing import Any

from pairbot_ext.report.pairing import PairSummary


def summary_record(summary: PairSummary) -> dict[str, Any]:
    """One line of a table. Money in USDT, the hedge error as a fraction or null where no β is known."""
    return {
        "pair_id": summary.pair_id,
        "pair_trades": summary.pair_trades,
        "wins": summary.wins,
        "profit": summary.profit,
        "funding": summary.funding,
        "worst_hedge_error": summary.worst_hedge_error,
        "naked_leg_hours": summary.naked_leg_hours,
        "faults": list(summary.faults),
    }
