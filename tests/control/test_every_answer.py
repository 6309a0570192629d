"""Every command that acts: what it answers is what has happened, in calm and in trouble."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from control_world import telegram_block, waits
from harness import Rig

from pairbot_ext.orders.dryport import DryFault, DryFaultKind
from pairbot_ext.recovery import standstill
from pairbot_ext.sim.telegram_api import FakeTelegram

OPEN = ["HEDGED", "HEDGED"]


def nothing(_: Rig) -> None:
    """As it is: two pairs open."""


@dataclass(frozen=True)
class Case:
    """One command.

    :param says: parts of the answers, all of them. :param says_not: what would be untrue.
    :param states: of both pair trades right after the answer. :param risk: the bot's state.
    :param locked: the pairs locked.
    """

    command: str
    says: tuple[str, ...]
    states: list[str]
    before: Callable[[Rig], None] = nothing
    says_not: tuple[str, ...] = ()
    risk: str = "ACTIVE"
    locked: tuple[str, ...] = ()


def exits_are_refused(rig: Rig) -> None:
    """The venue takes no exit now."""
    for leg in ("A", "B"):
        rig.dry_fault(leg, "x", DryFault(DryFaultKind.REFUSE, code=-1008), times=50)


def first_is_closed(rig: Rig) -> None:
    """By the model, a moment ago."""
    with rig.bot._exit_lock:
        rig.desk.close(rig.desk.journal.open_pair_trades()[0], "pair_reverted")


def both_are_closed(rig: Rig) -> None:
    """Nothing is open."""
    first_is_closed(rig)
    first_is_closed(rig)


def locked(rig: Rig) -> None:
    """By a person, before."""
    rig.desk.risk.lock_pair("ADA_ALGO", "a person")


def halted(rig: Rig) -> None:
    """By a person, before."""
    rig.desk.risk.halt("a person")
    rig.desk.risk.enforce()


UNKNOWN = ("no pair and no open pair trade",)
CASES = {
    "close": Case(
        "/pair_close ADA_ALGO", ("ADA_ALGO (", ") closed"), ["CLOSED", "HEDGED"], says_not=("XRP_DOGE",)
    ),
    "close_all": Case("/pair_close all", ("ADA_ALGO", "XRP_DOGE", ") closed"), ["CLOSED", "CLOSED"]),
    "close_what_is_closed": Case(
        "/pair_close ADA_ALGO", ("is not open",), ["CLOSED", "HEDGED"], first_is_closed
    ),
    "close_all_of_nothing": Case(
        "/pair_close all", ("no pair is open",), ["CLOSED", "CLOSED"], both_are_closed
    ),
    "close_unknown": Case("/pair_close ADA_ALG", UNKNOWN, OPEN, says_not=("closed",)),
    "close_refused": Case(
        "/pair_close ADA_ALGO", ("ADA_ALGO", "is CLOSING"), ["CLOSING", "HEDGED"], exits_are_refused,
        (") closed",),
    ),
    "close_all_refused": Case(
        "/pair_close all", ("ADA_ALGO", "XRP_DOGE", "is CLOSING"), ["CLOSING", "CLOSING"],
        exits_are_refused, (") closed",),
    ),
    "lock": Case("/pair_lock ADA_ALGO", ("ADA_ALGO is locked",), OPEN, locked=("ADA_ALGO",)),
    "lock_again": Case("/pair_lock ADA_ALGO", ("ADA_ALGO is locked",), OPEN, locked, locked=("ADA_ALGO",)),
    "lock_unknown": Case("/pair_lock NO", UNKNOWN, OPEN, says_not=("is locked",)),
    "unlock": Case("/pair_unlock ADA_ALGO", ("ADA_ALGO is unlocked",), OPEN, locked),
    "unlock_what_is_free": Case("/pair_unlock ADA_ALGO", ("ADA_ALGO is not locked",), OPEN),
    "unlock_unknown": Case("/pair_unlock NO", UNKNOWN, OPEN, locked, locked=("ADA_ALGO",)),
    "halt": Case("/pairs_halt", ("HALTED",), ["CLOSED", "CLOSED"], risk="HALTED"),
    "halt_again": Case("/pairs_halt", ("HALTED",), ["CLOSED", "CLOSED"], halted, risk="HALTED"),
    "halt_refused": Case(
        "/pairs_halt", ("HALTED",), ["CLOSING", "CLOSING"], exits_are_refused, risk="HALTED"
    ),
    "resume": Case("/pairs_resume", ("ACTIVE again",), ["CLOSED", "CLOSED"], halted),
    "resume_what_is_active": Case("/pairs_resume", ("is ACTIVE",), OPEN, says_not=("again",)),
    "accept_nothing": Case("/pairs_accept 0badc0de", ("waits under this id",), OPEN, says_not=("Accepted",)),
    "accept_another": Case("/pairs_accept 1badc0de", ("0badc0de waits",), OPEN, waits),
    "accept_without_id": Case(
        "/pairs_accept", ("a new selection waits for you", "/pairs_accept 0badc0de takes it"), OPEN, waits
    ),
    "accept": Case("/pairs_accept 0BADC0DE", ("Accepted: 1 pairs", "Gone: XRP_DOGE"), OPEN, waits),
}  # fmt: skip


QUIET = [name for name, case in CASES.items() if case.states == OPEN]
"""What changes no pair trade: one bot serves them all."""


@pytest.fixture
def rig(make_bot: Callable[..., Rig], chat: FakeTelegram) -> Rig:
    """Two pairs open, the commands in place."""
    made = make_bot(telegram=telegram_block(chat))
    made.bot.process()
    assert made.states() == OPEN
    chat.wait(lambda: "setMyCommands" in chat.calls, "offer its commands")
    return made


@pytest.mark.parametrize("name", [name for name in CASES if name not in QUIET])
def test_an_answer_is_what_has_happened(
    rig: Rig, chat: FakeTelegram, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ask(rig, chat, CASES[name])
    rig.check_rest(states={"CLOSING"})
    # A bot that ends with exits refused tries for so long; recovery/test_restart_and_recovery.py judges that.
    monkeypatch.setattr(standstill, "SHUTDOWN_BUDGET_MS", 0)


def test_an_answer_is_what_has_not_happened(rig: Rig, chat: FakeTelegram) -> None:
    assert len(QUIET) >= 8
    for name in QUIET:
        ask(rig, chat, CASES[name])
        rig.desk.risk.unlock_pair("ADA_ALGO", "a person")
    rig.check_rest()


def ask(rig: Rig, chat: FakeTelegram, case: Case) -> None:
    """Give the command and compare its answer with what is there afterwards."""
    case.before(rig)
    seen = len(chat.sent)
    chat.say(case.command)

    def answers() -> list[str]:
        texts = [message.text for message in list(chat.sent)[seen:]]
        return [text for text in texts if all(part in text for part in case.says)]

    chat.wait(lambda: bool(answers()), f"say {case.says} to {case.command}")
    answer = answers()[-1]
    for part in case.says_not:
        assert part not in answer
    # The message of a pair's end overtakes the answer to the command that ended it.
    chat.wait(lambda: rig.states() == case.states, f"bring the pairs to {case.states}")
    assert rig.desk.risk.state == case.risk
    assert tuple(rig.desk.risk.locked_pairs()) == case.locked
