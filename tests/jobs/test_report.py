"""The report: its estimators, its tables, its figures, its page."""

import html
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from math import comb
from pathlib import Path
from statistics import mean
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jobs.cli import main
from jobs.report import tables
from jobs.report.curves import (
    Success,
    accepted_share,
    chance,
    common_count,
    ladder,
    mean_best,
    weights,
)
from jobs.report.page import facts_of, write_report
from manifests.kinds import KINDS
from manifests.layout import RunFolder
from manifests.records import Candidate, Request
from tests.jobs.finished import finished
from tests.manifests.rows import candidate, inpainting, png, request


@pytest.mark.parametrize("count", range(1, 9))
def test_weights_are_the_share_of_choices_that_a_score_is_the_best_of(count):
    """C(i - 1, n - 1) of C(N, n), as fractions; and by trying every choice."""
    scores = [Fraction(number**2, 7) for number in range(count)]
    for n in range(1, count + 1):
        found = weights(count, n)
        exact = [Fraction(comb(i - 1, n - 1), comb(count, n)) for i in range(1, count + 1)]
        assert found == pytest.approx([float(each) for each in exact], abs=1e-15)
        tried = mean(max(choice) for choice in itertools.combinations(scores, n))
        assert sum(map(float.__mul__, found, map(float, scores))) == pytest.approx(float(tried))


def test_weights_hold_for_many_candidates():
    """They add up to 1, and do not overflow as the binomials would."""
    for n in (1, 2, 500, 99_999, 100_000):
        assert sum(weights(100_000, n)) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("n", [0, 4])
def test_a_choice_has_at_least_one_and_at_most_all(n):
    """Else there is no best."""
    with pytest.raises(ValueError, match="choose 1 to 3"):
        weights(3, n)


def test_the_mean_best_is_over_requests_and_all_their_choices():
    """Requests of three and of four scores, by trying every choice."""
    requests = [[0.1, 0.7, 0.4], [0.2, 0.2, 0.9], [0.5, 0.3, 0.8, 0.1]]
    threes = [sum(place) for place in zip(*map(sorted, requests[:2]), strict=True)]
    groups = [(2, threes), (1, sorted(requests[2]))]
    for n in (1, 2, 3):
        tried = mean(mean(map(max, itertools.combinations(one, n))) for one in requests)
        assert mean_best(groups, n) == pytest.approx(tried)


@pytest.mark.parametrize("count", range(1, 8))
def test_the_chance_of_a_good_one_is_the_share_of_choices_with_one(count):
    """By trying every choice."""
    for good in range(count + 1):
        for n in range(count + 1):
            choices = list(itertools.combinations(range(count), n))
            tried = Fraction(sum(min(c, default=count) < good for c in choices), len(choices))
            assert chance(count, good, n) == pytest.approx(float(tried), abs=1e-15)


def tried_share(requests: Sequence[Sequence[Sequence[bool]]], n: int) -> float:
    """The share by trying every order of the candidates within each round."""
    reached = []
    for rounds in requests:
        orders = itertools.product(*(itertools.permutations(each) for each in rounds))
        reached.append(mean(any(list(itertools.chain(*order))[:n]) for order in orders))
    return mean(reached)


def test_the_share_with_an_accepted_one_is_that_over_all_orders_within_rounds():
    """Requests that have one in the first round, in the second, and never."""
    no, yes = False, True
    requests = [
        [[no, yes, no]],
        [[yes, yes, no]],
        [[no, no, no], [no, yes, yes]],
        [[no, no, no], [no, no, no]],
    ]
    successes = [
        Success(0, 3, 1, 1),
        Success(0, 3, 2, 1),
        Success(3, 3, 2, 1),
        Success(0, 1, 0, 1),
    ]
    shares = [accepted_share(successes, n) for n in range(7)]
    assert shares == pytest.approx([tried_share(requests, n) for n in range(7)])
    assert shares[-1] == 0.75


