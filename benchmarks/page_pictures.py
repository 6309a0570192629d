"""The pictures of docs/page.md: each view, light, dark and on a phone, of a simulated bot.

Run: ``python -m benchmarks page_pictures``. Needs Chromium; writes docs/images/page-*.png.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

REPO_ROOT = Path(__file__).resolve().parents[1]
for _folder in ("rig", "control", "page"):
    sys.path.insert(0, str(REPO_ROOT / "tests" / _folder))

import page_world  # noqa: E402
from browser import Tab, chromium  # noqa: E402
from page_stage import log_in  # noqa: E402

LEGS = {
    "ADA_ALGO": ("ADAUSDT", "ALGOUSDT", 1.2),
    "XRP_DOGE": ("XRPUSDT", "DOGEUSDT", 0.8),
    "LINK_AVAX": ("LINKUSDT", "AVAXUSDT", 1.0),
    "LTC_BCH": ("LTCUSDT", "BCHUSDT", 0.9),
    "DOT_ATOM": ("DOTUSDT", "ATOMUSDT", 1.1),
    "NEAR_APT": ("NEARUSDT", "APTUSDT", 0.7),
}
VIEWS = {
    "pairs": ("#/pairs", "table.pairs tbody tr"),
    "pair": ("#/pair/ADA_ALGO", ".orders"),
    "risk": ("#/risk", ".bars progress"),
    "journal": ("#/journal", ".journal li"),
    "results": ("#/results", "#view table a"),
}
WIDE, PHONE = (1100, 720), (360, 740)
COLOURS = 96


def results_into(folder: Path) -> None:
    """A walk-forward result in the shape `pairbot walkforward --json` prints, of made-up numbers."""
    weeks = {f"2026-{1 + number // 4:02d}-{1 + 7 * (number % 4):02d}": 0.002 * ((number * 7) % 9 - 4.5)
             for number in range(24)}  # fmt: skip
    document = {
        "kind": "walkforward", "schema_version": 1, "evidence": "none", "net_bp": -3.1,
        "interval_95_bp": [-9.4, 2.9], "trials": 12, "epochs": 24, "confirmed_by_freqtrade": True,
        "figures": {"pair_trades": 212, "weeks": 24, "losing": 0.58, "deflated_sharpe": 0.07},
        "waterfall_bp": {"gross": 11.2, "fees": -11.9, "funding": -0.9, "slippage": -1.5}, "weekly": weeks,
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "walkforward-made-up.json").write_text(json.dumps(document))


def take(tab: Tab, path: Path) -> None:
    """One picture, in few colours: it is drawn in few."""
    tab.picture(path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(REPO_ROOT) if path.is_relative_to(REPO_ROOT) else path}: "
          f"{path.stat().st_size / 1024:.0f} KiB")  # fmt: skip


def pictures(rig: Any, tab: Tab, out: Path) -> None:
    """Every view, three times; the login and a question once."""
    block = rig.bot.config["api_server"]
    tab.size(*WIDE)
    tab.scheme("light")
    tab.go(f"http://127.0.0.1:{block['listen_port']}/pairs")
    tab.until("!document.querySelector('#login').hidden")
    take(tab, out / "page-login.png")
    log_in(tab, block["username"], block["password"])
    for name, (view, selector) in VIEWS.items():
        tab.size(*WIDE)
        tab.value(f"location.hash = {json.dumps(view)}")
        tab.until(f"document.querySelector({json.dumps(selector)}) !== null")
        for look in ("light", "dark", "phone"):
            tab.scheme("dark" if look == "dark" else "light")
            tab.size(*(PHONE if look == "phone" else WIDE), is_phone=look == "phone")
            tab.value("window.scrollTo(0, 0); document.activeElement.blur()")
            time.sleep(1.0)
            take(tab, out / f"page-{name}-{look}.png")
    tab.size(*WIDE)
    tab.scheme("light")
    tab.value("location.hash = '#/pair/ADA_ALGO'")
    tab.until("document.querySelector('.orders') !== null")
    tab.value("document.querySelector('.orders').scrollIntoView({block: 'center'})")
    time.sleep(1.0)
    take(tab, out / "page-orders.png")
    tab.value("location.hash = '#/pairs'")
    tab.click('table.pairs tbody tr:has(a[href="#/pair/ADA_ALGO"]) button')
    tab.until("document.querySelector('#confirm').open")
    time.sleep(0.5)
    take(tab, out / "page-confirm.png")


def main(argv: list[str]) -> int:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=REPO_ROOT / "docs" / "images")
    args = parser.parse_args(argv)
    logging.disable(logging.WARNING)
    with (
        tempfile.TemporaryDirectory() as folder,
        page_world.page_rig(
            Path(folder), legs=LEGS, open_pairs=4, wallet=1_000, risk={"break_stop": None}
        ) as rig,
        chromium() as browser,
        browser.tab() as tab,
    ):
        rig.bot.process()
        page_world.close_one(rig, "LTC_BCH")
        rig.bot.strategy.pairs._control.service.lock("LTC_BCH", "Telegram")
        results_into(Path(folder) / "user_data" / "research")
        for pair_id, z in (("ADA_ALGO", 1.3), ("XRP_DOGE", -2.6), ("LINK_AVAX", 0.9)):
            rig.market.move_z(pair_id, z)
            for _ in range(2):
                rig.transport._handler.tick()
                rig.bot.process()
        pictures(rig, tab, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
