"""Curves over thresholds, and calibration, from predicted probabilities: pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker_reports.content.charts import Floats

BINS = 10
"""Bins of a reliability diagram, all of the same width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How often predictions of a given confidence are correct.

    Parameters
    ----------
    confidence, accuracy : ndarray of shape (bins,), float64
        Mean confidence and share of correct predictions in each bin; NaN where a bin is empty.
    counts : ndarray of shape (bins,), int64
        Predictions in each bin.
    """

    confidence: Floats
    accuracy: Floats
    counts: NDArray[np.int64]

    @property
    def error(self) -> float:
        r"""Expected calibration error, :math:`\sum_b (n_b / n) |\mathrm{acc}_b - \mathrm{conf}_b|` over the bins b.

        0 is perfect. The value depends on the number of bins, so compare only values of the same report.
        """
        filled = self.counts > 0
        distance = np.abs(self.confidence[filled] - self.accuracy[filled])
        return float(np.sum(self.counts[filled] * distance) / np.sum(self.counts))


def roc(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Return the receiver operating characteristic: false and true positive rates over all thresholds.

    Parameters
    ----------
    truth : ndarray of shape (n,), bool
        Whether each image is of the class; both values must occur.
    scores : ndarray of shape (n,), float64
        Predicted probabilities of the class. Ties are one step of the curve.

    Returns
    -------
    false_positives, true_positives : ndarray of shape (m,), float64
        Shares of the other images, and of those of the class, with a probability of at least each threshold, from 0
        to 1.

    References
    ----------
    Fawcett 2006, Pattern Recognition Letters 27, 861, doi:10.1016/j.patrec.2005.10.010.

    Examples
    --------
    >>> false_positives, true_positives = roc(np.array([True, False, True]), np.array([0.9, 0.6, 0.4]))
    >>> false_positives.tolist(), true_positives.tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    hits, misses = _cumulative(truth, scores)
    start = np.zeros(1)
    return np.concatenate([start, misses / misses[-1]]), np.concatenate([start, hits / hits[-1]])


def area_under_roc(truth: NDArray[np.bool_], scores: Floats) -> float:
    """Return the area under the curve of `roc`.

    It is the probability that a random image of the class has a higher score than a random other one; 0.5 is chance.

    Examples
    --------
    >>> area_under_roc(np.array([True, False, True]), np.array([0.9, 0.6, 0.4]))
    0.5
    """
    false_positives, true_positives = roc(truth, scores)
    return float(np.trapezoid(true_positives, false_positives))


def precision_recall(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Return recall and precision over all thresholds, starting from recall 0 and precision 1.

    Parameters
    ----------
    truth : ndarray of shape (n,), bool
        Whether each image is of the class; it must be true of at least one.
    scores : ndarray of shape (n,), float64
        Predicted probabilities of the class.

    Returns
    -------
    recall, precision : ndarray of shape (m,), float64
        Unlike a ROC curve, precision depends on how frequent the class is.

    References
    ----------
    Davis and Goadrich 2006, ICML, doi:10.1145/1143844.1143874.
    """
    hits, misses = _cumulative(truth, scores)
    return (
        np.concatenate([np.zeros(1), hits / hits[-1]]),
        np.concatenate([np.ones(1), hits / (hits + misses)]),
    )


def precision_at(truth: NDArray[np.bool_], scores: Floats, recall: Floats) -> Floats:
    r"""Return the precision at given recalls, interpolated between thresholds.

    Parameters
    ----------
    truth : ndarray of shape (n,), bool
        Whether each image is of the class; it must be true of at least one.
    scores : ndarray of shape (n,), float64
        Predicted probabilities of the class.
    recall : ndarray of shape (m,), float64
        Shares of the class's images, between 0 and 1.

    Returns
    -------
    ndarray of shape (m,), float64
        At recall 0, the limit from above.

    Notes
    -----
    Between two thresholds, hits TP and false alarms FP change in proportion, as they do if a share of the images in
    between is called at random. Precision is therefore no straight line in recall:

    .. math:: P = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FP}(\mathrm{TP})}

    with FP linear in TP. Of several thresholds with the same recall, the one with the fewest false alarms counts, since
    nobody would choose another one.

    References
    ----------
    Davis and Goadrich 2006, ICML, doi:10.1145/1143844.1143874.

    Examples
    --------
    One hit at once, and the second one only after three false alarms, so that 1.5 hits come with 1.5 of them:

    >>> truth = np.array([True, False, False, False, True])
    >>> scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    >>> precision_at(truth, scores, np.array([0.25, 0.5, 0.75, 1.0])).tolist()
    [1.0, 1.0, 0.5, 0.4]
    """
    hits, misses = _cumulative(truth, scores)
    first = np.append(True, np.diff(hits) > 0) & (hits > 0)
    known, alarms = hits[first], misses[first]
    # Up to the first hit, hits and false alarms grow in the ratio that they have there.
    wanted = np.maximum(recall * hits[-1], 1e-9)
    found = np.interp(wanted, np.append(0.0, known), np.append(0.0, alarms))
    precision: Floats = wanted / (wanted + found)
    return precision