@given(st.integers(1, 100_000))
def test_a_ladder_goes_from_one_to_the_last_in_few_steps(most):
    """Upwards, ends included."""
    steps = ladder(most)
    assert (steps[0], steps[-1]) == (1, most)
    assert steps == sorted(set(steps))
    assert len(steps) < 70
    assert steps[:8] == list(range(1, min(most, 8) + 1))


@given(st.dictionaries(st.integers(1, 20), st.integers(1, 5), min_size=1))
def test_half_of_the_requests_or_more_have_the_common_count(requests):
    """And less than half have more."""
    found = common_count(requests)
    every = [count for count, n in requests.items() for _ in range(n)]
    assert sum(count >= found for count in every) >= len(every) / 2
    assert sum(count > found for count in every) < len(every) / 2
    assert found in requests


# Below, runs whose numbers are written down.

PICTURE = png(90, side=16)


def row(one: Request, number: int, score: float | None, **fields: object) -> Candidate:
    """A candidate that went through stage I alone, or what the fields make of it."""
    plain = {"kind": one.kind, "status": "rejected", "reason": "stage 1: rank 3 of 4, 1 go on",
             "stage": 1, "score": score, "stage_1_score": score, "image": None,
             "stage_1_image": PICTURE, "stage_2_lanes": 0}  # fmt: skip
    return candidate(one.request_id, number, **(plain | fields))


def final(one: Request, number: int, first: float, score: float, **fields: object) -> Candidate:
    """A candidate that went through both stages."""
    plain = {"stage": 2, "stage_1_score": first, "image": PICTURE, "stage_2_lanes": 30}
    return row(one, number, score, **(plain | fields))


def failed(one: Request, number: int, message: str = "no memory") -> Candidate:
    """A candidate that ended before it had a picture."""
    error = {"error_type": "OutOfMemoryError", "error_message": message}
    fields = {"status": "failed", "reason": "failed in stage 1", "stage": 0, **error}
    return row(one, number, None, stage_1_image=None, **fields)


@pytest.fixture(scope="module")
def rich(tmp_path_factory) -> RunFolder:
    """Four requests: two rounds, a failure, pruning, and several views."""
    few = {"candidates": 4, "want": 1, "max_candidates": 8}
    barred = request(**few, accept=0.5, views=("identity", "jigsaw:seed=7"))
    other = request(**few, accept=0.5, views=("identity", "jigsaw:seed=8"))
    pruned = request(**few, prompts=("a", "b"), prune_at=0.5, prune_keep=0.5)
    hole = inpainting(**few)
    rows = [
        row(barred, 0, 0.1), row(barred, 1, 0.3), row(barred, 2, 0.2),
        final(barred, 3, 0.4, 0.45, reason="stage 2: score 0.4500 is below 0.5"),
        row(barred, 4, 0.2), row(barred, 5, 0.1), failed(barred, 6),
        final(barred, 7, 0.5, 0.6, status="accepted", reason=""),
        row(other, 0, 0.7), failed(other, 1, "<b>&\"no memory\""), row(other, 2, 0.2),
        final(other, 3, 0.8, 0.9, status="accepted", reason="", held_out=0.3),
    ]  # fmt: skip
    rows += [
        row(pruned, n, None, stage=0, stage_1_image=None, glimpse_score=n / 10,
            reason=f"pruned within stage 1: rank {4 - n} of 4, 2 go on")
        for n in (0, 1)
    ]  # fmt: skip
    rows += [
        row(pruned, 2, 0.35, glimpse_score=0.2),
        final(pruned, 3, 0.45, 0.5, glimpse_score=0.3, status="accepted", reason=""),
    ]
    rows += [
        final(hole, n, s, s + 0.1, status="kept", reason="", kind="inpaint")
        for n, s in enumerate((0.2, 0.6, 0.4, 0.3))
    ]
    return finished(tmp_path_factory.mktemp("run") / "rich", [barred, other, pruned, hole], rows)


@pytest.fixture(scope="module")
def facts(rich) -> dict[str, Any]:
    """All that the page shows of the rich run but its pictures."""
    return facts_of(rich)


