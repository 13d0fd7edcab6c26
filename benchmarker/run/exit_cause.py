"""Why a worker died that could not say so itself: its time was up, memory ran out, or it crashed."""

from __future__ import annotations

import signal
from pathlib import Path


def cause_of_death(code: int, *, timeout: float | None, for_memory: bool) -> tuple[str, str]:
    """Return kind and message of the failure of a worker that ended without a word.

    Parameters
    ----------
    code : int
        As `subprocess.Popen` gives it: negative where a signal ended it.
    timeout : float or None
        The seconds that it was ended for taking longer than, where it was.
    for_memory : bool
        Whether the kernel ended a process of this group meanwhile for want of memory.
    """
    if timeout is not None:
        return "timeout", f"it took more than {timeout:g} s; --timeout allows no more"
    if code >= 0:
        return "crashed", f"its process ended with code {code}"
    known = {each.value: each.name for each in signal.Signals}
    kind = "out-of-memory" if -code == signal.SIGKILL and for_memory else "crashed"
    return kind, f"its process was ended by {known.get(-code, f'signal {-code}')}"


def kills_for_memory() -> int:
    """Return how many processes of this group the kernel has ended for want of memory, ever."""
    return sum(_count_kills(folder) for folder in _memory_groups())


def _memory_groups() -> set[Path]:
    """Return where the kernel may count: this process's own control group, and the root of a container."""
    root = Path("/sys/fs/cgroup")
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8").partition("0::/")[2].partition("\n")[0]
    except (OSError, ValueError):
        own = ""
    return {root, root / own}


def _count_kills(folder: Path) -> int:
    try:
        counts = dict(line.split() for line in (folder / "memory.events").read_text(encoding="ascii").splitlines())
        return int(counts.get("oom_kill", "0"))
    except (OSError, ValueError):
        return 0