def average_precision(truth: NDArray[np.bool_], scores: Floats) -> float:
    r"""Return :math:`\sum_k (R_k - R_{k-1}) P_k`: precision P averaged over the steps of recall R, not interpolated.

    Chance is the share of the class among the images.

    Examples
    --------
    >>> round(average_precision(np.array([True, False, True]), np.array([0.9, 0.6, 0.4])), 4)
    0.8333
    """
    recall, precision = precision_recall(truth, scores)
    return float(np.sum(np.diff(recall) * precision[1:]))


def reliability(truth: NDArray[np.integer[Any]], probabilities: Floats) -> Reliability:
    """Compare the confidence of predictions with how often they are correct.

    Parameters
    ----------
    truth : ndarray of shape (n,), int
        True classes.
    probabilities : ndarray of shape (n, n_classes), float64
        Predicted probabilities; the largest one of an image is the confidence.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger 2017, ICML, arXiv:1706.04599.

    Examples
    --------
    >>> found = reliability(np.array([0, 1]), np.array([[0.75, 0.25], [0.75, 0.25]]))
    >>> found.counts.tolist(), found.error
    ([0, 0, 0, 0, 0, 0, 0, 2, 0, 0], 0.25)
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = np.bincount(bins, weights=confidence, minlength=BINS) / counts
        shares = np.bincount(bins, weights=correct.astype(np.float64), minlength=BINS) / counts
    return Reliability(confidence=means, accuracy=shares, counts=counts)


def brier_score(truth: NDArray[np.integer[Any]], probabilities: Floats) -> float:
    r"""Return :math:`\frac{1}{n}\sum_i\sum_c (p_{ic} - y_{ic})^2`, where y is 1 for the true class and 0 for others.

    0 is best and 2 worst. The usual score of two classes, for the probability of one of them, is half of this.

    Parameters
    ----------
    truth : ndarray of shape (n,), int
        True classes.
    probabilities : ndarray of shape (n, n_classes), float64

    References
    ----------
    Brier 1950, Monthly Weather Review 78, 1, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Examples
    --------
    >>> brier_score(np.array([0, 1]), np.array([[0.75, 0.25], [0.75, 0.25]]))
    0.625
    """
    true = np.eye(probabilities.shape[1])[truth]
    return float(np.mean(np.sum((probabilities - true) ** 2, axis=1)))


def averaged(curves: list[tuple[Floats, Floats]], grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Average curves of several seeds vertically.

    Parameters
    ----------
    curves : list of tuple of ndarray
        x, which never falls, and y of each curve.
    grid : ndarray of shape (m,), float64
        Values of x at which to average.

    Returns
    -------
    mean, lowest, highest : ndarray of shape (m,), float64
    """
    values = np.stack([np.interp(grid, *_last_of_each(*curve)) for curve in curves])
    return values.mean(axis=0), values.min(axis=0), values.max(axis=0)


def _last_of_each(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Keep one y for each x: interpolation is undefined where a curve rises vertically."""
    keep = np.append(np.diff(x) > 0, True)
    return x[keep], y[keep]


def _cumulative(truth: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Count hits and misses at each distinct threshold, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    ranked, sorted_scores = truth[order], scores[order]
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)
    hits = np.cumsum(ranked, dtype=np.float64)[ends]
    return hits, ends + 1 - hits
