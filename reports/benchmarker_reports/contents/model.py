"""The plain values that documents draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarker import CellRecord, Summary
from benchmarker_reports.columns import marked_seeds
from benchmarker_reports.contents.curves import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a chart.

    Parameters
    ----------
    name : str
        For the legend.
    x, y : ndarray of shape (n,), float64
        What is drawn; NaN are gaps.
    low, high : ndarray of shape (n,), float64, optional
        A band around the line.
    colour : int
        Index into the palette.
    dashed : bool
        Whether the line is the lesser of two of a colour.
    """

    name: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    colour: int = 0
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A small chart with lines; several that belong together have the same axes."""

    title: str
    series: tuple[Series, ...]
    x_label: str = ""
    y_label: str = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    diagonal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number as tables show it, and as they sort by it (None is sorted last)."""

    text: str
    sort: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One network in one arm, as the leaderboard names it.

    Parameters
    ----------
    rank : int or None
        From 1; None where fewer seeds finished than were planned.
    label, arm : str
    n, planned : int
        Finished and planned seeds.
    mean, low, high : float or None
        Of the metric that the table is sorted by, with its interval; None without a value (or a second one).
    values : mapping of int to float
        Each seed's.
    cells : mapping of str to Value
        The other columns by their heads.
    runs : tuple of CellRecord
        Finished ones, in the order of seeds.
    untrained : int
        So many of them tested saved weights.
    """

    rank: int | None
    label: str
    arm: str
    n: int
    planned: int
    mean: float | None
    low: float | None
    high: float | None
    values: Mapping[int, float]
    cells: Mapping[str, Value] = field(default_factory=dict)
    runs: tuple[CellRecord, ...] = ()
    untrained: int = 0

    @property
    def seeds(self) -> str:
        """Finished and planned seeds, marked where they differ, and where saved weights were tested."""
        return marked_seeds(self.n, self.planned, self.untrained)

    @property
    def number(self) -> str:
        """The rank, or a dash."""
        return "-" if self.rank is None else str(self.rank)

    @property
    def complete(self) -> bool:
        """Whether every planned seed has finished."""
        return self.n == self.planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Test images by true and predicted class, summed over seeds.

    Parameters
    ----------
    label, arm : str
    classes : tuple of str
    seeds : int
    counts : ndarray of shape (n_classes, n_classes), int64
        Rows are true classes.
    """

    label: str
    arm: str
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    seeds: int

    @property
    def shares(self) -> Floats:
        """Each row divided by its sum; zero where a class has no image."""
        totals = self.counts.sum(axis=1, keepdims=True)
        shares: Floats = np.divide(self.counts, totals, out=np.zeros(self.counts.shape), where=totals > 0)
        return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class PerClass:
    """Precision, recall and F1 of each class for one entry, summarised over seeds.

    Parameters
    ----------
    number, label, arm : str
        The entry.
    scores : mapping of str to mapping of str to Summary
        By class, then by ``"precision"``, ``"recall"`` and ``"f1"``.
    """

    number: str
    label: str
    arm: str
    scores: Mapping[str, Mapping[str, Summary]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPoint:
    """One entry in a chart of a metric against a cost."""

    label: str
    number: str
    cost: float
    value: float
    front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CostChart:
    """A metric against a cost; ``lower`` says whether a lower cost is better."""

    name: str
    title: str
    x_label: str
    y_label: str
    points: tuple[CostPoint, ...]
    lower: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One entry's scores of its probabilities: means over seeds."""

    number: str
    label: str
    arm: str
    area: float
    average_precision: float
    calibration_error: float
    brier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An example image with its caption.

    Parameters
    ----------
    png : bytes
    name : str
        The source.
    truth : str
        Its class.
    called : str
        What the networks call it most often.
    right, runs : int
        Runs that are right, and that were tested on it.
    """

    png: bytes
    name: str
    truth: str
    called: str
    right: int
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Test images by how many networks get them right.

    Parameters
    ----------
    everyone, nobody : tuple of Picture
        A few of those that all runs, or no run, get right.
    n_everyone, n_nobody, n_images : int
        How many there are, of how many that every entry was tested on.
    entries : int
        Networks and arms that were asked.
    """

    everyone: tuple[Picture, ...]
    nobody: tuple[Picture, ...]
    n_everyone: int
    n_nobody: int
    n_images: int
    entries: int


def as_floats(values: object) -> Floats:
    """Return values as an array of float64."""
    return np.asarray(values, dtype=np.float64)
