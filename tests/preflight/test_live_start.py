"""A bot that starts live asks the same checks, with its own exchange and strategy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.strategy import IStrategy
from preflight_world import ADA, ALGO, KEY_RIGHTS, World

from pairbot_ext.preflight import (
    CHECKS,
    PreflightRefusedError,
    Setup,
    Status,
    check_held,
    check_live,
    holds_anything,
)
from pairbot_ext.sim.venue.actions import AccountMode, OpenPosition
from pairbot_ext.sim.venue.orders import Side


@pytest.fixture
def starting(make_setup: Callable[..., Setup]) -> Callable[..., IStrategy]:
    """A strategy as it is when Freqtrade calls `ft_bot_start` in a live bot."""

    def start(world: World, **changes: object) -> IStrategy:
        setup = make_setup(world=world, **changes)
        strategy = setup.strategy()
        strategy.dp = DataProvider(strategy.config, setup.account())
        return strategy

    return start


def test_a_good_start(starting: Callable[..., IStrategy], bot_api: object) -> None:
    report = check_live(starting(World(rights=KEY_RIGHTS)), telegram_url=bot_api.url)  # type: ignore[attr-defined]
    assert report.live
    assert report.total == f"{len(CHECKS)}/{len(CHECKS)} checks passed"


def test_a_failed_check_refuses_the_start(starting: Callable[..., IStrategy], bot_api: object) -> None:
    with pytest.raises(PreflightRefusedError) as refused:
        check_live(starting(World(), stake_amount=4), telegram_url=bot_api.url)  # type: ignore[attr-defined]
    assert [found.name for found in refused.value.report.of(Status.FAIL)] == ["pair sizes"]
    assert "pair sizes: 2 of 2 pairs would be refused" in str(refused.value)
    assert "--live" in refused.value.remedy


def test_a_bot_that_holds_pairs_is_started_whatever_is_wrong(
    starting: Callable[..., IStrategy], bot_api: object, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "trades.sqlite")) as made, made:
        made.execute("CREATE TABLE pairbot_pair_trades (leg_a TEXT, leg_b TEXT, state TEXT)")
        made.execute("INSERT INTO pairbot_pair_trades VALUES (?, ?, 'HEDGED')", (ADA, ALGO))
    strategy = starting(World(), stake_amount=4)
    assert holds_anything(strategy)
    assert not check_held(strategy, telegram_url=bot_api.url).is_passed  # type: ignore[attr-defined]
    with closing(sqlite3.connect(tmp_path / "trades.sqlite")) as made, made:
        made.execute("UPDATE pairbot_pair_trades SET state = 'CLOSED'")
    assert not holds_anything(strategy)


def test_a_foreign_position_refuses_the_start(starting: Callable[..., IStrategy], bot_api: object) -> None:
    world = World(rights=KEY_RIGHTS)
    strategy = starting(world)
    world.act(OpenPosition(symbol="ADAUSDT", side=Side.SELL, amount=100))
    with pytest.raises(PreflightRefusedError, match="foreign"):
        check_live(strategy, telegram_url=bot_api.url)  # type: ignore[attr-defined]


def test_modes_are_refused_by_freqtrade_before(make_setup: Callable[..., Setup]) -> None:
    world = World()
    world.act(AccountMode(dual_side=True))
    with pytest.raises(Exception, match="the account cannot be opened"):
        make_setup(world=world).account()
