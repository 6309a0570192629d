"""What the page costs and how soon it shows: one viewer in Chromium, 50 open pairs, 5,000 closed ones.

A real bot with streams on in front of the simulated exchange, which runs in the same process (so a loop takes
the interpreter for longer than a bot alone does); every price moves five times a second, the loop runs every
5 s. The alternative in the same run is the same bot with nobody looking: what a viewer costs
is the difference in processor time of everything but the market and the exchange. The API is asked by a
process of its own.

Run: ``python -m benchmarks bench_page``. Bounds: at most 1 % of a processor with one viewer, an update within
0.5 s of the change, first paint within 1 s, GET /pairs p99 within 50 ms, no growth of the page in 5 minutes.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

REPO_ROOT = Path(__file__).resolve().parents[1]
for _folder in ("rig", "control", "page"):
    sys.path.insert(0, str(REPO_ROOT / "tests" / _folder))

import page_world  # noqa: E402
from browser import CHROMIUM, Tab, chromium  # noqa: E402
from page_stage import log_in  # noqa: E402

from benchmarks.processes import machine_said  # noqa: E402

PAIRS, CLOSED, LOOP_SECS = 50, 5_000, 5.0
GROWTH_PERCENT = 5.0
ASK = """
import http.client, json, sys, time
port, login, path, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
connection = http.client.HTTPConnection("127.0.0.1", port)
found = []
for _ in range(count):
    time.sleep(0.05)
    began = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": login})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    found.append(1000 * (time.perf_counter() - began))
print(json.dumps(found))
"""


@contextmanager
def looping(rig: Any) -> Iterator[None]:
    """The bot's loop in a thread, as its worker runs it."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(LOOP_SECS):
            rig.bot.process()

    worker = threading.Thread(target=loop, name="loop")
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


def serving_secs() -> float:
    """Processor time so far of the threads that serve: the API server's and its pool's."""
    found = 0.0
    for thread in threading.enumerate():
        if thread.name.startswith(("FTUvicorn", "asyncio_", "AnyIO")) and thread.ident is not None:
            found += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return found


def percent_over(secs: float) -> float:
    """Share of one processor that serving takes in so many seconds, per cent."""
    began, before = time.monotonic(), serving_secs()
    time.sleep(secs)
    return 100 * (serving_secs() - before) / (time.monotonic() - began)


def asked(rig: Any, path: str, count: int) -> list[float]:
    """Answer times in ms, of another process."""

    block = rig.bot.config["api_server"]
    login = "Basic " + base64.b64encode(f"{block['username']}:{block['password']}".encode()).decode()
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(block["listen_port"]), login, path, str(count)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: list[float] = json.loads(done.stdout)
    return found


def first_paint_secs(tab: Tab, url: str) -> tuple[float, float]:
    """Of somebody who is logged in: first paint, and every pair on the page, seconds after the navigation."""
    tab.call("Network.clearBrowserCache")
    tab.go("about:blank")
    tab.go(url)
    tab.until(f"document.querySelectorAll('table.pairs tbody tr').length === {PAIRS}")
    paint = tab.until("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    whole = tab.value("performance.now()")
    return paint / 1000, whole / 1000


def update_secs(rig: Any, tab: Tab, rounds: int) -> list[float]:
    """From a price at the exchange to the new z on the page, by both clocks of this machine, seconds."""
    name = list(rig.market.legs)[3]
    leg_a = rig.market.legs[name][0]
    found = []
    row = (
        f"[...document.querySelectorAll('table.pairs tbody tr')].find((r) => r.innerText.includes('{name}'))"
    )
    for number in range(rounds):
        tab.value(
            "window.changedAt = 0; new MutationObserver((_, observer) => {"
            " window.changedAt = Date.now(); observer.disconnect(); })"
            f".observe({row}.cells[2].querySelector('.number'),"
            " {characterData: true, childList: true, subtree: true})"
        )
        time.sleep(0.37)
        began = time.time()
        rig.move(leg_a, rig.market.prices[leg_a] * (101 if number % 2 else 99) / 100)
        found.append(tab.until("window.changedAt", "the new z") / 1000 - began)
    return found


def p99_of(values: list[float]) -> float:
    """99th percentile."""
    return quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]


def told(name: str, values: list[float], unit: str) -> str:
    """Median, 99th percentile and the longest."""
    return (
        f"{name}: median {median(values):.3g} {unit}, p99 {p99_of(values):.3g}, longest {max(values):.3g} "
        f"of {len(values)}"
    )


