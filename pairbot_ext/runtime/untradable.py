"""Pairs that are not entered because the venue does not trade one of their legs (now)."""

from collections.abc import Callable

from pairbot_ext.pairs import PairsFile


class Untradable:
    """Compares the pairs in force with what the venue trades; one message per change."""

    def __init__(self) -> None:
        self.pair_ids: frozenset[str] = frozenset()

    def look(self, pairs_file: PairsFile, is_traded: Callable[[str], bool]) -> list[str]:
        """What the operator should be told; empty where nothing has changed."""
        found: dict[str, list[str]] = {}
        for epoch in pairs_file.epochs:
            for pair in epoch.pairs:
                missing = [symbol for symbol in pair.symbols if not is_traded(symbol)]
                if missing:
                    found[pair.id] = missing
        messages = [
            f"Pair {pair_id} is disabled: the venue does not trade {', '.join(found[pair_id])}"
            for pair_id in found.keys() - self.pair_ids
        ] + [
            f"Pair {pair_id} is enabled again: the venue trades both legs"
            for pair_id in self.pair_ids - found.keys()
        ]
        self.pair_ids = frozenset(found)
        return sorted(messages)
