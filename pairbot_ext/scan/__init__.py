"""From candles to a pairs file: which symbols are usable, which pairs were tested, which were selected.

Modules, in the order data flows: `sources` and `live` (candles from a datadir or an exchange), `universe`
(one formation window, bad series rejected with a reason), `filters` and `rules` (checks of symbols, pairs),
`pipeline` (one window from candles to a result), `epochs` (many windows), `table` and `explain` (what the
reader sees), `imports` (a published table becomes a pairs file). `options` reads the knobs, `session` is the
command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pairbot_ext.support.lazy import exports

if TYPE_CHECKING:
    from pairbot_ext.scan.epochs import Schedule as Schedule
    from pairbot_ext.scan.epochs import walk_forward as walk_forward
    from pairbot_ext.scan.pipeline import ScanOptions as ScanOptions
    from pairbot_ext.scan.pipeline import ScanResult as ScanResult
    from pairbot_ext.scan.pipeline import epoch_of as epoch_of
    from pairbot_ext.scan.pipeline import scan_window as scan_window
    from pairbot_ext.scan.rules import Rule as Rule
    from pairbot_ext.scan.universe import Window as Window
    from pairbot_ext.scan.universe import cut_window as cut_window

__getattr__, __all__ = exports(
    __name__,
    {
        "Rule": "rules",
        "ScanOptions": "pipeline",
        "ScanResult": "pipeline",
        "Schedule": "epochs",
        "Window": "universe",
        "cut_window": "universe",
        "epoch_of": "pipeline",
        "scan_window": "pipeline",
        "walk_forward": "epochs",
    },
)