def main(argv: list[str]) -> int:
    """Print the figures. Returns 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="how long the page is watched (default: 5)"
    )
    parser.add_argument("--asked", type=int, default=400, help="requests of each kind (default: 400)")
    parser.add_argument("--short", action="store_true", help="updates and processor time alone")
    args = parser.parse_args(argv)
    if CHROMIUM is None:
        print("no Chromium here (apt-get install chromium): nothing is measured", file=sys.stderr)
        return 0
    logging.disable(logging.WARNING)
    missed = []
    print(machine_said(), flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        page_world.page_rig(Path(folder), legs=page_world.many_legs(PAIRS), open_pairs=PAIRS) as rig,
        chromium() as browser,
    ):
        rig.bot.process()
        page_world.close_one(rig, next(iter(rig.market.legs)))
        page_world.give_a_past(rig, CLOSED)
        # The exchange and the past were made in this process: a bot's collector has neither to go through.
        gc.collect()
        gc.freeze()
        open_pairs = len(rig.desk.journal.open_pair_trades())
        block = rig.bot.config["api_server"]
        url = f"http://127.0.0.1:{block['listen_port']}/pairs"
        print(f"{open_pairs} of {PAIRS} pairs open, {CLOSED} closed pair trades in the database", flush=True)
        # Freqtrade's own answer about the same trades is the alternative.
        paths = () if args.short else ("pairs", f"pairs/{list(rig.market.legs)[3]}", "status")
        for path in paths:
            before = serving_secs()
            times = asked(rig, f"/api/v1/{path}", args.asked)
            each = 1000 * (serving_secs() - before) / args.asked
            print(told(f"GET /{path} between two loops", times, "ms"), f"({each:.1f} ms of processor time)")
            if path != "status" and p99_of(times) > 50:
                missed.append(f"GET /{path} p99 above 50 ms")
        with browser.tab() as tab, ExitStack() as loops:
            # The browser would keep what it has received for whoever listens.
            tab.call("Network.disable")
            tab.size(1280, 900)
            tab.go(url)
            log_in(tab, block["username"], block["password"])
            tab.until(f"document.querySelectorAll('table.pairs tbody tr').length === {PAIRS}")
            late = update_secs(rig, tab, 40)
            print(told("an update after its change, between two loops", late, "s"), flush=True)
            if p99_of(late) > 0.5:
                missed.append("an update after more than 0.5 s")
            loops.enter_context(looping(rig))
            for path in paths:
                times = asked(rig, f"/api/v1/{path}", args.asked)
                print(told(f"GET /{path} while the bot loops", times, "ms"), flush=True)
            paints = [first_paint_secs(tab, url) for _ in range(1 if args.short else 9)]
            print(told("first paint", [paint for paint, _ in paints], "s"))
            print(told("all 50 rows there", [rows for _, rows in paints], "s"), flush=True)
            if median(paint for paint, _ in paints) > 1:
                missed.append("first paint after more than 1 s")
            late = update_secs(rig, tab, 40)
            print(told("an update after its change, while the bot loops", late, "s"), flush=True)
            with page_world.wandering(rig):
                time.sleep(3)
                watched = percent_over(60)
                time.sleep(5)
                first = tab.heap_bytes()
                nodes = tab.value("document.querySelectorAll('*').length")
                args.minutes = 0.0 if args.short else args.minutes
                time.sleep(60 * args.minutes)
                last = tab.heap_bytes()
                grown = 100 * (last / first - 1)
                later = tab.value("document.querySelectorAll('*').length")
                print(
                    f"the page's heap: {first / 2**20:.2f} MiB, {args.minutes:g} minutes later "
                    f"{last / 2**20:.2f} MiB ({grown:+.1f} %); {nodes} elements, then {later}",
                    flush=True,
                )
                if grown > GROWTH_PERCENT:
                    missed.append(f"the page has grown by {grown:.1f} %")
                tab.go("about:blank")
                time.sleep(2)
                alone = percent_over(60)
            cost = watched - alone
            print(
                f"processor: serving takes {watched:.2f} % with one viewer, {alone:.2f} % without: "
                f"{cost:.2f} %"
            )
            if cost > 1:
                missed.append("a viewer costs more than 1 %")
    print("missed: " + "; ".join(missed) if missed else "every bound is kept")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
