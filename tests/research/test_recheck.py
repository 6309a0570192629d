"""What Freqtrade's backtesting says of the simulator's trades: confirmed, or one sentence and exit code 1."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from walkforward_market import COINS, FORMATION, PLANTED

from pairbot_ext.cli import main
from pairbot_ext.research import walkforward
from pairbot_ext.research.outcome import Outcome
from pairbot_ext.research.recheck import difference
from pairbot_ext.sim.datadir import write_synthetic_datadir

LEGS = pd.DataFrame(
    {
        "pair": ["ADA/USDT:USDT", "LINK/USDT:USDT"],
        "enter_tag": ["ADA_LINK"] * 2,
        "open_date": ["2025-07-02 06:00:00+00:00"] * 2,
        "close_date": ["2025-07-02 09:00:00+00:00"] * 2,
        "is_short": [True, False],
        "exit_reason": ["pair_reverted"] * 2,
        "amount": [712.0, 40.25],
        "profit_abs": [1.25, -0.5],
    }
)


def test_the_same_trades_in_another_order_are_no_difference() -> None:
    assert difference(LEGS, LEGS.iloc[::-1]) is None
    assert difference(LEGS, LEGS.assign(profit_abs=[1.25 + 1e-7, -0.5])) is None
    assert difference(LEGS.iloc[:0], LEGS.iloc[:0]) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": [711.8, 40.25]}, ["1 of 2 legs", "amount", "ADA/USDT:USDT", "711.8", "712.0"]),
        ({"exit_reason": ["pair_stop"] * 2}, ["2 of 2 legs", "exit_reason", "pair_stop", "pair_reverted"]),
        ({"profit_abs": [1.25, -0.51]}, ["1 of 2 legs", "profit_abs", "LINK/USDT:USDT", "-0.51"]),
        ({"open_date": ["2025-07-02 07:00:00+00:00"] * 2}, ["open_date", "07:00"]),
    ],
)
def test_a_difference_is_one_sentence_with_both_values(change, said) -> None:
    sentence = difference(LEGS, LEGS.assign(**change))
    assert sentence is not None
    assert all(each in sentence for each in said), sentence


def test_another_number_of_legs_is_said() -> None:
    assert difference(LEGS, LEGS.iloc[:1]) == "Freqtrade makes 1 legs of these pairs, the simulator 2"


@pytest.mark.process
def test_the_command_asks_freqtrade_and_a_difference_is_exit_code_1(tmp_path, monkeypatch, capsys) -> None:
    datadir = tmp_path / "binance"
    write_synthetic_datadir(datadir, seed=4, symbols=COINS, planted=PLANTED, candles=560)
    monkeypatch.setattr(walkforward, "VARIANTS", walkforward.VARIANTS[:2])
    monkeypatch.chdir(tmp_path)
    given = f"walkforward --datadir {datadir} --formation {FORMATION} --rule naive --placebos 20 --jobs 1"
    command = [*given.split(), "--ledger", "ledger.jsonl", "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["confirmed_by_freqtrade"] is True

    # As if Freqtrade had made all legs but one: nothing is run again.
    monkeypatch.setattr("pairbot_ext.research.session.Recheck", OneLegLess)
    assert main(command) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["confirmed_by_freqtrade"] is False
    assert "no figure above counts: Freqtrade makes" in printed.err


class OneLegLess:
    """A backtest that has not the simulator's last leg."""

    def __init__(self, *_: object) -> None:
        pass

    def difference(self, outcome: Outcome) -> str | None:
        return difference(outcome.trades, outcome.trades.iloc[:-1])

    def close(self) -> None:
        pass


def test_without_a_strategy_in_any_folder_the_packages_own_confirms(tmp_path, monkeypatch, capsys) -> None:
    """An installed package has no strategies folder beside it."""
    datadir = tmp_path / "binance"
    write_synthetic_datadir(datadir, seed=4, symbols=COINS, planted=PLANTED, candles=420)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pairbot_ext.research.recheck.pairbot_ext.__file__", str(Path("/nowhere/a/b.py")))
    given = f"walkforward --datadir {datadir} --formation {FORMATION} --rule naive --placebos 20 --jobs 1"
    assert main([*given.split(), "--ledger", "ledger.jsonl", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["confirmed_by_freqtrade"] is True
