"""One bot with two open pairs and Freqtrade's API server, for every test that only looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests
from harness import Rig
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class DeployedBot:
    """:param api: the `api_server` block it was started with."""

    rig: Rig
    api: dict[str, Any]

    def scrape(self) -> str:
        """As Prometheus does, with `basic_auth`."""
        answer = requests.get(
            f"http://127.0.0.1:{self.api['listen_port']}/api/v1/pairs_metrics",
            auth=(self.api["username"], self.api["password"]), timeout=20,
        )  # fmt: skip
        answer.raise_for_status()
        return answer.text

    def metrics(self) -> dict[str, set[str] | None]:
        """Every metric by the name a query uses, with its labels; None where it has no value now."""
        found: dict[str, set[str] | None] = {}
        for family in text_string_to_metric_families(self.scrape()):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = None
            found |= {sample.name: set(sample.labels) for sample in family.samples}
        return found
