"""Slurm's commands: sbatch, squeue and scancel."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarker import BenchmarkerError, ConfigurationError, printable

_PATIENCE_SECONDS = 60

Task = tuple[int, int]
"""Number of an array job, and index of its task."""


class SlurmError(BenchmarkerError):
    """Slurm refused a request, or does not answer."""


def is_available() -> bool:
    """Return whether this machine has Slurm's commands."""
    return shutil.which("sbatch") is not None


def submit(script: Path, *, after: Sequence[int | Task] = ()) -> int:
    """Submit a job script, and return the number of the job.

    Parameters
    ----------
    script : Path
        Path of the script.
    after : sequence of int, or of tuple of int
        Jobs, and tasks of array jobs, that must have ended first, however they ended. Slurm takes those that it no
        longer knows as ended.

    Raises
    ------
    SlurmError
        If Slurm refuses it.
    """
    answer = _ask("sbatch", "--parsable", *dependency(after), str(script))
    number = answer.strip().partition(";")[0]  # the cluster's name may follow
    if not is_number(number):
        raise SlurmError(f"sbatch: the number of a job was expected. Received: {printable(answer.strip())!r}")
    return int(number)


def dependency(after: Sequence[int | Task]) -> list[str]:
    """Return the option of sbatch by which a job waits for jobs and tasks of array jobs; none if it need not wait.

    Examples
    --------
    >>> dependency([7, (4, 2)])
    ['--dependency=afterany:7:4_2']
    """
    names = [str(each) if isinstance(each, int) else f"{each[0]}_{each[1]}" for each in after]
    return [f"--dependency=afterany:{':'.join(names)}"] if names else []


def is_number(text: str) -> bool:
    """Return whether a text is the number of a job; Slurm's have at most ten digits."""
    return text.isascii() and text.isdigit() and len(text) <= 10


def queued(jobs: Mapping[int, Path]) -> dict[Task, str]:
    """Return the state of each task of some jobs that has not ended, such as ``"PENDING"`` or ``"RUNNING"``.

    The numbers come from a study, which may come from somebody else, or from another cluster. A job with such a number
    that runs another script is none of them. Jobs of all users count: several may submit one study.

    Parameters
    ----------
    jobs : mapping of int to Path
        Job script of each job.

    Raises
    ------
    SlurmError
        If Slurm does not answer.
    """
    if not jobs:
        return {}
    scripts = {number: os.path.realpath(script) for number, script in jobs.items()}
    # All tasks: a job that ended long ago is an error if it is asked for by number.
    answer = _ask("squeue", "--noheader", "--array", "--format=%F %K %T %o")
    found = {}
    for line in answer.splitlines():
        job, index, state, script = [*line.split(maxsplit=3), "", "", "", ""][:4]  # other jobs may have no script
        if is_number(job) and is_number(index) and scripts.get(int(job)) == os.path.realpath(script.strip()):
            found[int(job), int(index)] = state
    return found


def cancel(jobs: Iterable[int]) -> None:
    """Cancel jobs; those that have ended do not matter.

    Raises
    ------
    SlurmError
        If Slurm does not answer.
    """
    if numbers := sorted(set(jobs)):
        _ask("scancel", *map(str, numbers))


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{command[0]}: not found; run this on a machine that may submit jobs to Slurm, such as a login node"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{command[0]}: no answer after {_PATIENCE_SECONDS} s") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise SlurmError(f"{command[0]}: {printable(lines[-1].removeprefix(f'{command[0]}: '))}")
    return done.stdout
