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
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fundiff import permutations
from fundiff.denoise import PANELS
from fundiff.view_names import SORTS, names
from jobs.cards import original_of, readings_of, write_gallery
from jobs.gallery import Card, is_live, render, stills, words
from jobs.worker import work
from manifests.index import build_index
from manifests.records import Picture, Request, make_request
from tests.jobs.conftest import SHORT, every_kind

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 60), (40, 60, 200), (240, 240, 240)


def png(*corners: tuple[int, ...], size: int = 64) -> bytes:
    """Draw four quarters: top left, top right, bottom left, bottom right; or one colour."""
    side = 2 if len(corners) == 4 else 1
    image = Image.new("RGBA" if len(corners[0]) == 4 else "RGB", (side, side))
    image.putdata(list(corners))
    file = io.BytesIO()
    image.resize((size, size), Image.Resampling.NEAREST).save(file, "png")
    return file.getvalue()


def drawn(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def squares() -> Image.Image:
    """Draw 4 x 4 squares, each of its own colour: a jigsaw's pieces, but for the knobs."""
    image = Image.new("RGB", (4, 4))
    image.putdata(
        [(60 * row + 20, 60 * column + 20, 30) for row in range(4) for column in range(4)]
    )
    return image.resize((64, 64), Image.Resampling.NEAREST)


def strip() -> bytes:
    """Draw a comparison of ways to denoise: five panels, each of its colour."""
    image = Image.new("RGB", (5, 1))
    image.putdata([RED, GREEN, BLUE, WHITE, RED])
    return drawn(image.resize((5 * 64, 64), Image.Resampling.NEAREST))


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
        "seam": None,
        "kept_error": None,
        "seed": 12345,
        "picture": QUARTERS,
        "stage": 2,
    }
    fields |= changes
    return Card(**({"readings": readings_of(views, fields["picture"])} | fields))


def others() -> list[Card]:
    """One card of each sort that is not an anagram, hybrid or inpainting of the plain views."""
    return [
        card("identity", "jigsaw:seed=7", request_id="e"),
        card("grayscale", "color", kind="hybrid", request_id="f"),
        card("identity", "skew:1.5", kind="edit", original=QUARTERS, request_id="g"),
        card("identity", kind="denoise", picture=strip(), request_id="h"),
    ]


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


@pytest.mark.parametrize("name", names())
def test_every_view_of_the_library_is_called_by_the_librarys_words(name: str):
    """There is no second list of them."""
    assert words(name) == SORTS[name.partition(":")[0]].words


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("flip+negate", "flipped top to bottom, in negative"),
        ("rotate_90+low_pass:2", "turned a quarter left, from afar"),
        ("flip+scale:0.5", "flipped top to bottom"),
        ("scale:-0.5", "steered away from"),
    ],
)
def test_a_composition_is_called_by_the_words_of_its_parts(name: str, seen: str):
    """What changes nothing is left out; a prompt that must not be seen is not said to be."""
    assert words(name) == seen


def test_the_page_turns_and_blurs_by_itself_what_css_can():
    live = {name for name in names() if is_live(name)}
    assert live == {
        "identity",
        "flip",
        "mirror",
        "rotate_90",
        "rotate_180",
        "rotate_270",
        "negate",
        "low_pass:2",
        "high_pass:2",
        "triple_low",
        "triple_high",
        "color",
        "motion_res:9",
        "scale:0.5",
    }
    assert is_live("flip+rotate_90+negate+low_pass:2")
    assert not is_live("flip+jigsaw:seed=7")
    assert not is_live("low_pass:2+low_pass:1")


def test_a_reading_that_the_page_cannot_make_must_be_given():
    with pytest.raises(ValueError, match="has no reading of view 'jigsaw:seed=7'"):
        card("identity", "jigsaw:seed=7", readings={})


def test_a_readings_bytes_are_on_the_page_once():
    """Also those of two views that read the same."""
    many = card("jigsaw:seed=7+scale:0.5", "jigsaw:seed=7+color", "identity", "grayscale")
    source = page(many)
    assert source.count("data:image/png;base64,") == 3
    for data in (QUARTERS, *many.readings.values()):
        assert source.count(base64.b64encode(data).decode()) == 1


