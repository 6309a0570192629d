"""The fault matrix through the dry-run port, and the same history as live on the happy path."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from harness import Rig

from pairbot_ext.orders.dryport import DryFault, DryFaultKind
from pairbot_ext.sim.market.base import Book


def test_the_history_is_the_same_as_live(make_rig: Callable[..., Rig], tmp_path_factory) -> None:
    from harness import rig

    histories = []
    for dry_run in (False, True):
        with rig(tmp_path_factory.mktemp("run"), dry_run=dry_run) as each:
            for _ in range(2):
                each.open("ADA-ALGO", "XRP-DOGE")
                each.close("ADA-ALGO", "XRP-DOGE")
                each.script.exits.clear()
                each.next_candle()
            each.check_flat()
            ids: dict[str, int] = {}
            histories.append(
                [(event.kind, ids.setdefault(event.pair_trade_id, len(ids))) for event in each.events()]
            )
    assert histories[0] == histories[1]
    assert len(histories[0]) > 30


@pytest.mark.parametrize(("share", "ends"), [(0.6, "HEDGED"), (0.05, "ABORTED"), (0.0, "ABORTED")])
def test_leg_a_fills_in_part(dry: Rig, share: float, ends: str) -> None:
    dry.dry_fault("A", "e", DryFault(DryFaultKind.FILL_SHARE, share=share))
    dry.open()
    dry.loop()
    assert dry.states() == [ends]
    dry.check_rest()
    dry.close()
    dry.check_flat()


@pytest.mark.parametrize("top_up", ["fills", "refused", "never_fills"])
@pytest.mark.parametrize("share", [0.99, 0.6, 0.05, 0.0])
def test_leg_b_fills_in_part(shared_dry: Rig, share: float, top_up: str) -> None:
    """I2, I6: topped up, leg A trimmed, or both unwound, as live."""
    shared_dry.dry_fault(
        "B", "e", DryFault(DryFaultKind.FILL_SHARE, share=share), times=4 if not share else 1
    )
    if top_up == "refused":
        shared_dry.dry_fault("B", "t", DryFault(DryFaultKind.REFUSE, code=-4164))
    if top_up == "never_fills":
        shared_dry.dry_fault("B", "t", DryFault(DryFaultKind.FILL_SHARE, share=0.0), times=9)
    shared_dry.open()
    shared_dry.check_rest()
    is_lost = share == 0.0 or (share == 0.05 and top_up != "fills")
    assert shared_dry.states()[-1] == ("ABORTED" if is_lost else "HEDGED")
    shared_dry.close()
    shared_dry.desk.port.interfere = None
    shared_dry.check_flat()


@pytest.mark.parametrize("kind", [DryFaultKind.LOST_BEFORE, DryFaultKind.LOST_AFTER])
@pytest.mark.parametrize("spot", ["B-top-up", "A-trim", "A-unwind", "B-unwind"])
def test_the_answer_of_a_repair_is_lost(shared_dry: Rig, spot: str, kind: DryFaultKind) -> None:
    """I3, I8: the answer of what mends or ends a half pair is lost."""
    leg, role = {"B-top-up": "Bt", "A-trim": "Ar", "A-unwind": "Au", "B-unwind": "Bu"}[spot]
    share = 0.05 if spot == "B-unwind" else 0.6
    if spot == "A-unwind":
        shared_dry.dry_fault("B", "e", DryFault(DryFaultKind.REFUSE, code=-2019))
    else:
        shared_dry.dry_fault("B", "e", DryFault(DryFaultKind.FILL_SHARE, share=share))
    if spot in ("A-trim", "B-unwind"):
        shared_dry.dry_fault("B", "t", DryFault(DryFaultKind.REFUSE, code=-2019))
    shared_dry.dry_fault(leg, role, DryFault(kind))
    shared_dry.open()
    shared_dry.loop()
    shared_dry.check_rest()
    assert shared_dry.states()[-1] == ("ABORTED" if role == "u" else "HEDGED")
    shared_dry.close()
    shared_dry.desk.port.interfere = None
    shared_dry.check_flat()


@pytest.mark.parametrize("code", [-1001, -2022, -4131])
@pytest.mark.parametrize("leg", ["A", "B"])
def test_an_exit_is_refused_once(shared_dry: Rig, leg: str, code: int) -> None:
    """I5: it is sent again."""
    shared_dry.open()
    shared_dry.dry_fault(leg, "x", DryFault(DryFaultKind.REFUSE, code=code))
    shared_dry.close()
    shared_dry.script.exits.clear()
    shared_dry.loop(2)
    shared_dry.desk.port.interfere = None
    shared_dry.check_flat()


def test_a_liquidated_leg_takes_its_mate_along(dry: Rig) -> None:
    """I2: Freqtrade's own dry-run liquidation, the venue's close of a rehearsal, leaves no naked leg."""
    dry.open()
    dry.market.prices["ADAUSDT"] *= Decimal("1.6")
    dry.loop(2)
    assert dry.states() == ["CLOSED"]
    dry.check_flat()


@pytest.mark.parametrize("code", [-2019, -4164, -4131])
def test_leg_b_is_refused_and_leg_a_rolled_back(dry: Rig, code: int) -> None:
    dry.dry_fault("B", "e", DryFault(DryFaultKind.REFUSE, code=code))
    dry.open()
    assert dry.states() == ["ABORTED"]
    dry.check_flat()


@pytest.mark.parametrize("kind", [DryFaultKind.LOST_BEFORE, DryFaultKind.LOST_AFTER])
@pytest.mark.parametrize(("leg", "role"), [("A", "e"), ("B", "e"), ("A", "x"), ("B", "x")])
def test_an_answer_is_lost(dry: Rig, kind: DryFaultKind, leg: str, role: str) -> None:
    dry.dry_fault(leg, role, DryFault(kind))
    dry.open()
    dry.loop(2)
    dry.check_rest()
    dry.close()
    dry.script.exits.clear()
    dry.loop(2)
    dry.check_flat()


def test_a_thin_book_fills_level_by_level(dry: Rig) -> None:
    # 100 ADA within the cap, the rest a whole per cent away: the real book decides, not the limit price.
    dry.open("XRP-DOGE")
    tight = dry.market.book("ADAUSDT", 0)
    dry.market.books["ADAUSDT"] = Book(
        bids=tuple((price, Decimal(300)) for price, _ in tight.bids), asks=tight.asks
    )
    dry.open()
    order = next(order for order in dry.orders() if order.symbol.startswith("ADA"))
    assert order.average == pytest.approx(float(tight.bids[0][0]))
    dry.check_rest()


def test_a_book_without_depth_is_refused(dry: Rig) -> None:
    tight = dry.market.book("ALGOUSDT", 0)
    dry.market.books["ALGOUSDT"] = Book(bids=tight.bids, asks=tuple((p, Decimal(1)) for p, _ in tight.asks))
    dry.open()
    assert dry.states() == []
    assert dry.desk.watch.statistics.refused == {"depth": 1}


def test_restart_in_dry_run(dry: Rig) -> None:
    dry.open()
    dry.restart()
    dry.loop()
    dry.check_rest()
    dry.close()
    dry.check_flat()
