"""What all benchmarks share: figures with a rival and a limit, and fair timing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured ratio with its limit.

    Parameters
    ----------
    name, rival : str
        What was measured, and what it is compared with.
    ratio : float
        The ratio that `name` describes, without unit.
    bound : {"at most", "at least"}
        Whether the limit is an upper or a lower one.
    limit : float
        Limit of the ratio.
    measured : mapping of str to float
        Both sides of the ratio and whatever else helps to judge it; each name ends with its unit.
    runs : int
        Number of processes whose median the ratio is. The measured numbers are those of the first.
    note : str
        A measured number beside what it should be; it depends on the machine, so it is printed and never a limit.
    load : mapping of str to number
        How busy the machine was, as `benchmarks.load` has it; the busiest of several runs.
    """

    name: str
    rival: str
    ratio: float
    bound: Literal["at most", "at least"]
    limit: float
    measured: Mapping[str, float] = field(default_factory=dict)
    runs: int = 1
    note: str = ""
    load: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether the ratio is within its limit."""
        return self.ratio <= self.limit if self.bound == "at most" else self.ratio >= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return all fields, and whether the limit is kept."""
        return {**asdict(self), "kept": self.kept}


def print_figures(*figures: Figure) -> None:
    """Print figures as one line of JSON for `benchmarks.run`, which started this process."""
    sys.stdout.write(json.dumps([asdict(figure) for figure in figures]) + "\n")


def seconds(action: Callable[[], object]) -> float:
    """Return the duration of an action in seconds."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def alternate(
    ours: Callable[[], object], rival: Callable[[], object], repeats: int, *, ours_in_a_turn: int = 1
) -> tuple[float, float]:
    """Return the median durations of two actions in seconds.

    Both run once before they are timed, and then in turns, so that a busy machine slows both down.

    Parameters
    ----------
    ours, rival : callable
        Actions to time.
    repeats : int
        Number of turns.
    ours_in_a_turn : int
        Number of times that ours runs in each turn. With the quotient of the durations both take as long, so a short
        disturbance hits either of them.
    """
    ours()
    rival()
    turns = [([seconds(ours) for _ in range(ours_in_a_turn)], seconds(rival)) for _ in range(repeats)]
    return statistics.median(each for turn in turns for each in turn[0]), statistics.median(turn[1] for turn in turns)


def peak_bytes(module: str, n: int) -> int:
    """Return the peak memory in bytes that ``python -m module n`` prints, run in a separate process."""
    done = subprocess.run([sys.executable, "-m", module, str(n)], check=True, stdout=subprocess.PIPE, text=True)
    return int(json.loads(done.stdout.splitlines()[-1]))
