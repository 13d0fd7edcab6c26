"""Metrics of one run, and the same metrics without one test source each: what the jackknife over sources needs.

Every metric here is a function of sums over sources, so that leaving one out is a subtraction. The values are those
that the run's own metrics file holds; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric of one run on its test part.

    Parameters
    ----------
    value : float
        In the unit of the metric.
    left_out : ndarray of shape (n_sources,)
        The metric without one source each, in the order of the sources.
    """

    value: float
    left_out: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What a run's metrics are functions of, source by source.

    Parameters
    ----------
    sources : tuple of str
        Ascending, n_sources of them; several images may show one source.
    strata : ndarray of shape (n_sources,), int64
        True class of each source; all zero for a regression.
    values : ndarray of shape (n_sources, ...)
        Numbers of images by true and predicted class; or, for each target of a regression, number of images, sum of
        absolute and of squared errors.
    classes : int
        Of a classification; 0 for a regression.
    """

    sources: tuple[str, ...]
    strata: NDArray[np.int64]
    values: Array
    classes: int


def classification_sums(
    source_ids: Sequence[str], truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> Sums:
    """Count images by source, true and predicted class.

    Parameters
    ----------
    source_ids : sequence of str
        Source of each image, n of them.
    truth, predicted : ndarray of shape (n,), int64
        Indices of classes.
    classes : int
        How many there are.
    """
    names, position = np.unique(np.asarray(source_ids), return_inverse=True)
    values = np.zeros((names.size, classes, classes))
    np.add.at(values, (position, truth, predicted), 1.0)
    strata = values.sum(axis=2).argmax(axis=1)
    return Sums(sources=tuple(names.tolist()), strata=strata, values=values, classes=classes)


def regression_sums(source_ids: Sequence[str], truth: Array, predicted: Array) -> Sums:
    """Add up errors by source and target.

    Parameters
    ----------
    source_ids : sequence of str
        Source of each image, n of them.
    truth, predicted : ndarray of shape (n, n_targets), float64
        In the units of the task.
    """
    names, position = np.unique(np.asarray(source_ids), return_inverse=True)
    errors = predicted - truth
    values = np.zeros((names.size, errors.shape[1], 3))
    np.add.at(values, position, np.stack([np.ones_like(errors), np.abs(errors), errors**2], axis=2))
    return Sums(sources=tuple(names.tolist()), strata=np.zeros(names.size, dtype=np.int64), values=values, classes=0)


def score(sums: Sums, metric: str, index: int | None = None) -> Score | None:
    """Return a metric, or None where it is no function of these sums.

    Parameters
    ----------
    sums : Sums
        Of one run.
    metric : str
        ``"mean_per_class_accuracy"`` (percent), ``"accuracy"``, ``"macro_precision"``, ``"macro_recall"``,
        ``"macro_f1"``, ``"recall"`` (percent, of class `index`); ``"mean_absolute_error"`` or
        ``"root_mean_squared_error"``, averaged over targets or of target `index`.
    index : int, optional
        Of a class or target.
    """
    functions = _CLASSIFICATION if sums.classes else _REGRESSION
    if metric not in functions:
        return None
    total = sums.values.sum(axis=0)
    present = total.sum(axis=1) > 0 if sums.classes else np.ones(len(total), dtype=bool)
    if index is not None:
        present = present & (np.arange(len(total)) == index)
    if not present.any():
        return None
    function = functions[metric]
    value = float(function(total[None], present)[0])
    left_out = function(total[None] - sums.values, present)
    # Without its only image a metric is not defined; that source then says nothing about its spread.
    return Score(value=value, left_out=np.where(np.isfinite(left_out), left_out, value))


def _recall(counts: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        recall: Array = np.diagonal(counts, axis1=1, axis2=2) / counts.sum(axis=2)
    return recall


def _precision(counts: Array) -> Array:
    predicted = counts.sum(axis=1)
    precision: Array = np.diagonal(counts, axis1=1, axis2=2) / np.where(predicted > 0, predicted, 1)
    return precision


def _f1(counts: Array) -> Array:
    both = counts.sum(axis=1) + counts.sum(axis=2)
    f1: Array = 2 * np.diagonal(counts, axis1=1, axis2=2) / np.where(both > 0, both, 1)
    return f1


def _accuracy(counts: Array, _: NDArray[np.bool_]) -> Array:
    with np.errstate(invalid="ignore"):
        accuracy: Array = np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2))
    return accuracy


def _mean_error(sums: Array, chosen: NDArray[np.bool_]) -> Array:
    with np.errstate(invalid="ignore"):
        error: Array = (sums[:, chosen, 1] / sums[:, chosen, 0]).mean(axis=1)
    return error


def _root_mean_square(sums: Array, chosen: NDArray[np.bool_]) -> Array:
    with np.errstate(invalid="ignore"):
        error: Array = np.sqrt(np.maximum(sums[:, chosen, 2] / sums[:, chosen, 0], 0)).mean(axis=1)
    return error


_Function = Callable[[Array, NDArray[np.bool_]], Array]
_CLASSIFICATION: dict[str, _Function] = {
    "mean_per_class_accuracy": lambda counts, present: 100 * _recall(counts)[:, present].mean(axis=1),
    "recall": lambda counts, present: 100 * _recall(counts)[:, present].mean(axis=1),
    "accuracy": _accuracy,
    "macro_precision": lambda counts, present: _precision(counts)[:, present].mean(axis=1),
    "macro_recall": lambda counts, present: _recall(counts)[:, present].mean(axis=1),
    "macro_f1": lambda counts, present: _f1(counts)[:, present].mean(axis=1),
}
_REGRESSION: dict[str, _Function] = {
    "mean_absolute_error": _mean_error,
    "root_mean_squared_error": _root_mean_square,
}
