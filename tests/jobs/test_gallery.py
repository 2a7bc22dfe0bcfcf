import base64
import contextlib
import html
import io
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.gallery import Card, render

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 60), (40, 60, 200), (240, 240, 240)


def png(*corners: tuple[int, ...], size: int = 64) -> bytes:
    """Draw four quarters: top left, top right, bottom left, bottom right; or one colour."""
    side = 2 if len(corners) == 4 else 1
    image = Image.new("RGBA" if len(corners[0]) == 4 else "RGB", (side, side))
    image.putdata(list(corners))
    file = io.BytesIO()
    image.resize((size, size), Image.Resampling.NEAREST).save(file, "png")
    return file.getvalue()


QUARTERS = png(RED, GREEN, BLUE, WHITE)


def card(*views: str, prompts: tuple[str, ...] = (), **changes: Any) -> Card:
    fields = {
        "request_id": "c0ffee",
        "kind": "anagram",
        "prompts": prompts or tuple(f"a thing seen by {view}" for view in views),
        "views": views,
        "rank": 1,
        "candidate": 7,
        "status": "accepted",
        "score": 0.5,
        "alignment": 0.31,
        "concealment": None,
        "near": None,
        "far": None,
        "seed": 12345,
        "picture": QUARTERS,
        "stage": 2,
    }
    return Card(**(fields | changes))


def page(*cards: Card) -> str:
    return render(cards, title="Night one")


def text(source: str) -> str:
    body = source[source.index("<body>") : source.index("<script>")]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


# The page as text


def test_an_empty_gallery_says_so_and_what_to_type():
    assert "Nothing was accepted yet. How far the run is: fundiff status RUN" in text(page())


def test_a_request_is_headed_by_what_one_sees():
    source = page(card("identity", "rotate_180", prompts=("a heart", "a spade"), tags=("suits",)))
    assert "a heart as it stands , a spade upside down anagram, 1 picture · c0ffee suits" in text(
        source
    )


def test_cards_stand_by_request_with_the_best_rank_first():
    cards = [
        card("identity", request_id=request_id, rank=rank, seed=seed)
        for request_id, rank, seed in [("b", 2, 102), ("a", 1, 103), ("b", 1, 101)]
    ]
    assert re.findall(r"seed (\d+)", page(*cards)) == ["101", "102", "103"]


def test_a_pictures_bytes_are_on_the_page_once():
    source = page(card("identity", "flip", "negate"))
    assert source.count(base64.b64encode(QUARTERS).decode()) == 1


def test_an_original_that_cards_of_a_request_share_is_on_the_page_once():
    original = png(WHITE)
    cards = [card("identity", kind="inpaint", rank=rank, original=original) for rank in (1, 2)]
    assert page(*cards).count(base64.b64encode(original).decode()) == 1


def test_what_a_user_wrote_is_text_and_never_markup():
    attack = "'\"><script>alert(1)</script>"
    source = render(
        [card("identity", "flip", prompts=(attack,) * 2, tags=(attack,), kind=attack)],
        title=attack,
        note=attack,
    )
    assert source.count("<script") == 1
    assert attack in text(source)


def test_the_page_names_no_address():
    source = page(card("identity", "low_pass:2", kind="hybrid", original=QUARTERS))
    assert not re.search(r"https?:|//[a-z]|@import|src=|url\((?!data:)", source)


def test_a_view_that_the_gallery_does_not_know_is_called_by_its_name():
    assert "a thing seen by jigsaw:4 jigsaw:4" in text(page(card("identity", "jigsaw:4")))


def test_a_score_that_is_not_there_is_not_shown():
    assert "rank 1 score 0.500 alignment 0.310 candidate 7" in text(page(card("identity")))


def test_a_card_whose_prompts_and_views_do_not_pair_is_refused():
    with pytest.raises(ValueError, match="has 1 prompts and 2 views"):
        card("identity", "flip", prompts=("one",))


# The page in a browser


