"""Asking squeue and sacct, with stand-ins for both on PATH."""

import pytest

from slurm.states import query


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Stand-ins for squeue and sacct on PATH, which note how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")

    def install(name: str, answer: str, *, stderr: str = "", status: int = 0) -> None:
        (folder / f"{name}.answer").write_text(answer)
        script = folder / name
        script.write_text(
            f'#!/bin/sh\necho "$@" >> {folder}/{name}.calls\ncat {folder}/{name}.answer\n'
            f"echo '{stderr}' >&2\nexit {status}\n"
        )
        script.chmod(0o755)

    def calls(name: str) -> list[str]:
        file = folder / f"{name}.calls"
        return file.read_text().splitlines() if file.exists() else []

    install.calls = calls
    return install


def test_all_jobs_are_asked_for_in_one_call_of_each_command(commands):
    """Squeue comes first, and sacct hears only of the jobs that squeue has forgotten."""
    commands("squeue", "5_0|RUNNING|n1|None\n5_1|PENDING||Resources\n")
    commands("sacct", "6|COMPLETED|n2|0:0\n")
    found = {job.task_id: job.state for job in query(["5_0", "5_1", "6"])}
    assert found == {"5_0": "RUNNING", "5_1": "PENDING", "6": "COMPLETED"}
    (squeue,), (sacct,) = commands.calls("squeue"), commands.calls("sacct")
    assert "--array" in squeue
    assert "--jobs=5,6" in squeue
    assert "--jobs=6" in sacct


def test_squeue_is_believed_before_sacct(commands):
    """After a node failure sacct has an end, while squeue has the job waiting again."""
    commands("squeue", "5_0|PENDING||BeginTime\n")
    commands("sacct", "5_0|NODE_FAIL|n1|1:0\n5_1|COMPLETED|n1|0:0\n")
    found = {job.task_id: job.state for job in query(["5_0", "5_1"])}
    assert found == {"5_0": "PENDING", "5_1": "COMPLETED"}


def test_an_array_that_is_asked_for_as_a_whole_has_each_task_once(commands):
    """Of a task that both know, squeue's word is the only one."""
    commands("squeue", "5_0|PENDING||BeginTime\n")
    commands("sacct", "5_0|NODE_FAIL|n1|1:0\n5_1|COMPLETED|n1|0:0\n")
    found = [(job.task_id, job.state) for job in query(["5"])]
    assert found == [("5_0", "PENDING"), ("5_1", "COMPLETED")]


def test_without_accounting_a_forgotten_job_is_absent(commands):
    """Sacct fails where accounting is off; what squeue holds is still told."""
    commands("squeue", "5|RUNNING|n1|None\n")
    commands("sacct", "", stderr="Slurm accounting storage is disabled", status=1)
    assert [job.task_id for job in query(["5", "6"])] == ["5"]


def test_a_single_job_that_squeue_has_forgotten_is_no_error(commands):
    """Squeue exits with 1 and `Invalid job id specified` then."""
    commands("squeue", "", stderr="slurm_load_jobs error: Invalid job id specified", status=1)
    commands("sacct", "6|FAILED|n2|1:0\n")
    assert [job.state for job in query(["6"])] == ["FAILED"]


def test_a_controller_that_is_down_is_an_error_not_an_empty_queue(commands):
    """Otherwise a run that is under way would be submitted a second time."""
    commands("squeue", "", stderr="Unable to contact slurm controller", status=1)
    commands("sacct", "")
    with pytest.raises(ValueError, match="Unable to contact slurm controller"):
        query(["6"])


def test_no_ids_ask_nobody(commands):
    """A run that was never submitted to SLURM needs no SLURM."""
    commands("squeue", "")
    commands("sacct", "")
    assert query([]) == []
    assert commands.calls("squeue") == commands.calls("sacct") == []
