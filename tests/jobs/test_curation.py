import contextlib
import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from jobs.curation.catalogue import describe
from jobs.curation.page import SCRIPTS, whole_page
from manifests.index import build_index
from manifests.layout import RunFolder
from manifests.picks import picked, read_picks_table
from manifests.results import Marker, collect, publish_marker, write_part
from tests.jobs.browser import Browser, open_chromium
from tests.jobs.drawn_runs import BLUE, GREEN, QUARTERS, RED, drawn, png, write_run
from tests.manifests.rows import candidate

ATTACK = "<script>document.title='owned'</script>\"><img src=x onerror=\"document.title='owned'\">"


@dataclass
class Server:
    """A `fundiff curate` under way."""

    process: "subprocess.Popen[str]"
    folder: RunFolder
    address: str
    said: list[str]

    @property
    def token(self) -> str:
        return self.address.rpartition("token=")[2]

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers in lower case and body of an answer."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body if body is None else json.dumps(body), named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        return self.ask("GET", path, X_Fundiff_Token=self.token, **headers)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        status, _, text = self.ask("POST", path, body, X_Fundiff_Token=self.token)
        return status, json.loads(text)


@contextlib.contextmanager
def serving(folder: RunFolder, *options: str) -> Iterator[Server]:
    command = [
        sys.executable,
        "-c",
        "from jobs.cli import main; main()",
        "curate",
        str(folder.path),
    ]
    process = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        assert process.stderr
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        else:
            pytest.fail(process.stderr.read())
        try:
            yield Server(process, folder, re.findall(r"http://\S+", "".join(said))[0], said)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from open_chromium(tmp_path_factory.mktemp("chromium"))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return shown_run(tmp_path)


