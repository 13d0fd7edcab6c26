"""What all benchmarks share: figures with a rival and a limit, and fair timing."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured ratio, and what it must keep.

    Parameters
    ----------
    name, rival : str
        What was measured, and what it was measured against.
    ratio : float
        As the name says it; a pure number.
    bound : {"at most", "at least"}
        Which side of the limit is good.
    limit : float
        Of the ratio.
    measured : mapping of str to float
        The two sides of the ratio and whatever else helps to judge it, named with their units.
    """

    name: str
    rival: str
    ratio: float
    bound: Literal["at most", "at least"]
    limit: float
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether the limit is kept."""
        return self.ratio <= self.limit if self.bound == "at most" else self.ratio >= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return everything, with the verdict."""
        return {**asdict(self), "kept": self.kept}


def hand_over(figures: Sequence[Figure]) -> None:
    """Print figures for the runner, which started this process."""
    sys.stdout.write(json.dumps([asdict(figure) for figure in figures]) + "\n")


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def alternate(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median seconds of two actions, done in turns so that a busy machine is unfair to neither.

    Both are done once before the clock runs.
    """
    ours()
    theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)