@pytest.fixture(scope="module")
def page(rich, tmp_path_factory) -> str:
    """The rich run's page."""
    return page_of(rich, tmp_path_factory.mktemp("page"))


def test_counts_are_those_of_the_rows(facts):
    """By kind: how far, how it ended, what it cost."""
    anagram, hole = facts["kinds"]
    assert anagram == {
        "kind": "anagram", "requests": 3, "candidates": 16, "nowhere": 2, "half_way": 2,
        "stage_1": 8, "stage_2": 4, "accepted": 3, "kept": 0, "rejected": 11, "failed": 2,
        "stage_1_lanes": 16 * 120, "stage_2_lanes": 4 * 30,
    }  # fmt: skip
    assert (hole["kept"], hole["stage_2"], hole["stage_2_lanes"]) == (4, 4, 120)
    assert facts["total"] == {n: anagram[n] + hole[n] for n in anagram if n != "kind"}


def test_the_best_of_n_is_over_the_first_round_after_the_stage_that_all_reached(rich):
    """Half-way for a pruned request, stage I for a funnel, stage II where all went there."""
    firsts = {1: [[0.1, 0.3, 0.2, 0.4], [0.7, 0.2, 0.8]], 0: [[0, 0.1, 0.2, 0.3]]}
    with tables.candidates_of(rich, []) as connection:
        rows = tables.best_of(connection)
    found = {(each["kind"], each["stage"], each["n"]): each for each in rows}
    for n in (1, 2, 3, 4):
        for stage, requests in firsts.items():
            long = [scores for scores in requests if len(scores) >= 4]
            tried = mean(mean(map(max, itertools.combinations(one, n))) for one in long)
            assert found["anagram", stage, n]["best"] == pytest.approx(tried, abs=1e-9)
            assert found["anagram", stage, n]["requests"] == len(long)
            assert found["anagram", stage, n]["of"] == len(requests)
        tried = mean(map(max, itertools.combinations([0.3, 0.7, 0.5, 0.4], n)))
        assert found["inpaint", 2, n]["best"] == pytest.approx(tried, abs=1e-9)
    assert len(rows) == 12


def test_a_request_that_has_an_accepted_one_has_it_from_its_first_on(rich):
    """Only requests with a bar count, of their own or of the run's."""
    with tables.candidates_of(rich, []) as connection:
        rows = tables.accepted(connection)
    no, yes = False, True
    requests = [[[no] * 4, [no, no, no, yes]], [[no, no, no, yes]]]
    assert [each["n"] for each in rows] == list(range(1, 9))
    assert {(each["kind"], each["requests"]) for each in rows} == {("anagram", 2)}
    tried = [tried_share(requests, n) for n in range(1, 9)]
    assert [each["share"] for each in rows] == pytest.approx(tried)
    with tables.candidates_of(rich, ["anagram", "inpaint"]) as connection:
        last = {each["kind"]: each for each in tables.accepted(connection)}
    assert {kind: (each["requests"], each["share"]) for kind, each in last.items()} == {
        "anagram": (3, 1.0), "inpaint": (1, 0.0),
    }  # fmt: skip


def test_histograms_count_every_score_once(rich):
    """All after stage I; those that went on after stage II; the best in the last bin."""
    with tables.candidates_of(rich, []) as connection:
        edges, rows = tables.histograms(connection)
    counts = {
        (kind, stage): [0] * tables.BINS for kind in ("anagram", "inpaint") for stage in (1, 2)
    }
    for each in rows:
        counts[each["kind"], each["stage"]][each["bin"]] += each["n"]
    scores = {
        ("anagram", 1): [0.1, 0.3, 0.2, 0.4, 0.2, 0.1, 0.5, 0.7, 0.2, 0.8, 0.35, 0.45],
        ("anagram", 2): [0.45, 0.6, 0.9, 0.5],
        ("inpaint", 1): [0.2, 0.6, 0.4, 0.3],
        ("inpaint", 2): [0.3, 0.7, 0.5, 0.4],
    }
    assert (edges[0], edges[-1]) == (0.1, pytest.approx(0.9))
    assert counts["anagram", 2][-1] == 1
    for key, own in scores.items():
        assert sum(counts[key]) == len(own)
        centres = np.repeat((np.array(edges[:-1]) + edges[1:]) / 2, counts[key])
        assert np.abs(np.sort(own) - centres).max() <= 0.51 * (edges[1] - edges[0])


