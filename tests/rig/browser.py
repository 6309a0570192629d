"""Headless Chromium by its own DevTools protocol: what a person sees, types and presses on a page.

Debian's browser and `websockets`, which Freqtrade brings: nothing is downloaded. Requests that leave the
machine are refused by the browser's own resolver rules.
"""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BOUND_SECS = 20.0
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"),
    *("--no-first-run", "--no-default-browser-check", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars"),
    *("--force-color-profile=srgb", "--remote-debugging-port=0", "--enable-precise-memory-info"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


class PageError(AssertionError):
    """What the page itself has thrown."""


class Tab:
    """One tab. Everything it logs, throws or violates is kept in `faults`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.faults: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                if "error" in message:
                    raise PageError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.faults.append(str(details.get("exception", {}).get("description", details["text"])))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.faults.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "assert"):
                self.faults.append(str([each.get("value") for each in parameters["args"]]))
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])

    # -- looking -----------------------------------------------------------------------------------

    def value(self, expression: str) -> Any:
        """What an expression is worth on the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise PageError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression: str, what: str = "", bound_secs: float = BOUND_SECS) -> Any:
        """Wait for an expression to be true; its value."""
        end = time.monotonic() + bound_secs
        while not (value := self.value(expression)):
            if time.monotonic() > end:
                shown = self.value("document.body.innerText")
                raise PageError(f"not within {bound_secs:g} s: {what or expression}\n{shown}\n{self.faults}")
            time.sleep(0.02)
        return value

    def text(self, selector: str) -> str:
        """The text of the first element that fits, as it is shown; empty where there is none."""
        return str(self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    # -- acting ------------------------------------------------------------------------------------

    def go(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", f"load {url}")

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of the element, which has to be there and visible."""
        place = self.until(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return r.width ? [r.x + r.width / 2, r.y + r.height / 2] : null; })()",
            f"{selector} to be there",
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    def press(self, key: str, code: int, modifiers: int = 0) -> None:
        """One key. :param code: Windows' virtual key code. :param modifiers: 8 is shift."""
        text = {"Enter": "\r", " ": " "}.get(key)
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                modifiers=modifiers, **more,
            )  # fmt: skip

    def type(self, text: str) -> None:
        """Into the element that has the focus."""
        self.call("Input.insertText", text=text)

    def size(self, width: int, height: int, *, is_phone: bool = False, scale: float = 1.0) -> None:
        """The window."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
            mobile=is_phone,
        )  # fmt: skip

    def scheme(self, name: str) -> None:
        """Light or dark, as the reader prefers it."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def picture(self, path: Path, *, is_whole: bool = False) -> None:
        """What is seen, or with `is_whole` the page from top to bottom, as a PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=is_whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def heap_bytes(self) -> int:
        """What the page's own objects take, after everything that can be let go is."""
        self.call("HeapProfiler.collectGarbage")
        return int(self.call("Runtime.getHeapUsage")["usedSize"])


class Browser:
    """One Chromium; tabs do not share what they have stored."""

    def __init__(self, socket: ClientConnection, host: str) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._host = host

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                result: dict[str, Any] = message["result"]
                return result

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A tab of somebody who has never been here."""
        context = self._call("Target.createBrowserContext")["browserContextId"]
        target = self._call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        try:
            with connect(
                f"ws://{self._host}/devtools/page/{target}", max_size=None, ping_interval=None
            ) as socket:
                yield Tab(socket)
        finally:
            self._call("Target.disposeBrowserContext", browserContextId=context)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a folder of its own. Raises RuntimeError where none is installed."""
    if CHROMIUM is None:
        raise RuntimeError("no chromium is installed")
    with tempfile.TemporaryDirectory(prefix="pairbot-chromium-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = _until(lambda: _port(Path(folder)), "Chromium to come up")
            version = requests.get(f"http://127.0.0.1:{port}/json/version", timeout=20).json()
            with connect(version["webSocketDebuggerUrl"], max_size=None, ping_interval=None) as socket:
                yield Browser(socket, f"127.0.0.1:{port}")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(folder: Path) -> int | None:
    path = folder / "DevToolsActivePort"
    return int(path.read_text().split()[0]) if path.exists() and path.read_text() else None


def _until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + BOUND_SECS
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"not within {BOUND_SECS:g} s: {what}")
        time.sleep(0.02)
    return value
