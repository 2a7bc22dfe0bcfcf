"""One row of each table, as a frozen dataclass that checks itself."""

import hashlib
import io
import json
import unicodedata
from dataclasses import dataclass, fields
from typing import Any

from manifests.kinds import KINDS, OWN_COLUMNS, kinds_with

REDUCTIONS = ("mean", "sum", "alternate", "rectified")
SAMPLERS = ("ddpm", "ddim", "dpmsolver++")
TIMESTEPS = {
    "fast27": 27,
    "smart27": 27,
    "smart50": 50,
    "smart100": 100,
    "smart185": 185,
    "super27": 27,
    "super40": 40,
    "super100": 100,
}
"""DeepFloyd IF's hand-tuned lists of timesteps, and how many each holds."""
STATUSES = ("accepted", "kept", "rejected", "failed")
LIMITS: dict[str, tuple[float, float]] = {
    "accept": (-1.0, 1.0),
    "finalists": (1, 100_000),
    "accept_rank": (1, 100_000),
    "prune_at": (0.05, 0.95),
    "prune_keep": (0.01, 1.0),
    "max_split": (-2.0, 2.0),
    "candidates": (1, 100_000),
    "want": (1, 100_000),
    "max_candidates": (1, 100_000),
    "guidance_scale": (1.0, 100.0),
    "num_inference_steps": (1, 1000),
    "stage_2_guidance_scale": (1.0, 100.0),
    "stage_2_num_inference_steps": (1, 1000),
    "noise_level": (0, 999),
    "guidance_start": (0.0, 1.0),
    "guidance_stop": (0.0, 1.0),
    "stages": (1, 2),
    "start": (0, 999),
    "strength": (0.001, 1.0),
    "mask_blur": (0.0, 16.0),
    "jump_length": (0, 999),
    "jump_n_sample": (1, 100),
    "seed": (0, 2**63 - 1),
}
"""Smallest and largest value of a request's numbers; ints where it takes whole numbers only."""

