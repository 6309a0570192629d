"""Why a replay has not what the backtest has: from the bot's own journal, and from what it held."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pairbot_ext.rehearse.replay.trades import PairResult

_REFUSED = "refused"


class Missed:
    """See the module.

    :param events: the journal's rows. :param trades: what the replay traded.
    """

    def __init__(self, events: Iterable[Any], trades: Sequence[PairResult], candle_ms: int) -> None:
        self._refused: list[tuple[int, str, str, str]] = []
        for row in events:
            if row.kind == _REFUSED:
                detail = json.loads(row.detail)
                self._refused.append((row.at_ms, detail["pair"], detail["code"], detail["why"]))
        self._trades = trades
        self._candle_ms = candle_ms

    def codes(self) -> Counter[str]:
        """How often each check refused."""
        return Counter(code for _, _, code, _ in self._refused)

    def why(self, wanted: PairResult) -> str:
        """A backtest's pair trade that the replay does not have."""
        opened, symbols = wanted.opened_ms, set(wanted.directions)
        for at_ms, pair_id, code, why in self._refused:
            if pair_id == wanted.pair_id and opened <= at_ms < opened + self._candle_ms:
                return f"{code}: {why}"
        for each in self._trades:
            ended = each.closed_ms
            if each.opened_ms <= opened and (ended is None or ended > opened):
                shared = symbols & set(each.directions)
                if shared:
                    return f"{', '.join(sorted(shared))} was held by {each.pair_id} since an earlier candle"
            aborted = each.is_aborted and each.pair_id == wanted.pair_id and each.opened_ms == opened
            if aborted:
                return f"aborted: {each.reason}"
        return "no entry was asked for: the signal, a slot or the money was not there"