def test_views_are_told_apart_without_their_parameters(rich):
    """With the quantiles of the scores after stage I."""
    with tables.candidates_of(rich, []) as connection:
        rows = {each["views"]: each for each in tables.views(connection)}
    assert list(rows) == ["identity | flip", "identity", "identity | jigsaw"]
    own = [0.1, 0.3, 0.2, 0.4, 0.2, 0.1, 0.5, 0.7, 0.2, 0.8]
    jigsaw = rows["identity | jigsaw"]
    assert (jigsaw["n"], jigsaw["combinations"]) == (10, 3)
    assert jigsaw["quantiles"] == pytest.approx(np.quantile(own, [0.05, 0.25, 0.5, 0.75, 0.95]))


def test_causes_are_grouped_without_their_numbers(facts):
    """Stages keep theirs."""
    assert [(each["status"], each["cause"], each["n"]) for each in facts["causes"]] == [
        ("rejected", "stage I: rank … of …, … go on", 8),
        ("rejected", "pruned within stage I: rank … of …, … go on", 2),
        ("rejected", "stage II: score … is below …", 1),
    ]
    (failure,) = facts["failures"]
    assert (failure["error_type"], failure["cause"]) == ("OutOfMemoryError", "failed in stage I")
    assert (failure["n"], failure["requests"], failure["kinds"]) == (2, 2, "anagram")
    assert failure["message"] in ("no memory", '<b>&"no memory"')


def test_agreement_is_spearmans_with_ties_on_average(tmp_path):
    """Over all candidates, and the mean of the requests' own; as pandas has it."""
    random = np.random.default_rng(3)
    requests = [request(prompts=("a skull", f"a rocket ship {n}")) for n in range(4)]
    numbers = [(one, n, *random.integers(0, 6, 2) / 10) for one in requests for n in range(7)]
    alike = request(prompts=("a", "b"))
    numbers += [(alike, n, 0.3, n / 10) for n in range(4)]
    rows = [final(one, n, first, score) for one, n, first, score in numbers]
    folder = finished(tmp_path / "run", [*requests, alike], rows)
    with tables.candidates_of(folder, []) as connection:
        found = tables.agreement(connection, "stage_1")
        assert tables.agreement(connection, "held_out") is None
        assert tables.agreement(connection, "glimpse") is None
    assert found is not None

    frame = pd.DataFrame([(one.request_id, x, y) for one, _, x, y in numbers], columns=list("rxy"))
    ranks = frame[["x", "y"]].rank()
    assert found["n"] == 32
    assert found["rho"] == pytest.approx(ranks["x"].corr(ranks["y"]))
    own = [own[["x", "y"]].rank() for _, own in frame.groupby("r") if own["x"].nunique() > 1]
    assert found["requests"] == len(own) == 4
    assert found["within"] == pytest.approx(mean(each["x"].corr(each["y"]) for each in own))
    assert sorted((p["x"], p["y"]) for p in found["points"]) == sorted(
        zip(frame.x, frame.y, strict=True)
    )


def test_half_way_is_held_against_the_end_of_those_that_reached_it(rich):
    """The last stage that the request asks for, not an earlier one."""
    with tables.candidates_of(rich, []) as connection:
        found = tables.agreement(connection, "glimpse")
        held_out = tables.agreement(connection, "held_out")
    assert found is not None
    assert held_out is not None
    assert found["points"] == [{"kind": "anagram", "x": 0.3, "y": 0.5}]
    assert (found["rho"], found["within"]) == (None, None)
    assert held_out["points"] == [{"kind": "anagram", "x": 0.3, "y": 0.9}]


