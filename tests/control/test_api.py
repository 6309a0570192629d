"""Freqtrade's own API server on a loopback port: the pair routes, their login, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from control_world import api_block, waits
from freqtrade.rpc.api_server import ApiServer
from harness import Rig
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

GETS = ("pairs", "pairs_metrics", "pairs/ADA_ALGO", "pairs/ADA_ALGO/picture", "pairs_scan")
POSTS = ("pairs/close", "pairs/lock", "pairs/unlock", "pairs/accept", "pairs/halt", "pairs/resume")


class Client:
    """Asks one API server.

    :param block: the configuration's api_server block.
    """

    def __init__(self, block: dict[str, Any]) -> None:
        self._base = f"http://127.0.0.1:{block['listen_port']}/api/v1"
        self.login: tuple[str, str] | None = (block["username"], block["password"])
        self._session = requests.Session()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request with the login."""
        return self._session.request(method, f"{self._base}/{path}", auth=self.login, timeout=20, **options)


@pytest.fixture
def bot_and_client(make_bot: Callable[..., Rig]) -> Iterator[tuple[Rig, Client]]:
    """Two pairs open."""
    block = api_block()
    rig = make_bot(api_server=block)
    rig.bot.process()
    assert rig.states() == ["HEDGED", "HEDGED"]
    yield rig, Client(block)
    ApiServer.shutdown()


def test_looking(bot_and_client: tuple[Rig, Client]) -> None:
    _, client = bot_and_client
    overview = client.ask("GET", "pairs").json()
    assert [each["pair"] for each in overview["open"]] == ["ADA_ALGO", "XRP_DOGE"]
    first = overview["open"][0]
    assert first["state"] == "HEDGED"
    assert first["z"] == pytest.approx(2.5, abs=0.05)
    assert 0 <= first["hedge_error"] < 0.02
    assert first["profit_now"] == pytest.approx(sum(leg["profit_now"] for leg in first["legs"]))
    assert -1.5 < first["profit_now"] < 0, "fees and the spread"
    assert 0 <= first["age_half_lives"] < 0.1
    assert overview["risk"]["state"] == "ACTIVE"
    assert [each["pair_trade"] is not None for each in overview["watched"]] == [True, True]
    by_id = client.ask("GET", f"pairs/{first['id']}").json()
    assert by_id["open"]["id"] == first["id"]
    assert len(by_id["open"]["orders"]) == 2
    picture = client.ask("GET", "pairs/ADA_ALGO/picture")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    scan = client.ask("GET", "pairs_scan").json()
    assert (scan["combinations"], scan["pairs"], scan["is_valid_now"]) == (6, ["ADA_ALGO", "XRP_DOGE"], True)


def test_only_with_login(bot_and_client: tuple[Rig, Client]) -> None:
    bot, client = bot_and_client
    name, password = client.login or ("", "")
    for login in (None, (name, "wrong"), ("", password)):
        client.login = login
        for path in GETS:
            assert client.ask("GET", path).status_code == 401
        for path in POSTS:
            assert client.ask("POST", path, json={"id": "all"}).status_code == 401
    assert bot.states() == ["HEDGED", "HEDGED"]
    assert bot.desk.risk.state == "ACTIVE"
    # Freqtrade's own token works as well.
    client.login = (name, password)
    token = client.ask("POST", "token/login").json()["access_token"]
    client.login = None
    assert client.ask("GET", "pairs", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_acting(bot_and_client: tuple[Rig, Client]) -> None:
    bot, client = bot_and_client
    trade_id = bot.desk.journal.open_pair_trades()[0].id
    assert client.ask("POST", "pairs/lock", json={"id": "XRP_DOGE"}).status_code == 200
    assert "API user operator" in bot.desk.risk.locked_pairs()["XRP_DOGE"]
    assert client.ask("POST", "pairs/unlock", json={"id": "XRP_DOGE"}).status_code == 200
    assert client.ask("POST", "pairs/accept", json={"id": "0badc0de"}).status_code == 409
    assert client.ask("GET", "pairs_scan").json()["proposal"] is None
    waits(bot)
    assert client.ask("GET", "pairs_scan").json()["proposal"]["after"] == ["ADA_ALGO"]
    accepted = client.ask("POST", "pairs/accept", json={"id": "0badc0de"})
    assert "Gone: XRP_DOGE" in accepted.json()["result"]
    answer = client.ask("POST", "pairs/close", json={"id": trade_id})
    assert answer.json()["pair_trades"] == [trade_id]
    assert bot.states() == ["CLOSED", "HEDGED"]
    assert client.ask("POST", "pairs/close", json={"id": "ADA_ALGO"}).status_code == 409
    closed = client.ask("GET", "pairs/ADA_ALGO").json()["last_closed"]
    assert (closed["id"], closed["reason"]) == (trade_id, "pair_operator")
    assert client.ask("POST", "pairs/halt").status_code == 200
    assert bot.states() == ["CLOSED", "CLOSED"]
    assert client.ask("GET", "pairs").json()["risk"]["state"] == "HALTED"
    assert client.ask("POST", "pairs/resume").status_code == 200
    assert bot.desk.risk.state == "ACTIVE"
    bot.check_flat()


def test_in_freqtrades_openapi(bot_and_client: tuple[Rig, Client]) -> None:
    _, client = bot_and_client
    document = requests.get(client._base.removesuffix("/api/v1") + "/openapi.json", timeout=20).json()
    for path in ("pairs", "pairs/{pair_id}", "pairs_scan"):
        operation = document["paths"][f"/api/v1/{path}"]["get"]
        assert operation["tags"] == ["Pairs"]
        assert operation["security"], "behind the login"
        assert "$ref" in operation["responses"]["200"]["content"]["application/json"]["schema"]
    for path in POSTS:
        assert document["paths"][f"/api/v1/{path}"]["post"]["security"]
    assert document["components"]["schemas"]["PairRequest"]["additionalProperties"] is False


KEYS = st.sampled_from(["id", "pair", "all", ""])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=70)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip


