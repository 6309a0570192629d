"""The venue's streams as they are shown."""

from pairbot_ext.control.views import StreamsView, StreamView
from pairbot_ext.desk.audible import Audible


def streams_view(audible: Audible, weight_used: int) -> StreamsView | None:
    """Every connection with its age; None where nothing is heard."""
    if not audible.is_on:
        return None
    reaction_ms = audible.reaction_ms
    return StreamsView(
        connections=tuple(
            StreamView(
                name=each.name,
                symbols=each.symbols,
                is_fresh=each.is_fresh,
                age_secs=each.age_secs,
                reconnects=each.reconnects,
                stale_secs=each.stale_secs,
                error=each.error,
            )
            for each in audible.reports()
        ),
        weight_used=weight_used,
        reaction_secs=None if reaction_ms is None else reaction_ms / 1000,
    )


def streams_lines(streams: StreamsView) -> list[str]:
    """Below the open pairs of /pairs."""
    lines = [f"streams: {streams.weight_used} weight used in this minute"]
    if streams.reaction_secs is not None:
        lines[0] += f", last stop {streams.reaction_secs:.2f} s after its price"
    for each in streams.connections:
        age = "not heard yet" if each.age_secs is None else f"{each.age_secs:.1f} s ago"
        state = age if each.is_fresh else f"SILENT ({age}{f'; {each.error}' if each.error else ''})"
        symbols = f", {each.symbols} symbols" if each.symbols else ""
        lost = f", {each.reconnects} reconnects, {each.stale_secs:.0f} s silent" if each.reconnects else ""
        lines.append(f"  {each.name}: {state}{symbols}{lost}")
    return lines


def priced(price_source: str | None, age_secs: float | None) -> str:
    """`, stream 0.2 s` beside a price that was heard; nothing beside one that every loop asks for."""
    if price_source is None or age_secs is None:
        return ""
    return f", {price_source} {age_secs:.1f} s ago"
