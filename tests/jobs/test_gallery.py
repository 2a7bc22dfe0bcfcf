import base64
import csv
import html
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fundiff import permutations
from fundiff.denoise import PANELS
from fundiff.view_names import SORTS, names
from jobs.calibration.ratings import Opinion, read_ratings
from jobs.cards import original_of, readings_of
from jobs.curation.looks import is_live, look_of, words
from jobs.curation.page import whole_page
from jobs.gallery import write_gallery
from jobs.worker import work
from manifests.index import build_index
from manifests.records import Picture, Upscaled, make_request
from manifests.upscaled import read_picks, write_upscaled
from tests.jobs.browser import Browser, open_chromium
from tests.jobs.conftest import SHORT, every_kind
from tests.jobs.drawn_runs import (
    BLUE,
    GREEN,
    QUARTERS,
    RED,
    WHITE,
    Drawn,
    drawn,
    encoded,
    png,
    write_run,
)

COUNT = iter(range(1000))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from open_chromium(tmp_path_factory.mktemp("chromium"))


@pytest.fixture
def page(runs: Path):
    """Return the gallery of a run with these requests."""

    def make(*requests: Drawn, best: int = 3, **filters: Any) -> str:
        folder = write_run(runs / f"night {next(COUNT)}", *requests)
        write_gallery(folder, folder.path / "gallery.html", best, **filters)
        return (folder.path / "gallery.html").read_text()

    return make


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
    return encoded(image.resize((5 * 64, 64), Image.Resampling.NEAREST))


def others() -> list[Drawn]:
    """One request of each sort that is not an anagram, hybrid or inpainting of plain views."""
    return [
        drawn("identity", "jigsaw:seed=7"),
        drawn("grayscale", "color", kind="hybrid"),
        drawn("identity", "skew:1.5", kind="edit"),
        drawn("identity", kind="denoise", pictures=[strip()]),
        drawn("color", kind="inverse"),
    ]


def told(source: str) -> dict[str, Any]:
    """Return what the page's scripts are told."""
    return json.loads(
        re.search(r'<script type="application/json" id="page">(.*)</script>', source)[1]
    )


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


# The page as text


def test_a_pictures_bytes_are_on_the_page_once(page):
    """Whatever shows it, and though two candidates are the same."""
    source = page(drawn("identity", "flip", pictures=[QUARTERS, QUARTERS]))
    assert source.count(uri(QUARTERS)) == 1


def test_an_original_that_candidates_of_a_request_share_is_on_the_page_once(page):
    source = page(drawn("identity", kind="inpaint", pictures=[QUARTERS, png(RED)]))
    assert len(told(source)["pictures"]) == 3


def test_a_readings_bytes_are_on_the_page_once(page):
    """Also those of two views that read the same."""
    views = ("jigsaw:seed=7+scale:0.5", "jigsaw:seed=7+scale:0.5")
    source = page(drawn(*views, "identity"))
    assert set(told(source)["pictures"]) == {
        uri(QUARTERS),
        *map(uri, readings_of(views, QUARTERS).values()),
    }


ATTACK = "'\"></script><script>alert(1)</script><img src=x onerror=alert(1)>"


def test_what_a_user_wrote_is_text_and_never_markup(page):
    source = page(drawn("identity", "flip", prompts=(ATTACK, ATTACK), tags=(ATTACK,)))
    assert "alert" not in source.replace(json.dumps(ATTACK), "").replace(
        "\\u003cscript\\u003ealert", ""
    ).replace("onerror=alert", "")
    assert "<img src=x" not in source
    assert told(source)["catalogue"]["requests"][0][3] == [ATTACK, ATTACK]


