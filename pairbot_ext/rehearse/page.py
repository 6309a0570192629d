"""A drill as one HTML page that needs nothing but itself: no script, no network."""

from __future__ import annotations

from html import escape
from pathlib import Path

from pairbot_ext.rehearse.drill import Drill
from pairbot_ext.rehearse.outcome import Result
from pairbot_ext.rehearse.paper import check_place, sheet, write
from pairbot_ext.rehearse.strip import strip

_STYLE = """
.lead.broken { border-color: #b3261e; color: #8c1d18; } .lead.limit { border-color: #b8860b; }
table { width: 100%; } td { white-space: nowrap; } td.text { white-space: normal; }
.bad { color: #8c1d18; } .warn { color: #7a5a00; }
ol { padding-left: 28px; font-size: 13px; margin: 4px 0; }
"""
_HEADS = (
    ("scenario", True), ("pair", True), ("outcome", True), ("alone, s", False), ("unhedged, USDT", False),
    ("loss, USDT", False), ("of the stake, %", False), ("profit, USDT", False), ("orders", False),
    ("how", True),
)  # fmt: skip


def check_page(path: Path) -> None:
    """Before anything is played. Raises PairbotError: the file is somebody else's."""
    check_place(path, "drill")


def write_page(path: Path, drill: Drill) -> None:
    """Write it. Raises PairbotError: the file is somebody else's, or cannot be written."""
    write(path, "drill", _body(drill), _STYLE)


def page(drill: Drill) -> str:
    """The whole page."""
    return sheet("drill", _body(drill), _STYLE)


def _body(drill: Drill) -> list[str]:
    kind = "lead" if not drill.exceeded else "lead limit"
    kind = kind if drill.is_passed else "lead broken"
    assumed = "".join(f"<li>{escape(text)}</li>" for text in drill.setup.assumed)
    return [
        "<h1>Drill: disasters with your configuration</h1>",
        f'<p class="{kind}">{escape(drill.headline())}</p>',
        '<p class="small">The real bot on a simulated exchange in virtual time. Prices follow the '
        "models of the pairs and the scenarios; books, fills and margin follow the rules of the simulation. "
        "Nothing here says what your pairs will earn.</p>",
        f'<ul class="small">{assumed}</ul>' if assumed else "",
        _table(drill.results),
        *(_section(number, result) for number, result in enumerate(drill.results)),
    ]


def _table(results: list[Result]) -> str:
    heads = "".join(f'<th class="text">{name}</th>' if text else f"<th>{name}</th>" for name, text in _HEADS)
    rows = []
    for number, each in enumerate(results):
        style = ' class="bad"' if each.broken else ' class="warn"' if each.exceeded else ""
        cells = [
            f'<td class="text"><a href="#s{number}">{escape(each.name)}</a></td>',
            f'<td class="text">{escape(each.pair)}</td>',
            f'<td class="text">{escape(each.outcome)}</td>',
            *(
                f"<td>{value}</td>"
                for value in (
                    f"{each.alone_secs:.1f}", f"{each.exposure:.0f}", f"{each.loss:.2f}",
                    f"{each.loss_percent:.1f}", f"{each.profit:+.2f}", str(each.orders),
                )
            ),
            f'<td class="text">{escape(each.story)}</td>',
        ]  # fmt: skip
        rows.append(f"<tr{style}>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody>'
        "</table></div>"
    )


def _section(number: int, result: Result) -> str:
    bad = "".join(f'<p class="bad">broken: {escape(text)}</p>' for text in result.broken)
    limits = "".join(f'<p class="warn">limit: {escape(text)}</p>' for text in result.exceeded)
    told = "".join(f"<li>{secs:g} s: {escape(text)}</li>" for secs, text in result.messages)
    picture = strip(result) if result.held or result.marks else ""
    return (
        f'<h2 id="s{number}">{escape(result.name)}: {escape(result.title)}</h2>'
        f'<p class="small">{escape(result.pair)}, seed {result.seed}, {escape(result.story)}</p>{bad}{limits}'
        f'{picture}<ol>{told}</ol><p class="small">What to do: {escape(result.then)}</p>'
    )
