"""All file names of a run."""

import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything of a run lies; nothing else in the project spells these names."""

    path: Path

    def create(self) -> None:
        """Make the folder and its parts, for its owner only."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part in (self.embeddings, self.results, self.markers, self.journal, self.slurm):
            part.mkdir(exist_ok=True)

    @property
    def run_json(self) -> Path:
        """What was asked."""
        return self.path / "run.json"

    @property
    def manifest(self) -> Path:
        """The frozen manifest."""
        return self.path / "manifest.parquet"

    @property
    def plan(self) -> Path:
        """Shards and their row ranges."""
        return self.path / "plan.parquet"

    @property
    def embeddings(self) -> Path:
        """Folder of the prompt embeddings."""
        return self.path / "embeddings"

    @property
    def results(self) -> Path:
        """Folder of the shards' result folders."""
        return self.path / "results"

    @property
    def markers(self) -> Path:
        """Folder of the markers of finished shards."""
        return self.path / "done"

    @property
    def index(self) -> Path:
        """The scoring index."""
        return self.path / "index.parquet"

    @property
    def journal(self) -> Path:
        """Folder of what was submitted."""
        return self.path / "journal"

    @property
    def slurm(self) -> Path:
        """Folder of submitit: envelopes and logs."""
        return self.path / "slurm"

    @property
    def upscaled(self) -> Path:
        """Folder of stage III: orders and what was drawn for them."""
        return self.path / "upscaled"

    @property
    def scores(self) -> Path:
        """Folder of what other judges said afterwards: a folder per judge."""
        return self.path / "scores"

    def scoring(self, number: int) -> Path:
        """What the run was to be scored with, by number."""
        return self.scores / f"scoring-{number:05d}.json"

    def scored(self, judge: str, part: str) -> Path:
        """What a judge says of a part of the results, which has the same name."""
        return self.scores / judge / part

    @property
    def controls(self) -> Path:
        """A run of its own, of pictures that are no illusions, which judges are tried on."""
        return self.path / "controls"

    @property
    def picks(self) -> Path:
        """What people picked and rated."""
        return self.path / "picks.parquet"

    def order(self, number: int) -> Path:
        """What stage III was asked for, by number."""
        return self.upscaled / f"order-{number:05d}.json"

    def new_upscaled(self, order: int) -> Path:
        """A name for what was drawn for an order that no other file has."""
        return self.upscaled / f"part-{order:05d}-{uuid.uuid4().hex[:8]}.parquet"

    def shard(self, shard: int) -> Path:
        """Folder of a shard's parts and drafts."""
        return self.results / f"shard-{shard:05d}"

    def new_part(self, shard: int, attempt: str) -> Path:
        """A part's name that no other has."""
        return self.shard(shard) / f"part-{attempt}-{uuid.uuid4().hex[:8]}.parquet"

    def new_draft(self, shard: int, attempt: str) -> Path:
        """A draft's name that no other has; the underscore hides it from dataset readers."""
        return self.shard(shard) / f"_draft-{attempt}-{uuid.uuid4().hex[:8]}.parquet"

    def done(self, shard: int) -> Path:
        """The marker of a finished shard."""
        return self.markers / f"shard-{shard:05d}.json"
