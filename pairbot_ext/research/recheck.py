"""The walk-forward's own trades made once more by `freqtrade backtesting`: a difference is an error.

It runs in a process of its own beside the placebos, on the simulated exchange: no network is needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import pairbot_ext
from pairbot_ext.pairs import PairsFile, write_pairs_file
from pairbot_ext.report.pairing import load_export
from pairbot_ext.research.account import Terms
from pairbot_ext.research.outcome import Outcome
from pairbot_ext.support.errors import PairbotError
from pairbot_ext.userdir.texts import STRATEGY as STRATEGY_TEXT

STRATEGY = "PairsArb"
EXACT = ("pair", "enter_tag", "open_date", "close_date", "is_short", "exit_reason", "amount")
PROFIT_RTOL = 1e-6
_ROUNDED = 1e-8
"""Freqtrade's export rounds money so, quote currency."""
_LOG_LINES = 3
_USUAL: Mapping[str, Any] = {
    "dry_run": True,
    "trading_mode": "futures",
    "margin_mode": "isolated",
    "stake_currency": "USDT",
    "entry_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    "exit_pricing": {"price_side": "other", "use_order_book": True, "order_book_top": 1},
    "exchange": {"name": "binance"},
}
_LEFT_OUT = (
    "$schema",
    "add_config_files",
    "logfile",
    "datadir",
    "telegram",
    "api_server",
    "db_url",
    "webhook",
)


class Recheck:
    """One backtest, running since it was made. Close it.

    :param config: the user's, merged; money and slots are taken from `terms`.
    :param folder: an empty one, for its files.
    """

    def __init__(
        self, pairs_file: PairsFile, config: Mapping[str, Any], terms: Terms, datadir: Path, folder: Path
    ) -> None:
        for name in ("result", "user_data"):
            (folder / name).mkdir()
        write_pairs_file(folder / "pairs.json", pairs_file)
        raw = {**_USUAL, **{name: value for name, value in config.items() if name not in _LEFT_OUT}}
        raw |= {
            "strategy": STRATEGY,
            "strategy_path": str(_strategies(config, folder)),
            "user_data_dir": str(folder / "user_data"),
            "timeframe": pairs_file.timeframe,
            "fee": terms.fee,
            "stake_amount": "unlimited" if terms.stake is None else terms.stake,
            "dry_run_wallet": terms.wallet,
            "max_open_trades": int(terms.slots) if isfinite(terms.slots) else -1,
            "tradable_balance_ratio": terms.tradable_ratio,
            "amount_reserve_percent": terms.reserve,
            "pairlists": [{"method": "StaticPairList"}],
            "exchange": {**raw["exchange"], "pair_whitelist": list(terms.whitelist)},
            "pairbot": {
                **(config.get("pairbot") or {}), "pairs_file": str(folder / "pairs.json"), "log": None
            },
        }  # fmt: skip
        (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
        self._folder = folder
        self._log = (folder / "log.txt").open("wb")
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "pairbot_ext.cli", "offline", "--", "backtesting",
                "-c", str(folder / "config.json"), "--datadir", str(datadir.resolve()), "--cache", "none",
                "--export", "trades", "--backtest-directory", str(folder / "result"),
            ],
            stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def difference(self, outcome: Outcome) -> str | None:
        """What Freqtrade's trades have that the simulator's have not, in a sentence; None for nothing.

        :raises PairbotError: the backtest failed.
        """
        code = self._process.wait()
        self._log.close()
        if code != 0:
            lines = (self._folder / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
            raise PairbotError(
                "`freqtrade backtesting`, which should have confirmed the trades, failed",
                value=f"exit code {code}: " + " / ".join(line.strip() for line in lines[-_LOG_LINES:]),
                remedy="Run `pairbot offline -- backtesting` with this configuration, or give --no-check",
            )
        return difference(outcome.trades, pd.DataFrame(load_export(self._folder / "result", STRATEGY)))

    def close(self) -> None:
        """End it, where it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._log.close()


def difference(ours: pd.DataFrame, theirs: pd.DataFrame) -> str | None:
    """The first leg in which two tables of trades part, in a sentence; None where they are the same.

    :param ours, theirs: columns of a backtest export.
    """
    if len(ours) != len(theirs):
        return f"Freqtrade makes {len(theirs)} legs of these pairs, the simulator {len(ours)}"
    if ours.empty:
        return None
    left, right = _in_order(ours), _in_order(theirs)
    for name in EXACT:
        parted = np.flatnonzero((left[name] != right[name]).to_numpy())
        if parted.size:
            row = int(parted[0])
            return _sentence(left, right, row, name, int(parted.size))
    near = np.isclose(
        left["profit_abs"].to_numpy(np.float64), right["profit_abs"].to_numpy(np.float64),
        rtol=PROFIT_RTOL, atol=_ROUNDED,
    )  # fmt: skip
    parted = np.flatnonzero(~near)
    return _sentence(left, right, int(parted[0]), "profit_abs", int(parted.size)) if parted.size else None


def _sentence(left: pd.DataFrame, right: pd.DataFrame, row: int, name: str, count: int) -> str:
    leg = left.loc[row]
    return (
        f"{count} of {len(left)} legs have another {name} in Freqtrade, the first {leg['pair']} of "
        f"{leg['enter_tag']}, opened {leg['open_date']:%Y-%m-%d %H:%M}: {right[name][row]}, in the simulator "
        f"{left[name][row]}"
    )


def _in_order(trades: pd.DataFrame) -> pd.DataFrame:
    same = trades.assign(
        open_date=pd.to_datetime(trades["open_date"], utc=True).dt.as_unit("ns"),
        close_date=pd.to_datetime(trades["close_date"], utc=True).dt.as_unit("ns"),
        amount=trades["amount"].astype(float).round(9),
        is_short=trades["is_short"].astype(bool),
    )
    names = ["pair", "enter_tag", "exit_reason"]
    same[names] = same[names].astype(str)
    return same.sort_values(["open_date", "pair"]).reset_index(drop=True)


def _strategies(config: Mapping[str, Any], folder: Path) -> Path:
    """The user's strategy, whose parameters lie beside it; else the package's, put into `folder`."""
    try:
        return strategy_folder(config)
    except PairbotError:
        (folder / f"{STRATEGY}.py").write_text(STRATEGY_TEXT, encoding="utf-8")
        return folder


def strategy_folder(config: Mapping[str, Any]) -> Path:
    """Where the strategy is: the configured folder, the user's, or the one beside the package.

    :raises PairbotError: in none of them.
    """
    places = [
        config.get("strategy_path"),
        Path(config.get("user_data_dir") or "user_data") / "strategies",
        Path(pairbot_ext.__file__).parents[1] / "strategies",
    ]
    for place in filter(None, places):
        if (Path(place) / f"{STRATEGY}.py").is_file():
            return Path(place).resolve()
    raise PairbotError(
        "the strategy is not there",
        value=f"{STRATEGY}.py, looked for in {', '.join(str(place) for place in filter(None, places))}",
        remedy="Name its folder as strategy_path in the configuration; `pairbot init` puts it into a userdir",
    )
