"""The pairs file of a served market, written for a bot, and the configuration that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.support.errors import PairbotError


def write_served_pairs(exchange: SimulatedExchange, path: Path, source: Path | None) -> dict[str, Any]:
    """Write the pairs that belong to the exchange's market; returns the configuration that makes a bot trade
    them.

    :param source: a pairs file in recorded times; without it the market must know its own pairs.
    :raises PairbotError: replayed prices and no source; or a file cannot be read or written.
    """
    from pairbot_ext.pairs import load_pairs_file
    from pairbot_ext.pairs.writing import check_replaceable, overlay, write_scan
    from pairbot_ext.sim.market.pairs import market_pairs_file

    venue = exchange.gateway.venue
    document = market_pairs_file(
        venue.market,  # type: ignore[arg-type]
        now_ms=venue.clock(),
        source=None if source is None else load_pairs_file(source),
    )
    if document is None:
        raise PairbotError(
            "Recorded prices come without pairs of their own",
            remedy="Name a scanned pairs file with --pairs FILE",
        )
    path = path.absolute()
    check_replaceable(path)
    write_scan(path, document)
    config = overlay(path) | {"timeframe": document.timeframe}
    if venue.market.is_scripted:  # type: ignore[attr-defined]
        # A scripted spread swings faster than its planted process: every pair would be taken for broken.
        config["pairbot"] |= {"risk": {"break_stop": None}}
    return config
