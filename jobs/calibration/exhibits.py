"""The pictures that judges are tried on, and what each judge says of them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jobs.calibration.controls import Control, other_prompts
from jobs.calibration.ratings import Key
from jobs.pictures import image_of
from manifests.layout import RunFolder
from manifests.records import Candidate, Request
from manifests.results import keys_of, marked_parts, read_rows

DRAWN = "drawn"
"""The sort of what is no control: a candidate of the request itself."""

AT_MOST = 16
"""Candidates of the run that are shown for each request, by number; rated ones all are."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A picture that judges score against a request.

    Attributes:
        request_id: The request that it is scored against.
        sort: `drawn`, or a sort of control.
        source: The request that it was drawn for.
        candidate: Number of it among that request's candidates.
        stage: That it was drawn by.
        is_last: Whether that is the last stage which the request asks for.
        png: The picture.
    """

    request_id: str
    sort: str
    source: str
    candidate: int
    stage: int
    is_last: bool
    png: bytes

    @property
    def key(self) -> Key:
        """Request and candidate that it was drawn as."""
        return self.source, self.candidate


def gather(
    folder: RunFolder,
    requests: Mapping[str, Request],
    chosen: Sequence[Request],
    controls: Iterable[Control],
    rated: Collection[Key],
) -> list[Exhibit]:
    """Return all pictures of a run and its controls that judges are tried on.

    Of every candidate both stages' pictures are shown. The first stage's are of all candidates,
    the last one's of those that a judge let pass.

    Args:
        folder: The run.
        requests: Of the run, by id.
        chosen: Those that judges are tried on.
        controls: What was drawn for them.
        rated: Candidates that people spoke about.

    Raises:
        ValueError: If the run has no pictures yet.
    """
    wanted = {request.request_id for request in chosen}
    drawn = _candidates(folder, wanted, rated)
    if not drawn:
        raise ValueError(f"{folder.path} has no finished shard to learn from; draw the run first")
    found: list[Exhibit] = []
    for request_id, rows in drawn.items():
        for row in rows:
            found += _shown(requests[request_id], DRAWN, row)
    for request in chosen:
        other = other_prompts(request, chosen)
        for row in drawn.get(other.request_id, []) if other else []:
            if row.candidate < AT_MOST:
                found += _shown(request, "other_prompts", row)
    found += _drawn_controls(RunFolder(folder.controls), requests, controls)
    return found + [each for request in chosen for each in _unchanged(request, found)]


def _candidates(
    folder: RunFolder, wanted: Collection[str], rated: Collection[Key]
) -> dict[str, list[Candidate]]:
    """Return candidates that have a picture by request: the first ones of each, and rated ones."""
    found: dict[str, list[Candidate]] = defaultdict(list)
    for row in _rows(folder, {*wanted, *(request_id for request_id, _ in rated)}):
        is_first = row.request_id in wanted and row.candidate < AT_MOST
        if row.stage > 0 and (is_first or (row.request_id, row.candidate) in rated):
            found[row.request_id].append(row)
    return found


def _rows(folder: RunFolder, requests: Collection[str]) -> Iterator[Candidate]:
    """Yield the finished candidates of some requests, reading no part without any."""
    for part in marked_parts(folder):
        if not {request_id for request_id, _ in keys_of(part)}.isdisjoint(requests):
            yield from (row for row in read_rows([part]) if row.request_id in requests)


def _shown(request: Request, sort: str, row: Candidate) -> Iterator[Exhibit]:
    """Yield a candidate's pictures as they are scored against a request."""
    for stage, picture in ((1, row.stage_1_image), (2, row.image)):
        if picture is not None:
            yield Exhibit(
                request.request_id,
                sort,
                row.request_id,
                row.candidate,
                stage,
                stage == request.stages,
                picture.bytes,
            )


def _drawn_controls(
    folder: RunFolder, requests: Mapping[str, Request], controls: Iterable[Control]
) -> Iterator[Exhibit]:
    by_drawn: dict[str, list[Control]] = defaultdict(list)
    for control in controls:
        by_drawn[control.request_id].append(control)
    for row in _rows(folder, by_drawn) if by_drawn else ():
        for control in by_drawn[row.request_id]:
            yield from _shown(requests[control.original], control.sort, row)


def _unchanged(request: Request, found: Iterable[Exhibit]) -> Iterator[Exhibit]:
    """Yield what an inpainting or edit starts from, as large as its candidates are."""
    if request.kind not in ("inpaint", "edit") or request.image is None:
        return
    from fundiff.pictures import square
    from jobs.recipes import open_picture, store_picture

    first = {e.stage: e for e in found if (e.request_id, e.sort) == (request.request_id, DRAWN)}
    for stage, exhibit in first.items():
        side = image_of(exhibit.png).height
        original = store_picture(square(open_picture(request.image), side))
        yield Exhibit(
            request.request_id, "unchanged", "", 0, stage, exhibit.is_last, original.bytes
        )


def scores_of(
    model: str, device: str | None, requests: Mapping[str, Request], exhibits: Sequence[Exhibit]
) -> list[float]:
    """Return a judge's score of every exhibit, in their order.

    Args:
        model: Hub id or folder of the judge.
        device: Or None for a GPU if there is one.
        requests: By id.
        exhibits: What is to be scored.
    """
    from fundiff.judges import load_judge
    from fundiff.models import choose_device, quiet
    from jobs.judging import judge_pictures

    quiet()
    judge = load_judge(model, choose_device(device))
    together: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, exhibit in enumerate(exhibits):
        together[exhibit.request_id, exhibit.stage].append(number)
    scores = [0.0] * len(exhibits)
    for (request_id, _), numbers in together.items():
        request = requests[request_id]
        said = judge_pictures(
            judge,
            judge.text_embeds(request.full_prompts),
            request,
            [image_of(exhibits[number].png) for number in numbers],
            thorough=False,
        )
        for number, judgement in zip(numbers, said, strict=True):
            scores[number] = judgement.alignment
    return scores
