"""`pairbot prove` from end to end, under the demo venue's rules: what it says, writes and leaves behind."""

from __future__ import annotations

import json

import pytest
from demo_venue import DEPOSIT, KEYS

from pairbot_ext.cli import main
from pairbot_ext.prove.claims import READING, Claim, Said
from pairbot_ext.prove.orders import TRADING
from pairbot_ext.prove.proof import prove
from pairbot_ext.prove.recorder import compared, masked
from pairbot_ext.sim.venue.faults import FaultRule
from pairbot_ext.sim.venue.orders import OrderStatus

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.mark.process
def test_end_to_end(demo, tmp_path, monkeypatch, capsys):
    for name, value in demo.environment().items():
        monkeypatch.setenv(name, value)
    output = tmp_path / "out" / "report.json"
    command = ["prove", "--output", str(output)]
    assert main(command) == 2, "funds, and never seen"
    assert "--accept-account" in capsys.readouterr().err
    assert not demo.orders()
    assert main([*command, "--accept-account"]) == 0
    shown = capsys.readouterr().out
    document = json.loads(output.read_text(encoding="utf-8"))
    said = {row["claim"]: row for row in document["claims"]}
    assert list(said) == [claim.name for claim in (*READING, *TRADING)]
    assert {row["same"] for row in said.values()} == {"yes"}
    assert document["answers"]["fields"] > 300
    assert not document["answers"]["differing"]
    assert said["kill -9"]["venue"] == {
        "died of": "SIGKILL",
        "found in the journal": "2 orders, A UNKNOWN, B UNKNOWN",
        "leg A, asked": "FILLED",
        "leg B, asked": "VOID",
        "to close": "sell leg A",
        "closed": "FILLED",
        "left": "nothing",
    }
    assert said["partial fill"]["venue"]["more than the best level"] == "PARTIAL, part"
    assert "REHEARSED" in shown

    # The venue's books.
    assert not demo.held()
    assert not demo.venue.engine.open_orders
    assert {order.status for order in demo.venue.engine.orders.values()} == {
        OrderStatus.FILLED, OrderStatus.EXPIRED, OrderStatus.CANCELED,
    }  # fmt: skip

    # Nothing secret, and nothing that says how much: neither at first nor after fees.
    texts = [shown, *(path.read_text(encoding="utf-8") for path in (output, output.with_suffix(".md")))]
    wallet = str(demo.venue.account.wallet)
    for text in texts:
        assert not [word for word in (*secrets(), str(DEPOSIT), wallet, wallet[:7]) if word in text]
    assert "signature" not in texts[1]

    # A fixture with one command, and it is what was recorded.
    fixture = tmp_path / "fixture.json"
    assert main(["prove", "--fixture", str(output), "--output", str(fixture)]) == 0
    recordings = json.loads(fixture.read_text(encoding="utf-8"))
    assert recordings.pop("_about")["legs"] == ["ADA/USDT:USDT", "ALGO/USDT:USDT"]
    fields, differing = compared(document["recordings"], recordings)
    assert fields > 300
    assert not differing
    assert main(["prove", "--fixture", str(output), "--output", str(fixture)]) == 2, "never overwritten"
    assert main(["prove", "--fixture", str(fixture), "--output", str(tmp_path / "other.json")]) == 2

    known = json.loads((output.parent / "known-accounts.json").read_text())
    assert len(known) == 1
    assert KEYS.key not in known[0]


def secrets() -> tuple[str, ...]:
    return KEYS.key, KEYS.secret


def test_reading_alone(demo):
    """On the live host's rules: every claim that reads, and not one request but GET."""
    lines: list[str] = []
    report = prove(demo.options(read_only=True), lines.append)
    assert [each.claim for each in report.found] == list(READING)
    assert {each.verdict for each in report.found} <= {"yes", "not shown"}
    assert {record.call.partition(" ")[0] for record in demo.gateway.log.requests} == {"GET"}
    assert report.about["site"] == "Binance, simulated"


