"""The simulated exchange of the preflight tests, and what a test may break of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from freqtrade.exchange import Exchange

from pairbot_ext.preflight.setup import open_exchange
from pairbot_ext.sim.control import SimulatedExchange
from pairbot_ext.sim.inprocess import InProcessTransport
from pairbot_ext.sim.launch import CREDENTIALS
from pairbot_ext.sim.market.base import Kline
from pairbot_ext.sim.market.fixed import FixedMarket
from pairbot_ext.sim.rest.gateway import Gateway
from pairbot_ext.sim.rest.messages import Answer, Request, json_bytes
from pairbot_ext.sim.venue.actions import apply
from pairbot_ext.sim.venue.clock import wall_clock_ms
from pairbot_ext.sim.venue.venue import Venue

PRICES = {"ADAUSDT": "0.7320", "ALGOUSDT": "0.2110", "XRPUSDT": "2.1000", "DOGEUSDT": "0.20000"}
ADA, ALGO, XRP, DOGE = (f"{name.removesuffix('USDT')}/USDT:USDT" for name in PRICES)
RIGHTS_PATH = "/not-simulated/sapi/account/apiRestrictions"
ACCOUNT_PATH = "/fapi/v1/accountConfig"
INFO_PATH = "/fapi/v1/exchangeInfo"
KEY_RIGHTS = {
    "ipRestrict": True,
    "createTime": 1623840271000,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableFutures": True,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
    "enableSpotAndMarginTrading": False,
}
"""What Binance answers to GET /sapi/v1/account/apiRestrictions for a key as it should be."""


class LateMarket(FixedMarket):
    """Candles of one symbol end earlier than they should.

    :ivar late_ms: by how much, by Binance id.
    """

    late_ms: dict[str, int]

    def klines(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, limit: int, now_ms: int,
        *, mark: bool,
    ) -> list[Kline]:  # fmt: skip
        """Nothing of the last `late_ms`."""
        rows = super().klines(symbol, interval, start_ms, end_ms, limit, now_ms, mark=mark)
        return [row for row in rows if row.close_ms <= now_ms - self.late_ms.get(symbol, -3_600_000)]


class World:
    """An exchange on the real clock and Freqtrade's view of it.

    The simulated exchange has no wallet interface, so what Binance's says about a key is put in front of it.

    :param rights: of the key; None leaves the path to the simulated exchange, which refuses it.
    :ivar skew_ms: how far this machine's clock is ahead of the exchange's.
    """

    def __init__(self, *, rights: dict[str, Any] | None = None) -> None:
        self.market = LateMarket({name: Decimal(price) for name, price in PRICES.items()})
        self.market.late_ms = {}
        self.skew_ms = 0
        self.venue = Venue(self.market, wall_clock_ms)
        self.gateway = Gateway(self.venue, CREDENTIALS)
        self.answers: dict[str, Any] = {} if rights is None else {RIGHTS_PATH: rights}
        self.edits: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.simulated = SimulatedExchange(self.gateway)
        self.transport = InProcessTransport(self)
        self._opened: dict[bool, Exchange] = {}

    # What the transport serves: pairbot_ext.sim.server.Handler.

    round_trip_ms = 0

    def tick(self) -> None:
        """Time passes at every request."""

    def handle(self, request: Request) -> Answer:
        """The simulated exchange's answer, or the one put in its place."""
        if request.path in self.answers:
            return Answer(200, json_bytes(self.answers[request.path]))
        answer = self.simulated.handle(request)
        if request.path in self.edits:
            payload = json.loads(answer.body)
            self.edits[request.path](payload)
            return Answer(answer.status, json_bytes(payload), answer.headers)
        return answer

    # What a test does.

    def act(self, action: Any) -> None:
        """Something happens at the venue."""
        self.gateway.locked(lambda: apply(action, self.venue))

    def calls(self) -> list[str]:
        """Everything that was asked, as "GET /fapi/v1/time"."""
        return [record.call for record in self.gateway.log.since(0)]

    def overlay(self, configured: dict[str, Any]) -> dict[str, Any]:
        """The `exchange` block that leads Freqtrade here; a name and keys already configured are kept."""
        block = self.transport.overlay()["exchange"]
        block["ccxt_config"] = {**block["ccxt_config"], "enableRateLimit": False}
        kept = {name: configured[name] for name in ("name", "key", "secret") if configured.get(name)}
        return {**block, **kept}

    def open(self, config: dict[str, Any]) -> Exchange:
        """Freqtrade's exchange layer: opened once for dry-run and once for live."""
        is_dry = bool(config["dry_run"])
        if is_dry not in self._opened:
            self._opened[is_dry] = open_exchange(config)
        return self._opened[is_dry]


def pairs_document(**changes: Any) -> dict[str, Any]:
    """A pairs file of two pairs, made an hour ago, valid from then on."""
    made = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    epoch = {
        "valid_from": _text(made),
        "valid_to": None,
        "formation_start": _text(made - timedelta(days=60)),
        "formation_end": _text(made),
        "pairs": [_pair("ADA_ALGO", ADA, ALGO, 1.2), _pair("XRP_DOGE", XRP, DOGE, 0.8)],
        **changes,
    }
    return {
        "pairs": [ADA, ALGO, XRP, DOGE],
        "refresh_period": 300,
        "schema_version": 1,
        "generated_at": _text(made),
        "exchange": "binance",
        "timeframe": "1h",
        "scan": {"rule": "test"},
        "epochs": [epoch],
    }


def days_ago(days: float) -> str:
    """A time as the pairs file writes it."""
    return _text(datetime.now(UTC) - timedelta(days=days))


def _text(when: datetime) -> str:
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


def _pair(name: str, leg_a: str, leg_b: str, beta: float) -> dict[str, Any]:
    return {
        "id": name, "leg_a": leg_a, "leg_b": leg_b, "hedge_ratio": beta, "adf_p": 0.01, "coint_p": 0.01,
        "entry_z": 2.0, "exit_z": 0.3, "stop_z": 4.0, "half_life_hours": 20.0,
    }  # fmt: skip


def base_config(repo_root: Path, directory: Path, pairs_path: Path) -> dict[str, Any]:
    """The delivered config.json with every path in `directory`."""
    config: dict[str, Any] = json.loads((repo_root / "config.json").read_text())
    config.pop("$schema")
    config["pairlists"][0]["pairlist_url"] = f"file:///{pairs_path}"
    config["pairbot"] = {"pairs_file": str(pairs_path)}
    return config | {
        "strategy_path": str(repo_root / "strategies"),
        "user_data_dir": str(directory / "user_data"),
        "db_url": f"sqlite:///{directory / 'trades.sqlite'}",
    }
