"""`freqtrade backtesting` on a replay's inputs, in a process of its own: time is the wall's there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairbot_ext.pairs import write_pairs_file
from pairbot_ext.rehearse.replay.inputs import Inputs
from pairbot_ext.rehearse.replay.trades import LegResult, PairResult
from pairbot_ext.report.pairing import load_export
from pairbot_ext.support.errors import PairbotError

_FORCED = "force_exit"
_LOG_LINES = 3


class Backtest:
    """One backtest, running since it was made. Close it.

    :param folder: an empty one, for its files.
    """

    def __init__(self, inputs: Inputs, folder: Path, *, begin_ms: int, end_ms: int) -> None:
        self._inputs = inputs
        self._folder = folder
        self._end_ms = end_ms
        folder.mkdir(parents=True)
        # Freqtrade takes a directory that does not exist yet for a file name.
        (folder / "result").mkdir()
        config = folder / "config.json"
        write_pairs_file(folder / "pairs.json", inputs.pairs_file)
        raw = inputs.configuration(folder, folder / "pairs.json") | {"dry_run": True, "export": "trades"}
        raw["dry_run_wallet"] = inputs.wallet
        config.write_text(json.dumps(raw), encoding="utf-8")
        (folder / "user_data").mkdir()
        self._log = (folder / "log.txt").open("wb")
        datadir = str(inputs.datadir.resolve())
        # Its own command finds the simulated exchange, and so no network is needed.
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "pairbot_ext.cli", "offline", "--", "backtesting", "-c", str(config),
                "--datadir", datadir, "--timerange", f"{begin_ms // 1000}-{end_ms // 1000}",
                "--cache", "none", "--export", "trades", "--backtest-directory", str(folder / "result"),
            ],
            stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def results(self) -> tuple[tuple[PairResult, ...], float]:
        """Its pair trades and its profit, when it has ended.

        :raises PairbotError: it failed, or a leg has no mate.
        """
        code = self._process.wait()
        self._log.close()
        if code != 0:
            lines = (self._folder / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()
            said = " / ".join(line.strip() for line in lines[-_LOG_LINES:])
            raise PairbotError(
                "The backtest beside the replay failed", value=f"exit code {code}: {said}",
                remedy="Leave it out with --no-backtest, or run `pairbot offline -- backtesting` alone",
            )  # fmt: skip
        rows = load_export(self._folder / "result", str(self._inputs.raw["strategy"]))
        return pair_results(rows, self._end_ms), sum(float(row["profit_abs"]) for row in rows)

    def close(self) -> None:
        """End it, where it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self._log.close()


def pair_results(rows: list[Mapping[str, Any]] | list[dict[str, Any]], end_ms: int) -> tuple[PairResult, ...]:
    """The rows of an export, both legs of a round trip together: a backtest opens them on one candle.

    :param end_ms: where the backtest ended; what it sold there was open.
    """
    by_trade: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_trade.setdefault((str(row["enter_tag"]), int(row["open_timestamp"])), []).append(row)
    results = []
    for (pair_id, opened_ms), legs in by_trade.items():
        closed_ms = max(int(leg["close_timestamp"]) for leg in legs)
        reason = str(legs[0]["exit_reason"])
        is_open = reason == _FORCED and closed_ms >= end_ms
        ours = tuple(_leg(leg) for leg in legs)
        results.append(
            PairResult(pair_id, opened_ms, None if is_open else closed_ms, "" if is_open else reason, ours)
        )
    return tuple(sorted(results, key=lambda each: (each.opened_ms, each.pair_id)))


def _leg(row: Mapping[str, Any]) -> LegResult:
    amount = float(row["amount"])
    entry, leave = float(row["open_rate"]), float(row["close_rate"])
    return LegResult(
        symbol=str(row["pair"]),
        sign=-1 if row["is_short"] else 1,
        amount=amount,
        entry_price=entry,
        exit_price=leave,
        fees=amount * (entry * float(row["fee_open"]) + leave * float(row["fee_close"])),
        funding=float(row.get("funding_fees") or 0.0),
    )