def only(monkeypatch, *names: str) -> None:
    """Have the proof ask these claims alone."""
    monkeypatch.setattr("pairbot_ext.prove.proof.READING", ())
    monkeypatch.setattr(
        "pairbot_ext.prove.proof.TRADING", tuple(claim for claim in TRADING if claim.name in names)
    )


def test_a_venue_that_differs_is_told(new_demo, monkeypatch):
    """This one never takes an id twice: the claim says NO, with both sides' words."""
    only(monkeypatch, "duplicate id")
    demo = new_demo(strict_client_ids=True)
    report = prove(demo.options(), lambda _line: None)
    (found,) = report.found
    assert found.verdict == "NO"
    assert found.venue.facts["after its end"] == "InvalidOrder -4116"
    assert found.simulated.facts["after its end"] == "taken"
    assert not report.is_same
    assert any(line.endswith("| NO |") for line in report.lines())


def test_a_field_that_differs_is_told(demo, monkeypatch):
    """An answer with a field more, and one in another form."""
    only(monkeypatch, "leverage")
    body = '{"symbol":"ADAUSDT","leverage":"3","maxNotionalValue":"1","new":1}'
    demo_fault(
        demo, when={"call": "POST /fapi/v1/leverage", "times": None}, answer="custom", status=200, body=body
    )
    report = prove(demo.options(), lambda _line: None)
    told = {row.path: row.problem.partition(":")[0] for row in report.differing if "leverage" in row.call}
    assert told == {"leverage": "type", "new": "absent"}


def demo_fault(demo, **rule) -> None:
    demo.gateway.faults.add(FaultRule.model_validate(rule))


@pytest.mark.parametrize(
    "rule",
    [
        {"when": {"leg": "B", "role": "e"}, "answer": "reject", "code": -2019},
        {"when": {"leg": "A", "role": "e"}, "answer": "unknown_503_msg"},
        {"when": {"call": "GET /fapi/v3/positionRisk", "nth": 3}, "answer": "html_502"},
        {"when": {"role": "x", "times": 2}, "answer": "reject", "code": -1001},
    ],
    ids=["leg B refused", "leg A unclear", "positions not readable", "exits refused"],
)
def test_whatever_goes_wrong_nothing_is_left(demo, monkeypatch, rule):
    only(monkeypatch, "pair")
    demo_fault(demo, **rule)
    lines: list[str] = []
    prove(demo.options(), lines.append)
    assert not demo.held()
    assert not [line for line in lines if "LOOK AT THE ACCOUNT" in line]


def test_ctrl_c_leaves_nothing_open(demo, monkeypatch):
    def interrupted(stage) -> Said:
        stage.client.create_order(stage.legs[0], "market", "buy", 20)
        raise KeyboardInterrupt

    monkeypatch.setattr("pairbot_ext.prove.proof.READING", ())
    monkeypatch.setattr("pairbot_ext.prove.proof.TRADING", (Claim("slow", "takes long", interrupted),))
    with pytest.raises(KeyboardInterrupt):
        prove(demo.options(), lambda _line: None)
    assert len(demo.venue.engine.orders) == 2
    assert not demo.held()


def test_masked_answers_keep_their_form():
    answer = {
        "walletBalance": "25.72610060",
        "totalCrossUnPnl": "-0.54",
        "positionAmt": "0.009",
        "canWithdraw": True,
    }
    assert masked({"assets": [answer], "feeTier": 3, "listenKey": "abc"}) == {
        "assets": [{
            "walletBalance": "00.00000000", "totalCrossUnPnl": "-0.00", "positionAmt": "0.009",
            "canWithdraw": True,
        }],
        "feeTier": 0,
        "listenKey": "removed",
    }  # fmt: skip


def test_fixtures_of_the_real_venue(demo, repo_root):
    """Recordings that people with keys have contributed: the script's answers here have the same fields."""
    folder = repo_root / "tests/prove/proven"
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        pytest.skip("nobody has recorded the real venue yet: pairbot prove --fixture")
    report = prove(demo.options(), lambda _line: None)
    for file in files:
        fields, differing = compared(report.recordings, json.loads(file.read_text(encoding="utf-8")))
        assert fields
        assert not differing, file.name
