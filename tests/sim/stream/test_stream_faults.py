"""What goes wrong with streams: each fault, under a clock the test moves."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pairbot_ext.sim.rest.messages import Request
from pairbot_ext.sim.stream.hub import UpgradeRefusedError
from pairbot_ext.sim.stream.sockets import text_frame
from pairbot_ext.sim.stream.within import StreamTap
from pairbot_ext.sim.venue.actions import EndListenKey, apply
from pairbot_ext.sim.venue.options import StreamTerms
from pairbot_ext.sim.venue.stream_faults import StreamFault, StreamFaults, StreamRule, Update

ORDERS = {"event": "ORDER_TRADE_UPDATE"}


def later(world: Any, ms: int) -> None:
    world.clock.advance(ms)
    world.exchange.tick()


def listen(world: Any) -> StreamTap:
    key = world.call("POST /fapi/v1/listenKey")[1]["listenKey"]
    return StreamTap(world.exchange, "/private/ws", f"listenKey={key}")


def bend(world: Any, fault: str, **rule: Any) -> None:
    world.gateway.stream_faults.add(StreamRule.model_validate({"fault": fault, "when": ORDERS} | rule))


def executions(messages: list[Any]) -> list[str]:
    return [message["o"]["x"] for message in messages if message["e"] == "ORDER_TRADE_UPDATE"]


@pytest.mark.parametrize("fault", ["silence", "dead"])
@pytest.mark.parametrize("lasts_ms", [None, 60_000])
def test_silence_without_a_close(world, fault, lasts_ms):
    bend(world, fault, lasts_ms=lasts_ms)
    tap = listen(world)
    world.place("BUY", 100)
    assert (tap.messages(), tap.end) == ([], "")
    assert world.exchange.ping(tap.connection) is (fault == "silence"), "only a dead one owes its pongs"
    later(world, 60_000)
    world.place("BUY", 100)
    assert executions(tap.messages()) == ([] if lasts_ms is None else ["NEW", "TRADE"])
    assert world.exchange.streams.report()[0]["end"] == ""


def test_a_dead_connection_answers_no_request_and_sends_no_ping(world):
    bend(world, "dead", when={"event": "bookTicker"})
    tap = StreamTap(world.exchange, "/public/ws/adausdt@bookTicker")
    later(world, 1000)
    tap.send({"method": "LIST_SUBSCRIPTIONS", "id": 1})
    for _ in range(20):
        later(world, 60_000)
    assert (tap.messages(), tap.end) == ([], "")


@pytest.mark.parametrize("at_byte", [0, 1, 20])
def test_cut_within_a_frame(world, at_byte):
    bend(world, "cut", at_byte=at_byte)
    tap = listen(world)
    world.place("BUY", 100)
    frame = tap.connection.take()
    assert (frame.kind, frame.number, tap.end) == ("cut", at_byte, "cut")
    assert tap.messages() == []


@pytest.mark.parametrize("length", [5, 125, 126, 65_535, 65_536])
def test_frames_as_they_are_on_the_wire(length):
    frame = text_frame("x" * length)
    header = {5: 2, 125: 2, 126: 4, 65_535: 4, 65_536: 10}[length]
    assert (frame[0], len(frame)) == (0x81, header + length)
    size = frame[1] if header == 2 else int.from_bytes(frame[2:header], "big")
    assert size == length


def test_close_instead_of_an_update(world):
    bend(world, "close", when=ORDERS | {"execution": "TRADE"})
    tap = listen(world)
    world.place("BUY", 100)
    assert executions(tap.messages()) == ["NEW"]
    assert tap.end == "closed by a fault rule"


def test_lost(world):
    bend(world, "lost", when=ORDERS | {"execution": "TRADE"})
    tap = listen(world)
    world.place("BUY", 100)
    assert executions(tap.messages()) == ["NEW"]
    world.place("BUY", 100)
    assert executions(tap.messages()) == ["NEW", "TRADE"], "once only"


def test_doubled(world):
    bend(world, "doubled", when={"status": "FILLED"})
    tap = listen(world)
    world.place("BUY", 100)
    messages = tap.messages()
    assert executions(messages) == ["NEW", "TRADE", "TRADE"]
    assert messages[-1] == messages[-2]


def test_reordered(world):
    bend(world, "reordered", when=ORDERS | {"execution": "NEW"})
    tap = listen(world)
    world.place("BUY", 100)
    messages = tap.messages()
    assert [message["e"] for message in messages][:2] == ["ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
    assert executions(messages) == ["NEW", "TRADE"]


@pytest.mark.parametrize(("delay_ms", "comes_ms"), [(None, 3_600_000), (500, 500)])
def test_late(world, delay_ms, comes_ms):
    bend(world, "late", delay_ms=delay_ms, when={"status": "FILLED"})
    tap = listen(world)
    world.place("BUY", 100)
    happened = world.clock()
    assert executions(tap.messages()) == ["NEW"]
    assert world.exchange.streams.next_ms() == happened + comes_ms
    later(world, comes_ms - 1)
    assert executions(tap.messages()) == []
    later(world, 1)
    (update,) = [message for message in tap.messages() if message["e"] == "ORDER_TRADE_UPDATE"]
    assert update["E"] == happened, "an old truth, with its old stamps"


def test_update_before_the_answer(world, client):
    bend(world, "update_first", delay_ms=300, when={"status": "FILLED"})
    tap = listen(world)
    before = world.clock()
    order = client.create_order("ADA/USDT:USDT", "market", "buy", 100)
    assert world.clock() - before == 300, "the answer waited"
    update = tap.messages()[-1]
    assert (update["E"], update["o"]["i"]) == (before, int(order["id"]))
    client.create_order("ADA/USDT:USDT", "market", "buy", 100)
    assert world.clock() - before == 300, "once only"


def test_answer_before_the_update(world, client):
    bend(world, "answer_first", delay_ms=40, when=ORDERS | {"times": None})
    tap = listen(world)
    assert client.create_order("ADA/USDT:USDT", "market", "buy", 100)["filled"] == 100
    assert executions(tap.messages()) == []
    later(world, 40)
    assert executions(tap.messages()) == ["NEW", "TRADE"]


def test_stale_key(world):
    bend(world, "stale_key", when=ORDERS | {"execution": "TRADE"})
    tap = listen(world)
    world.place("BUY", 100)
    world.place("BUY", 100)
    messages = tap.messages()
    assert (executions(messages), tap.end) == (["NEW"], "")
    assert world.call("PUT /fapi/v1/listenKey")[1]["code"] == -1125
    fresh = listen(world)
    world.place("BUY", 100)
    assert executions(fresh.messages()) == ["NEW", "TRADE"]


@pytest.mark.parametrize("told", [True, False])
def test_a_key_ended_by_an_action(world, told):
    tap = listen(world)
    apply(EndListenKey(told=told), world.venue)
    world.place("BUY", 100)
    assert [message["e"] for message in tap.messages()] == (["listenKeyExpired"] if told else [])


def test_slow_consumer(new_world):
    world = new_world(streams=StreamTerms(waiting_messages=10))
    bend(world, "slow_consumer")
    tap = listen(world)
    for _ in range(3):
        world.place("BUY", 100)
    assert (tap.messages(), tap.end) == ([], "")
    world.place("BUY", 100)
    assert (tap.messages(), tap.end) == ([], "slow consumer")


@pytest.mark.parametrize("status", [403, 451])
def test_refused_upgrade(world, status):
    bend(world, "refused_upgrade", status=status, when={"path": "/private/*", "times": 2})
    StreamTap(world.exchange, "/public/ws")
    for _ in range(2):
        with pytest.raises(UpgradeRefusedError) as refused:
            listen(world)
        assert refused.value.status == status
    listen(world)


def test_refused_subscription(world):
    bend(world, "refused_subscription", when={})
    tap = StreamTap(world.exchange, "/public/ws")
    request = {"method": "SUBSCRIBE", "params": ["adausdt@bookTicker"], "id": 1}
    tap.send(request)
    assert tap.messages() == [
        {"error": {"code": 2, "msg": "Invalid request: refused by a fault rule"}, "id": 1}
    ]
    tap.send(request)
    assert tap.messages()[0] == {"result": None, "id": 1}


# -- which updates a rule is about ---------------------------------------------------------------------

UPDATE = Update("ORDER_TRADE_UPDATE", "/private/ws", "ADAUSDT", "pb-abc-B-x-1", "TRADE", "FILLED")


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({}, True),
        ({"event": "*_UPDATE"}, True),
        ({"event": "bookTicker"}, False),
        ({"path": "/public/*"}, False),
        ({"symbol": "ALGOUSDT"}, False),
        ({"client_order_id": "pb-*"}, True),
        ({"leg": "B", "role": "x"}, True),
        ({"leg": "A"}, False),
        ({"execution": "TRADE", "status": "FILLED"}, True),
        ({"status": "EXPIRED"}, False),
        ({"after_ms": 11}, False),
        ({"until_ms": 10}, False),
        ({"after_ms": 10, "until_ms": 11}, True),
    ],
)
def test_when(when, hit):
    faults = StreamFaults([StreamRule.model_validate({"fault": "lost", "when": when})], 0, 100)
    assert (faults.on_update(UPDATE, 110) is not None) is hit


def test_counts_and_chance():
    rule = StreamRule.model_validate({"fault": "lost", "when": {"nth": 2, "times": 2}})
    faults = StreamFaults([rule], 0, 0)
    assert [faults.on_update(UPDATE, 0) is rule for _ in range(5)] == [False, True, True, False, False]
    rule = StreamRule.model_validate({"fault": "lost", "when": {"times": None, "probability": 0.5}})
    draws = [[StreamFaults([rule], seed, 0).on_update(UPDATE, 0) is rule for _ in "x"] for seed in range(9)]
    assert [True] in draws
    assert [False] in draws


def test_a_rule_about_connections_names_no_event():
    with pytest.raises(ValidationError, match="about connections"):
        StreamRule.model_validate({"fault": "refused_upgrade", "when": {"event": "bookTicker"}})


def test_control_routes(world):
    def control(method: str, path: str, payload: Any = None) -> Any:
        body = "" if payload is None else json.dumps(payload)
        answer = world.exchange.handle(Request(method, f"/control/{path}", body=body))
        return answer.status, json.loads(answer.body)

    assert control("POST", "stream-faults", {"fault": "lost", "when": {"event": "bookTicker"}})[0] == 200
    assert control("GET", "state")[1]["stream_fault_rules"] == 1
    assert control("POST", "stream-faults", {"fault": "explode"})[0] == 400
    every = [{"fault": fault.value} for fault in StreamFault]
    assert control("PUT", "faults", {"streams": every})[0] == 200
    assert len(world.gateway.stream_faults) == len(StreamFault) == 14
    control("DELETE", "faults")
    assert len(world.gateway.stream_faults) == 0
    tap = StreamTap(world.exchange, "/public/ws/adausdt@bookTicker")
    (row,) = control("GET", "streams")[1]
    assert (row["path"], row["streams"], row["end"]) == ("/public/ws", ["adausdt@bookTicker"], "")
    assert control("PUT", "streams", {"connection_ms": 5000})[1]["connection_ms"] == 5000
    assert control("PUT", "streams", {"connection_ms": 0})[0] == 400
    assert control("PUT", "streams", {"speed": 1})[0] == 400
    later(world, 5000)
    assert tap.end == "connection too old"
