"""A small backtest export whose every figure can be worked out by hand."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pairbot_ext.pairs import Epoch, Pair, PairsFile, Scan

START = datetime(2025, 3, 3, tzinfo=UTC)  # a Monday
FEE = 0.001
SECRETS = {
    "exchange key": "MarkedKey7Qx2MarkedKey7Qx2MarkedKey7Qx2MarkedKey7Qx2MarkedKey7Q1",
    "exchange secret": "MarkedSecret9Zz4MarkedSecret9Zz4MarkedSecret9Zz4MarkedSecret9Z2",
    "telegram token": "123456789:AAMarkedTelegram-Token_abcdefghijklmn",
    "api password": "marked-api-password-3",
    "wallet address": "0xMarkedWalletAddress4",
}


def epoch_ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def leg(
    symbol: str, *, opened: float, closed: float, short: bool, amount: float, prices: tuple[float, float],
    funding: float = 0.0, tag: str = "A_B", reason: str = "pair_reverted",
) -> dict[str, Any]:  # fmt: skip
    """A row as Freqtrade exports it; `profit_abs` by Freqtrade's rule: price − fees + funding."""
    sign = -1 if short else 1
    spent, got = amount * prices[0], amount * prices[1]
    times = [START + timedelta(hours=hour) for hour in (opened, closed)]
    return {
        "pair": symbol,
        "enter_tag": tag,
        "is_short": short,
        "is_open": False,
        "amount": amount,
        "open_rate": prices[0],
        "close_rate": prices[1],
        "open_date": times[0].isoformat(),
        "close_date": times[1].isoformat(),
        "open_timestamp": epoch_ms(times[0]),
        "close_timestamp": epoch_ms(times[1]),
        "fee_open": FEE,
        "fee_close": FEE,
        "profit_abs": sign * (got - spent) - FEE * (spent + got) + funding,
        "funding_fees": funding,
        "exit_reason": reason,
        "orders": [
            {
                "amount": amount,
                "safe_price": price,
                "ft_order_side": "sell" if short == is_entry else "buy",
                "ft_is_entry": is_entry,
                "order_filled_timestamp": epoch_ms(when),
            }
            for price, when, is_entry in zip(prices, times, (True, False), strict=True)
        ],
    }


def two_pair_trades() -> list[dict[str, Any]]:
    """One in each of two weeks: long A short B wins, short A long B loses."""
    a, b, later = "A/USDT:USDT", "B/USDT:USDT", 7 * 24
    return [
        leg(a, opened=1, closed=6, short=False, amount=100, prices=(10, 11), funding=-0.5),
        leg(b, opened=1, closed=6, short=True, amount=50, prices=(20, 20.5), funding=0.25),
        leg(
            a, opened=later, closed=later + 12, short=True, amount=100, prices=(10, 10.2), reason="pair_stop"
        ),
        leg(
            b, opened=later, closed=later + 12, short=False, amount=50, prices=(20, 19.8), reason="pair_stop"
        ),
    ]


def make_pair(**changes: Any) -> Pair:
    fields = {
        "id": "A_B", "leg_a": "A/USDT:USDT", "leg_b": "B/USDT:USDT", "hedge_ratio": 1.02, "alpha": 0.0,
        "mu": 0.0, "sigma": 0.01, "half_life_hours": 4.0, "adf_p": 0.01, "coint_p": 0.01,
        "entry_z": 2.0, "exit_z": 0.5, "stop_z": 4.0,
    }  # fmt: skip
    return Pair(**{**fields, **changes})


def make_pairs_file(*pairs: Pair, generated_at: datetime = START) -> PairsFile:
    epoch = Epoch(
        valid_from=START,
        formation_start=START - timedelta(days=60),
        formation_end=START,
        pairs=pairs or (make_pair(),),
    )
    symbols = dict.fromkeys(symbol for pair in epoch.pairs for symbol in pair.symbols)
    return PairsFile(
        pairs=tuple(symbols), refresh_period=300, generated_at=generated_at, exchange="binance",
        timeframe="1h", scan=Scan(rule="test"), epochs=(epoch,),
    )  # fmt: skip


def write_export(folder: Path, trades: list[dict[str, Any]], *, name: str = "result", **config: Any) -> Path:
    """An export as Freqtrade writes it: a zip with the result and the configuration, secrets and all."""
    stats = {
        "trades": trades,
        "timeframe": "1h",
        "stake_currency": "USDT",
        "starting_balance": 1000,
        "backtest_start_ts": epoch_ms(START),
        "backtest_end_ts": epoch_ms(START + timedelta(days=20)),
        "backtest_run_start_ts": round((START + timedelta(days=30)).timestamp()),
    }
    settings = {
        "exchange": {
            "name": "binance", "key": SECRETS["exchange key"], "secret": SECRETS["exchange secret"],
            "walletAddress": SECRETS["wallet address"],
        },
        "telegram": {"token": SECRETS["telegram token"], "chat_id": "1"},
        "api_server": {"password": SECRETS["api password"]},
    }  # fmt: skip
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.json", json.dumps({"strategy": {"PairsArb": stats}}))
        archive.writestr(f"{name}_config.json", json.dumps(settings | config))
    return path
