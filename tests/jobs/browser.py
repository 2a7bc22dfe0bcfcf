"""Debian's chromium, to try pages in."""

import base64
import contextlib
import io
import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

KEYS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "End": 35,
    "Escape": 27,
    "Home": 36,
}
"""Keys that write nothing, and their numbers."""


class Browser:
    """Debian's chromium, spoken to through its DevTools pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]", pipe: socket.socket, folder: Path):
        self.process, self.pipe, self.folder = process, pipe, folder
        self.file = pipe.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self.number, self.session, self.buffer = 0, {}, b""
        self.new_tab()

    def new_tab(self) -> dict[str, str]:
        """Open a tab and speak to it from now on; return its session, for `turn_to`."""
        self.session = {}
        target = self("Target.createTarget", url="about:blank")["targetId"]
        attached = self("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Network", "Runtime", "Log", "Animation"):
            self(f"{domain}.enable")
        self("Animation.setPlaybackRate", playbackRate=10)  # a test need not wait for a turn
        return self.session

    def turn_to(self, session: dict[str, str]) -> None:
        """Speak to a tab that was opened before, and bring it to the front."""
        self.session = session
        self("Page.bringToFront")

    def close_tab(self, session: dict[str, str]) -> None:
        """Close this tab and turn to another."""
        self("Page.close")
        self.turn_to(session)

    def __call__(self, method: str, **params: Any) -> Any:
        self.number += 1
        call = {"id": self.number, "method": method, "params": params, **self.session}
        self.pipe.sendall(json.dumps(call).encode() + b"\0")
        while (message := self._receive()).get("id") != self.number:
            self.events.append(message)
        assert "error" not in message, message
        return message["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            self.buffer += self.file.read1(1 << 20) or pytest.fail("chromium closed its pipe")
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def open(self, source: str, width: int = 1000, height: int = 1200, **media: str) -> None:
        """Show this page from a file, at this size, and wait until it is drawn."""
        path = self.folder / "gallery.html"
        path.write_text(source)
        self.go(path.as_uri(), width, height, **media)

    def go(self, address: str, width: int = 1000, height: int = 1200, **media: str) -> None:
        """Show the page at this address, at this size, and wait until it is drawn."""
        self.events.clear()
        features = [{"name": name.replace("_", "-"), "value": media[name]} for name in media]
        self("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self("Emulation.setDeviceMetricsOverride", **size)
        self("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
        self("Page.navigate", url=address)
        self.loaded()

    def loaded(self) -> None:
        """Wait until the page is drawn and its pictures are there."""
        while all(event["method"] != "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())
        self.until(
            "document.documentElement.dataset.ready === '' || !document.getElementById('page')"
        )
        self.drawn()

    def drawn(self) -> None:
        """Wait until all pictures in the document are there, and drawn."""
        self.until("[...document.images].every(i => !i.src || i.complete)")
        self.run(
            "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(0))))"
        )

    def until(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def run(self, expression: str) -> Any:
        """Return the value of an expression, once its promise is kept."""
        call = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self("Runtime.evaluate", **call)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def settle(self) -> None:
        """Wait until nothing moves any more."""
        self.drawn()
        self.run("Promise.all(document.getAnimations().map(a => a.finished)).then(() => 0)")

    def press(self, *keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            event: dict[str, Any] = {"key": key, "code": key}
            if key in KEYS:
                event["windowsVirtualKeyCode"] = KEYS[key]
            else:
                event["text"] = {"Enter": "\r"}.get(key, key)
            self("Input.dispatchKeyEvent", type="keyDown", **event)
            self("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, selector: str) -> None:
        """Click an element with the mouse, in its middle."""
        box = self.box(selector)
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def box(self, selector: str) -> dict[str, float]:
        """Return where an element is, once it is in sight."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        return self.run(f"{element}.getBoundingClientRect().toJSON()")

    def look(self, selector: str = "") -> Image.Image:
        """Return what is seen where the element is, or on the whole screen."""
        box = selector and self.box(selector)
        self.settle()
        shot = Image.open(io.BytesIO(base64.b64decode(self("Page.captureScreenshot")["data"])))
        if box:
            shot = shot.crop([round(box[side]) for side in ("left", "top", "right", "bottom")])
        return shot.convert("RGB")

    def shows(self, selector: str, expected: Image.Image) -> bool:
        """Return whether the element shows this picture, wherever that is flat."""
        seen = self.look(selector)
        middles = [(x, y) for x in range(2, 62) for y in range(2, 62)]
        flat = [
            (
                seen.getpixel(((2 * x + 1) * seen.width // 128, (2 * y + 1) * seen.height // 128)),
                colours[0][1],
            )
            for x, y in middles
            if len(colours := expected.crop((x - 2, y - 2, x + 3, y + 3)).getcolors()) == 1
        ]
        assert len(flat) > 500
        return all(abs(a - b) <= 3 for one, other in flat for a, b in zip(one, other, strict=True))

    def columns(self, selector: str) -> int:
        """Return at how many places from the left such elements begin."""
        lefts = f"[...document.querySelectorAll('{selector}')]"
        lefts += ".map(e => e.getBoundingClientRect().left)"
        return self.run(f"new Set({lefts}).size")

    def beyond(self, width: int, clipped: str) -> list[Any]:
        """Return what reaches beyond this width, but for what lies in elements that clip."""
        visible = f"e.checkVisibility() && !e.closest('{clipped}')"
        return self.run(
            f"[...document.querySelectorAll('body *')].filter(e => {visible})"
            ".map(e => [e.getBoundingClientRect().right, e.tagName, e.className])"
            f".filter(([right]) => right > {width})"
        )

    def complaints(self) -> list[dict[str, Any]]:
        """Return what the page complained of: errors, and what its policy refused."""
        methods = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        of_page = reversed(self.events)  # not what the page before it went on to say
        since = itertools.takewhile(
            lambda event: event["method"] != "Page.frameNavigated", of_page
        )
        return [event for event in since if event["method"] in methods]

    def asked(self) -> list[str]:
        """Return the addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]


def open_chromium(folder: Path) -> Iterator[Browser]:
    """Yield a browser whose files are in this folder; skip where there is none.

    With FUNDIFF_REQUIRE_BROWSER=1 it fails instead.
    """
    program = shutil.which("chromium")
    if program is None:
        reason = "no chromium here: apt-get install chromium"
        if os.environ.get("FUNDIFF_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run hide-scrollbars"
    flags += " disable-background-networking disable-component-update disable-sync"
    flags += f" user-data-dir={folder / 'profile'} remote-debugging-pipe"
    ours, theirs = socket.socketpair()
    # Chromium reads its DevTools pipe at descriptor 3 and answers at 4.
    fd = theirs.fileno()
    command = ["bash", "-c", f'exec "$@" 3<&{fd} 4>&{fd}', "bash", program]
    command += [f"--{flag}" for flag in flags.split()]
    with (folder / "log").open("wb") as log, ours:
        process = subprocess.Popen(command, stdout=log, stderr=log, pass_fds=[fd])
        theirs.close()
        ours.settimeout(60)
        browser = Browser(process, ours, folder)
        yield browser
        with contextlib.suppress(OSError):
            browser.session = {}
            browser("Browser.close")
        browser.file.close()
        process.wait(timeout=30)
