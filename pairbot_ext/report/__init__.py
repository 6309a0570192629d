"""Pair trades out of a backtest or a bot's database: net of costs first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pairbot_ext.support.lazy import exports

if TYPE_CHECKING:
    from pairbot_ext.report.data_files import pair_tables as pair_tables
    from pairbot_ext.report.document import build_report as build_report
    from pairbot_ext.report.pairing import legs_of as legs_of
    from pairbot_ext.report.pairing import load_export as load_export
    from pairbot_ext.report.pairing import pair_trades as pair_trades
    from pairbot_ext.report.plots import plot_pair as plot_pair
    from pairbot_ext.report.sources import open_source as open_source

__getattr__, __all__ = exports(
    __name__,
    {
        "build_report": "document",
        "legs_of": "pairing",
        "load_export": "pairing",
        "open_source": "sources",
        "pair_tables": "data_files",
        "pair_trades": "pairing",
        "plot_pair": "plots",
    },
)
