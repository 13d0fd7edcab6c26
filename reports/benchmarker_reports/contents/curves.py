"""Curves over thresholds and calibration, from predicted probabilities: pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 10
"""Of equal width in a reliability diagram, as in Guo et al. 2017."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often predictions of a given confidence are right.

    Parameters
    ----------
    confidence, accuracy : ndarray of shape (bins,), float64
        Mean confidence and share of right predictions in each bin; NaN where a bin is empty.
    counts : ndarray of shape (bins,), int64
        Predictions in each bin.
    """

    confidence: Floats
    accuracy: Floats
    counts: NDArray[np.int64]

    @property
    def error(self) -> float:
        """The expected calibration error: mean distance of both, weighted by counts (Guo et al. 2017)."""
        filled = self.counts > 0
        distance = np.abs(self.confidence[filled] - self.accuracy[filled])
        return float(np.sum(self.counts[filled] * distance) / np.sum(self.counts))


def roc(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Return false and true positive rates over all thresholds.

    Parameters
    ----------
    truth : ndarray of shape (n,), bool
        Which are of the class; there must be some, and some that are not.
    scores : ndarray of shape (n,), float64
        Their predicted probabilities.

    References
    ----------
    Fawcett 2006, Pattern Recognition Letters 27, 861, doi:10.1016/j.patrec.2005.10.010.
    """
    hits, misses = _cumulative(truth, scores)
    start = np.zeros(1)
    return np.concatenate([start, misses / misses[-1]]), np.concatenate([start, hits / hits[-1]])


def area_under_roc(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Return the area under the curve of `roc`; one half is chance."""
    false_positives, true_positives = roc(truth, scores)
    return float(np.trapezoid(true_positives, false_positives))


def precision_recall(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Return recall and precision over all thresholds, from none to all.

    References
    ----------
    Davis and Goadrich 2006, ICML, doi:10.1145/1143844.1143874.
    """
    hits, misses = _cumulative(truth, scores)
    return (
        np.concatenate([np.zeros(1), hits / hits[-1]]),
        np.concatenate([np.ones(1), hits / (hits + misses)]),
    )


def average_precision(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Return precision averaged over the steps of recall, without interpolation."""
    recall, precision = precision_recall(truth, scores)
    return float(np.sum(np.diff(recall) * precision[1:]))


def reliability(truth: NDArray[np.integer[Any]], probabilities: Floats) -> Reliability:
    """Compare the confidence of predictions with how often they are right.

    Parameters
    ----------
    truth : ndarray of shape (n,), int
        The true classes.
    probabilities : ndarray of shape (n, n_classes), float64
        Predicted; the largest one is the confidence.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger 2017, ICML, arXiv:1706.04599.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = np.bincount(bins, weights=confidence, minlength=BINS) / counts
        shares = np.bincount(bins, weights=right.astype(np.float64), minlength=BINS) / counts
    return Reliability(confidence=means, accuracy=shares, counts=counts)


def brier_score(truth: NDArray[np.integer[Any]], probabilities: Floats) -> float:
    """Return the mean squared distance of probabilities from the truth, summed over classes: 0 is best, 2 worst.

    References
    ----------
    Brier 1950, Monthly Weather Review 78, 1, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    right = np.eye(probabilities.shape[1])[truth]
    return float(np.mean(np.sum((probabilities - right) ** 2, axis=1)))


def averaged(curves: list[tuple[Floats, Floats]], grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Average curves of several seeds vertically, and return mean, lowest and highest at each place of a grid.

    Parameters
    ----------
    curves : list of tuple of ndarray
        Each x, which never falls, and y.
    grid : ndarray of shape (m,), float64
        Where to average.
    """
    values = np.stack([np.interp(grid, *_last_of_each(*curve)) for curve in curves])
    return values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def _last_of_each(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Keep one y for each x: interpolation is undefined where a curve rises vertically."""
    keep = np.append(np.diff(x) > 0, True)
    return x[keep], y[keep]


def _cumulative(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Count hits and misses at each distinct threshold, from the highest down: ties are one step."""
    order = np.argsort(-scores, kind="stable")
    ranked, sorted_scores = truth[order], scores[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)
    hits = np.cumsum(ranked, dtype=np.float64)[ends]
    return hits, ends + 1 - hits
