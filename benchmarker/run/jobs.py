"""How many cells run at once where the user does not say: as many as cores, devices and memory allow."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from benchmarker.printing import counted

GIB = 1 << 30

WORKER_BYTES = GIB
"""Memory of a worker beside its images: libraries, the network, its gradients and a snapshot."""

COPIES_OF_IMAGES = 2
"""How many times a worker may hold the images: as they were prepared, and expanded by an augmentation."""

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class JobsChoice:
    """How many cells run at once, and why.

    Parameters
    ----------
    jobs : int
        Number of cells at once.
    reason : str
        What limits it, as a message for the user; empty if all cells run at once.
    """

    jobs: int
    reason: str


def choose_jobs(*, cells: int, threads: int, devices: int, image_bytes: int) -> JobsChoice:
    r"""Return how many cells to run at once.

    A cell of :math:`t` threads keeps about :math:`(1 + t) / 2` cores busy: reading, augmenting and the steps between
    two operations use one thread. On GPUs, each cell gets one.

    Parameters
    ----------
    cells : int
        Number of cells that are left.
    threads : int
        Threads of one cell.
    devices : int
        Number of GPUs; 0 without one.
    image_bytes : int
        Size of the prepared images.

    Examples
    --------
    >>> choose_jobs(cells=1, threads=2, devices=0, image_bytes=0).jobs
    1
    """
    by_cores = math.ceil(2 * cores() / (1 + threads))
    limits = [(cells, ""), (by_cores, f"{counted(cores(), 'core')}, {counted(threads, 'thread')} per cell")]
    if devices:
        limits.append((devices, counted(devices, "GPU")))
    if (memory := free_memory()) is not None:
        needed = WORKER_BYTES + COPIES_OF_IMAGES * image_bytes
        limits.append((memory // needed, f"{memory / GIB:.1f} GiB of free memory, {needed / GIB:.1f} GiB per cell"))
    jobs, reason = min(limits, key=lambda limit: limit[0])
    jobs = max(1, jobs)
    return JobsChoice(jobs, f"{counted(jobs, 'cell')} at once: {reason}; --jobs sets another number" if reason else "")


def cores() -> int:
    """Return how many cores this process may use: those that it is bound to, within the share of its control group."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _content(_CONTROL_GROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        bound = min(bound, max(1, round(int(quota) / int(period))))
    return bound


def free_memory() -> int | None:
    """Return how many bytes a new process may use, within the limit of the control group; None if that is unknown."""
    lines = _content(_MEMORY).splitlines()
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    limit, used = (_content(_CONTROL_GROUP / name).strip() for name in ("memory.max", "memory.current"))
    if limit.isdigit() and used.isdigit():
        found.append(max(0, int(limit) - int(used)))
    return min(found, default=None)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
