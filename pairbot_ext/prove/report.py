"""What a proof has found, for people and for a bug report: nothing in it is secret, nothing says how much."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pairbot_ext.prove.claims import Claim, Said
from pairbot_ext.prove.fields import Row
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.support.redact import scrub

SCHEMA = "pairbot-prove-1"
SAME, DIFFERENT, NOT_SHOWN, UNSAID = "yes", "NO", "not shown", "-"


@dataclass
class Found:
    """One claim and both sides' words; a side that could not be shown says why in `not_shown`."""

    claim: Claim
    simulated: Said | None = None
    venue: Said | None = None
    not_shown: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Whether both say the same."""
        if self.not_shown:
            return NOT_SHOWN
        if self.simulated is None or self.venue is None:
            return UNSAID
        return SAME if self.simulated.facts == self.venue.facts else DIFFERENT

    def to_json(self) -> dict[str, Any]:
        """A document."""
        return {
            "claim": self.claim.name,
            "sentence": self.claim.sentence,
            "simulator": None if self.simulated is None else self.simulated.facts,
            "venue": None if self.venue is None else self.venue.facts,
            "measured": {} if self.venue is None else self.venue.measured,
            "not_shown": self.not_shown,
            "same": self.verdict,
        }


@dataclass
class Report:
    """A whole proof.

    :param about: releases, site, legs, times; `fields`: how many of both sides' answers were compared.
    :param differing: those that are not alike.
    """

    about: dict[str, Any]
    found: list[Found]
    recordings: dict[str, Any]
    fields: int
    differing: list[Row]

    @property
    def is_same(self) -> bool:
        """Whether nothing that was shown differs."""
        return all(each.verdict in (SAME, NOT_SHOWN) for each in self.found) and not self.differing

    def to_json(self) -> dict[str, Any]:
        """A document; strings are scrubbed once more, whatever they went through before."""
        return {
            "schema": SCHEMA,
            "about": self.about,
            "claims": [each.to_json() for each in self.found],
            "answers": {"fields": self.fields, "differing": [asdict(row) for row in self.differing]},
            "recordings": self.recordings,
        }

    def lines(self) -> list[str]:
        """The table, as Markdown."""
        about = self.about
        lines = [
            f"# {about['site']}: {about['legs'][0]} and {about['legs'][1]}",
            "",
            *([about["rehearsed"], ""] if about.get("rehearsed") else []),
            f"pairbot {about['pairbot']}, ccxt {about['ccxt']}, begun {about['begun']}, "
            f"{about['took_secs']:.0f} s, {about['requests']} requests to the venue.",
            "",
            "| claim | what the simulator says | what the venue said | same? |",
            "|---|---|---|---|",
            *(_row(each) for each in self.found),
            "",
            f"Answers of both sides, field by field: {self.fields} compared, {len(self.differing)} differ.",
            *(
                f"- `{row.call}` ({row.source}) `{row.path}`: {row.problem}: venue {row.recorded}, "
                f"simulator {row.ours}"
                for row in self.differing
            ),
            "",
            *self._measured(),
        ]
        return [scrub(line) for line in lines]

    def _measured(self) -> list[str]:
        rows = []
        for each in self.found:
            beside = each.simulated.measured if each.simulated else {}
            for name, value in (each.venue.measured if each.venue else {}).items():
                rows.append(f"| {each.claim.name} | {name} | {beside.get(name, '-')} | {value} |")
        return ["| measured | | simulator | venue |", "|---|---|---|---|", *rows] if rows else []

    def write(self, path: Path) -> list[Path]:
        """Write the document to `path` and the table beside it. Returns both.

        :raises PairbotError: it cannot be written.
        """
        table = path.with_suffix(".md")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                scrub(json.dumps(self.to_json(), indent=1, ensure_ascii=False)) + "\n", encoding="utf-8"
            )
            table.write_text("\n".join(self.lines()) + "\n", encoding="utf-8")
        except OSError as error:
            raise PairbotError(
                f"the report cannot be written: {error}", remedy="Name another --output"
            ) from error
        return [path, table]


def _row(found: Found) -> str:
    def side(name: str, said: Said | None) -> str:
        why = found.not_shown.get(name)
        text = f"not shown: {why}" if why else UNSAID if said is None else said.text
        return text.replace("|", "/")

    sides = f"{side('simulator', found.simulated)} | {side('venue', found.venue)}"
    return f"| {found.claim.sentence} | {sides} | {found.verdict} |"


def fixture_of(path: Path) -> dict[str, Any]:
    """What a report has recorded of the venue, in the form of a fixture: call → recorded examples.

    :raises PairbotError: the file is no report.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schema, recordings = document["schema"], document["recordings"]
        about = document["about"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PairbotError(
            f"{path} is no report of pairbot prove: {error}", remedy="Name the .json it wrote"
        ) from error
    if schema != SCHEMA or not isinstance(recordings, dict):
        raise PairbotError(f"{path} is a report of another version", value=schema)
    return {"_about": about, **recordings}
