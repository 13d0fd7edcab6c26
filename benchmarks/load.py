"""How busy a machine was while something was measured: its load, and the cores that other programs used meanwhile.

The load average of a minute counts the benchmark itself, and the one before it. Whether the machine was busy is
therefore judged by the processor time that neither this process nor its children have used.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psutil

BUSY = 0.1
"""Share of the cores that other programs may use on average on a machine that counts as idle."""


@dataclass(slots=True, kw_only=True)
class Load:
    """The load of this machine during a measurement.

    Parameters
    ----------
    cores : int
        Cores of the machine.
    began, ended : float
        Load averages of one minute, in processes, when the measurement began and ended.
    others : float
        Cores that other programs used on average meanwhile.
    """

    cores: int
    began: float
    ended: float = 0.0
    others: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether other programs used so much that figures are worth little."""
        return self.others > BUSY * self.cores

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {**asdict(self), "busy": self.busy}


@contextlib.contextmanager
def watched() -> Iterator[Load]:
    """Measure the load of a block, which has to wait for the processes that it starts."""
    load = Load(cores=os.cpu_count() or 1, began=os.getloadavg()[0])
    since, of_all, of_this = time.perf_counter(), _seconds_of_all(), _seconds_of_this()
    yield load
    others = _seconds_of_all() - of_all - (_seconds_of_this() - of_this)
    load.others = max(0.0, others / (time.perf_counter() - since))
    load.ended = os.getloadavg()[0]


def _seconds_of_all() -> float:
    """Return the processor time of all programs of this machine so far, in seconds."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)  # guests are part of these


def _seconds_of_this() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
