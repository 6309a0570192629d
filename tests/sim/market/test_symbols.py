"""Contract rules: complete, mapped right, cited or marked simulated."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from pairbot_ext.sim.symbols import (
    SIMULATED,
    binance_id,
    decimals,
    leverage_tiers_path,
    load_symbol,
    load_symbols,
    simulated_step,
    simulated_tick,
)
from pairbot_ext.support.errors import DataError


def test_every_usdt_perpetual_of_freqtrades_table_is_there() -> None:
    tiers = json.loads(leverage_tiers_path().read_text(encoding="utf-8"))
    wanted = {name for name in tiers if name.endswith("/USDT:USDT")}
    specs = load_symbols()
    assert len(wanted) > 500
    assert {spec.ccxt_symbol for spec in specs.values()} == wanted
    for symbol, spec in specs.items():
        assert symbol == spec.symbol == spec.base + spec.quote == binance_id(spec.ccxt_symbol)
        rows = tiers[spec.ccxt_symbol]
        assert [bracket.initial_leverage for bracket in spec.brackets] == [row["maxLeverage"] for row in rows]
        assert [float(bracket.cum) for bracket in spec.brackets] == [row["info"]["cum"] for row in rows]
        floors = [bracket.notional_floor for bracket in spec.brackets]
        assert floors[0] == 0
        assert floors[1:] == [bracket.notional_cap for bracket in spec.brackets[:-1]]


@pytest.mark.parametrize("base", ["1000SHIB", "1MBABYDOGE", "1000CAT", "1000SATS", "1INCH"])
def test_names_with_multipliers_map_right(base: str) -> None:
    spec = load_symbols()[f"{base}USDT"]
    assert (spec.base, spec.ccxt_symbol) == (base, f"{base}/USDT:USDT")
    assert load_symbol(f"{base}USDT") == spec


def test_maintenance_margin_is_continuous_across_brackets() -> None:
    """`cum` is what makes it so; a wrong column would show here."""
    for spec in load_symbols().values():
        for lower, upper in zip(spec.brackets, spec.brackets[1:], strict=False):
            edge = lower.notional_cap
            below = edge * lower.maint_margin_ratio - lower.cum
            above = edge * upper.maint_margin_ratio - upper.cum
            assert abs(below - above) <= Decimal("0.01") * edge, spec.symbol


def test_recorded_filters_are_used_and_named() -> None:
    ada = load_symbols({"ADAUSDT": Decimal("123")})["ADAUSDT"]
    assert (ada.price_tick, ada.amount_step) == (Decimal("0.0001"), Decimal(1))
    assert (ada.max_amount, ada.market_max_amount) == (Decimal(6_000_000), Decimal(1_300_000))
    assert "GoCryptoTrader" in ada.source
    assert load_symbol("ALGOUSDT").amount_step == Decimal("0.1")
    assert load_symbol("1000SATSUSDT").price_tick == Decimal("1E-8")


@pytest.mark.parametrize(
    ("price", "tick", "step"),
    [
        ("97000", "0.1", "0.001"),
        ("3500", "0.1", "0.001"),
        ("182.4", "0.01", "0.001"),
        ("14.3", "0.001", "0.01"),
        ("1.5", "0.0001", "0.1"),
        ("0.65", "0.00001", "1"),
        ("0.0123", "0.000001", "1"),
        ("0.0000123", "1E-8", "1"),
    ],
)
def test_other_grids_follow_the_price(price: str, tick: str, step: str) -> None:
    spec = load_symbol("LINKUSDT", Decimal(price))
    assert (spec.price_tick, spec.amount_step) == (Decimal(tick), Decimal(step))
    assert spec.source == SIMULATED
    assert (spec.price_precision, spec.amount_precision) == (
        decimals(spec.price_tick),
        decimals(spec.amount_step),
    )


@pytest.mark.parametrize("exponent", range(-6, 6))
def test_a_simulated_tick_and_step_are_small_against_an_order(exponent: int) -> None:
    price = Decimal("3.7").scaleb(exponent)
    assert simulated_tick(price) / price <= Decimal("0.003")
    assert simulated_step(price) * price <= max(Decimal(1), price * Decimal("0.001"))


def test_limits_are_ordered_and_on_the_step() -> None:
    for spec in load_symbols({"AAVEUSDT": Decimal(180), "BTCUSDT": Decimal(97_000)}).values():
        assert 0 < spec.min_amount <= spec.market_max_amount <= spec.max_amount
        assert spec.market_max_amount % spec.amount_step == 0
        assert spec.price_down < 1 < spec.price_up
        assert spec.min_notional == 5


def test_what_is_no_symbol_or_price_is_refused() -> None:
    for name in ("ADA/USDT", "ADA/USDC:USDC", "/USDT:USDT", "ADA/USDT:USDT:USDT"):
        with pytest.raises(DataError):
            binance_id(name)
    with pytest.raises(DataError, match="NOSUCHUSDT"):
        load_symbol("NOSUCHUSDT")
    with pytest.raises(DataError, match="price"):
        load_symbols({"LINKUSDT": Decimal(0)})
