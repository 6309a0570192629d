"""Every rule trips in a running bot on the simulated venue: within its bound, kept, released by hand or with
its cause.

Rules on closed candles need candles: they are in `test_candle_rules_in_bot`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from harness import Rig

from pairbot_ext.model.findings import Rule
from pairbot_ext.risk.rules import ENDS_WITH_ITS_CAUSE, RULES
from pairbot_ext.risk.state import RiskState

MakeRig = Callable[..., Rig]
OFF: dict[str, Any] = {"live_z_stop": False, "max_pair_loss_percent": None}


def price(symbol: str, factor: float) -> Callable[[Rig], None]:
    """The coin moves."""

    def move(rig: Rig) -> None:
        rig.market.prices[symbol] = (rig.market.prices[symbol] * Decimal(str(factor))).quantize(
            Decimal("0.00001")
        )

    return move


def no_depth(rig: Rig) -> None:
    """One coin's book cannot be read any more."""
    rig.fault(when={"call": "GET /fapi/v1/depth", "symbol": "ALGOUSDT", "times": None}, answer="html_503")


def lost_leg_b(rig: Rig) -> None:
    """The answer to leg B is lost, and so is every question about it: leg A is naked."""
    rig.fault(when={"leg": "B", "role": "e", "times": None}, answer="reset", execute=False)
    rig.fault(when={"call": "GET /fapi/v1/order", "times": None}, answer="html_503")
    rig.open()
    assert rig.positions().keys() == {"ADAUSDT"}


def funding_rate(rig: Rig) -> None:
    """5 % every eight hours, paid by the short leg, which is the larger one."""
    rig.market.funding_rate = Decimal("-0.05")


def nothing(rig: Rig) -> None:
    """The configuration alone forbids it."""


@dataclass(frozen=True)
class Case:
    """One rule.

    :param risk: the limits of this bot.
    :param provoke: what happens; where `opens_first` to a bot with an open pair, else before the entry.
    :param reason: exit reason of the pair it closes; None where it closes none.
    :param loops: its bound.
    """

    rule: Rule
    provoke: Callable[[Rig], None]
    risk: dict[str, Any]
    reason: str | None = None
    state: RiskState = RiskState.ACTIVE
    loops: int = 3
    opens_first: bool = True
    config: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case(Rule.Z_STOP_LIVE, price("ADAUSDT", 1.036), {}, "pair_stop_live"),
    Case(
        Rule.PAIR_LOSS,
        price("ADAUSDT", 1.05),
        {"live_z_stop": False, "max_pair_loss_percent": 2.0},
        "pair_loss_limit",
    ),
    Case(
        Rule.LIQUIDATION,
        price("ADAUSDT", 1.10),
        {**OFF, "min_liquidation_distance_percent": 40.0},
        "pair_liquidation_near",
    ),
    Case(
        Rule.NAKED,
        lost_leg_b,
        {"max_api_error_percent": None},
        "pair_naked",
        RiskState.REDUCING,
        loops=13,
        opens_first=False,
    ),
    Case(
        Rule.DRAWDOWN,
        price("ADAUSDT", 1.10),
        {**OFF, "max_drawdown_percent": 2.0, "max_daily_loss_percent": None},
        "pair_halted",
        RiskState.HALTED,
        loops=4,
        config={"stake_amount": 1500},
    ),
    Case(
        Rule.DAILY_LOSS,
        price("ADAUSDT", 1.10),
        {**OFF, "max_daily_loss_percent": 2.0},
        "pair_halted",
        RiskState.HALTED,
        loops=4,
        config={"stake_amount": 1500},
    ),
    Case(
        Rule.STALE_DATA,
        no_depth,
        {"max_blind_secs": 30.0, "max_api_error_percent": None},
        None,
        RiskState.REDUCING,
        loops=9,
    ),
    Case(
        Rule.API_ERRORS,
        no_depth,
        {"api_error_min_requests": 20, "max_blind_secs": None, "max_api_error_percent": 5.0},
        None,
        RiskState.REDUCING,
        6,
    ),
    Case(Rule.MAX_PAIRS, nothing, {"max_pairs": 1}),
    Case(Rule.GROSS_EXPOSURE, nothing, {"max_gross_exposure_ratio": 0.05}),
    Case(Rule.COIN_EXPOSURE, nothing, {"max_coin_exposure_ratio": 0.02}, opens_first=False),
    Case(Rule.LEVERAGE, nothing, {"max_leverage": 1}, opens_first=False),
    Case(Rule.LIQUIDATION, nothing, {"min_liquidation_distance_percent": 60.0}, opens_first=False),
    Case(Rule.FUNDING, funding_rate, {"max_funding_share_percent": 10.0}, opens_first=False),
]
IDS = [f"{case.rule}-{'closes' if case.reason else case.state.lower()}" for case in CASES]