def test_fuzzed_bodies_change_nothing(bot_and_client: tuple[Rig, Client]) -> None:
    bot, client = bot_and_client
    orders = len(bot.orders())
    known = {"all", "ada_algo", "xrp_doge", *(trade.id for trade in bot.desk.journal.open_pair_trades())}

    @settings(
        max_examples=60, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    )  # fmt: skip
    @given(st.sampled_from(POSTS[:3]), st.one_of(JSON, st.binary(max_size=60)))
    @example("pairs/close", {"id": "all", "also": "this"})
    @example("pairs/close", {"id": ["all"]})
    @example("pairs/close", {"id": ""})
    @example("pairs/lock", {"id": "x" * 65})
    @example("pairs/close", b'{"id": "all"')
    def ask(path: str, body: Any) -> None:
        if isinstance(body, dict) and set(body) == {"id"} and str(body["id"]).lower() in known:
            return
        options = {"data": body} if isinstance(body, bytes) else {"json": body}
        assert client.ask("POST", path, **options).status_code in (400, 404, 409, 422)

    ask()
    assert bot.states() == ["HEDGED", "HEDGED"]
    assert len(bot.orders()) == orders
    assert bot.desk.risk.locked_pairs() == {}


def test_unknown_ids_in_paths(bot_and_client: tuple[Rig, Client]) -> None:
    _, client = bot_and_client
    for wanted in ("NO_SUCH", "..%2f..%2fetc", "%00", "x" * 300, "%F0%9F%A7%A8", "'; drop table trades"):
        assert client.ask("GET", f"pairs/{wanted}").status_code in (404, 422), wanted


def test_routes_after_reload(bot_and_client: tuple[Rig, Client]) -> None:
    bot, client = bot_and_client
    bot.bot.cleanup()
    bot.start()
    bot.bot.process()
    for _ in range(3):
        bot.bot.strategy.pairs._control.attach()
    assert [each["state"] for each in client.ask("GET", "pairs").json()["open"]] == ["HEDGED", "HEDGED"]
    app = next(mod for mod in bot.bot.rpc.registered_modules if isinstance(mod, ApiServer)).app
    paths = [path for path in app.openapi()["paths"] if "/pairs" in path and "pairlist" not in path]
    assert len(paths) == len(set(paths)) == len(GETS) + len(POSTS)
    # Freqtrade's catch-all still answers what is left.
    assert client.ask("GET", "../../nothing").status_code in (200, 404)


def test_a_bot_that_goes_down_refuses(bot_and_client: tuple[Rig, Client]) -> None:
    bot, client = bot_and_client
    bot.bot.strategy.pairs._control.close()
    assert client.ask("POST", "pairs/halt").status_code == 503
    assert bot.desk.risk.state == "ACTIVE"