def shown_run(path: Path) -> RunFolder:
    """Write a run of an anagram with four candidates, a hybrid and an inpainting."""
    return write_run(
        path / "night",
        drawn("identity", "rotate_180", prompts=("a heart", ATTACK), tags=("suits",),
              pictures=[QUARTERS, png(RED), png(GREEN), png(BLUE)]),
        drawn("low_pass:2", "high_pass:2", kind="hybrid", fields=[{"score": 0.1}]),
        drawn("identity", "jigsaw:seed=7", kind="inpaint", fields=[{"score": 0.05}]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that tests may ask, and pick nothing from."""
    with serving(shown_run(tmp_path_factory.mktemp("shared")), "--who", "anna", "-n", "2") as one:
        yield one


def words(folder: RunFolder) -> dict[tuple[str, int], Any]:
    """Return who said what of which candidate: a rating, or `x`."""
    rows = read_picks_table(folder).to_pylist()
    return {
        (row["who"], row["candidate"]): "x" if row["rejected"] else row["rating"] for row in rows
    }


def first_request(server: Server) -> str:
    return json.loads(gunzipped(server.get("/catalogue")[2]))["requests"][0][0]


def gunzipped(data: bytes) -> bytes:
    import gzip

    return gzip.decompress(data)


# Who may see what


def test_it_says_where_it_is_and_what_to_type_at_home(server: Server):
    port = urlsplit(server.address).port
    said = "".join(server.said)
    assert f"open:      http://127.0.0.1:{port}/?token={server.token}\n" in said
    assert re.search(rf"ssh -N -L {port}:127\.0\.0\.1:{port} \S+@\S+\n", said)
    assert f"4 pictures; picks go to {server.folder.picks}" in said
    assert len(server.token) >= 32


PATHS = (
    "/",
    "/catalogue",
    "/picks",
    "/page/gallery.js",
    "/requests/x",
    "/pictures/r/x/0/small",
    "/nothing",
)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_shown_without_the_token(server: Server, path: str):
    """Not even whether it exists."""
    for headers in (
        {},
        {"X_Fundiff_Token": "x" * 32},
        {"X_Fundiff_Token": ""},
        {"Cookie": "fundiff=1"},
    ):
        status, _, body = server.ask("GET", path, **headers)
        assert (status, b"open the whole address" in body) == (403, True)
        assert server.token.encode() not in body
    for query in ("", "?token=", "?token=x", f"?token={server.token[:-1]}"):
        assert server.ask("GET", path + query)[0] == 403


def test_the_first_address_gives_a_cookie_that_scripts_and_other_sites_cannot_use(server: Server):
    status, headers, _ = server.ask("GET", f"/?token={server.token}")
    assert status == 200
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert server.ask("GET", "/catalogue", Cookie=cookie)[0] == 200


@pytest.mark.parametrize("path", ["/picks", "/undo"])
def test_what_changes_something_needs_the_token_in_a_header(server: Server, path: str):
    """A cookie goes along with a form of another site, a header does not."""
    cookie = server.ask("GET", f"/?token={server.token}")[1]["set-cookie"].split(";")[0]
    body = {"request_id": first_request(server), "candidate": 0, "rating": 5, "rejected": False}
    assert server.ask("POST", f"{path}?token={server.token}", body, Cookie=cookie)[0] == 403
    assert words(server.folder) == {}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("localhost.evil.example:80", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_it_answers_to_its_own_names_only(server: Server, host: str, status: int):
    """A name that was made to point here, as in DNS rebinding, gets nothing, token or not."""
    assert server.get("/catalogue", Host=host)[0] == status


@pytest.mark.parametrize("path", ["/", "/catalogue", "/nothing"])
def test_every_answer_forbids_what_the_page_does_not_need(server: Server, path: str):
    _, headers, body = server.get(path)
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert not [name for name in headers if name.startswith("access-control")]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert not re.search(rb"<script>|<style|style=|onerror=\"", body)


@pytest.mark.parametrize(
    "path",
    [
        "/page/../server.py",
        "/page/..%2f..%2fserver.py",
        "/page/%2fetc%2fpasswd",
        "/pictures/RUN/..%2f..%2f/0/small",
        "/pictures/RUN/ID/0/..%2fpicks.parquet",
        "/pictures/RUN/ID/0/reading-9",
        "/pictures/RUN/ID/0/enlarged",
        "/pictures/RUN/ID/99/small",
        "/pictures/RUN/ID/-1/small",
        "/pictures/other/ID/0/small",
        "/requests/%2e%2e",
    ],
)
def test_a_path_names_candidates_and_never_files(server: Server, path: str):
    run = run_of(server)
    status, _, body = server.get(path.replace("RUN", run).replace("ID", first_request(server)))
    assert status == 404
    assert b"root:" not in body


def run_of(server: Server) -> str:
    page = server.get("/")[2].decode()
    return json.loads(re.search(r'id="page">(.*)</script>', page)[1])["run"]


def test_a_picture_is_kept_by_the_browser_for_good(server: Server):
    path = f"/pictures/{run_of(server)}/{first_request(server)}/0/large"
    status, headers, body = server.get(path)
    assert (status, body, headers["content-type"]) == (200, QUARTERS, "image/png")
    assert "immutable" in headers["cache-control"]
    again = server.get(path, If_None_Match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"rating": 9}, 400, "rating is 9; choose from 1 to 5"),
        ({"rating": "5"}, 400, "send a number and a bool"),
        ({"rating": True}, 400, "send a number and a bool"),
        ({"rating": None}, 400, "rate a candidate or reject it"),
        ({"rejected": True}, 400, "rate a candidate or reject it"),
        ({"candidate": 99}, 404, "the run has no picture"),
        ({"candidate": "0"}, 400, "send request_id and candidate"),
        ({"candidate": 2**80}, 404, "the run has no picture"),
        ({"request_id": "../x"}, 404, "the run has no picture ../x:0"),
        ({"request_id": 1}, 400, "send request_id and candidate"),
    ],
)
def test_what_is_no_pick_is_refused_in_one_line(
    server: Server, changes: dict[str, Any], status: int, said: str
):
    """And nothing is written."""
    body = {"request_id": first_request(server), "candidate": 0, "rating": 5, "rejected": False}
    found, answer = server.post("/picks", body | changes)
    assert (found, said in answer["error"]) == (status, True)
    assert words(server.folder) == {}


@pytest.mark.parametrize(
    "said",
    [
        None,
        5,
        {},
        {"rating": 5, "rejected": False},
        {"rating": 5, "rejected": False, "at": "noon"},
        {"rating": 5, "rejected": False, "at": "2026-01-01T00:00:00"},
    ],
)
def test_what_takes_nothing_back_is_refused(server: Server, said: Any):
    body = {"request_id": first_request(server), "candidate": 0, "said": said, "earlier": None}
    assert server.post("/undo", body)[0] == 400


def test_a_body_that_is_no_object_or_too_large_is_refused(server: Server):
    assert server.post("/picks", [1])[0] == 400
    assert server.post("/picks", {"request_id": "x" * 10**5})[0] == 413


def test_it_ends_at_ctrl_c_and_has_told_nobody_the_token(folder: RunFolder):
    """Quietly, also after a request that went wrong; the token stands in its first lines alone."""
    with serving(folder) as server:
        folder.picks.mkdir()  # cannot be replaced by a file
        body = {
            "request_id": first_request(server),
            "candidate": 0,
            "rating": 5,
            "rejected": False,
        }
        status, answer = server.post(f"/picks?token={server.token}", body)
        assert (status, "directory" in answer["error"]) == (500, True)
        server.process.send_signal(signal.SIGINT)
        out, err = server.process.communicate(timeout=30)
    assert (server.process.returncode, out, err) == (0, "", "")


def test_a_port_that_is_taken_is_one_clear_line(server: Server):
    command = [sys.executable, "-c", "from jobs.cli import main; main()", "curate"]
    port = str(urlsplit(server.address).port)
    done = subprocess.run(
        [*command, server.folder.path, "--port", port], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"fundiff: port {port} cannot be served (Address already in use); "
        "give another --port, or none\n"
    )


def test_looking_through_a_run_imports_no_torch(folder: RunFolder):
    """Not until a picture is asked for that only torch can make."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from jobs.curation.curation import Curation\nfrom jobs.curation.server import make_app\n"
        "from manifests.layout import RunFolder\n"
        "curation = Curation(RunFolder(Path(sys.argv[1])), 3, 'anna')\n"
        "client = make_app(curation, 'secret').test_client()\n"
        "headers = {'X-Fundiff-Token': 'secret'}\n"
        "for path in ('/', '/catalogue', '/picks'):\n"
        "    assert client.get(path, headers=headers).status_code == 200\n"
        "for (request, number), place in curation.catalogue().places.items():\n"
        "    path = f'/pictures/{curation.run}/{request}/{number}/small'\n"
        "    assert client.get(path, headers=headers).status_code == 200\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, folder.path], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]


def test_what_is_drawn_meanwhile_is_there_once_it_is_indexed(folder: RunFolder):
    """The page is told that there is something new."""
    with serving(folder, "-n", "9") as server:
        before = json.loads(server.get("/picks")[2])["version"]
        request_id = first_request(server)
        assert json.loads(server.get("/picks")[2])["version"] == before
        write_part(folder, 1, "b", [candidate(request_id, 77, score=0.9)])
        files, _ = collect(folder, 1)
        publish_marker(folder, Marker(1, "b", files, 1))
        build_index(folder)
        assert json.loads(server.get("/picks")[2])["version"] != before
        catalogue = json.loads(gunzipped(server.get("/catalogue")[2]))
        assert catalogue["candidates"]["number"][0] == 77
        assert server.get(f"/pictures/{run_of(server)}/{request_id}/77/large")[2] == b"large"


# The page in a browser


def numbers(browser: Browser) -> list[Any]:
    """Return request-free names of all cards in the document, in order."""
    return browser.run(
        "[...document.querySelectorAll('.card')].map(c => c.stage.candidate.number)"
    )


@pytest.mark.browser
def test_picks_are_made_by_key_and_saved_as_they_are_made(chromium: Browser, folder: RunFolder):
    """Undone step by step, the last one first."""
    with serving(folder, "--who", "anna", "-n", "4") as server:
        chromium.go(server.address)
        assert chromium.run("location.search") == ""
        chromium.press("j", "4", "j", "x", "k", "5", "j", "j", "1")
        chromium.until("!picks.isSaving")
        assert words(folder) == {("anna", 1): 5, ("anna", 2): "x", ("anna", 3): 1}
        assert picked(folder) == [(first_request(server), 1)]
        for left in (
            {("anna", 1): 5, ("anna", 2): "x"},
            {("anna", 1): 4, ("anna", 2): "x"},
            {("anna", 1): 4},
            {},
            {},
        ):
            chromium.press("u")
            chromium.until("!picks.isSaving")
            assert words(folder) == left
        chromium.press("2", "2", "0", "u")
        chromium.until("!picks.isSaving")
        assert list(words(folder).values()) == [2]
        assert chromium.complaints() == []


@pytest.mark.browser
def test_picks_are_made_by_mouse_and_the_keys_go_on_from_there(
    chromium: Browser, folder: RunFolder
):
    with serving(folder, "--who", "anna") as server:
        chromium.go(server.address)
        chromium.click(".card:nth-child(2) [data-rating='3']")
        chromium.press(" ")
        chromium.until("!picks.isSaving")
        assert words(folder) == {("anna", 1): 3}
        assert chromium.run("feed.current.number") == 1
        assert (
            chromium.run("document.querySelector('.card:nth-child(2) .frame').dataset.view")
            == "rotate_180"
        )
        chromium.click(".card:nth-child(1) [data-act=reject]")
        chromium.click(".tools [data-act=undo]")
        chromium.click(".tools [data-act=undo]")
        chromium.until("!picks.isSaving")
        assert words(folder) == {}
        assert chromium.run("document.querySelector('.tools [data-act=undo]').disabled")


@pytest.mark.browser
def test_picks_outlive_a_kill_of_the_server(chromium: Browser, folder: RunFolder):
    with serving(folder, "--who", "anna") as server:
        chromium.go(server.address)
        chromium.press("j", "4")
        chromium.until("!picks.isSaving")
        server.process.kill()
    with serving(folder, "--who", "anna") as server:
        chromium.go(server.address)
        assert chromium.run("document.querySelectorAll('.card:nth-child(2) .lit').length") == 4
        chromium.press("j", "x")
        chromium.until("!picks.isSaving")
    assert words(folder) == {("anna", 1): "x"}


@pytest.mark.browser
def test_two_people_and_two_windows_do_not_lose_each_others_picks(
    chromium: Browser, folder: RunFolder
):
    """What one undoes in a window is not what one said in another since."""
    first = chromium.session
    with serving(folder, "--who", "anna") as anna, serving(folder, "--who", "ben") as ben:
        chromium.go(anna.address)
        chromium.press("k", "4")
        chromium.until("!picks.isSaving")
        second = chromium.new_tab()
        chromium.go(ben.address)
        chromium.press("k", "x")
        chromium.until("!picks.isSaving")
        assert "anna ★★★★" in chromium.run("document.querySelector('.others-said').textContent")
        chromium.go(anna.address)
        chromium.press("k", "5", "j", "2")
        chromium.until("!picks.isSaving")
        chromium.turn_to(first)
        chromium.press("j", "j", "1", "u", "u")
        chromium.until("!picks.isSaving")
        assert words(folder) == {("anna", 0): 5, ("ben", 0): "x", ("anna", 1): 2}
        assert "another window" in chromium.run("byId('notice').textContent")
        assert chromium.run("picks.mine(filters.all[0]).rating") == 5
        chromium.turn_to(second)
        chromium.close_tab(first)


@pytest.mark.browser
def test_a_rating_waits_while_the_server_cannot_be_reached(chromium: Browser, folder: RunFolder):
    """As when the tunnel breaks; it is saved when the server answers again."""
    with serving(folder, "--who", "anna") as server:
        chromium.go(server.address)
        off = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        chromium("Network.emulateNetworkConditions", offline=True, **off)
        chromium.press("k", "3", "j", "4")
        chromium.until("byId('notice').textContent.includes('2 ratings wait')")
        assert words(folder) == {}
        chromium("Network.emulateNetworkConditions", offline=False, **off)
        chromium.until("!picks.isSaving")
    assert words(folder) == {("anna", 0): 3, ("anna", 1): 4}


@pytest.mark.browser
def test_a_rating_that_cannot_be_saved_is_not_shown_as_if_it_were(
    chromium: Browser, folder: RunFolder
):
    with serving(folder) as server:
        chromium.go(server.address)
        folder.picks.mkdir()
        chromium.press("k", "3")
        chromium.until("!picks.isSaving")
        assert "Not saved:" in chromium.run("byId('notice').textContent")
        assert chromium.run("picks.mine(filters.all[0])") is None
        assert chromium.run("document.querySelectorAll('.lit').length") == 0


@pytest.mark.browser
def test_enter_opens_what_else_there_is_of_a_request(chromium: Browser, server: Server):
    """Beyond the best so many of the grid; j goes on there, space turns, Escape closes."""
    chromium.go(server.address)
    assert numbers(chromium)[:2] == [0, 1]
    chromium.press("j", "Enter")
    chromium.until("shownDialog()")
    thumbs = "[...document.querySelectorAll('.thumb')].map(t => t.ariaPressed)"
    assert chromium.run(thumbs) == ["false", "true", "false", "false"]
    chromium.press("j", "j", " ")
    assert chromium.run(thumbs) == ["false", "false", "false", "true"]
    assert chromium.run("document.querySelector('#request .frame').dataset.view") == "rotate_180"
    origin = chromium.run("document.querySelector('#request .origin').textContent")
    assert re.search(r"candidate 3 · stage 2 · seed 9223372036854775807", origin)
    assert "alignment" in chromium.run("document.querySelector('#request dl').textContent")
    chromium.press("Escape")
    assert not chromium.run("shownDialog()")
    assert chromium.run("document.activeElement.stage.candidate.number") == 1
    assert chromium.complaints() == []


@pytest.mark.browser
def test_two_that_are_marked_are_seen_side_by_side(chromium: Browser, folder: RunFolder):
    """They turn together, and the chosen one is rated."""
    with serving(folder, "--who", "anna") as server:
        chromium.go(server.address)
        chromium.press("k", "c", "c", "c", "j", "c")
        chromium.until("shownDialog()")
        assert chromium.run("comparison.pair.map(c => c.number)") == [0, 1]
        chromium.press(" ", "4", "k", "2")
        views = "[...document.querySelectorAll('#comparison .frame')].map(f => f.dataset.view)"
        assert chromium.run(views) == ["rotate_180", "rotate_180"]
        chromium.press("Escape")
        chromium.until("!picks.isSaving")
        assert words(folder) == {("anna", 0): 2, ("anna", 1): 4}
        assert not chromium.run("marked || shownDialog()")


@pytest.mark.browser
def test_small_pictures_come_first_and_large_ones_where_one_looks(
    chromium: Browser, server: Server
):
    chromium.go(server.address, height=600)
    chromium.press("j")
    chromium.until("document.querySelector('.card:nth-child(2) .picture').src.endsWith('large')")
    asked = [url.rpartition("/")[2] for url in chromium.asked() if "/pictures/" in url]
    assert asked.index("small") < asked.index("large")
    assert "small" in asked[:2]


@pytest.mark.browser
def test_what_others_rated_is_seen_when_one_looks_again(chromium: Browser, folder: RunFolder):
    with serving(folder, "--who", "anna") as anna, serving(folder, "--who", "ben") as ben:
        chromium.go(anna.address)
        body = {"request_id": first_request(ben), "candidate": 0, "rating": 5, "rejected": False}
        assert ben.post("/picks", body)[0] == 200
        chromium.run("dispatchEvent(new Event('focus'))")
        chromium.until("document.querySelector('.others-said').textContent === 'ben ★★★★★'")


@pytest.mark.browser
def test_a_prompt_of_markup_is_inert_on_the_served_page(chromium: Browser, server: Server):
    chromium.go(server.address)
    chromium.press("j", "Enter")
    chromium.until("shownDialog()")
    chromium.settle()
    assert chromium.run("document.title") == "night"
    assert ATTACK in chromium.run("document.querySelector('#request-title').textContent")
    assert not chromium.run("document.querySelector('img[src=x]')")
    assert chromium.complaints() == []


@pytest.mark.browser
def test_a_phone_looks_through_a_run_in_one_column(chromium: Browser, server: Server):
    chromium.go(server.address, width=375, height=812)
    for keys in ([], ["j", "Enter"]):
        chromium.press(*keys)
        chromium.settle()
        assert chromium.run("document.documentElement.scrollWidth") == 375
    assert chromium.columns(".card") == 1


# Many


def large_page(requests: int, each: int) -> str:
    """A page of so many candidates, which share one picture."""
    same = {"kind": "anagram", "views": ["identity", "flip"], "style": "", "tags": []}
    same |= {"status": "accepted", "score": 0.5, "stage": 2}
    rows = [
        same
        | {"request_id": f"{number:08}", "prompts": [f"a thing {number}", "another"]}
        | {"candidate": rank, "rank": rank + 1}
        for number in range(requests)
        for rank in range(each)
    ]
    catalogue = describe(rows, {}, {})
    count = len(rows)
    catalogue["candidates"] |= {"files": [{"large": 0}] * count, "details": [{}] * count}
    picture = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
    return whole_page("Many", {"run": "many", "catalogue": catalogue, "pictures": [picture]})


def seen(browser: Browser) -> list[int]:
    """Return the places in the list of the cards that are on the screen."""
    return browser.run(
        "[...document.querySelectorAll('.card')]"
        ".filter(c => { const b = c.getBoundingClientRect(); "
        "return b.bottom > 60 && b.top < innerHeight; }).map(c => Number(c.ariaPosInSet) - 1)"
    )


@pytest.mark.browser
@pytest.mark.parametrize(("requests", "each", "width"), [(2500, 4, 1280), (20_000, 1, 375)])
def test_only_what_is_near_the_screen_is_in_the_document(
    chromium: Browser, requests: int, each: int, width: int
):
    """Of ten thousand, and of more than one element is tall enough for."""
    count = requests * each
    chromium.open(large_page(requests, each), width=width, height=800)
    cards = "document.querySelectorAll('.card').length"
    assert seen(chromium)[0] == 0
    assert 1 < chromium.run(cards) <= 40
    assert chromium.run("document.querySelectorAll('*').length") < 1500
    chromium.press("j", "End")
    assert seen(chromium)[-1] == count - 1
    assert chromium.run("document.activeElement.ariaPosInSet") == str(count)
    assert chromium.run(cards) <= 40
    chromium.press("k", "k")
    assert chromium.run("feed.index") == count - 3
    assert count - 3 in seen(chromium)
    for step in range(10):
        chromium.run(f"scrollTo(0, {step} / 10 * document.documentElement.scrollHeight)")
        chromium.settle()
    assert chromium.run(cards) <= 40
    chromium.press("Home")
    assert seen(chromium)[0] == 0


@pytest.mark.browser
def test_a_list_taller_than_an_element_is_walked_through_without_a_gap(chromium: Browser):
    """By the wheel pixel for pixel, by the scroll bar in proportion, and to its very end."""
    chromium.open(large_page(20_000, 1), width=375, height=800)
    first = "document.querySelector('.card').getBoundingClientRect().top"
    at = chromium.run(first)
    for step in range(1, 4):
        chromium.run(f"scrollTo(0, {step * 150})")
        chromium.settle()
        assert at - chromium.run(first) == pytest.approx(150 * step, abs=1)
    chromium.run("scrollTo(0, document.documentElement.scrollHeight / 3)")
    chromium.settle()
    assert seen(chromium)[0] == pytest.approx(20_000 / 3, abs=500)
    card = f"document.querySelector('[aria-posinset=\"{seen(chromium)[-1] + 1}\"]')"
    for step in (700, -300, 500):
        at = chromium.run(f"{card}.getBoundingClientRect().top")
        chromium.run(f"scrollBy(0, {step})")
        chromium.settle()
        assert at - chromium.run(f"{card}.getBoundingClientRect().top") == pytest.approx(
            step, abs=1
        )
        chromium.run("new Promise(rested => setTimeout(rested, 250))")
        assert at - chromium.run(f"{card}.getBoundingClientRect().top") == pytest.approx(
            step, abs=1
        )
    chromium.run("scrollTo(0, document.documentElement.scrollHeight)")
    chromium.settle()
    assert seen(chromium)[-1] == 19_999
    assert chromium.complaints() == []


def test_the_page_is_made_of_all_its_scripts():
    """None lies about unused."""
    import jobs

    there = {
        path.name for path in (Path(jobs.__file__).parent / "templates" / "gallery").glob("*.js")
    }
    assert there == set(SCRIPTS)