class Browser:
    """Debian's chromium, spoken to through its DevTools pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]", pipe: socket.socket, folder: Path):
        self.process, self.pipe, self.folder = process, pipe, folder
        self.file = pipe.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self.number, self.session, self.buffer = 0, {}, b""
        target = self("Target.createTarget", url="about:blank")["targetId"]
        attached = self("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Network", "Runtime", "Log"):
            self(f"{domain}.enable")

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
        self.events.clear()
        path = self.folder / "gallery.html"
        path.write_text(source)
        features = [{"name": name.replace("_", "-"), "value": media[name]} for name in media]
        self("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self("Emulation.setDeviceMetricsOverride", **size)
        self("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
        self("Page.navigate", url=path.as_uri())
        while all(event["method"] != "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())
        self.run(
            "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(0))))"
        )

    def run(self, expression: str) -> Any:
        """Return the value of an expression, once its promise is kept."""
        call = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self("Runtime.evaluate", **call)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def settle(self) -> None:
        self.run("Promise.all(document.getAnimations().map(a => a.finished)).then(() => 0)")

    def press(self, key: str, code: str = "") -> None:
        event = {"key": key, "code": code or key, "text": {"Enter": "\r"}.get(key, key)}
        if key == "ArrowRight":
            event = {"key": key, "code": key, "windowsVirtualKeyCode": 39}
        self("Input.dispatchKeyEvent", type="keyDown", **event)
        self("Input.dispatchKeyEvent", type="keyUp", **event)

    def box(self, selector: str) -> dict[str, float]:
        element = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        return self.run(f"{element}.getBoundingClientRect().toJSON()")

    def look(self, selector: str = "") -> Image.Image:
        """Return what is seen where the element is, or on the whole screen."""
        self.settle()
        box = selector and self.box(selector)
        shot = Image.open(io.BytesIO(base64.b64decode(self("Page.captureScreenshot")["data"])))
        if box:
            shot = shot.crop([round(box[side]) for side in ("left", "top", "right", "bottom")])
        return shot.convert("RGB")

    def quarters(self, selector: str) -> list[str]:
        """Name the colours at the top left, top right, bottom left and bottom right."""
        seen = self.look(selector)
        near, far = seen.width // 4, seen.width * 3 // 4
        points = [(near, near), (far, near), (near, far), (far, far)]
        return [name(seen.getpixel(point)) for point in points]


def name(colour: Any) -> str:
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    names |= {tuple(255 - c for c in colour): f"not {name}" for colour, name in names.items()}
    return min(
        names.items(),
        key=lambda item: sum(abs(a - b) for a, b in zip(item[0], colour, strict=True)),
    )[1]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        reason = "no chromium here: apt-get install chromium"
        if os.environ.get("FUNDIFF_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("chromium")
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


@pytest.mark.browser
@pytest.mark.parametrize(
    ("view", "seen"),
    [
        ("identity", "red green blue white"),
        ("flip", "blue white red green"),
        ("mirror", "green red white blue"),
        ("rotate_90", "green white red blue"),
        ("rotate_180", "white blue green red"),
        ("rotate_270", "blue red white green"),
        ("negate", "not red, not green, not blue, not white"),
        ("jigsaw", "red green blue white"),
    ],
)
def test_a_still_shows_the_picture_in_its_view(chromium: Browser, view: str, seen: str):
    """Rotations are counter-clockwise, as in the library."""
    chromium.open(page(card("identity", view)))
    expected = seen.split(", ") if "," in seen else seen.split()
    assert chromium.quarters(".still:last-child .frame") == expected


@pytest.mark.browser
@pytest.mark.parametrize("view", ["flip", "rotate_90", "negate"])
def test_the_large_picture_turns_into_its_next_view(chromium: Browser, view: str):
    chromium.open(page(card("identity", view)))
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.quarters(".turn") == chromium.quarters(".still:last-child .frame")
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.quarters(".turn") == ["red", "green", "blue", "white"]


@pytest.mark.browser
@pytest.mark.parametrize(("key", "code"), [("Enter", "Enter"), (" ", "Space")])
def test_a_key_turns_the_focused_picture(chromium: Browser, key: str, code: str):
    chromium.open(page(card("identity", "rotate_180", prompts=("a heart", "a spade"))))
    chromium.run("document.querySelector('.turn').focus()")
    chromium.press(key, code)
    assert chromium.quarters(".turn") == ["white", "blue", "green", "red"]
    assert chromium.run("document.activeElement.ariaLabel").startswith("a spade, upside down")


@pytest.mark.browser
def test_the_mouse_turns_a_picture_while_it_is_over_it(chromium: Browser):
    chromium.open(page(card("identity", "rotate_180")))
    box = chromium.box(".turn")
    chromium("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + 9, y=box["y"] + 9)
    assert chromium.quarters(".turn") == ["white", "blue", "green", "red"]
    chromium("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
    assert chromium.quarters(".turn") == ["red", "green", "blue", "white"]


@pytest.mark.browser
@pytest.mark.parametrize(("motion", "animations"), [("no-preference", 1), ("reduce", 0)])
def test_a_turn_is_animated_unless_the_reader_prefers_less_motion(
    chromium: Browser, motion: str, animations: int
):
    chromium.open(page(card("identity", "flip")), prefers_reduced_motion=motion)
    chromium.run("document.querySelector('.turn').click()")
    turns = "document.querySelector('.turn .picture').getAnimations().length"
    assert chromium.run(turns) == animations


@pytest.mark.browser
def test_a_hybrid_starts_near_and_the_slider_takes_it_away(chromium: Browser):
    """The blur is the sigma of a 64-px picture at the size it is shown: 2 * 256 / 64 = 8 px."""
    chromium.open(page(card("low_pass:2", "high_pass:2", kind="hybrid")))
    style = "getComputedStyle(document.querySelector('.stage .picture'))"
    assert chromium.run(f"[{style}.filter, {style}.transform]") == [
        "blur(0px)",
        "matrix(1, 0, 0, 1, 0, 0)",
    ]
    chromium.run("document.querySelector('input[type=range]').focus()")
    for _ in range(100):
        chromium.press("ArrowRight")
    chromium.settle()
    assert chromium.run(f"[{style}.filter, {style}.transform]") == [
        "blur(8px)",
        "matrix(0.25, 0, 0, 0.25, 0, 0)",
    ]


@pytest.mark.browser
def test_the_far_still_is_smaller_and_as_blurred_for_its_size(chromium: Browser):
    chromium.open(page(card("low_pass:2", "high_pass:2", kind="hybrid")))
    far, near = (
        chromium.box(".mat [data-view=low_pass]"),
        chromium.box(".mat [data-view=high_pass]"),
    )
    assert far["width"] < near["width"] / 2
    style = "getComputedStyle(document.querySelector('.mat [data-view=low_pass] .picture')).filter"
    blur = float(chromium.run(style)[len("blur(") : -len("px)")])
    assert blur == pytest.approx(2 * far["width"] / 64, rel=1e-3)


@pytest.mark.browser
def test_the_wipe_shows_the_original_on_its_left(chromium: Browser):
    original = png(WHITE)
    chromium.open(page(card("identity", kind="inpaint", original=original)))
    assert chromium.quarters(".wipe") == ["white", "green", "white", "white"]
    chromium.run("document.querySelector('.still').click()")
    assert chromium.quarters(".wipe") == ["white"] * 4
    chromium.run("document.querySelector('.still:last-child').click()")
    assert chromium.quarters(".wipe") == ["red", "green", "blue", "white"]


@pytest.mark.browser
def test_the_result_does_not_shine_through_the_hole_of_the_original(chromium: Browser):
    original = png((*WHITE, 255), (*WHITE, 255), (0, 0, 0, 0), (*WHITE, 255))
    chromium.open(page(card("identity", kind="inpaint", original=original, picture=png(BLUE))))
    assert chromium.quarters(".mat .frame") == ["white"] * 4


@pytest.mark.browser
@pytest.mark.parametrize(
    ("words", "kind", "left"),
    [
        ("", "", "ab"),
        ("HEART", "", "a"),
        ("night tree", "", "b"),
        ("", "hybrid", "b"),
        ("x", "", ""),
    ],
)
def test_the_filters_leave_the_requests_that_fit(
    chromium: Browser, words: str, kind: str, left: str
):
    first = card("identity", prompts=("a heart",), request_id="a")
    second = card("identity", prompts=("a tree",), request_id="b", kind="hybrid", tags=("night",))
    chromium.open(page(first, second))
    chromium.press("/")
    for letter in words:
        chromium.press(letter)
    chromium.run(f"kind.value = '{kind}', kind.dispatchEvent(new Event('input'))")
    visible = "[...requests].filter(r => r.checkVisibility())"
    shown = chromium.run(f"{visible}.map(r => r.querySelector('code').textContent).join('')")
    assert shown == left


@pytest.mark.browser
def test_a_prompt_of_markup_is_inert(chromium: Browser):
    prompt = (
        "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    )
    chromium.open(page(card("identity", "flip", prompts=(prompt, prompt), tags=(prompt,))))
    assert chromium.run("document.title") == "Night one"
    assert chromium.run("document.querySelector('.still .prompt').textContent") == prompt


@pytest.mark.browser
def test_the_page_runs_no_script_but_its_own(chromium: Browser):
    source = page(card("identity")).replace("</body>", "<script>window.owned = 1</script></body>")
    chromium.open(source)
    assert chromium.run("window.owned") is None


@pytest.mark.browser
def test_the_page_asks_for_nothing_and_has_no_complaints(chromium: Browser):
    original = png(WHITE)
    chromium.open(
        page(
            card("identity", "flip"),
            card("low_pass:2", "high_pass:2", kind="hybrid", request_id="b"),
            card("identity", kind="inpaint", original=original, request_id="c"),
        )
    )
    chromium.look()
    asked = [
        event["params"]["request"]["url"]
        for event in chromium.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [
        (chromium.folder / "gallery.html").as_uri()
    ]
    complaints = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert [event for event in chromium.events if event["method"] in complaints] == []


@pytest.mark.browser
def test_a_phone_scrolls_in_one_direction_only(chromium: Browser):
    long = "an-unbroken-prompt-" * 20
    chromium.open(
        page(
            card("identity", "rotate_180", prompts=("a", long), tags=(long,), request_id=long),
            card("low_pass:2", "high_pass:2", kind="hybrid", request_id="b"),
            card("identity", kind="inpaint", original=QUARTERS, request_id="c"),
        ),
        width=390,
        height=844,
    )
    assert chromium.run("innerWidth") == 390
    assert chromium.run("document.documentElement.scrollWidth") == 390
    boxes = "[...document.querySelectorAll('body *')].map(e => e.getBoundingClientRect().right)"
    assert chromium.run(f"Math.max(...{boxes})") <= 390


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_the_paper_is_light_or_dark_as_the_reader_prefers(
    chromium: Browser, scheme: str, is_dark: bool
):
    chromium.open(page(card("identity")), prefers_color_scheme=scheme)
    assert (sum(chromium.look().getpixel((2, 2))) < 200) == is_dark


@pytest.mark.browser
def test_every_control_and_picture_has_a_name(chromium: Browser):
    chromium.open(
        page(
            card("identity", "flip"),
            card("low_pass:2", "high_pass:2", kind="hybrid", request_id="b"),
            card("identity", kind="inpaint", original=QUARTERS, request_id="c"),
            card("identity", kind="generate", request_id="d"),
        ),
        height=4000,
    )
    nodes = chromium("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "searchbox", "combobox", "image"}
    named = [node["name"]["value"] for node in nodes if node.get("role", {}).get("value") in roles]
    assert len(named) >= 13
    assert all(named)
