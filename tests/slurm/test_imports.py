"""What a quick command may import."""

import subprocess
import sys

import pytest

LIGHT = ("arrays", "environment", "limits", "profiles", "states", "stops", "tasks")


@pytest.mark.parametrize("module", LIGHT)
def test_what_only_looks_starts_without_submitit(module):
    """`fundiff status` answers at once."""
    code = f"import sys, slurm.{module}; sys.exit('submitit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
