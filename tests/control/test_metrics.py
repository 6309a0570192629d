"""What Prometheus is told, read by prometheus_client's own parser from Freqtrade's real API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from control_world import api_block
from freqtrade.rpc.api_server import ApiServer
from harness import Rig
from prometheus_client.parser import text_string_to_metric_families

from pairbot_ext import __version__
from pairbot_ext.orders.dryport import DryFault, DryFaultKind

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def scraped(make_bot: Callable[..., Rig]) -> Iterator[tuple[Rig, Callable[[], Samples]]]:
    """Two pairs open, and a scrape."""
    block = api_block()
    rig = make_bot(api_server=block)
    rig.bot.process()
    assert rig.states() == ["HEDGED", "HEDGED"]

    def scrape() -> Samples:
        answer = requests.get(
            f"http://127.0.0.1:{block['listen_port']}/api/v1/pairs_metrics",
            auth=(block["username"], block["password"]), timeout=20,
        )  # fmt: skip
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    yield rig, scrape
    ApiServer.shutdown()


def test_two_open_pairs(scraped: tuple[Rig, Callable[[], Samples]]) -> None:
    _, scrape = scraped
    seen = scrape()
    assert seen["pairbot_open_pair_trades", (("state", "HEDGED"),)] == 2
    assert seen["pairbot_open_pair_trades", (("state", "UNKNOWN"),)] == 0
    assert seen["pairbot_pair_z", (("pair", "ADA_ALGO"),)] == pytest.approx(2.5, abs=0.05)
    assert 0 <= seen["pairbot_pair_hedge_error", (("pair", "XRP_DOGE"),)] < 0.02
    assert seen["pairbot_pair_profit_now", (("pair", "ADA_ALGO"),)] < 0, "fees and the spread"
    assert seen["pairbot_risk_state", (("state", "ACTIVE"),)] == 1
    assert seen["pairbot_risk_state", (("state", "HALTED"),)] == 0
    assert seen["pairbot_signals_and_trades_total", (("what", "hedged"),)] == 2
    assert seen["pairbot_leg_alone_seconds_count", ()] == 2
    assert seen["pairbot_order_round_trip_seconds_count", (("role", "entry"),)] == 4
    # A minute may have begun since the last request.
    assert 0 <= seen["pairbot_request_weight", ()] < seen["pairbot_request_weight_limit", ()] == 2400
    assert seen["pairbot_loop_seconds", ()] > 0
    assert 0 <= seen["pairbot_loop_age_seconds", ()] < 60
    assert 0 <= seen["pairbot_journal_lag_seconds", ()] < 60
    (what,) = [dict(labels) for name, labels in seen if name == "pairbot_info"]
    assert (what["version"], what["mode"], what["currency"]) == (__version__, "dry-run", "USDT")
    assert seen["pairbot_scan_in_force", ()] == 1


def test_what_happens_is_counted_once(scraped: tuple[Rig, Callable[[], Samples]]) -> None:
    rig, scrape = scraped
    before = scrape()
    assert scrape()["pairbot_order_round_trip_seconds_count", (("role", "entry"),)] == 4
    rig.dry_fault("A", "x", DryFault(DryFaultKind.LOST_AFTER))
    pair_trade = rig.desk.journal.open_pair_trades()[0]
    rig.desk.close(pair_trade, "by hand")
    rig.loop(2, pause_secs=0.1)
    assert sorted(rig.states()) == ["CLOSED", "HEDGED"]
    after = scrape()
    assert after["pairbot_answers_unclear_total", ()] == before["pairbot_answers_unclear_total", ()] + 1
    assert after["pairbot_signals_and_trades_total", (("what", "closed"),)] == 1
    assert ("pairbot_pair_z", (("pair", "ADA_ALGO"),)) not in after
    exits = after["pairbot_order_round_trip_seconds_count", (("role", "exit"),)]
    assert 1 <= exits <= 2, "an answer that never came has no round trip, or that of the question"
    rig.desk.journal.is_degraded = True
    assert scrape()["pairbot_journal_degraded", ()] == 1
    rig.desk.journal.is_degraded = False
