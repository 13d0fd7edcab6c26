"""How a study is run: jobs, devices, retries. None of it changes a result."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from benchmarker.errors import ConfigurationError

DEVICES_VARIABLE = "CUDA_VISIBLE_DEVICES"
NO_DEVICE = "-1"
_PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the cells of a study are run.

    Parameters
    ----------
    jobs : int, optional
        Number of cells at once; by default as many as `benchmarker.run.jobs.choose_jobs` finds.
    timeout : float, optional
        Seconds after which an attempt at a cell is ended; never by default.
    retries : int
        Number of times that a cell is tried again after a failure of the machine: a crash, too little memory, a
        timeout.
    retry_failed : bool
        Whether to also run cells that failed in an earlier call.
    fail_fast : bool
        Whether to stop at the first failure; what has not finished is pending then.
    gpus : tuple of str, optional
        Devices to spread the cells over; an empty tuple uses only the processor. By default those of this machine.
    """

    jobs: int | None = None
    timeout: float | None = None
    retries: int = 1
    retry_failed: bool = False
    fail_fast: bool = False
    gpus: tuple[str, ...] | None = None


def slot_devices(policy: Policy, jobs: int) -> list[str | None]:
    """Return for each job the device that its cells see, as CUDA names it; None leaves the environment as it is.

    A cell sees one device whatever the number of jobs: the devices are part of its fingerprint. Jobs take turns on the
    devices where there are more of them.
    """
    devices = found_gpus() if policy.gpus is None else policy.gpus
    if policy.gpus == ():
        return [NO_DEVICE] * jobs
    return [devices[slot % len(devices)] if devices else None for slot in range(jobs)]


def count_devices(policy: Policy) -> int:
    """Return how many GPUs the cells are spread over."""
    return len(found_gpus() if policy.gpus is None else policy.gpus)


def found_gpus() -> tuple[str, ...]:
    """Return the GPUs of this machine that may be used: ``CUDA_VISIBLE_DEVICES``, or what ``nvidia-smi`` lists.

    No backend is imported to find out, because it would allocate memory on each of them.
    """
    visible = os.environ.get(DEVICES_VARIABLE)
    if visible is not None:
        # CUDA ignores everything after the first invalid entry.
        named = [name.strip() for name in visible.split(",")]
        return tuple(named[: next((k for k, name in enumerate(named) if name in {"", NO_DEVICE}), len(named))])
    if (command := shutil.which("nvidia-smi")) is None:
        return ()
    try:
        listed = subprocess.run(
            [command, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):  # a driver that does not answer
        return ()
    return tuple(line.strip() for line in listed.stdout.splitlines() if line.strip().isdigit())


def parse_gpus(text: str) -> tuple[str, ...]:
    """Read ``0,1`` or ``none``.

    Raises
    ------
    ConfigurationError
        If an entry is empty or repeated.
    """
    if text.strip().lower() == "none":
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise ConfigurationError(
            f"--gpus: different devices separated by commas, or none, were expected. Received: {text!r}"
        )
    return names