def test_every_rule_has_a_case() -> None:
    on_candles = {Rule.Z_STOP, Rule.TIME_STOP, Rule.BREAK_HALF_LIFE, Rule.BREAK_BETA, Rule.BREAK_TEST}
    assert {case.rule for case in CASES} | on_candles == set(Rule) == set(RULES)


def start(make_rig: MakeRig, case: Case) -> Rig:
    """A bot with this case's limits, its pair open where the case wants that."""
    # Both count what is asked for; desk/test_stream_matrix.py has them with streams.
    asks = {"streams": False} if case.rule in (Rule.STALE_DATA, Rule.API_ERRORS) else {}
    rig = make_rig(pairbot={"risk": case.risk, **asks}, **case.config)
    rig.loop(3)
    if case.opens_first:
        rig.open()
        assert rig.states() == ["HEDGED"]
        rig.loop(2)
        assert rig.desk.risk.state is RiskState.ACTIVE
    return rig


def drive(rig: Rig, loops: int) -> None:
    """So many loops; what a loop raises, Freqtrade's worker would catch."""
    for _ in range(loops):
        try:
            rig.loop()
        except Exception:  # noqa: BLE001 - a failing venue ends an iteration, not the bot
            rig.clock.sleep(5)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_rule_trips(make_rig: MakeRig, case: Case) -> None:
    rig = start(make_rig, case)
    case.provoke(rig)
    drive(rig, case.loops)

    assert rig.desk.risk.state is case.state
    if case.reason is not None:
        assert not rig.positions()
        if case.rule is Rule.NAKED:
            # The fate of leg B is known when the venue answers again.
            rig.gateway.faults.clear()
            drive(rig, 2)
        rig.check_flat()
        assert rig.pair_trades()[-1].reason == case.reason
    rig.gateway.faults.clear()
    if case.state is not RiskState.ACTIVE:
        check_trip(rig, case)
        check_restart_and_release(rig, case)
    elif case.reason is not None:
        check_told(rig, case)
    else:
        check_refusal(rig, case)


def check_told(rig: Rig, case: Case) -> None:
    """One message and one event name rule, value and limit."""
    rig.loop()
    told = [text for text in rig.told if f"rule {case.rule}" in text.lower()]
    assert len(told) == 1, rig.told
    assert "limit" in told[0]
    assert len([e for e in rig.events() if e.kind == "risk_trip" and f'"{case.rule}"' in e.detail]) == 1


def check_trip(rig: Rig, case: Case) -> None:
    """The trip that holds the bot names rule, value and limit."""
    trip = rig.desk.risk.trip
    assert (trip.rule, trip.value > trip.limit) == (case.rule, True)
    release = "It ends by itself" if case.rule in ENDS_WITH_ITS_CAUSE else "Released by hand"
    for part in (case.rule, f"{trip.value:.4g}", f"{trip.limit:.4g}", release):
        assert str(part) in trip.text
    check_told(rig, case)


def check_restart_and_release(rig: Rig, case: Case) -> None:
    """The state outlives the process; nothing but a person ends it; then pairs are entered again."""
    trip = rig.desk.risk.trip
    rig.restart()
    assert (rig.desk.risk.state, rig.desk.risk.trip) == (case.state, trip)
    rig.open("XRP-DOGE")
    before = len(rig.pair_trades())
    assert "XRPUSDT" not in rig.positions()
    if rig.positions():
        rig.close("ADA-ALGO")
        rig.check_flat()
    if case.rule in ENDS_WITH_ITS_CAUSE:
        drive(rig, 14)
        assert rig.desk.risk.state is RiskState.ACTIVE, "it ends with its cause"
        assert any(f"Rule {case.rule} is kept again" in text for text in rig.told)
    else:
        drive(rig, 14)
        assert rig.desk.risk.state is case.state
        rig.desk.risk.resume("a person")
    rig.next_candle()
    rig.open("XRP-DOGE")
    assert (len(rig.pair_trades()), rig.states()[-1]) == (before + 1, "HEDGED")
    rig.loop(3)
    assert rig.desk.risk.state is RiskState.ACTIVE


def check_refusal(rig: Rig, case: Case) -> None:
    """The entry is refused with the numbers, before anything is sent; an open pair is closed all the same."""
    sent = len(rig.posts())
    rig.next_candle()
    rig.open("XRP-DOGE")
    rig.loop()
    assert len(rig.posts()) == sent
    refused = [e.detail for e in rig.events() if e.kind == "refused"]
    assert any(f"risk_{case.rule}" in detail and "limit" in detail for detail in refused), refused
    if case.opens_first:
        rig.close("ADA-ALGO")
        rig.check_flat()
