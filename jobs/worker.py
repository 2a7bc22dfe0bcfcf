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
from torch import Tensor

from fundiff.engine import Engine, Finished
from fundiff.judges import Judge, load_judge
from fundiff.models import choose_device, choose_dtype, load_stage, quiet
from fundiff.pictures import to_image
from jobs.best_of_n import Draw, Policy, Verdict, best_of_n
from jobs.config import RunConfig, code_version
from jobs.embeddings import load_embeddings
from jobs.judging import Judgement, judge_pictures
from jobs.recipes import Studio, open_picture, store_picture
from manifests.files import read_json, sha256_file
from manifests.layout import RunFolder
from manifests.manifest import read_requests
from manifests.plan import read_plan
from manifests.records import Candidate, Request
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
    """What is known of one candidate so far, by stage, 1 or 2."""

    pictures: dict[int, Image.Image] = field(default_factory=dict)
    judgements: dict[int, Judgement] = field(default_factory=dict)
    lanes: dict[int, int] = field(default_factory=dict)
    error: Exception | None = None
    saved: bool = False


@dataclass(slots=True)
class OpenRequest:
    """A request under way: its policy, what that asked for last, and its candidates."""

    request: Request
    policy: Policy
    text_embeds: Tensor
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
    judge = load_judge(config.cascade.judge, studio.stages[1].device)
    return ShardRun(folder, shard, config, studio, judge).run(requests, stopping)


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
        self, folder: RunFolder, shard: int, config: RunConfig, studio: Studio, judge: Judge
    ) -> None:
        self._folder = folder
        self._shard = shard
        self._config = config
        self._studio = studio
        self._judge = judge
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
        policy = best_of_n(
            request.candidates,
            request.want,
            request.accept,
            request.max_candidates,
            request.stages,
        )
        text_embeds = self._judge.text_embeds(request.full_prompts)
        opened = OpenRequest(request, policy, text_embeds, next(policy), drawn)
        self._open[request.request_id] = opened
        self._ask(opened)
        self._decide(opened)

    def _ask(self, opened: OpenRequest) -> None:
        """Put what the policy wants drawn into the engine, but what a draft has."""
        request, draw = opened.request, opened.draw
        for candidate in draw.candidates:
            known = opened.tries.setdefault(candidate, Try())
            if draw.stage in known.pictures:
                continue
            try:
                if draw.stage == 1:
                    calls = self._studio.draw_stage_1(request, candidate)
                else:
                    calls = self._studio.draw_stage_2(request, candidate, known.pictures[1])
            except Exception as error:  # a request that cannot be drawn is a row, not the end
                known.error = error
                continue
            opened.missing.add(candidate)
            self._engines[draw.stage].add((request.request_id, candidate), calls)

    def _take(self, stage: int, ended: Finished[Key]) -> None:
        """Note a picture that came out of an engine; decide when the round is complete."""
        request_id, candidate = ended.key
        opened = self._open[request_id]
        known = opened.tries[candidate]
        known.lanes[stage] = ended.lanes
        known.error, known.saved = ended.error, False
        if ended.picture is not None:
            try:
                known.pictures[stage] = to_image(ended.picture)
            except ValueError as error:
                known.error = error
        opened.missing.discard(candidate)
        self._decide(opened)

    def _decide(self, opened: OpenRequest) -> None:
        """While a round is complete, judge it, tell the policy, and do what that says next."""
        while not opened.missing:
            try:
                opened.draw = opened.policy.send(self._scores(opened))
            except StopIteration as end:
                self._rows += [self._row(opened, verdict) for verdict in end.value]
                del self._open[opened.request.request_id]
                return
            self._ask(opened)

    def _scores(self, opened: OpenRequest) -> dict[int, float | None]:
        """Judge the round just drawn; return each candidate's score, None where it failed."""
        stage = opened.draw.stage
        drawn = [c for c in opened.draw.candidates if opened.tries[c].error is None]
        images = [opened.tries[c].pictures[stage] for c in drawn]
        try:
            judged = judge_pictures(self._judge, opened.text_embeds, opened.request, images)
        except Exception as error:  # a request that cannot be judged is rows, not the end
            for candidate in drawn:
                opened.tries[candidate].error = error
            return dict.fromkeys(opened.draw.candidates, None)
        for candidate, judgement in zip(drawn, judged, strict=True):
            opened.tries[candidate].judgements[stage] = judgement
        return dict.fromkeys(opened.draw.candidates, None) | {
            c: opened.tries[c].judgements[stage].alignment for c in drawn
        }

    def _row(self, opened: OpenRequest, verdict: Verdict) -> Candidate:
        request, known = opened.request, opened.tries[verdict.candidate]
        first, second = known.judgements.get(1), known.judgements.get(2)
        last = second or first
        return Candidate(
            request_id=request.request_id,
            candidate=verdict.candidate,
            kind=request.kind,
            status=verdict.status,
            reason=verdict.reason,
            stage=max(known.pictures, default=0),
            seed=self._studio.seed(request, verdict.candidate),
            score=last.alignment if last else None,
            mean_rank=None,
            held_out=None,
            glimpse_score=None,
            stage_1_score=first.alignment if first else None,
            alignment=last.alignment if last else None,
            concealment=last.concealment if last else None,
            near=last.near if last else None,
            far=last.far if last else None,
            far_shrunk=None,
            change_distance=None,
            split=None,
            source_distance=None,
            seam=last.seam if last else None,
            kept_error=last.kept_error if last else None,
            stage_1_similarities=first.similarities if first else (),
            similarities=last.similarities if last else (),
            judge_scores=(),
            embedding=(),
            stage_1_lanes=known.lanes.get(1, 0),
            stage_2_lanes=known.lanes.get(2, 0),
            glimpse_image=None,
            stage_1_image=store_picture(known.pictures[1]) if 1 in known.pictures else None,
            image=store_picture(known.pictures[2]) if 2 in known.pictures else None,
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


def _unfinished(requests: Sequence[Request], finished: set[Key]) -> list[Request]:
    """Return the requests without rows; a request's rows come all in one part."""
    return [request for request in requests if (request.request_id, 0) not in finished]