def test_points_are_thinned_out(tmp_path):
    """To a bound, and the same ones each time."""
    one = request()
    rows = [final(one, n, n / 10, n / 10) for n in range(9)]
    folder = finished(tmp_path / "run", [one], rows)
    found = []
    for _ in range(2):
        with tables.candidates_of(folder, []) as connection:
            found.append(tables.agreement(connection, "stage_1", points=5))
    assert found[0] == found[1]
    assert found[0] is not None
    assert (found[0]["n"], len(found[0]["points"])) == (9, 5)


def page_of(folder: RunFolder, tmp_path: Path) -> str:
    write_report(folder, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """What a reader reads of a page."""
    body = re.sub(r"(?s)<(style|svg|title).*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_the_page_tells_the_numbers(page):
    """Header, tables, captions; and a figure for everything there is."""
    words = words_of(page)
    for said in (
        "rich Drawn with mini , seed 0; scored by mini ; fundiff 0.",
        "4 requests", "20 candidates", "3 accepted", "4 kept", "11 rejected", "2 failed",
        "2,640 UNet lanes",
        "anagram after stage I 1 of 2 0.250 4 0.400 +0.150",
        "anagram 3 16 3 1,920 120 128 680",
        "inpaint 1 4 0 480 120 150 –",  # noqa: RUF001
        "all 4 20 3 2,400 240 132 880",
        "OutOfMemoryError failed in stage I",
    ):  # fmt: skip
        found = re.search(rf"\b{re.escape(said.split()[0])}", words)
        assert found
        assert said in words or " ".join(reversed(said.split(" ", 1))) in words, said
    assert page.count("<svg") == page.count("</svg>")
    labels = re.findall(r'role="img" aria-label="([^"]+)"', page)
    assert len(labels) == 9
    assert page.count("data:image/png;base64,") == 4


def test_the_same_run_gives_the_same_bytes(rich, page, tmp_path):
    """No date, no random names."""
    assert page_of(rich, tmp_path) == page


def test_what_users_and_errors_say_is_text(tmp_path):
    """Prompts, tags, messages, the run's name."""
    evil = "\"><script>alert(1)</script><img src=x onerror='alert(2)'> $x^2$"
    one = request(prompts=(evil, "b"), candidates=2, want=1, max_candidates=2)
    rows = [final(one, 0, 0.1, 0.2, status="accepted", reason=evil), failed(one, 1, evil)]
    folder = finished(tmp_path / "<i>'[r]*", [one], rows)
    page = page_of(folder, tmp_path)
    assert "<script" not in page
    assert "onerror='alert" not in page
    assert "<i>'" not in page
    assert words_of(page).count(evil) == 2


def test_nothing_outside_of_the_page_is_asked_for(page):
    """No address, and no style that the policy would refuse."""
    assert re.findall(r"https?://[^\s\"'<]*", page) == []
    assert " style=" not in page
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_every_colour_of_a_figure_is_one_that_the_page_decides(page):
    """So it is legible by night; each kind has a colour of its own."""
    figures = "".join(re.findall(r"(?s)<svg .*?</svg>", page))
    used = set(re.findall(r'(?:fill|stroke)="(?!none|var)([^"]+)"', figures))
    decided = re.findall(r'\[fill="([^"]+)"\] \{ fill: var\(--([\w]+)\)', page)
    assert used <= {placeholder for placeholder, _ in decided}
    assert {name for _, name in decided} == {"ink", "muted", "line", "paper", *KINDS}
    for name in {name for _, name in decided}:
        assert page.count(f" --{name}: #") == 2
    for figure in re.findall(r"(?s)<svg viewBox.*?</svg>", page):
        ET.fromstring(figure)


def test_a_run_without_a_row_has_a_page(tmp_path):
    """Nothing is finished yet."""
    folder = finished(tmp_path / "run", [request()], [])
    folder.done(0).unlink()
    words = words_of(page_of(folder, tmp_path))
    assert "0 of 1 shard are done" in words
    assert "No candidate is finished yet" in words


def test_a_run_in_which_all_failed_has_a_page(tmp_path):
    """With the errors, and without scores."""
    one = request(candidates=2, max_candidates=2, want=1)
    folder = finished(tmp_path / "run", [one], [failed(one, 0), failed(one, 1)])
    words = words_of(page_of(folder, tmp_path))
    assert "OutOfMemoryError failed in stage I no memory anagram 2 1" in words
    assert "anagram 1 2 0 240 0 120 –" in words  # noqa: RUF001
    for heading in ("The best", "Scores", "What more candidates bring", "Do the judgements"):
        assert heading not in words.replace("Scores of different", "")


def test_one_candidate_per_request_has_no_curve(tmp_path):
    """The number alone, and no failures."""
    one = request(candidates=1, max_candidates=1, want=1)
    words = words_of(page_of(finished(tmp_path / "run", [one], [row(one, 0, 0.3)]), tmp_path))
    assert "anagram after stage I 1 0.300 1 0.300 +0.000" in words
    assert "The best score to expect" not in words
    assert "Nothing failed" in words


def test_a_run_without_a_second_stage_and_without_a_bar_says_so(tmp_path):
    """Nothing is accepted by its score, and stage I is the last."""
    one = request(candidates=2, max_candidates=2, want=1, stages=1)
    rows = [row(one, 0, 0.3, status="accepted", reason=""), row(one, 1, 0.1)]
    words = words_of(page_of(finished(tmp_path / "run", [one], rows), tmp_path))
    assert "No request sets a bar ( accept )" in words
    assert "anagram after stage I 1 0.200 2 0.300 +0.100" in words
    assert "Do the judgements agree" not in words


def test_the_command_writes_the_page_into_the_run(rich, page, tmp_path):
    """Or where it is told; without an index it says what to type."""
    copy = RunFolder(shutil.copytree(rich.path, tmp_path / "rich"))
    done = CliRunner().invoke(main, ["report", str(copy.path)])
    assert done.output == f"{(copy.path / 'report.html').resolve()}: 20 candidates\n"
    assert (copy.path / "report.html").read_text(encoding="utf-8") == page
    copy.index.unlink()
    done = CliRunner().invoke(main, ["report", str(copy.path), "-o", str(tmp_path / "x.html")])
    assert done.exit_code == 1
    assert "run `fundiff index" in done.output
    assert not (tmp_path / "x.html").exists()


def shown(page: str, tmp_path: Path, width: int = 375) -> tuple[str, str]:
    """What chromium says of a page in a frame: scroll width and a text's colour; and its log."""
    program = shutil.which("chromium")
    if program is None:
        reason = "no chromium here: apt-get install chromium"
        if os.environ.get("FUNDIFF_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    frame = tmp_path / "frame.html"
    frame.write_text(
        f"<iframe style='width:{width}px;height:900px;border:0' srcdoc='{html.escape(page)}'>"
        "</iframe><p>waiting</p><script>onload = () => {"
        "const page = document.querySelector('iframe').contentDocument;"
        "const text = page.querySelector('figure svg text');"
        "document.querySelector('p').textContent = [page.documentElement.scrollWidth,"
        "getComputedStyle(text).fill, page.images[0].naturalWidth].join(' / ') }</script>",
        encoding="utf-8",
    )
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--enable-logging=stderr",
               "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}",
               "--dump-dom", frame.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    (said,) = re.findall(r"<p>(.*?)</p><script>onload", done.stdout)
    return said, done.stderr


@pytest.mark.browser
def test_a_telephone_shows_the_page_as_its_policy_allows(page, tmp_path):
    """No sideways scrolling, the pictures there, the figures in the page's colours."""
    said, log = shown(page, tmp_path)
    assert said == "375 / rgb(160, 78, 38) / 16"
    assert "Content Security Policy" not in log
    _, log = shown(page.replace("<h1>", '<h1 style="color: red">'), tmp_path)
    assert "Content Security Policy" in log
