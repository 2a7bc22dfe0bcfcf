"""Works one shard: draws, judges, decides, and writes what is done so that nothing is lost.

Finished requests go to parts. Pictures that wait for a decision go to drafts, so a restart neither
loses nor repeats a finished candidate. The marker comes last, when every candidate has its row.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image

from fundiff.engine import Engine, Finished, Paused
from fundiff.models import choose_device, choose_dtype, load_stage, quiet
from fundiff.pictures import to_image
from jobs.best_of_n import (
    GLIMPSE,
    Draw,
    Marks,
    Policy,
    Verdict,
    best_of_n,
    mean_ranks,
    rules_of,
)
from jobs.config import RunConfig, code_version
from jobs.embeddings import load_embeddings
from jobs.judging import REPORTED
from jobs.jury import Jury, Opinion, load_jury
from jobs.recipes import Studio, open_picture, store_picture
from manifests.files import read_json, sha256_file
from manifests.layout import RunFolder
from manifests.manifest import read_requests
from manifests.plan import read_plan
from manifests.records import Candidate, Picture, Request
from manifests.results import (
    Marker,
    PartFile,
    collect,
    drafts,
    drop_drafts,
    publish_marker,
    read_rows,
    write_draft,
    write_part,
)

Key = tuple[str, int]


@dataclass(slots=True)
class Try:
    """What is known of one candidate so far, by stage: 1, 2, or `GLIMPSE`."""

    pictures: dict[int, Image.Image] = field(default_factory=dict)
    opinions: dict[int, Opinion] = field(default_factory=dict)
    lanes: dict[int, int] = field(default_factory=dict)
    error: Exception | None = None
    saved: bool = False


@dataclass(slots=True)
class OpenRequest:
    """A request under way: its policy, what that asked for last, and its candidates."""

    request: Request
    policy: Policy
    draw: Draw
    tries: dict[int, Try]
    missing: set[int] = field(default_factory=set)


def work(run: str, shard: int, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Work a shard of a run to its end, or until it is told to stop.

    May be killed at any moment and called again: what was finished is neither lost nor repeated.

    Args:
        run: Path of the run folder.
        shard: Number of the shard in the plan.
        stopping: Asked between UNet calls; once true, what is drawn is written and work ends.

    Returns:
        Whether the shard is done.
    """
    folder = RunFolder(Path(run))
    if folder.done(shard).is_file():
        drop_drafts(folder, shard)  # an attempt may have been killed just after its marker
        return True
    config = RunConfig.from_json(read_json(folder.run_json))
    if sha256_file(folder.manifest) != config.manifest_sha256:
        raise ValueError(f"{folder.manifest} is not the manifest that this run was planned with")
    planned = next(row for row in read_plan(folder.plan) if row.shard == shard)
    requests = read_requests(folder.manifest, planned.start, planned.stop)

    studio = open_studio(folder, config, requests)
    jury = load_jury(config, studio.stages[1].device)
    return ShardRun(folder, shard, config, studio, jury).run(requests, stopping)


def open_studio(folder: RunFolder, config: RunConfig, requests: Sequence[Request]) -> Studio:
    """Load the stages of a run, and the embeddings of what some of its requests say."""
    quiet()
    device = choose_device(config.device)
    if device.type == "cpu":
        torch.set_num_threads(1)  # rows are bit-identical in any company with one thread only
    dtype = choose_dtype(config.dtype, device)
    texts = {text for r in requests for text in (*r.full_prompts, r.negative_prompt)}
    embeddings = load_embeddings(folder, texts)
    models = config.cascade
    return Studio(
        {
            1: load_stage(models.stage_1, device, dtype, models.revision),
            2: load_stage(models.stage_2, device, dtype, models.revision),
        },
        {text: embeds.to(device) for text, embeds in embeddings.items()},
        config.seed,
    )


