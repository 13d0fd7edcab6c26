"""How many cells run at once: as many as cores, GPUs and memory allow, unless the user asks for another number."""

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

SERVER_BYTES = GIB // 2
"""Memory of a process that has imported a backend and forks workers.

Measured without the pages of files, which the system can drop: 0.34 GiB with TensorFlow 2.21, 0.21 GiB with JAX 0.10.
"""

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")
_OTHER_NUMBER = "--jobs sets another number"


@dataclass(frozen=True, slots=True)
class JobsChoice:
    """How many cells run at once, and why.

    Parameters
    ----------
    jobs : int
        Number of cells at once.
    reason : str
        The number and what limits it, as a message for the user.
    """

    jobs: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is left to run.

    Parameters
    ----------
    cells : int
        Number of cells, generators included.
    generators : int
        How many of them are generators.
    threads : int
        Threads of one cell.
    image_bytes : int
        Size of the prepared images.
    servers : int
        Number of processes that are kept to fork workers.
    """

    cells: int
    generators: int = 0
    threads: int = 1
    image_bytes: int = 0
    servers: int = 0

    def counted(self, jobs: int) -> str:
        """Return how many run at once, in words."""
        if jobs < self.cells or self.cells == 1:
            return f"{counted(jobs, 'cell')} at once"
        return f"all {self.cells} {'cells and generators' if self.generators else 'cells'} at once"


@dataclass(frozen=True, slots=True)
class GpuRoom:
    """How many cells find room on GPUs.

    Parameters
    ----------
    cells : tuple of int
        Number of cells for each GPU.
    reason : str
        What limits them, as part of a sentence.
    """

    cells: tuple[int, ...]
    reason: str


def choose_jobs(waiting: Waiting, room: GpuRoom | None = None) -> JobsChoice:
    """Return how many cells to run at once.

    Parameters
    ----------
    waiting : Waiting
        What is left to run.
    room : GpuRoom, optional
        Room on GPUs; by default cells compute on the processor.

    Examples
    --------
    >>> choose_jobs(Waiting(cells=1, threads=2)).reason
    '1 cell at once: no other is left'
    """
    limits = [(waiting.cells, "")]
    if room is None:
        limits.append((cells_for_cores(waiting.threads), _cores_and_threads(waiting.threads)))
    else:
        limits.append((sum(room.cells), room.reason))
        limits.append((cores(), f"{counted(cores(), 'core')}, of which a cell on a GPU keeps one busy"))
    if (memory := free_memory()) is not None:
        needed = WORKER_BYTES + COPIES_OF_IMAGES * waiting.image_bytes
        kept = waiting.servers * SERVER_BYTES
        reason = f"{memory / GIB:.1f} GiB of free memory, {needed / GIB:.1f} GiB per cell"
        reason += f" and {kept / GIB:.1f} GiB for the process that starts them" if kept else ""
        limits.append((max(0, memory - kept) // needed, reason))
    jobs, limit = min(limits, key=lambda each: each[0])
    jobs = max(1, jobs)
    reason = limit or ("no other is left" if jobs == 1 else "cores and memory suffice")
    if room is None and jobs > 1 and jobs * waiting.threads > cores():
        reason = f"{limit or _cores_and_threads(waiting.threads)}; {_overlap(waiting.threads)}"
    other = f"; {_OTHER_NUMBER}" if waiting.cells > 1 else ""
    return JobsChoice(jobs, f"{waiting.counted(jobs)}: {reason}{other}")


def requested_jobs(requested: int, waiting: Waiting) -> JobsChoice:
    """Return how many cells run at once where the user asks for a number.

    Parameters
    ----------
    requested : int
        Value of ``--jobs``.
    waiting : Waiting
        What is left to run.

    Examples
    --------
    >>> requested_jobs(2, Waiting(cells=9)).reason
    '2 cells at once, as --jobs asks'
    """
    jobs = max(1, min(requested, waiting.cells))
    return JobsChoice(jobs, f"{waiting.counted(jobs)}{', as --jobs asks' if jobs == requested else ''}")


def cells_for_cores(threads: int) -> int:
    r"""Return how many cells keep all cores busy.

    A cell of :math:`t` threads keeps about :math:`(1 + t) / 2` cores busy: reading, augmenting and the steps between
    two operations use one thread.

    Parameters
    ----------
    threads : int
        Threads of one cell.
    """
    return math.ceil(cores() / busy_cores(1, threads))


def busy_cores(jobs: int, threads: int) -> float:
    """Return how many cores cells keep busy, as `cells_for_cores` explains."""
    return jobs * (1 + threads) / 2


def oversubscription(jobs: int, threads: int, *, on_gpus: bool = False) -> str:
    """Return what it means to run more cells at once than keep all cores busy; empty if there are no more.

    Parameters
    ----------
    jobs : int
        Number of cells at once.
    threads : int
        Threads of one cell.
    on_gpus : bool
        Whether the cells compute on GPUs, so that each keeps about one core busy.
    """
    enough = cores() if on_gpus else cells_for_cores(threads)
    if jobs <= enough:
        return ""
    cells = f"{jobs} cells {'on GPUs' if on_gpus else 'of ' + counted(threads, 'thread')}"
    busy = jobs if on_gpus else round(busy_cores(jobs, threads))
    return (
        f"{cells} would keep {busy} cores busy, but there {'is' if cores() == 1 else 'are'} {cores()}: results are the "
        f"same, but cells slow each other down; --jobs {enough} is enough"
    )


def _overlap(threads: int) -> str:
    idle = "the second thread of a cell is" if threads == 2 else "all threads of a cell but one are"
    return f"cells overlap because {idle} idle about half the time"


def _cores_and_threads(threads: int) -> str:
    return f"{counted(cores(), 'core')}, {counted(threads, 'thread')} per cell"


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