DRAWN = "drawn"
"""The status of a row in a draft: drawn, and waiting for a decision."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and the file name it came from, as Hugging Face datasets stores one."""

    bytes: bytes
    path: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One row of the manifest: what is asked for.

    Attributes:
        request_id: Hash of everything that decides the pictures; see `content_id`.
        kind: One of `KINDS`.
        prompts: One per view.
        views: How the picture is read with each prompt.
        style: Words that go before every prompt.
        negative_prompt: What guidance points away from.
        image: What an inpainting, edit, inverse problem or denoising starts from.
        mask: Of an inpainting; white = repaint.
        keep: Of an inverse problem: the component that is the image's.
        candidates: Candidates per round.
        want: Accepted candidates to stop at.
        finalists: Best of a round that go on to stage II; as many as still wanted if None.
        accept: Least final score of an accepted candidate, or None.
        accept_rank: Accepted are the request's best so many, or None.
        prune_at: Share of stage I's steps after which the worst are dropped, or None for never.
        prune_keep: Share of a round's candidates that is not dropped, or None.
        max_split: A candidate whose two halves, read by themselves, lead the whole picture by
            more than this is two subjects side by side, and is never accepted; None asks nothing.
        max_candidates: Candidates of all rounds together.
        guidance_scale: In stage I; 1 means off.
        num_inference_steps: In stage I.
        stage_2_guidance_scale: In stage II; 1 means off.
        stage_2_num_inference_steps: In stage II.
        noise_level: Noise on stage II's low-res conditioning, 0 to 999.
        timesteps: Of stage I: empty for `num_inference_steps` even ones, or a list's name.
        stage_2_timesteps: Likewise for stage II.
        guidance_start: Share of the timesteps after which guidance sets in.
        guidance_stop: Share of the timesteps after which guidance ends.
        sampler: One of `SAMPLERS`, in both stages.
        reduction: How the views' estimates are combined.
        start: Of an edit or denoising: index into stage I's timesteps, or None for `strength`.
        strength: Of an edit or denoising: share of the timesteps that is walked, or None.
        mask_blur: Of an inpainting: softness of the mask's edge, sigma in pixels of 64.
        jump_length: Of an inpainting: timesteps of a stretch that is walked several times.
        jump_n_sample: Of an inpainting: how often each stretch is walked; 1 is once.
        stages: 2, or 1 to end with stage I's picture.
        seed: Goes before the run's seed, or None.
        tags: For finding and filtering; they decide nothing.
    """

    request_id: str
    kind: str
    prompts: tuple[str, ...]
    views: tuple[str, ...]
    style: str = ""
    negative_prompt: str = ""
    image: Picture | None = None
    mask: Picture | None = None
    keep: str = ""
    candidates: int = 16
    want: int = 4
    finalists: int | None = None
    accept: float | None = None
    accept_rank: int | None = None
    prune_at: float | None = None
    prune_keep: float | None = None
    max_split: float | None = None
    max_candidates: int = 16
    guidance_scale: float = 7.0
    num_inference_steps: int = 30
    stage_2_guidance_scale: float = 4.0
    stage_2_num_inference_steps: int = 30
    noise_level: int = 50
    timesteps: str = ""
    stage_2_timesteps: str = ""
    guidance_start: float = 0.0
    guidance_stop: float = 1.0
    sampler: str = "ddpm"
    reduction: str = "mean"
    start: int | None = None
    strength: float | None = None
    mask_blur: float = 0.0
    jump_length: int = 0
    jump_n_sample: int = 1
    stages: int = 2
    seed: int | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, tuple(KINDS))
        _one_of("reduction", self.reduction, REDUCTIONS)
        _one_of("sampler", self.sampler, SAMPLERS)
        self._check_shape()
        self._check_numbers()

    def _check_numbers(self) -> None:
        """Refuse numbers out of range, and such as do not go together."""
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} is {value}; choose {low:g} to {high:g}")
        if self.max_candidates < self.candidates:
            raise ValueError(
                f"max_candidates is {self.max_candidates}, below candidates {self.candidates}; "
                "raise it or leave it out"
            )
        if self.want > self.max_candidates:
            raise ValueError(
                f"want is {self.want}, more than the {self.max_candidates} candidates there will "
                "be; lower it"
            )
        self._check_bars()
        if self.guidance_start >= self.guidance_stop:
            raise ValueError(
                f"guidance_start {self.guidance_start:g} is not before guidance_stop "
                f"{self.guidance_stop:g}; guidance_scale 1 turns guidance off"
            )
        if (self.jump_length > 0) != (self.jump_n_sample > 1):
            raise ValueError(
                f"jump_length is {self.jump_length} and jump_n_sample {self.jump_n_sample}; "
                "give both, such as 5 and 2, or neither"
            )

        for stage in (1, 2):
            self._check_timesteps(self.count_timesteps(stage))
        if self.start is not None and self.start >= self.count_timesteps(1):
            last = self.count_timesteps(1) - 1
            raise ValueError(f"start is {self.start}, but the timesteps end at {last}; lower it")

    def _check_bars(self) -> None:
        """Refuse bars and pruning that contradict each other."""
        if self.accept is not None and self.accept_rank is not None:
            raise ValueError(
                f"accept_rank is {self.accept_rank} and accept {self.accept:g}; a candidate is "
                "accepted by its rank or by its score, give one of them"
            )
        if self.finalists is not None and self.finalists > self.candidates:
            raise ValueError(
                f"finalists is {self.finalists}, more than the {self.candidates} candidates of a "
                "round; lower it"
            )
        if self.accept_rank is not None and self.accept_rank < self.want:
            raise ValueError(
                f"accept_rank is {self.accept_rank}, below the {self.want} of want; "
                "raise it or lower want"
            )
        if (self.prune_at is None) != (self.prune_keep is None):
            raise ValueError(
                f"prune_at is {self.prune_at} and prune_keep {self.prune_keep}; "
                "give both, such as 0.4 and 0.5, or neither"
            )

    def _check_timesteps(self, count: int) -> None:
        """Refuse what would have no effect on so many timesteps."""
        if self.jump_length >= count:
            raise ValueError(
                f"jump_length is {self.jump_length}, but there are {count} timesteps; lower it"
            )
        passed = [i / count for i in range(count)]
        if not any(self.guidance_start <= share < self.guidance_stop for share in passed):
            raise ValueError(
                f"no timestep of {count} lies between guidance_start {self.guidance_start:g} and "
                f"guidance_stop {self.guidance_stop:g}; guidance_scale 1 turns guidance off"
            )

    def count_timesteps(self, stage: int) -> int:
        """Return how many timesteps a stage has."""
        if stage == 1:
            return count_timesteps(self.timesteps, self.num_inference_steps)
        return count_timesteps(self.stage_2_timesteps, self.stage_2_num_inference_steps)

    def _check_shape(self) -> None:
        """Refuse prompts, views and columns that do not go together in this kind."""
        kind = KINDS[self.kind]
        if len(self.prompts) != len(self.views):
            raise ValueError(
                f"request has {len(self.prompts)} prompts and {len(self.views)} views; "
                "give one view per prompt"
            )
        if not all(isinstance(text, str) for text in (*self.prompts, *self.views, *self.tags)):
            raise ValueError("prompts, views or tags hold something that is no text; write texts")
        for text in (*self.prompts, self.style, self.negative_prompt):
            if text and has_control(text):
                raise ValueError(f"text {text!r} holds a control character; remove it")
        if not all(prompt.strip() for prompt in self.prompts):
            raise ValueError(f"prompts {self.prompts} hold an empty one; give each view words")
        least, most = kind.prompts
        if not least <= len(self.prompts) <= most:
            raise ValueError(
                f"kind {self.kind} has {len(self.prompts)} prompts; give {kind.describe_prompts()}"
            )
        for name in kind.needs:
            if getattr(self, name) in (None, ""):
                raise ValueError(f"kind {self.kind} needs {name}; give one")
        if self.kind == "hybrid" and self.reduction != "sum":
            raise ValueError(
                f"reduction is {self.reduction!r}; a hybrid's components are summed, choose sum"
            )
        for field in fields(Request):
            unused = field.name in OWN_COLUMNS - kind.own
            if unused and getattr(self, field.name) != field.default:
                raise ValueError(
                    f"kind {self.kind} takes no {field.name}; leave it out, "
                    f"or use {kinds_with(field.name)}"
                )
        starts = "start" in kind.own
        if starts and (self.start is None) == (self.strength is None):
            raise ValueError(f"kind {self.kind} takes either start or strength; give one of them")
        if self.kind == "denoise":
            if self.stages != 1:
                raise ValueError("kind denoise ends with stage I; leave stages out")
            if self.prune_at is not None:
                raise ValueError("kind denoise has nothing to prune; leave prune_at out")

    @property
    def full_prompts(self) -> tuple[str, ...]:
        """The prompts with the style before them, as the model reads them."""
        return tuple(f"{self.style} {prompt}".strip() for prompt in self.prompts)


def has_control(text: str) -> bool:
    """Return whether a text holds what a terminal would obey and a tokenizer does not know."""
    return any(unicodedata.category(c) == "Cc" and not c.isspace() for c in text)


def count_timesteps(name: str, num_inference_steps: int) -> int:
    """Return how many timesteps a list has.

    Args:
        name: Empty for `num_inference_steps` even ones, one of `TIMESTEPS`, or `stride:30` for
            the multiples of 30 below 1000.
        num_inference_steps: Of even ones.

    Raises:
        ValueError: If the name is none of these.
    """
    if not name:
        return num_inference_steps
    if name in TIMESTEPS:
        return TIMESTEPS[name]
    stride = name.removeprefix("stride:")
    if stride == name or not (stride.isascii() and stride.isdecimal()) or stride[0] == "0":
        raise ValueError(
            f"timesteps {name!r} are unknown; choose from {', '.join(TIMESTEPS)}, "
            "or write stride:30"
        )
    if int(stride) > 999:
        raise ValueError(f"timesteps {name!r} have a stride beyond 999; write stride:30")
    return len(range(0, 1000, int(stride)))


def make_request(**content: Any) -> Request:
    """Return a request whose id follows from its content; see `content_id`."""
    nameless = Request(request_id="", **content)
    return Request(request_id=content_id(nameless), **content)


def content_id(request: Request) -> str:
    """Return the hash of all that decides a request's pictures and their fate.

    Tags and file names decide nothing. Pictures count by their pixels, so another PNG encoder
    gives the same id.
    """
    content: dict[str, Any] = {}
    for field in fields(Request):
        value = getattr(request, field.name)
        if field.name in ("request_id", "tags"):
            continue
        if isinstance(value, Picture):
            value = _pixel_hash(value)
        elif isinstance(value, (int, float)):
            value = float(value) + 0.0 if field.name != "seed" else value  # -0.0 is 0.0
        content[field.name] = value
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _pixel_hash(picture: Picture) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(picture.bytes)) as image:
        header = f"{image.mode} {image.size} ".encode()
        return hashlib.sha256(header + image.tobytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of the results: one try at a request.

    Attributes:
        request_id: The request.
        candidate: 0, 1, 2 ...
        kind: Of the request.
        status: One of `STATUSES`; `drawn` in drafts.
        reason: Why it stopped where it stopped; empty if accepted.
        stage: The last stage that it has a picture of; 0 if none.
        seed: Of its noise.
        score: The first judge's last number for it.
        mean_rank: Among the request's candidates of that stage, 1 is best, averaged over the
            judges that select.
        held_out: The last number of the judge that only reports.
        glimpse_score: The first judge's number half-way through stage I.
        stage_1_score: The first judge's number after stage I.
        alignment: Worst view's fit to its prompt, after the last stage.
        concealment: How well each view hides the other prompts, after the last stage.
        near: For a hybrid, fit of the near reading.
        far: For a hybrid, fit of the far reading, blurred.
        far_shrunk: For a hybrid, fit of the far reading, shrunk instead of blurred.
        change_distance: For a hybrid, the blur, sigma in pixels of 64, from which on the far
            prompt fits better than the near one.
        split: By how much two halves, read by themselves, fit the prompts better than the whole.
        source_distance: For an edit, 1 - cosine of its and its source's embedding.
        seam: For an inpainting, gradient at the hole's border by that beside it; 1 is no seam.
        kept_error: Root mean square distance from the original in what is kept of it, in 8-bit
            levels.
        stage_1_similarities: Row-major view x prompt matrix after stage I.
        similarities: Row-major view x prompt matrix after the last stage.
        judge_scores: Last numbers of all judges of the run, the held-out one last.
        embedding: The first judge's, of the last picture as it stands, a unit vector.
        stage_1_lanes: UNet lanes that stage I cost.
        stage_2_lanes: UNet lanes that stage II cost.
        glimpse_image: What stage I expected half-way, where it was asked.
        stage_1_image: Stage I's picture.
        image: Stage II's picture.
        error_type: Class of the error that ended it.
        error_message: Its message.
        shard: That drew it.
        attempt: Execution of the shard that wrote the row.
        model: The stages' names and revisions.
        code_version: Of fundiff.
    """

    request_id: str
    candidate: int
    kind: str
    status: str
    reason: str
    stage: int
    seed: int
    score: float | None
    mean_rank: float | None
    held_out: float | None
    glimpse_score: float | None
    stage_1_score: float | None
    alignment: float | None
    concealment: float | None
    near: float | None
    far: float | None
    far_shrunk: float | None
    change_distance: float | None
    split: float | None
    source_distance: float | None
    seam: float | None
    kept_error: float | None
    stage_1_similarities: tuple[float, ...]
    similarities: tuple[float, ...]
    judge_scores: tuple[float, ...]
    embedding: tuple[float, ...]
    stage_1_lanes: int
    stage_2_lanes: int
    glimpse_image: Picture | None
    stage_1_image: Picture | None
    image: Picture | None
    error_type: str | None
    error_message: str | None
    shard: int
    attempt: str
    model: str
    code_version: str

    def __post_init__(self) -> None:
        _one_of("status", self.status, (*STATUSES, DRAWN))
        if self.candidate < 0:
            raise ValueError(f"candidate is {self.candidate}; it counts from 0")
        if not -(2**63) <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must fit into 64 bits with a sign")
        if self.status == "failed" and self.error_type is None:
            raise ValueError("a failed candidate has no error_type; say what ended it")


