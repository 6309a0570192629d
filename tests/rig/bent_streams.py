"""Everything that can go wrong with a stream, by name, as rules of the simulated exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pairbot_ext.sim.venue.stream_faults import StreamRule

if TYPE_CHECKING:
    from harness import Rig

PRIVATE, PUBLIC, MARKET = "/private*", "/public*", "/market*"
ORDERS, ACCOUNT = "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"
Rules = list[dict[str, Any]]


def rule(fault: str, times: int | None = None, **more: Any) -> dict[str, Any]:
    """One stream fault. What is no field of a rule is one of its `when`."""
    own = {key: more.pop(key) for key in ("delay_ms", "at_byte", "lasts_ms", "status_code") if key in more}
    if "status_code" in own:
        own["status"] = own.pop("status_code")
    return {"fault": fault, "when": {"times": times, **more}, **own}


FAULTS: dict[str, Rules] = {
    "account falls silent": [rule("silence", path=PRIVATE)],
    "prices fall silent": [rule("silence", path=PUBLIC)],
    "mark prices fall silent": [rule("silence", path=MARKET)],
    "account is dead": [rule("dead", path=PRIVATE)],
    "prices are dead": [rule("dead", path=PUBLIC)],
    "everything is dead for 20 s": [
        rule("dead", 1, path=path, lasts_ms=20_000) for path in (PRIVATE, PUBLIC, MARKET)
    ],
    "everything is dead": [rule("dead", path="*")],
    "cut before the first byte of an order": [rule("cut", event=ORDERS, at_byte=0)],
    "cut in the middle of an order": [rule("cut", event=ORDERS, at_byte=120)],
    "cut in the middle of a price": [rule("cut", event="bookTicker", at_byte=30)],
    "closed instead of an order": [rule("close", event=ORDERS)],
    "closed instead of a position": [rule("close", event=ACCOUNT)],
    "orders are lost": [rule("lost", event=ORDERS)],
    "positions are lost": [rule("lost", event=ACCOUNT)],
    "everything is lost": [rule("lost", path="*")],
    "the last word of each order is lost": [rule("lost", event=ORDERS, status="FILLED")],
    "each second frame is lost": [rule("lost", path="*", probability=0.5)],
    "orders are doubled": [rule("doubled", event=ORDERS)],
    "everything is doubled": [rule("doubled", path="*")],
    "orders are reordered": [rule("reordered", event=ORDERS)],
    "positions are reordered": [rule("reordered", event=ACCOUNT)],
    "orders an hour late": [rule("late", event=ORDERS)],
    "orders three seconds late": [rule("late", event=ORDERS, delay_ms=3_000)],
    "positions three seconds late": [rule("late", event=ACCOUNT, delay_ms=3_000)],
    "prices three seconds late": [rule("late", event="bookTicker", delay_ms=3_000)],
    "orders before their answer": [rule("update_first", event=ORDERS)],
    "answers before their order": [rule("answer_first", event=ORDERS)],
    "key gone without a word": [rule("stale_key", event=ORDERS)],
    "slow consumer": [rule("slow_consumer", path=PRIVATE)],
    "upgrade refused with 403": [rule("cut", 1, path="*"), rule("refused_upgrade", status_code=403)],
    "upgrade refused with 451": [rule("cut", 1, path="*"), rule("refused_upgrade", status_code=451)],
    "cut, and what comes then is late and doubled": [
        rule("cut", 1, event=ORDERS), rule("late", event=ORDERS, delay_ms=2_000),
        rule("doubled", event=ACCOUNT),
    ],
}  # fmt: skip


def bend(rig: Rig, rules: Rules) -> None:
    """From now on."""
    for each in rules:
        rig.gateway.stream_faults.add(StreamRule.model_validate(each))
