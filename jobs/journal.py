"""What a run was submitted as: written before sbatch is called, and after each answer."""

import time
from dataclasses import dataclass, field

from manifests.files import read_json, write_json
from manifests.layout import RunFolder

SUBMITTED = "submitted.json"


@dataclass(slots=True)
class Submission:
    """One submission of a run, kept in its journal.

    Attributes:
        folder: Of the run.
        profile: Name of the SLURM profile.
        shards: That were open.
        jobs: Ids that sbatch has answered so far.
    """

    folder: RunFolder
    profile: str
    shards: list[int]
    jobs: list[str] = field(default_factory=list)

    def note(self, *ids: str) -> None:
        """Add job ids and write the journal."""
        self.jobs += ids
        entry = {
            "at": time.time(),
            "profile": self.profile,
            "shards": self.shards,
            "jobs": self.jobs,
        }
        write_json(self.folder.journal / SUBMITTED, entry)


def submitted_jobs(folder: RunFolder) -> list[str]:
    """Return the ids of the SLURM jobs that the run was last submitted as."""
    journal = folder.journal / SUBMITTED
    return list(read_json(journal)["jobs"]) if journal.is_file() else []