class ShardRun:
    """One attempt at a shard."""

    def __init__(
        self, folder: RunFolder, shard: int, config: RunConfig, studio: Studio, jury: Jury
    ) -> None:
        self._folder = folder
        self._shard = shard
        self._config = config
        self._studio = studio
        self._jury = jury
        self._attempt = uuid.uuid4().hex[:12]
        self._engines: dict[int, Engine[Key]] = {
            1: Engine(studio.stages[1], config.stage_1_lanes),
            2: Engine(studio.stages[2], config.stage_2_lanes),
        }
        self._open: dict[str, OpenRequest] = {}
        self._rows: list[Candidate] = []
        self._written_at = time.monotonic()

    def run(self, requests: Sequence[Request], stopping: Callable[[], bool]) -> bool:
        """Draw what is not finished yet; return whether the shard is done."""
        _, finished = collect(self._folder, self._shard)
        pending = deque(_unfinished(requests, finished))
        drawn = self._read_drafts()
        while not stopping():
            while pending and not self._engines[1].fill():
                request = pending.popleft()
                self._begin(request, drawn.get(request.request_id, {}))
            engine = self._next_engine()
            if engine is None:
                self._write()
                files, finished = collect(self._folder, self._shard)
                pending.extend(_unfinished(requests, finished))
                if not pending:
                    self._finish(files, len(finished))
                    return True
                continue
            for ended in engine.step():
                self._take(1 if engine is self._engines[1] else 2, ended)
            for paused in engine.paused():
                self._take(GLIMPSE, paused)
            if time.monotonic() - self._written_at > self._config.flush_s:
                self._write()
        self._write()
        return False

    def _next_engine(self) -> Engine[Key] | None:
        """Return the engine to run next: a full batch of the dear stage goes first."""
        first, second = self._engines[1], self._engines[2]
        if second.fill() or first.idle:
            return None if second.idle else second
        return first

    def _begin(self, request: Request, drawn: dict[int, Try]) -> None:
        policy = best_of_n(rules_of(request, self._config.bars))
        opened = OpenRequest(request, policy, next(policy), drawn)
        self._open[request.request_id] = opened
        self._ask(opened)
        self._decide(opened)

    def _ask(self, opened: OpenRequest) -> None:
        """Put what the policy wants drawn into the engine, but what a draft has."""
        request, stage = opened.request, opened.draw.stage
        engine = self._engines[max(stage, 1)]
        for candidate in opened.draw.candidates:
            key, known = (request.request_id, candidate), opened.tries.setdefault(candidate, Try())
            if stage in known.pictures:
                continue
            if engine.waits(key):
                engine.resume(key)
            else:
                try:
                    first = known.pictures.get(1)
                    engine.add(key, self._studio.draw(request, candidate, stage, first))
                except Exception as error:  # a request that cannot be drawn is a row, not the end
                    known.error = error
                    continue
            opened.missing.add(candidate)

    def _take(self, stage: int, out: Finished[Key] | Paused[Key]) -> None:
        """Note a picture that came out of an engine; decide when the round is complete."""
        request_id, candidate = out.key
        opened = self._open[request_id]
        known = opened.tries[candidate]
        known.lanes[max(stage, 1)] = out.lanes
        known.error, known.saved = out.error, False
        if out.picture is not None:
            try:
                known.pictures[stage] = to_image(out.picture)
            except ValueError as error:
                known.error = error
        opened.missing.discard(candidate)
        self._decide(opened)

    def _decide(self, opened: OpenRequest) -> None:
        """While a round is complete, judge it, tell the policy, and do what that says next."""
        while not opened.missing:
            before = opened.draw
            try:
                opened.draw = opened.policy.send(self._judged(opened))
            except StopIteration as end:
                self._drop_waiting(opened, before)
                self._end(opened, end.value)
                return
            self._ask(opened)
            self._drop_waiting(opened, before)

    def _drop_waiting(self, opened: OpenRequest, before: Draw) -> None:
        """Let go of the candidates that paused and are not to go on."""
        for candidate in before.candidates:
            key = (opened.request.request_id, candidate)
            if self._engines[1].waits(key):
                self._engines[1].drop(key)

    def _judged(self, opened: OpenRequest) -> dict[int, Marks | None]:
        """Hear the judges on the round just drawn; None where a candidate failed."""
        request, stage = opened.request, opened.draw.stage
        drawn = [c for c in opened.draw.candidates if opened.tries[c].error is None]
        images = [opened.tries[c].pictures[stage] for c in drawn]
        marks: dict[int, Marks | None] = dict.fromkeys(opened.draw.candidates)
        try:
            opinions = self._jury.hear(request, images, thorough=stage == request.stages)
        except Exception as error:  # a request that cannot be judged is rows, not the end
            for candidate in drawn:
                opened.tries[candidate].error = error
            return marks
        for candidate, opinion in zip(drawn, opinions, strict=True):
            opened.tries[candidate].opinions[stage] = opinion
            marks[candidate] = self._jury.marks(request, opinion)
        return marks

    def _end(self, opened: OpenRequest, verdicts: Sequence[Verdict]) -> None:
        """Make the rows of a request that is decided on."""
        ranks: dict[int, dict[int, float]] = {}
        for stage in (1, 2):
            heard = {c: t.opinions[stage] for c, t in opened.tries.items() if stage in t.opinions}
            ranks[stage] = mean_ranks(
                {c: self._jury.marks(opened.request, each).scores for c, each in heard.items()}
            )
        for verdict in verdicts:
            last = max(opened.tries[verdict.candidate].opinions, default=GLIMPSE)
            rank = ranks[last][verdict.candidate] if last else None
            self._rows.append(self._row(opened, verdict, rank))
        del self._open[opened.request.request_id]

    def _row(
        self, opened: OpenRequest, verdict: Verdict, mean_rank: float | None = None
    ) -> Candidate:
        request, known = opened.request, opened.tries[verdict.candidate]
        glimpse, first, second = (known.opinions.get(stage) for stage in (GLIMPSE, 1, 2))
        opinion = second or first or ()
        last = opinion[0] if opinion else None
        return Candidate(
            request_id=request.request_id,
            candidate=verdict.candidate,
            kind=request.kind,
            status=verdict.status,
            reason=verdict.reason,
            stage=max(known.pictures, default=0),
            seed=self._studio.seed(request, verdict.candidate),
            score=last.alignment if last else None,
            mean_rank=mean_rank,
            held_out=opinion[-1].alignment if opinion and self._jury.held_out else None,
            glimpse_score=glimpse[0].alignment if glimpse else None,
            stage_1_score=first[0].alignment if first else None,
            alignment=last.alignment if last else None,
            **{name: getattr(last, name, None) for name in REPORTED},
            stage_1_similarities=first[0].similarities if first else (),
            similarities=last.similarities if last else (),
            judge_scores=tuple(said.alignment for said in opinion),
            embedding=last.embedding if last else (),
            stage_1_lanes=known.lanes.get(1, 0),
            stage_2_lanes=known.lanes.get(2, 0),
            glimpse_image=_stored(known, GLIMPSE),
            stage_1_image=_stored(known, 1),
            image=_stored(known, 2),
            error_type=type(known.error).__name__ if known.error else None,
            error_message=str(known.error) if known.error else None,
            shard=self._shard,
            attempt=self._attempt,
            model=self._config.model,
            code_version=code_version(),
        )

    def _write(self) -> None:
        """Write finished requests as a part, and undecided new pictures as a draft."""
        if self._rows:
            write_part(self._folder, self._shard, self._attempt, self._rows)
            self._rows = []
        undecided = [
            (opened, candidate, known)
            for opened in self._open.values()
            for candidate, known in opened.tries.items()
            if known.pictures and not known.error and not known.saved
        ]
        if undecided:
            rows = [
                self._row(o, Verdict(c, "drawn", "waits for a decision")) for o, c, _ in undecided
            ]
            write_draft(self._folder, self._shard, self._attempt, rows)
            for _, _, known in undecided:
                known.saved = True
        self._written_at = time.monotonic()

    def _read_drafts(self) -> dict[str, dict[int, Try]]:
        """Return what earlier attempts drew and could not decide on, the furthest of each."""
        tries: dict[str, dict[int, Try]] = {}
        for row in self._draft_rows():
            known = tries.setdefault(row.request_id, {}).setdefault(row.candidate, Try(saved=True))
            if row.glimpse_image:
                known.pictures[GLIMPSE] = open_picture(row.glimpse_image)
                known.lanes[1] = row.stage_1_lanes
            if row.stage_1_image:
                known.pictures[1] = open_picture(row.stage_1_image)
                known.lanes[1] = row.stage_1_lanes
            if row.image:
                known.pictures[2] = open_picture(row.image)
                known.lanes[2] = row.stage_2_lanes
        return tries

    def _draft_rows(self) -> Iterator[Candidate]:
        """Yield the rows of the drafts that can be read; what a torn one held is drawn again."""
        for path in drafts(self._folder, self._shard):
            with suppress(ValueError, FileNotFoundError):
                yield from list(read_rows([path]))

    def _finish(self, files: tuple[PartFile, ...], candidates: int) -> None:
        """Publish the marker, unless another attempt was first, and clean up."""
        publish_marker(self._folder, Marker(self._shard, self._attempt, files, candidates))
        drop_drafts(self._folder, self._shard)


def _stored(known: Try, stage: int) -> Picture | None:
    return store_picture(known.pictures[stage]) if stage in known.pictures else None


def _unfinished(requests: Sequence[Request], finished: set[Key]) -> list[Request]:
    """Return the requests without rows; a request's rows come all in one part."""
    return [request for request in requests if (request.request_id, 0) not in finished]