@dataclass(frozen=True, slots=True)
class Score:
    """One row of a scores table: what a judge says of a picture that was drawn before.

    Attributes:
        request_id: The request.
        candidate: The candidate.
        stage: Of the picture that was scored, the candidate's last.
        score: The judge's number.
        concealment: As of a candidate.
        near: As of a candidate.
        far: As of a candidate.
        far_shrunk: As of a candidate.
        change_distance: As of a candidate.
        split: As of a candidate.
        source_distance: As of a candidate.
        similarities: Row-major view x prompt matrix.
        judge: Hub id or folder of the judge.
    """

    request_id: str
    candidate: int
    stage: int
    score: float
    concealment: float | None
    near: float | None
    far: float | None
    far_shrunk: float | None
    change_distance: float | None
    split: float | None
    source_distance: float | None
    similarities: tuple[float, ...]
    judge: str


@dataclass(frozen=True, slots=True)
class Upscaled:
    """One row of what stage III drew: a candidate's picture, four times as wide.

    Attributes:
        request_id: The request.
        candidate: The candidate.
        order: Number of the order that it was drawn for.
        seed: Of its noise.
        lanes: UNet lanes that it cost.
        image: The picture, or None if it failed.
        error_type: Class of the error that ended it.
        error_message: Its message.
        model: The upscaler's name and revision.
        code_version: Of fundiff.
    """

    request_id: str
    candidate: int
    order: int
    seed: int
    lanes: int
    image: Picture | None
    error_type: str | None
    error_message: str | None
    model: str
    code_version: str


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} {value!r} is unknown; choose from {', '.join(allowed)}")
