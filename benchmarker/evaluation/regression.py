"""Metrics of a regression, in the units of its targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Regression


def scores(targets: NDArray[np.float64], predictions: NDArray[np.float64]) -> dict[str, float]:
    """Return mean absolute, root mean squared and median absolute error, averaged over targets, and their bias.

    Parameters
    ----------
    targets, predictions : ndarray of shape (n, n_targets), float64
        In the units of the task.
    """
    from sklearn.metrics import mean_absolute_error, median_absolute_error, root_mean_squared_error

    return {
        "mean_absolute_error": float(mean_absolute_error(targets, predictions)),
        "root_mean_squared_error": float(root_mean_squared_error(targets, predictions)),
        "median_absolute_error": float(median_absolute_error(targets, predictions)),
        "bias": float((predictions - targets).mean()),
        "loss": float(((predictions - targets) ** 2).mean()),
    }


def details(task: Regression, targets: NDArray[np.float64], predictions: NDArray[np.float64]) -> dict[str, Any]:
    """Return the errors of each target by its name, with its unit."""
    return {
        "per_target": {
            target.name: {"unit": target.unit, **scores(targets[:, [k]], predictions[:, [k]])}
            for k, target in enumerate(task.targets)
        }
    }
