"""Runs SLURM's own commands; what they refuse becomes one clear line."""

import subprocess

TIMEOUT_S = 60
NO_CONTROLLER = "resolve_ctls_from_dns_srv"
"""What SLURM's commands complain of where they are installed and no cluster is configured."""


class SlurmError(ValueError):
    """SLURM is missing, out of reach, or says no; the message is for the user."""


def ask_slurm(*command: str, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command of SLURM and return its answer, whatever its exit code.

    Args:
        command: The command and its arguments.
        text: Its stdin.

    Raises:
        SlurmError: If the command is missing or hangs.
    """
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise SlurmError(
            f"{command[0]} is not on this machine's PATH, so there is no SLURM here; "
            "use a login node, or run with --cluster local or inline"
        ) from None
    except subprocess.TimeoutExpired:
        raise SlurmError(
            f"{command[0]} did not answer within {TIMEOUT_S} s; see whether `sinfo` answers"
        ) from None


def run_slurm(*command: str) -> str:
    """Run a command of SLURM and return its stdout.

    Raises:
        SlurmError: If the command is missing, hangs or fails, with its own words.
    """
    answer = ask_slurm(*command)
    if answer.returncode:
        said = one_line(answer.stderr)
        if NO_CONTROLLER in said:
            said = (
                f"no SLURM answers here ({said}); use a login node, or --cluster local or inline"
            )
        raise SlurmError(f"{command[0]}: {said}")
    return answer.stdout


def one_line(stderr: str) -> str:
    """Return what a SLURM command said on stderr as one line, without its prefixes."""
    lines = (line.strip() for line in stderr.splitlines())
    said = [
        line.split(": ", 1)[-1] if ": error: " in line[:24] else line for line in lines if line
    ]
    said = [line.removeprefix("error: ") for line in said]
    return "; ".join(said) or "it failed without a word"
