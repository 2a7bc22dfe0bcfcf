"""Reading a cluster's limits."""

from pathlib import Path

import pytest

from slurm.commands import SlurmError
from slurm.limits import UNLIMITED, ClusterLimits, parse_limits, read_limits

RECORDED = Path(__file__).with_name("recorded") / "scontrol_show_config.txt"


def test_a_recorded_configuration_is_understood():
    """The numbers and features of SLURM 22.05.8 as the tests configure it."""
    assert parse_limits(RECORDED.read_text()) == ClusterLimits(
        max_array_size=5,
        max_job_count=10_000,
        version="22.05.8",
        preempt_send_user_signal=True,
        job_requeue=True,
        accounting=True,
        kill_wait_s=2,
        min_job_age_s=20,
    )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("AccountingStorageType   = (null)", "accounting", False),
        ("AccountingStorageType   = accounting_storage/none", "accounting", False),
        ("JobRequeue              = 0", "job_requeue", False),
        ("SlurmctldParameters     = (null)", "preempt_send_user_signal", False),
        (
            "SlurmctldParameters     = a,preempt_send_user_signal,b",
            "preempt_send_user_signal",
            True,
        ),
        ("MaxArraySize            = 1001", "max_array_size", 1001),
        ("SchedulerParameters     = a=1,max_array_tasks=500", "max_array_size", 500),
        ("MaxJobCount             = UNLIMITED", "max_job_count", UNLIMITED),
        ("KillWait                = 30 sec", "kill_wait_s", 30),
    ],
)
def test_each_line_decides_one_limit(line, field, value):
    """One line of the configuration, one field."""
    assert getattr(parse_limits(f"Configuration data as of now\n{line}\n"), field) == value


def test_a_machine_without_slurm_is_named_in_one_line(monkeypatch, tmp_path):
    """No traceback of subprocess: what is missing and what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        SlurmError, match=r"scontrol is not on this machine's PATH.*local"
    ) as caught:
        read_limits()
    assert "\n" not in str(caught.value)
