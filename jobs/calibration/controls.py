"""Requests for pictures that are no illusions, although a judge may take them for some."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from fundiff.frames import IDENTITY
from fundiff.view_names import COMPONENTS, bases, view
from jobs.reading import check_views
from manifests.records import Request, make_request

SORTS = {
    "one_prompt": "a plain picture of one of the prompts",
    "shuffled_views": "an anagram that was drawn for other turns",
    "wrong_sigma": "a hybrid that was drawn for another distance",
    "other_prompts": "a picture of another request of the same kind",
    "unchanged": "the picture that an inpainting or edit starts from",
}
"""The sorts of control, and what each is."""

KINDS = ("anagram", "hybrid", "inpaint", "edit", "inverse", "generate")
"""The kinds that judges are tried on; of a denoising's panels there is nothing to select."""

TURNS = ("rotate_90", "flip", "rotate_180", "mirror", "rotate_270", "flip+rotate_90",
         "mirror+rotate_90")  # fmt: skip
"""All turns of a square that change it: one of them is always free to draw a control for."""

FACTORS = (0.25, 4.0)
"""What the distances of a hybrid are multiplied with to draw it for other ones."""


@dataclass(frozen=True, slots=True)
class Control:
    """Says that pictures which were drawn for one request are controls for another.

    Attributes:
        request_id: The request that they were drawn for.
        original: The request that they are scored against.
        sort: One of `SORTS`.
    """

    request_id: str
    original: str
    sort: str


def choose(
    requests: Iterable[Request], per_kind: int, first: Collection[str] = ()
) -> list[Request]:
    """Return at most so many requests of each kind that judges are tried on.

    Args:
        requests: Of a run.
        per_kind: At least 1.
        first: Ids that go before the others, which are taken in the order of their ids: these are
            hashes, so that neighbours in the manifest are not preferred.
    """
    by_kind: dict[str, list[Request]] = {kind: [] for kind in KINDS}
    for request in sorted(requests, key=lambda r: (r.request_id not in first, r.request_id)):
        found = by_kind.get(request.kind)
        if found is not None and len(found) < per_kind:
            found.append(request)
    return [request for found in by_kind.values() for request in found]


def control_requests(requests: Iterable[Request], candidates: int) -> list[Request]:
    """Return what is to be drawn as controls for requests, each once.

    A control is drawn as its original is, but every candidate of it comes to the end, so that no
    judge has a say in which pictures it is tried on. Its tags say what it is a control for.

    Args:
        requests: The originals.
        candidates: About so many of each sort for each request.
    """
    drawn: dict[str, Request] = {}
    for original in requests:
        for sort, make in (
            ("one_prompt", _one_prompt),
            ("shuffled_views", _shuffled_views),
            ("wrong_sigma", _wrong_sigma),
        ):
            changes = make(original)
            for changed in changes:
                control = _again(original, math.ceil(candidates / len(changes)), changed)
                before = drawn.get(control.request_id, control)
                tags = dict.fromkeys([*before.tags, f"{sort}:{original.request_id}"])
                drawn[control.request_id] = replace(before, tags=tuple(tags))
    return list(drawn.values())


def controls_in(requests: Iterable[Request]) -> list[Control]:
    """Return what the requests of a run of controls are controls for, by their tags."""
    return [
        Control(request.request_id, original, sort)
        for request in requests
        for sort, _, original in (tag.partition(":") for tag in request.tags)
    ]


def other_prompts(request: Request, requests: Sequence[Request]) -> Request | None:
    """Return the next request of the same kind that has no prompt in common, or None."""
    number = next(n for n, r in enumerate(requests) if r.request_id == request.request_id)
    following = (*requests[number + 1 :], *requests[:number])
    return next(
        (
            other
            for other in following
            if other.kind == request.kind and set(other.prompts).isdisjoint(request.prompts)
        ),
        None,
    )


Changes = list[dict[str, Any]]
"""Columns of a request that are changed, once for each control."""


def _one_prompt(request: Request) -> Changes:
    """Change into plain pictures of each prompt that is wanted."""
    if request.kind not in ("anagram", "hybrid"):
        return []
    pairs = zip(request.prompts, request.views, strict=True)
    wanted = dict.fromkeys(prompt for prompt, name in pairs if view(name).is_wanted)
    plain = {"kind": "generate", "views": ("identity",), "reduction": "mean"}
    return [plain | {"prompts": (prompt,)} for prompt in wanted]


def _shuffled_views(request: Request) -> Changes:
    """Change every turn into one that the request does not have."""
    if request.kind != "anagram":
        return []
    frames = dict.fromkeys(view(name).frame.key for name in request.views)
    free = [turn for turn in TURNS if view(turn).frame.key not in frames]
    turned = [key for key in frames if key != IDENTITY.key]
    if len(free) < len(turned):
        return []
    others = dict(zip(turned, free, strict=False))
    views = tuple(_turned(name, others) for name in request.views)
    return [{"views": views}] if check_views(request.kind, views) is None else []


def _turned(name: str, others: Mapping[Any, str]) -> str:
    """Return a view with another turn and the same component; the picture as it stands stays."""
    if view(name).frame.key == IDENTITY.key:
        return name
    components = [part for part in name.split("+") if not set(bases(part)) - COMPONENTS.keys()]
    return "+".join([others[view(name).frame.key], *components])


def _wrong_sigma(request: Request) -> Changes:
    """Change every distance of a hybrid, as far as there is room for at least a factor of 2."""
    if request.kind != "hybrid":
        return []
    found = (tuple(_moved(name, factor) for name in request.views) for factor in FACTORS)
    return [
        {"views": views}
        for views in found
        if views != request.views and check_views(request.kind, views) is None
    ]


def _moved(name: str, factor: float) -> str:
    """Return a view for a distance times a factor; as it was where there is no room for that."""
    allowed = COMPONENTS["low_pass"].parameters[0]
    parts = []
    for part in name.split("+"):
        base, *texts = part.split(":")
        if base in ("low_pass", "high_pass", "band"):
            before = [float(text) for text in texts]
            after = [min(max(sigma * factor, allowed.low), allowed.high) for sigma in before]
            ratios = [max(a / b, b / a) for a, b in zip(after, before, strict=True)]
            if min(ratios) >= 2:
                texts = [f"{sigma:.9g}" for sigma in after]
        parts.append(":".join([base, *texts]))
    return "+".join(parts)


def _again(request: Request, candidates: int, changes: dict[str, Any]) -> Request:
    """Return a request with changes, all candidates of which come to the end."""
    content = {field.name: getattr(request, field.name) for field in fields(Request)}
    content |= dict.fromkeys(("candidates", "want", "max_candidates"), candidates)
    bars = ("finalists", "accept", "accept_rank", "prune_at", "prune_keep", "max_split")
    content |= dict.fromkeys(bars) | {"tags": ()} | changes
    del content["request_id"]
    return make_request(**content)
