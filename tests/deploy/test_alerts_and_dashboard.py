"""Alert rules and dashboard ask for metrics the bot really exposes, by labels these really have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployed_bot import DeployedBot

PROMETHEUS_OWN = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity"}}
OF_EVERY_TARGET = {"job", "instance"}


@pytest.fixture(scope="module")
def alerts(repo_root: Path) -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((repo_root / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return list(group["rules"])


@pytest.fixture(scope="module")
def dashboard(repo_root: Path) -> dict[str, Any]:
    return dict(json.loads((repo_root / "deploy/grafana/dashboards/pairbot.json").read_text()))


@pytest.fixture(scope="module")
def metrics(deployed: DeployedBot) -> dict[str, set[str] | None]:
    return {**deployed.metrics(), **PROMETHEUS_OWN}


def queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Every metric an expression asks for and the labels it picks by. Raises ValueError: no PromQL."""
    promql = pytest.importorskip("promql_parser")

    def walk(node: Any) -> Iterator[tuple[str, set[str]]]:
        if isinstance(node, promql.VectorSelector):
            yield node.name, {each.name for each in node.matchers.matchers}
            return
        for part in ("expr", "lhs", "rhs", "vector_selector"):
            if (inner := getattr(node, part, None)) is not None:
                yield from walk(inner)
        for argument in getattr(node, "args", None) or ():
            yield from walk(argument)

    yield from walk(promql.parse(expression.replace("$instance", ".*")))


def check(place: str, expression: str, metrics: dict[str, set[str] | None]) -> None:
    found = list(selectors(expression))
    assert {name for name, _ in found} == set(re.findall(r"\b(?:pairbot_\w+|up|ALERTS)\b", expression))
    for name, labels in found:
        assert name in metrics, f"{place} asks for {name}, which the bot does not have"
        known = metrics[name]
        assert known is None or labels <= known | OF_EVERY_TARGET, f"{place}: {name} has no {labels - known}"


def test_rules_ask_for_what_there_is(alerts: list[dict[str, Any]], metrics: dict[str, Any]) -> None:
    assert len(alerts) >= 19
    for rule in alerts:
        check(rule["alert"], rule["expr"], metrics)
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}
    assert len({rule["alert"] for rule in alerts}) == len(alerts)


def test_panels_ask_for_what_there_is(dashboard: dict[str, Any], metrics: dict[str, Any]) -> None:
    asked = list(queries(dashboard))
    assert len(asked) >= 30
    for title, expression in asked:
        check(title, expression, metrics)
    for panel in dashboard["panels"]:
        assert panel["type"] == "row" or panel["description"]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken = {
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    }
    assert len(taken) == sum(p["gridPos"]["w"] * p["gridPos"]["h"] for p in dashboard["panels"]), (
        "they overlap"
    )
    assert max(x for x, _ in taken) < 24


def test_every_metric_is_on_the_dashboard_or_in_a_rule_and_in_the_docs(
    dashboard: dict[str, Any], alerts: list[dict[str, Any]], deployed: DeployedBot, repo_root: Path
) -> None:
    asked = " ".join([*(each for _, each in queries(dashboard)), *(rule["expr"] for rule in alerts)])
    docs = (repo_root / "docs/metrics.md").read_text(encoding="utf-8")
    for name in deployed.metrics():
        if name.endswith(("_created", "_sum")):
            continue
        short = re.sub(r"_(bucket|count)$", "", name)
        assert short in asked, f"nobody looks at {name}"
        assert f"`{short}" in docs, f"docs/metrics.md does not explain {name}"


def test_every_rule_is_explained(alerts: list[dict[str, Any]], repo_root: Path) -> None:
    runbook = (repo_root / "docs/runbook.md").read_text(encoding="utf-8").split("### Alerts")[1]
    explained = re.findall(r"^\| `(Pairbot\w+)`", runbook, re.MULTILINE)
    assert explained == [rule["alert"] for rule in alerts]


def test_every_rule_has_been_made_to_speak(alerts: list[dict[str, Any]], repo_root: Path) -> None:
    """`promtool test rules` does it; here it is seen that none is left out of that file."""
    quiet, loud = yaml.safe_load((repo_root / "deploy/prometheus/alerts_test.yml").read_text())["tests"]
    for rule in alerts:
        wanted = set(re.findall(r"\b(?:pairbot_\w+|up)\b", rule["expr"]))
        for case in (quiet, loud):
            given = {re.split(r"[{]", each["series"])[0] for each in case["input_series"]}
            assert wanted <= given, f"{rule['alert']} has no series in {case['name']!r}"
    (count,) = loud["promql_expr_test"][0]["exp_samples"]
    assert count["value"] == len(alerts)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (apt install prometheus)")
def test_promtool_agrees(repo_root: Path, tmp_path: Path) -> None:
    folder = repo_root / "deploy/prometheus"
    password = tmp_path / "password"
    password.write_text("made-up")
    config = (folder / "prometheus.yml").read_text().replace("/run/secrets/api_password", str(password))
    (tmp_path / "prometheus.yml").write_text(config)
    shutil.copy(folder / "alerts.yml", tmp_path)
    for arguments in (["check", "config", str(tmp_path / "prometheus.yml")],
                      ["test", "rules", str(folder / "alerts_test.yml")]):  # fmt: skip
        done = subprocess.run(
            ["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (apt install prometheus)")
def test_promtool_reads_the_metrics(deployed: DeployedBot) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=deployed.scrape(), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    # 3: it has advice on names, which is not followed where it would rename what is in use.
    assert done.returncode in (0, 3), done.stderr


def test_what_starts_prometheus_and_grafana_finds_these_files(repo_root: Path) -> None:
    deploy = repo_root / "deploy"
    prometheus = yaml.safe_load((deploy / "prometheus/prometheus.yml").read_text())
    assert [(deploy / "prometheus" / name).is_file() for name in prometheus["rule_files"]] == [True]
    (job,) = prometheus["scrape_configs"]
    assert job["metrics_path"] == "/api/v1/pairs_metrics"
    services = yaml.safe_load((repo_root / "compose.yaml").read_text())["services"]
    bot = services["bot"]["environment"]
    assert job["basic_auth"] == {
        "username": bot["FREQTRADE__API_SERVER__USERNAME"],
        "password_file": bot["FREQTRADE__API_SERVER__PASSWORD_FILE"],
    }
    assert job["static_configs"] == [{"targets": ["bot:8080"]}]
    (provider,) = yaml.safe_load((deploy / "grafana/provisioning/dashboards/pairbot.yml").read_text())[
        "providers"
    ]
    mounts = dict(each.split(":")[:2] for each in services["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    (source,) = yaml.safe_load((deploy / "grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