def test_the_title_is_text_and_never_markup():
    source = whole_page(ATTACK, {"run": "", "catalogue": {}, "pictures": []}, note=ATTACK)
    assert (
        source.count(
            html.escape(ATTACK, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        )
        == 3
    )


def test_the_page_names_no_address(page):
    source = page(
        drawn("low_pass:2", "high_pass:2", kind="hybrid"), drawn("identity", kind="edit")
    )
    assert not re.search(r"https?:|//[a-z]+\.|@import|src=|href=\"(?!data:)|url\(", source)


@pytest.mark.parametrize("name", names())
def test_every_view_of_the_library_is_called_by_the_librarys_words(name: str):
    """There is no second list of them."""
    assert words(name) == SORTS[name.partition(":")[0]].words


def test_a_view_that_is_not_known_is_called_by_its_name_and_shown_as_it_stands():
    still = look_of("anagram", ("identity", "jigsaw:4"), False).stills[1]
    assert (still.seen, still.view, still.reading) == ("jigsaw:4", "identity", None)


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


def test_torch_waits_for_a_view_that_needs_it():
    """A page of views that CSS can make is written without it."""
    code = (
        "import sys, jobs.cards as e, jobs.gallery as g, jobs.curation.page as p\n"
        "assert e.readings_of(['identity', 'flip+negate', 'low_pass:2'], b'') == {}\n"
        "p.whole_page('', {})\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize("kind", ["edit", "inverse"])
def test_the_original_of_an_edit_is_the_images_central_square_without_a_hole(kind: str):
    """As large as the picture."""
    wide = Image.new("RGB", (128, 64), GREEN)
    wide.paste(RED, (32, 0, 96, 64))
    request = drawn("color", kind=kind, image=Picture(encoded(wide))).request
    original = original_of(request, png(BLUE, size=32))
    image = Image.open(io.BytesIO(original or b""))
    assert image.size == (32, 32)
    assert image.convert("RGBA").getcolors() == [(32 * 32, (*RED, 255))]


def test_the_original_of_an_inpainting_is_transparent_where_it_is_repainted():
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    request = drawn("identity", kind="inpaint", mask=Picture(encoded(mask))).request
    original = original_of(request, QUARTERS)
    alpha = Image.open(io.BytesIO(original or b"")).getchannel("A")
    assert [alpha.getpixel(at) for at in ((0, 0), (31, 63), (32, 0), (63, 63))] == [0, 0, 255, 255]


def test_a_comparison_of_ways_to_denoise_has_no_before():
    """It shows its original itself."""
    assert original_of(drawn("identity", kind="denoise").request, strip()) is None


def test_a_hybrid_with_something_in_between_puts_it_between_on_the_slider():
    """Where its reading is as blurred: sigma 1 of 2."""
    look = look_of("hybrid", ("triple_low", "triple_medium", "triple_high"), False)
    assert [still.at for still in look.stills] == [1, 0.5, 0]


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
    catalogue = told((tmp_path / "gallery.html").read_text())["catalogue"]
    kinds = [row[1] for row in catalogue["requests"]]
    assert sorted(kinds) == sorted(each.kind for each in requests)
    candidates = catalogue["candidates"]
    files = dict(zip((row[0] for row in catalogue["requests"]), candidates["files"], strict=True))
    by_id = {each.request_id: each for each in requests}
    for request_id, found in files.items():
        is_wiped = by_id[request_id].kind in ("inpaint", "edit", "inverse")
        assert ("original" in found, "reading-0" in found) == (
            is_wiped,
            request_id == cut.request_id,
        )


def test_a_large_gallery_is_several_pages_that_name_each_other(runs: Path, tmp_path: Path):
    """A request's candidates stay on one page; stale names are not linked."""
    requests = [
        drawn(
            "identity", "flip", prompts=(f"a {n}", "b"), pictures=[png((n, 0, c)) for c in (0, 9)]
        )
        for n in range(5)
    ]
    folder = write_run(runs / "large", *requests)
    assert write_gallery(folder, tmp_path, 2, pictures_of_a_page=5) == 10
    names = ["index.html", "index-page-2.html", "index-page-3.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for number, name in enumerate(names):
        source = (tmp_path / name).read_text()
        assert re.findall(r'<a href="([^"]+)"', source) == names
        assert re.findall(r'<a href="([^"]+)" aria-current="page"', source) == [names[number]]
        found = told(source)["catalogue"]
        assert [len(found["requests"]), len(found["candidates"]["number"])] == (
            [2, 4] if number < 2 else [1, 2]
        )


def test_a_request_with_more_candidates_than_a_page_goes_on_over_several(
    runs: Path, tmp_path: Path
):
    folder = write_run(
        runs / "many", drawn("identity", "flip", pictures=[png((0, 0, c)) for c in range(5)])
    )
    write_gallery(folder, tmp_path / "a.html", 5, pictures_of_a_page=2)
    sizes = [
        len(told(path.read_text())["catalogue"]["candidates"]["number"])
        for path in sorted(tmp_path.iterdir(), key=lambda p: (len(p.name), p.name))
    ]
    assert sizes == [2, 2, 1]


def test_a_picture_that_was_enlarged_is_there_as_large_as_it_is(runs: Path, tmp_path: Path):
    """Beside the picture itself, and lighter than a PNG."""
    shown = drawn("identity", "flip", pictures=[QUARTERS, png(RED)])
    folder = write_run(runs / "enlarged", shown)
    folder.upscaled.mkdir()
    row = Upscaled(
        shown.request.request_id, 1, 0, 0, 1, Picture(png(BLUE, size=256)), None, None, "m", "0"
    )
    write_upscaled(folder, 0, [row])
    write_upscaled(
        folder,
        1,
        [replace(row, candidate=0, order=1, image=None, error_type="E", error_message="e")],
    )
    write_gallery(folder, tmp_path / "a.html", 2)
    page = told((tmp_path / "a.html").read_text())
    first, second = page["catalogue"]["candidates"]["files"]
    assert "enlarged" not in first
    kind, _, data = page["pictures"][second["enlarged"]].partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (kind, image.size) == ("data:image/webp", (256, 256))


# The page in a browser


def name(colour: Any) -> str:
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    names |= {tuple(255 - c for c in colour): f"not {name}" for colour, name in names.items()}
    return min(
        names.items(),
        key=lambda item: sum(abs(a - b) for a, b in zip(item[0], colour, strict=True)),
    )[1]


def quarters(browser: Browser, selector: str) -> list[str]:
    """Name the colours at the top left, top right, bottom left and bottom right."""
    seen = browser.look(selector)
    near, far = seen.width // 4, seen.width * 3 // 4
    return [name(seen.getpixel(at)) for at in [(near, near), (far, near), (near, far), (far, far)]]


LAST = "#request .still:last-child .frame"
FIRST = "#request .still:first-child .frame"
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
def test_an_empty_gallery_says_so_and_what_to_type(chromium: Browser):
    empty = {"looks": [], "requests": [], "candidates": {"request": []}}
    chromium.open(whole_page("Night", {"run": "x", "catalogue": empty, "pictures": []}))
    said = chromium.run("document.body.innerText")
    assert "Nothing was accepted yet.\n\nHow far the run is: fundiff status RUN" in said
    assert chromium.complaints() == []


@pytest.mark.browser
def test_a_request_is_headed_by_what_one_sees(chromium: Browser, page):
    chromium.open(
        page(drawn("identity", "rotate_180", prompts=("a heart", "a spade"), tags=("suits",)))
    )
    heading = chromium.run("document.querySelector('.heading').innerText")
    assert re.fullmatch(
        r"a heart as it stands, a spade upside down\s+anagram, 1 picture · [0-9a-f]{16}\s*suits",
        heading,
    )


@pytest.mark.browser
def test_an_inverse_problem_says_which_part_of_the_photograph_it_keeps(chromium: Browser, page):
    chromium.open(page(drawn("color", kind="inverse", keep="grayscale")))
    assert "is kept what one sees in dim light" in chromium.run(
        "document.querySelector('.meta').innerText"
    )


@pytest.mark.browser
@pytest.mark.parametrize(
    ("view", "seen"),
    [
        ("flip", "blue white red green"),
        ("mirror", "green red white blue"),
        ("rotate_90", "green white red blue"),
        ("rotate_180", "white blue green red"),
        ("rotate_270", "blue red white green"),
        ("negate", "not red, not green, not blue, not white"),
    ],
)
def test_space_turns_the_picture_into_its_next_view_and_back(
    chromium: Browser, page, view: str, seen: str
):
    """Rotations are counter-clockwise, as in the library."""
    chromium.open(page(drawn("identity", view)))
    expected = seen.split(", ") if "," in seen else seen.split()
    chromium.press("j", " ")
    assert quarters(chromium, ".turn") == expected
    chromium.press(" ")
    assert quarters(chromium, ".turn") == ["red", "green", "blue", "white"]
    chromium.press("Enter")
    assert quarters(chromium, LAST) == expected


@pytest.mark.browser
@pytest.mark.parametrize("turns", COMPOSITIONS)
def test_a_composition_is_turned_as_its_parts_one_after_another(
    chromium: Browser, page, turns: str
):
    """Quarter turns and mirrors do not commute."""
    chromium.open(page(drawn("identity", turns)))
    assert is_live(turns)
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", turned(turns))


@pytest.mark.browser
@pytest.mark.parametrize("turns", ["", "flip+", "negate+rotate_90+"])
def test_a_jigsaw_is_shown_with_its_pieces_moved(chromium: Browser, page, turns: str):
    """Small when it is opened, and large when it is chosen; one more step leads back."""
    pieces = permutations.jigsaw(7).pixels(64)
    expected = turned(turns.strip("+") or "identity", squares())
    pixels = list(expected.get_flattened_data())
    expected.putdata([pixels[number] for number in pieces])
    chromium.open(page(drawn("identity", f"{turns}jigsaw:seed=7", pictures=[encoded(squares())])))
    assert chromium.shows(".turn", squares())
    assert not chromium.shows(".turn", expected)
    chromium.run("document.querySelector('.still:last-child').click()")
    assert chromium.shows(".turn", expected)
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", squares())
    chromium.press("j", "Enter")
    assert chromium.shows(LAST, expected)


@pytest.mark.browser
def test_two_readings_of_a_card_are_not_mistaken_for_each_other(chromium: Browser, page):
    """A card may begin with one."""
    views = ("patch_permute:2:seed=1", "patch_permute:2:seed=4")
    first, second = (
        Image.open(io.BytesIO(data)) for data in readings_of(views, QUARTERS).values()
    )
    assert list(first.get_flattened_data()) != list(second.get_flattened_data())
    chromium.open(page(drawn(*views)))
    assert chromium.shows(".turn", first)
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", second)
    chromium.run("document.querySelector('.turn').click()")
    assert chromium.shows(".turn", first)
    chromium.press("j", "Enter")
    assert chromium.shows(FIRST, first)
    assert chromium.shows(LAST, second)


@pytest.mark.browser
def test_a_picture_in_dim_light_is_the_mean_of_its_channels(chromium: Browser, page):
    """A hybrid starts in colour, and CSS has no such grey."""
    chromium.open(page(drawn("grayscale", "color", kind="hybrid")))
    colours = (RED, GREEN, BLUE, WHITE)
    grey = Image.open(io.BytesIO(png(*[(round(sum(c) / 3),) * 3 for c in colours])))
    assert quarters(chromium, ".turn") == ["red", "green", "blue", "white"]
    chromium.run("document.querySelector('.still').click()")
    assert chromium.shows(".turn", grey)


@pytest.mark.browser
def test_a_mouse_peeks_at_the_next_view_and_a_click_stays_with_it(chromium: Browser, page):
    chromium.open(page(drawn("identity", "rotate_180")))
    box = chromium.box(".turn")
    for step in (9, 12):
        chromium("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + step, y=box["y"] + 9)
    upside_down = ["white", "blue", "green", "red"]
    assert quarters(chromium, ".turn") == upside_down
    chromium("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
    assert quarters(chromium, ".turn") == ["red", "green", "blue", "white"]
    chromium("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + 9, y=box["y"] + 9)
    chromium.click(".turn")
    chromium("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
    assert quarters(chromium, ".turn") == upside_down


@pytest.mark.browser
def test_a_page_that_scrolls_under_a_mouse_at_rest_turns_nothing(chromium: Browser, page):
    """The browser says then that the mouse is over another picture, and has moved by nothing."""
    chromium.open(page(drawn("identity", "rotate_180")))
    still = "new PointerEvent('pointermove', {pointerType: 'mouse', bubbles: true})"
    chromium.run(f"document.querySelector('.turn').dispatchEvent({still})")
    assert quarters(chromium, ".turn") == ["red", "green", "blue", "white"]


@pytest.mark.browser
@pytest.mark.parametrize(("motion", "animations"), [("no-preference", 1), ("reduce", 0)])
@pytest.mark.parametrize(
    ("view", "moved", "property"),
    [
        ("rotate_90", ".picture", "transform"),
        ("flip", ".picture", "transform"),
        ("negate", ".picture", "filter"),
        ("jigsaw:seed=7", ".reading", "opacity"),
    ],
)
def test_a_turn_is_animated_unless_the_reader_prefers_less_motion(
    chromium: Browser, page, view: str, moved: str, property: str, motion: str, animations: int
):
    """A rotation rotates, a flip flips, what CSS cannot make fades over."""
    chromium.open(page(drawn("identity", view)), prefers_reduced_motion=motion)
    chromium.run("document.querySelector('.turn').click()")
    moving = (
        f"document.querySelector('.turn {moved}').getAnimations().map(a => a.transitionProperty)"
    )
    assert chromium.run(moving) == [property] * animations


@pytest.mark.browser
def test_a_hybrid_starts_near_and_the_slider_takes_it_away(chromium: Browser, page):
    """The blur is the sigma of a 64-px picture at the size it is shown."""
    chromium.open(page(drawn("low_pass:2", "high_pass:2", kind="hybrid")))
    style = "getComputedStyle(document.querySelector('.stage .picture'))"
    assert chromium.run(f"[{style}.filter, {style}.transform]") == [
        "blur(0px)",
        "matrix(1, 0, 0, 1, 0, 0)",
    ]
    chromium.press("j", *"]]]]]]]]]]")
    chromium.settle()
    blur, transform = chromium.run(f"[{style}.filter, {style}.transform]")
    width = chromium.box(".stage .frame")["width"]
    assert float(blur[5:-3]) == pytest.approx(2 * width / 64, rel=1e-3)
    assert transform == "matrix(0.25, 0, 0, 0.25, 0, 0)"
    chromium.press("[")
    assert chromium.run("document.querySelector('.distance input').value") == "90"


@pytest.mark.browser
def test_a_triple_hybrid_is_blurred_by_two_pixels_of_64_at_its_farthest(chromium: Browser, page):
    chromium.open(page(drawn("triple_low", "triple_medium", "triple_high", kind="hybrid")))
    blur = (
        "parseFloat(getComputedStyle(document.querySelector('.stage .picture')).filter.slice(5))"
    )
    assert chromium.run(blur) == 0
    chromium.run("document.querySelector('.still').click()")
    chromium.settle()
    assert chromium.run(blur) == pytest.approx(
        2 * chromium.box(".stage .frame")["width"] / 64, rel=1e-3
    )
    assert chromium.run("document.querySelector('.distance input').value") == "100"


@pytest.mark.browser
def test_the_slider_goes_from_a_reading_back_to_the_picture_itself(chromium: Browser, page):
    """It stays where the hand puts it."""
    chromium.open(page(drawn("low_pass:2", "band:1:2", "high_pass:1", kind="hybrid")))
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
def test_a_hybrid_that_is_flipped_goes_away_flipped(chromium: Browser, page):
    chromium.open(page(drawn("flip+low_pass:2", "flip+high_pass:2", kind="hybrid")))
    assert quarters(chromium, ".turn") == ["blue", "white", "red", "green"]
    chromium.run("document.querySelector('.still').click()")
    seen = chromium.look(".turn")
    at = [(seen.width * x // 16, seen.height * y // 16) for y in (7, 9) for x in (7, 9)]
    assert len({seen.getpixel(point) for point in at}) == 4  # all four quarters, near the middle
    assert seen.getpixel((9, 9)) == chromium.look().getpixel((2, 2))  # paper


@pytest.mark.browser
def test_the_far_still_is_smaller_and_as_blurred_for_its_size(chromium: Browser, page):
    chromium.open(page(drawn("low_pass:2", "high_pass:2", kind="hybrid")))
    chromium.press("j", "Enter")
    far, near = (
        chromium.box(".mat [data-view=low_pass]"),
        chromium.box(".mat [data-view=high_pass]"),
    )
    assert far["width"] < near["width"] / 2
    style = "getComputedStyle(document.querySelector('.mat [data-view=low_pass] .picture')).filter"
    blur = float(chromium.run(style)[len("blur(") : -len("px)")])
    assert blur == pytest.approx(2 * far["width"] / 64, rel=1e-3)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("kind", "view"), [("inpaint", "identity"), ("edit", "identity"), ("inverse", "color")]
)
def test_the_wipe_shows_the_original_on_its_left(chromium: Browser, page, kind: str, view: str):
    """It starts with what was drawn, and comes from the left."""
    chromium.open(page(drawn(view, kind=kind)))
    assert quarters(chromium, ".wipe") == ["red", "green", "blue", "white"]
    chromium.press("j", *"]]]]]")
    assert quarters(chromium, ".wipe") == ["white", "green", "white", "white"]
    chromium.press(*"]]]]]")
    assert quarters(chromium, ".wipe") == ["white"] * 4
    chromium.run("document.querySelector('.still:last-child').click()")
    assert quarters(chromium, ".wipe") == ["red", "green", "blue", "white"]


@pytest.mark.browser
def test_an_inpainting_with_views_has_them_after_its_original(chromium: Browser, page):
    """The original turns with the picture, so that its hole stays over what fills it."""
    image = Picture(png(*[WHITE] * 3, RED))
    chromium.open(page(drawn("identity", "flip", kind="inpaint", image=image)))
    seen = "[...document.querySelectorAll('.seen')].map(s => s.textContent)"
    assert chromium.run(seen) == ["before", "after", "flipped top to bottom"]
    chromium.run("document.querySelector('.still:last-child').click()")
    assert quarters(chromium, ".wipe") == ["blue", "white", "red", "green"]
    chromium.press("j", *"]]]]]]]]]]")
    assert quarters(chromium, ".wipe") == ["white", "red", "white", "white"]


@pytest.mark.browser
def test_the_wipe_goes_from_a_reading_back_to_the_picture_itself(chromium: Browser, page):
    """What is compared with the original lies as the original does."""
    chromium.open(page(drawn("jigsaw:seed=7", "identity", kind="edit")))
    assert chromium.run("document.querySelector('.wipe input').value") == "0"
    reading = "document.querySelector('.stage .reading').hidden"
    assert not chromium.run(reading)
    chromium.run("document.querySelector('.wipe input').focus()")
    chromium.press("ArrowRight")
    assert chromium.run(reading)
    assert quarters(chromium, ".wipe") == ["red", "green", "blue", "white"]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1000, 375])
def test_a_strip_of_panels_is_five_times_as_wide_as_high(chromium: Browser, page, width: int):
    """Whole and undistorted, with each panel's name under it."""
    chromium.open(
        page(drawn("identity", kind="denoise", pictures=[strip()]), drawn("identity", "flip")),
        width=width,
    )
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
    assert not chromium.run("document.querySelector('.strip :is(.turn, .still, input)')")


@pytest.mark.browser
def test_the_result_does_not_shine_through_the_hole_of_the_original(chromium: Browser, page):
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 32, 32, 64))
    chromium.open(
        page(drawn("identity", kind="inpaint", mask=Picture(encoded(mask)), pictures=[png(BLUE)]))
    )
    chromium.press("j", "Enter")
    assert quarters(chromium, FIRST) == ["white"] * 4


@pytest.mark.browser
def test_an_enlarged_picture_is_what_opens_and_can_be_taken_along(chromium: Browser, runs: Path):
    shown = drawn("identity", "flip")
    folder = write_run(runs / "one enlarged", shown)
    folder.upscaled.mkdir()
    large = Picture(png(BLUE, RED, RED, BLUE, size=256))
    write_upscaled(
        folder, 0, [Upscaled(shown.request.request_id, 0, 0, 0, 1, large, None, None, "m", "0")]
    )
    write_gallery(folder, runs / "enlarged.html", 1)
    chromium.go((runs / "enlarged.html").as_uri())
    assert quarters(chromium, ".turn") == ["red", "green", "blue", "white"]
    chromium.press("j", "Enter")
    chromium.until("document.querySelector('#request .stage img').naturalWidth === 256")
    assert quarters(chromium, "#request .turn") == ["blue", "red", "red", "blue"]
    assert chromium.run("document.querySelector('#request a').href").startswith("data:image/webp")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, "heart heart tree"),
        ({"words": "HEART"}, "heart heart"),
        ({"words": "night tree"}, "tree"),
        ({"words": "x y"}, ""),
        ({"kind": "hybrid"}, "tree"),
        ({"tag": "night"}, "tree"),
        ({"status": "rejected"}, "heart"),
        ({"score": "0.4"}, "heart tree"),
        ({"score": "0.4", "kind": "anagram"}, "heart"),
        ({"said": "unrated"}, "heart tree"),
        ({"said": "rated"}, "heart"),
        ({"said": "picked"}, "heart"),
        ({"said": "rejected"}, ""),
        ({"sort": "score"}, "tree heart heart"),
    ],
)
def test_the_filters_leave_the_candidates_that_fit(
    chromium: Browser, page, changes: dict[str, str], left: str
):
    """In the order that is asked for."""
    first = drawn(
        "identity",
        "flip",
        prompts=("a heart", "b"),
        tags=("day",),
        pictures=[QUARTERS, png(RED)],
        fields=[{"score": 0.45}, {"score": 0.1, "status": "rejected"}],
    )
    second = drawn(
        "low_pass:2",
        "high_pass:2",
        prompts=("a tree", "b"),
        kind="hybrid",
        tags=("night",),
        fields=[{"score": 0.44}],
    )
    chromium.open(page(first, second))
    if changes == {"sort": "score"}:
        chromium.run("filters.all[2].score = 0.9")
    chromium.press("j", "4")
    for field, value in changes.items():
        chromium.run(
            f"filters.form.elements.{field}.value = {json.dumps(value)}, "
            "filters.form.dispatchEvent(new Event('input'))"
        )
    shown = (
        "[...document.querySelectorAll('.card')]"
        ".map(c => c.stage.candidate.request.prompts[0].slice(2)).join(' ')"
    )
    assert chromium.run(shown) == left
    count = len(left.split())
    assert chromium.run("byId('count').textContent") == {3: "", 0: "nothing fits"}.get(
        count, f"{count} of 3"
    )
    headings = chromium.run("document.querySelectorAll('.heading').length")
    assert headings == (0 if "sort" in changes else len(set(left.split())))


@pytest.mark.browser
def test_a_slash_finds_and_escape_goes_back_to_the_cards(chromium: Browser, page):
    chromium.open(
        page(
            drawn("identity", "flip", prompts=("a heart", "b")),
            drawn("identity", "flip", prompts=("a tree", "b")),
        )
    )
    chromium.press("/", *"tree")
    assert chromium.run("document.querySelectorAll('.card').length") == 1
    chromium.press("Escape", "3")
    assert chromium.run("filters.all.map(c => picks.mine(c)?.rating ?? 0)").count(3) == 1
    assert chromium.run("filters.form.elements.words.value") == "tree"


@pytest.mark.browser
def test_ratings_are_kept_in_the_browser_and_downloaded_as_picks(
    chromium: Browser, page, tmp_path: Path
):
    """As `fundiff upscale --picks` and `fundiff calibrate --picks` read them."""
    shown = drawn("identity", "flip", pictures=[QUARTERS, png(RED), png(BLUE)])
    source = page(shown)
    chromium.open(source)
    chromium.press("j", "k", "5", "j", "x", "j", "2")
    chromium.open(source)
    assert chromium.run("filters.all.map(c => picks.mine(c))") == [
        {"rating": 5, "rejected": False, "at": ""},
        {"rating": None, "rejected": True, "at": ""},
        {"rating": 2, "rejected": False, "at": ""},
    ]
    assert (
        chromium.run("document.querySelectorAll('.card.rejected, .card .lit').length") == 1 + 5 + 2
    )
    chromium(
        "Browser.setDownloadBehavior",
        behavior="allow",
        downloadPath=str(tmp_path),
        eventsEnabled=False,
    )
    chromium.click("[data-act=download]")
    path = tmp_path / "picks.csv"
    for _ in range(200):
        if path.exists() and path.stat().st_size:
            break
        chromium.run("new Promise(done => setTimeout(done, 20))")
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    request_id = shown.request.request_id
    assert [tuple(row.values()) for row in rows] == [
        (request_id, "0", "5", "false"),
        (request_id, "1", "", "true"),
        (request_id, "2", "2", "false"),
    ]
    assert list(rows[0]) == ["request_id", "candidate", "rating", "rejected"]
    assert read_picks([str(path)]) == [(request_id, 0)]
    assert read_ratings(path) == {
        (request_id, 0): Opinion(1, 5),
        (request_id, 1): Opinion(-1, None),
        (request_id, 2): Opinion(-1, 2),
    }


@pytest.mark.browser
def test_two_windows_of_a_page_do_not_lose_each_others_ratings(chromium: Browser, page):
    first = chromium.session
    chromium.open(page(drawn("identity", "flip", pictures=[QUARTERS, png(RED)])))
    address = (chromium.folder / "gallery.html").as_uri()
    chromium.new_tab()
    chromium.go(address)
    chromium.press("j", "j", "3")
    chromium.close_tab(first)
    chromium.press("k", "4")
    chromium.until("Boolean(picks.mine(filters.all[1]))")
    assert sorted(row[2] for row in chromium.run("shelf.read()")) == [3, 4]


@pytest.mark.browser
def test_a_prompt_of_markup_is_inert(chromium: Browser, page):
    prompt = (
        "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    )
    chromium.open(page(drawn("identity", "flip", prompts=(prompt, prompt), tags=(prompt,))))
    title = chromium.run("document.title")
    chromium.press("j", "Enter", "c")
    assert chromium.run("document.title") == title
    assert chromium.run("document.querySelector('.still .prompt').textContent") == prompt
    assert not chromium.run("document.querySelector('img[src=x]')")


@pytest.mark.browser
def test_the_page_runs_no_script_and_no_style_but_its_own(chromium: Browser, page):
    more = "<script>window.owned = 1</script><style>h1 { display: none }</style></body>"
    chromium.open(page(drawn("identity", "flip")).replace("</body>", more))
    assert chromium.run("window.owned") is None
    assert chromium.run("document.querySelector('h1').checkVisibility()")


@pytest.mark.browser
def test_the_page_asks_for_nothing_and_has_no_complaints(chromium: Browser, page):
    """Whatever is done on it."""
    chromium.open(
        page(
            drawn("identity", "flip", pictures=[QUARTERS, png(RED)]),
            drawn("low_pass:2", "high_pass:2", kind="hybrid"),
            drawn("identity", kind="inpaint"),
            *others(),
        )
    )
    chromium.press(
        "j",
        " ",
        "]",
        "4",
        "Enter",
        "j",
        "x",
        "Escape",
        "c",
        "j",
        "c",
        "5",
        "Escape",
        "u",
        "?",
        "Escape",
    )
    chromium.look()
    assert [url for url in chromium.asked() if not url.startswith("data:")] == [
        (chromium.folder / "gallery.html").as_uri()
    ]
    assert chromium.complaints() == []


@pytest.mark.browser
def test_a_phone_scrolls_in_one_direction_only(chromium: Browser, page):
    """The opened request, two side by side and the filters included; one column of cards."""
    long = "an-unbroken-prompt-" * 20
    chromium.open(
        page(
            drawn(
                "identity",
                "rotate_180",
                prompts=("a", long),
                tags=(long,),
                pictures=[QUARTERS, png(RED)],
            ),
            drawn("low_pass:2", "high_pass:2", kind="hybrid"),
            drawn("identity", kind="inpaint"),
            *others(),
        ),
        width=375,
        height=812,
    )
    assert chromium.columns(".card") == 1
    for keys in ([], ["j", "Enter"], ["Escape", "c", "j", "c"], ["Escape"]):
        chromium.press(*keys)
        chromium.settle()
        assert chromium.run("document.documentElement.scrollWidth") == 375
        clipped = ".others, .heading, .lines, .facts, select"
        assert chromium.beyond(375, clipped) == []
    chromium.click(".more")
    assert chromium.run("filters.form.elements.sort.checkVisibility()")
    assert chromium.run("document.documentElement.scrollWidth") == 375


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_the_paper_is_light_or_dark_as_the_reader_prefers(
    chromium: Browser, page, scheme: str, is_dark: bool
):
    chromium.open(page(drawn("identity", "flip")), prefers_color_scheme=scheme)
    assert (sum(chromium.look().getpixel((2, 2))) < 200) == is_dark


@pytest.mark.browser
@pytest.mark.parametrize("keys", [[], ["j", "Enter"], ["j", "c", "j", "c"]])
def test_every_control_and_picture_has_a_name(chromium: Browser, page, keys: list[str]):
    """Also in what opens over the cards."""
    chromium.open(
        page(
            drawn("identity", "flip"),
            drawn("low_pass:2", "high_pass:2", kind="hybrid"),
            drawn("identity", kind="inpaint"),
            *others(),
            drawn("identity", kind="generate", prompts=("a fox",)),
        ),
        height=4000,
    )
    chromium.press(*keys)
    nodes = chromium("Accessibility.getFullAXTree")["nodes"]
    roles = {
        "button",
        "slider",
        "searchbox",
        "combobox",
        "image",
        "article",
        "dialog",
        "spinbutton",
    }
    named = [
        node["name"]["value"]
        for node in nodes
        if node.get("role", {}).get("value") in roles and not node.get("ignored")
    ]
    assert len(named) >= 12
    assert all(named)