def test_torch_waits_for_a_view_that_needs_it():
    """A page of views that CSS can make is written without it."""
    code = (
        "import sys, jobs.cards as e, jobs.gallery as g\n"
        "assert e.readings_of(['identity', 'flip+negate', 'low_pass:2'], b'') == {}\n"
        "g.render([], title='')\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def started_from(kind: str, image: Image.Image, mask: Image.Image | None = None) -> Request:
    """A request of this kind that starts from this image."""
    own = {
        "inpaint": {"mask": mask and Picture(drawn(mask))},
        "edit": {"strength": 0.6},
        "inverse": {"views": ("color",), "keep": "grayscale"},
        "denoise": {"stages": 1, "strength": 0.6},
    }
    plain = {"prompts": ("a fox",), "views": ("identity",), "image": Picture(drawn(image))}
    return make_request(**(plain | {"kind": kind} | own[kind]))


@pytest.mark.parametrize("kind", ["edit", "inverse"])
def test_the_original_of_an_edit_is_the_images_central_square_without_a_hole(kind: str):
    """As large as the picture."""
    wide = Image.new("RGB", (128, 64), GREEN)
    wide.paste(RED, (32, 0, 96, 64))
    original = original_of(started_from(kind, wide), png(BLUE, size=32))
    image = Image.open(io.BytesIO(original or b""))
    assert image.size == (32, 32)
    assert image.convert("RGBA").getcolors() == [(32 * 32, (*RED, 255))]


def test_the_original_of_an_inpainting_is_transparent_where_it_is_repainted():
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    image = Image.new("RGB", (64, 64), RED)
    original = original_of(started_from("inpaint", image, mask), QUARTERS)
    alpha = Image.open(io.BytesIO(original or b"")).getchannel("A")
    assert [alpha.getpixel(at) for at in ((0, 0), (31, 63), (32, 0), (63, 63))] == [0, 0, 255, 255]


def test_a_comparison_of_ways_to_denoise_has_no_before():
    """It shows its original itself."""
    assert original_of(started_from("denoise", squares()), strip()) is None


def test_a_hybrid_with_something_in_between_puts_it_between_on_the_slider():
    """Where its reading is as blurred: sigma 1 of 2."""
    triple = card("triple_low", "triple_medium", "triple_high", kind="hybrid")
    assert [still.at for still in stills(triple)] == [1, 0.5, 0]


def test_a_run_of_every_kind_has_a_gallery(plan, tmp_path: Path):
    """Each kind that starts from a photograph can be wiped back to it, but for the comparison."""
    few = {**SHORT, "candidates": 1, "want": 1, "max_candidates": 1}
    patches = ("identity", "patch_permute:4:seed=7")
    cut = make_request(**few, kind="anagram", prompts=("a fox", "a hat"), views=patches)
    requests = [*every_kind(**few), cut]
    folder = plan("every", requests, per_shard=len(requests))
    assert work(str(folder.path), 0)
    build_index(folder)
    assert write_gallery(folder, tmp_path / "gallery.html", best=1) == len(requests)
    source = (tmp_path / "gallery.html").read_text()
    sections = re.findall(r'<section.*?data-kind="(\w+)"(.*?)</section>', source, re.DOTALL)
    assert sorted(kind for kind, _ in sections) == sorted(each.kind for each in requests)
    wiped = {kind for kind, section in sections if 'name="wipe"' in section}
    assert wiped == {"inpaint", "edit", "inverse"}
    assert [kind for kind, section in sections if 'class="panels"' in section] == ["denoise"]
    assert source.count('class="reading"') == 2  # of the patches: small and large


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


COMPOSITIONS = (
    "flip+negate",
    "flip+rotate_90",
    "rotate_90+flip",
    "mirror+rotate_270+flip+rotate_90",
    "flip+mirror+rotate_180+flip",
    "negate+rotate_90+mirror+negate",
)


def turned(turns: str, image: Image.Image | None = None) -> Image.Image:
    """Return the picture after these turns, as Pillow makes them."""
    image = image or Image.open(io.BytesIO(QUARTERS))
    for turn in turns.split("+"):
        match turn.partition("_"):
            case "negate", _, _:
                image = image.point([255 - level for level in range(256)] * 3)
            case "rotate", _, degrees:
                image = image.rotate(int(degrees))
            case "flip", _, _:
                image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            case "mirror", _, _:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image


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
@pytest.mark.parametrize("turns", COMPOSITIONS)
def test_a_composition_is_turned_as_its_parts_one_after_another(chromium: Browser, turns: str):
    """Quarter turns and mirrors do not commute."""
    chromium.open(page(card("identity", turns)))
    assert is_live(turns)
    assert chromium.shows(".still:last-child .frame", turned(turns))
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", turned(turns))


@pytest.mark.browser
@pytest.mark.parametrize("turns", ["", "flip+", "negate+rotate_90+"])
def test_a_jigsaw_is_shown_with_its_pieces_moved(chromium: Browser, turns: str):
    """Small at once, and large when it is chosen; one more step leads back to the picture."""
    pieces = permutations.jigsaw(7).pixels(64)
    expected = turned(turns.strip("+") or "identity", squares())
    pixels = list(expected.get_flattened_data())
    expected.putdata([pixels[number] for number in pieces])
    source = card("identity", f"{turns}jigsaw:seed=7", picture=drawn(squares()))
    chromium.open(page(source))
    assert chromium.shows(".still:last-child .frame", expected)
    assert chromium.shows(".turn", squares())
    assert not chromium.shows(".turn", expected)
    chromium.run("document.querySelector('.still:last-child').click()")
    assert chromium.shows(".turn", expected)
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", squares())


@pytest.mark.browser
def test_two_readings_of_a_card_are_not_mistaken_for_each_other(chromium: Browser):
    """A card may begin with one."""
    two = card("patch_permute:2:seed=1", "patch_permute:2:seed=4")
    first, second = (Image.open(io.BytesIO(data)) for data in two.readings.values())
    assert list(first.get_flattened_data()) != list(second.get_flattened_data())
    chromium.open(page(two))
    assert chromium.shows(".turn", first)
    assert chromium.shows(".still:first-child .frame", first)
    assert chromium.shows(".still:last-child .frame", second)
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", second)
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", first)


@pytest.mark.browser
def test_a_picture_in_dim_light_is_the_mean_of_its_channels(chromium: Browser):
    """A hybrid starts in colour, and CSS has no such grey."""
    chromium.open(page(card("grayscale", "color", kind="hybrid")))
    colours = (RED, GREEN, BLUE, WHITE)
    grey = Image.open(io.BytesIO(png(*[(round(sum(c) / 3),) * 3 for c in colours])))
    assert chromium.quarters(".turn") == ["red", "green", "blue", "white"]
    assert chromium.shows(".still:first-child .frame", grey)
    chromium.run("document.querySelector('.still').click()")
    assert chromium.shows(".turn", grey)


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
def test_a_triple_hybrid_is_blurred_by_two_pixels_of_64_at_its_farthest(chromium: Browser):
    chromium.open(page(card("triple_low", "triple_medium", "triple_high", kind="hybrid")))
    blur = "getComputedStyle(document.querySelector('.stage .picture')).filter"
    assert chromium.run(blur) == "blur(0px)"
    chromium.run("document.querySelector('.still').click()")
    chromium.settle()
    assert chromium.run(blur) == "blur(8px)"
    assert chromium.run("document.querySelector('.distance input').value") == "100"


@pytest.mark.browser
def test_the_slider_goes_from_a_reading_back_to_the_picture_itself(chromium: Browser):
    """It stays where the hand puts it."""
    chromium.open(page(card("low_pass:2", "band:1:2", "high_pass:1", kind="hybrid")))
    state = (
        "[...document.querySelectorAll('.still')].map(s => s.ariaPressed).join(' ') + ' ' + "
        "document.querySelector('.stage .reading').hidden + ' ' + "
        "document.querySelector('.distance input').value"
    )
    assert chromium.run(state) == "false false true true 0"
    chromium.run("document.querySelectorAll('.still')[1].click()")
    assert chromium.run(state) == "false true false false 50"
    chromium.run("document.querySelector('.distance input').focus()")
    chromium.press("ArrowRight")
    assert chromium.run(state) == "false false true true 51"


@pytest.mark.browser
def test_a_hybrid_that_is_flipped_goes_away_flipped(chromium: Browser):
    chromium.open(page(card("flip+low_pass:2", "flip+high_pass:2", kind="hybrid")))
    flipped = ["blue", "white", "red", "green"]
    assert chromium.quarters(".turn") == flipped
    assert chromium.quarters(".still:first-child .frame") == flipped
    chromium.run("document.querySelector('.still').click()")
    seen = chromium.look(".turn")
    at = [(seen.width * x // 16, seen.height * y // 16) for y in (7, 9) for x in (7, 9)]
    style = "getComputedStyle(document.querySelector('.stage .picture'))"
    assert chromium.run(f"{style}.filter") == "blur(8px)"
    assert len({seen.getpixel(point) for point in at}) == 4  # all four quarters, near the middle
    assert seen.getpixel((9, 9)) == chromium.look().getpixel((2, 2))  # paper


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
@pytest.mark.parametrize(("kind", "view"), [("edit", "identity"), ("inverse", "color")])
def test_an_edit_can_be_wiped_away_to_its_original(chromium: Browser, kind: str, view: str):
    photograph = Image.new("RGB", (128, 64), WHITE)
    original = original_of(started_from(kind, photograph), QUARTERS)
    chromium.open(page(card(view, kind=kind, original=original)))
    assert chromium.quarters(".wipe") == ["white", "green", "white", "white"]
    chromium.run("document.querySelector('.wipe input').focus()")
    for _ in range(50):
        chromium.press("ArrowRight")
    assert chromium.quarters(".wipe") == ["white"] * 4
    chromium.run("document.querySelector('.still:last-child').click()")
    assert chromium.quarters(".wipe") == ["red", "green", "blue", "white"]


@pytest.mark.browser
def test_an_inpainting_with_views_has_them_after_its_original(chromium: Browser):
    """The original turns with the picture, so that its hole stays over what fills it."""
    chromium.open(page(card("identity", "flip", kind="inpaint", original=png(*[WHITE] * 3, RED))))
    seen = "[...document.querySelectorAll('.seen')].map(s => s.textContent)"
    assert chromium.run(seen) == ["before", "after", "flipped top to bottom"]
    assert chromium.quarters(".still:first-child .frame") == ["white", "white", "white", "red"]
    chromium.run("document.querySelector('.still:last-child').click()")
    assert chromium.quarters(".wipe") == ["blue", "white", "red", "green"]
    chromium.run("document.querySelector('.wipe input').focus()")
    for _ in range(100):
        chromium.press("ArrowRight")
    assert chromium.quarters(".wipe") == ["white", "red", "white", "white"]


@pytest.mark.browser
def test_the_wipe_goes_from_a_reading_back_to_the_picture_itself(chromium: Browser):
    """What is compared with the original lies as the original does."""
    chromium.open(page(card("jigsaw:seed=7", "identity", kind="edit", original=png(WHITE))))
    assert chromium.run("document.querySelector('.wipe input').value") == "0"
    reading = "document.querySelector('.stage .reading').hidden"
    assert not chromium.run(reading)
    chromium.run("document.querySelector('.wipe input').focus()")
    chromium.press("ArrowRight")
    assert chromium.run(reading)
    assert chromium.quarters(".wipe") == ["red", "green", "blue", "white"]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1000, 390])
def test_a_strip_of_panels_is_five_times_as_wide_as_high(chromium: Browser, width: int):
    """Whole and undistorted, with each panel's name under it."""
    many = [
        card("identity", kind="denoise", picture=strip()),
        card("identity", "flip", request_id="b"),
    ]
    chromium.open(page(*many), width=width)
    box = chromium.box(".strip .frame")
    assert box["width"] == pytest.approx(5 * box["height"], abs=0.1)
    assert box["width"] > 0.8 * width
    seen = chromium.look(".strip .frame")
    middles = [(round((panel + 0.5) * seen.width / 5), seen.height // 2) for panel in range(5)]
    colours = [name(seen.getpixel(at)) for at in middles]
    assert colours == ["red", "green", "blue", "white", "red"]
    panels = "[...document.querySelectorAll('.panels span')]"
    assert chromium.run(f"{panels}.map(p => p.textContent)") == list(PANELS)
    for panel, (x, _) in enumerate(middles):
        label = chromium.run(f"{panels}[{panel}].getBoundingClientRect().toJSON()")
        assert (label["left"] + label["right"]) / 2 - box["left"] == pytest.approx(x, abs=2)
        assert label["top"] >= box["bottom"]
    assert not chromium.run("document.querySelector('.strip :is(button, input)')")


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
            *others(),
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
            *others(),
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
            *others(),
            card("identity", kind="generate", request_id="d"),
        ),
        height=4000,
    )
    nodes = chromium("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "searchbox", "combobox", "image"}
    named = [node["name"]["value"] for node in nodes if node.get("role", {}).get("value") in roles]
    assert len(named) >= 24
    assert all(named)
