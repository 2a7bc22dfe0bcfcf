"""Scores a finished run with another judge: what was drawn is read again, nothing is drawn."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from fundiff.catalogue import check_folder
from jobs.statistics import spearman_within
from manifests.database import database, literal
from manifests.files import publish_numbered, read_json
from manifests.layout import RunFolder
from manifests.manifest import read_requests
from manifests.plan import read_plan
from manifests.records import Candidate, Request, Score
from manifests.results import markers, read_rows
from manifests.schemas import SCORES
from manifests.scores import parts_of_judges
from manifests.tables import write_table


@dataclass(frozen=True, slots=True)
class Scoring:
    """What a run is to be scored with.

    Attributes:
        name: Of the judge's folder below `scores/`, and what `--by` knows it as.
        judge: Hub id or folder.
        device: Or None for a GPU if there is one.
    """

    name: str
    judge: str
    device: str | None = None


def name_of(judge: str) -> str:
    """Return a judge's name as a folder may have it: `openai--clip-vit-large-patch14`."""
    folder = Path(judge).expanduser()
    plain = folder.resolve().name if folder.is_dir() else judge
    return re.sub(r"[^\w.@-]+", "--", plain).strip(".-") or "judge"


def place_scoring(folder: RunFolder, scoring: Scoring) -> int:
    """Write into a run what it is to be scored with, and return the scoring's number.

    Raises:
        ValueError: If there is nothing to score, or another judge has the name.
    """
    if not re.fullmatch(r"[\w@-][\w.@-]*", scoring.name):
        raise ValueError(f"name {scoring.name!r} is no name of a folder; use letters and digits")
    check_folder(scoring.judge, "config.json")
    if not markers(folder):
        raise ValueError(f"no shard of {folder.path} is done yet, so there is nothing to score")
    folder.scores.mkdir(exist_ok=True)
    for path in folder.scores.glob("scoring-*.json"):
        before = Scoring(**read_json(path))
        if before.name == scoring.name and before.judge != scoring.judge:
            raise ValueError(
                f"{scoring.name!r} is what judge {before.judge!r} is called in {folder.path}; "
                "give another --name"
            )
    return publish_numbered(folder.scoring, asdict(scoring))


def unscored(folder: RunFolder, name: str) -> list[tuple[int, str]]:
    """Return shard and name of the parts that a judge has not scored yet."""
    return [
        (marker.shard, file.name)
        for marker in markers(folder)
        for file in marker.files
        if not folder.scored(name, file.name).is_file()
    ]


def work_scoring(run: str, number: int, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Score all finished shards, or go on until told to stop; return whether all is scored.

    What was scored is not scored again, so it may be killed at any moment and called again.

    Args:
        run: Path of the run folder.
        number: Of the scoring.
        stopping: Asked between parts; once true, work ends.
    """
    folder = RunFolder(Path(run))
    scoring = Scoring(**read_json(folder.scoring(number)))
    missing = unscored(folder, scoring.name)
    if not missing:
        return True
    from fundiff.judges import load_judge
    from fundiff.models import choose_device, quiet

    quiet()
    judge = load_judge(scoring.judge, choose_device(scoring.device))
    planned = {row.shard: row for row in read_plan(folder.plan)}
    for shard, name in missing:
        if stopping():
            return False
        rows = planned[shard]
        requests = read_requests(folder.manifest, rows.start, rows.stop)
        candidates = read_rows([folder.shard(shard) / name])
        path = folder.scored(scoring.name, name)
        path.parent.mkdir(exist_ok=True)
        write_table(list(_scores(judge, scoring, requests, candidates)), SCORES, path)
    return True


def _scores(
    judge: Any, scoring: Scoring, requests: Iterable[Request], candidates: Iterable[Candidate]
) -> Iterator[Score]:
    """Yield what a judge says of the last picture of every candidate that has one."""
    from jobs.judging import REPORTED, judge_pictures
    from jobs.recipes import open_picture

    copied = [name for name in (*REPORTED, "similarities") if name in SCORES.names]
    known = {request.request_id: request for request in requests}
    drawn = (row for row in candidates if row.stage)
    for (request_id, stage), group in groupby(drawn, lambda row: (row.request_id, row.stage)):
        request, rows = known[request_id], list(group)
        stored = [row.image if stage == 2 else row.stage_1_image for row in rows]
        images = [open_picture(picture) for picture in stored if picture]
        texts = judge.text_embeds(request.full_prompts)
        for row, said in zip(rows, judge_pictures(judge, texts, request, images), strict=True):
            yield Score(
                request_id,
                row.candidate,
                stage,
                said.alignment,
                **{name: getattr(said, name) for name in copied},
                judge=scoring.judge,
            )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a judge and the run's own agree over the pictures of a kind.

    Attributes:
        kind: Of the requests.
        candidates: That both have scored, of requests with more than one.
        spearman: Mean rank correlation of their scores within a request, or None.
        same_best: Share of the requests whose best candidate is the same.
    """

    kind: str
    candidates: int
    spearman: float | None
    same_best: float


def agreement(folder: RunFolder, name: str) -> list[Agreement]:
    """Return how a judge that scored a run agrees with the run's own, kind by kind.

    A request counts with the furthest stage that more than one of its candidates ended in.
    """
    found: dict[str, list[tuple[list[float], list[float]]]] = {}
    query = """
        select any_value(candidates.kind), list(candidates.score), list(scores.score)
        from read_parquet($index) as candidates
            join read_parquet($parts) as scores using (request_id, candidate, stage)
        where candidates.score is not null
        group by request_id, stage
        having count(*) > 1
        qualify row_number() over (partition by request_id order by stage desc) = 1
    """
    parts = [literal(path) for path in parts_of_judges(folder, [name])[name]]
    with database() as connection:
        values = {"index": literal(folder.index), "parts": parts}
        for kind, own, other in connection.execute(query, values).fetchall():
            found.setdefault(kind, []).append((own, other))
    return [_agreement(kind, groups) for kind, groups in sorted(found.items())]


def _agreement(kind: str, groups: list[tuple[list[float], list[float]]]) -> Agreement:
    rho = spearman_within(groups)
    same = sum(_best(own) == _best(other) for own, other in groups)
    candidates = sum(len(own) for own, _ in groups)
    return Agreement(kind, candidates, rho.value if rho else None, same / len(groups))


def _best(scores: list[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)
