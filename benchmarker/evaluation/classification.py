"""Metrics of a classification, from scikit-learn where it has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Classification

_SMALLEST_PROBABILITY = 1e-7  # as in Keras, so that losses compare


def scores(targets: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return accuracy, its mean over classes, macro-averaged precision, recall and F1, and the cross-entropy.

    Parameters
    ----------
    targets : ndarray of shape (n,), int64
        Index of the true class.
    probabilities : ndarray of shape (n, n_classes), float64
        Rows sum to one.

    Returns
    -------
    dict
        ``mean_per_class_accuracy`` is in percent: the mean of the diagonal of the row-normalised confusion matrix
        (Becker et al. 2021, doi:10.1093/mnras/stab325), over the classes that occur. All others are in [0, 1], but for
        ``loss``, the mean categorical cross-entropy in nat, without regularisation.
    """
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    predicted = probabilities.argmax(axis=1)
    present = np.unique(targets)
    precision, recall, f1, _ = precision_recall_fscore_support(
        targets, predicted, labels=present, average=None, zero_division=0
    )
    of_truth = probabilities[np.arange(len(targets)), targets]
    return {
        "mean_per_class_accuracy": 100 * float(recall.mean()),
        "accuracy": float(accuracy_score(targets, predicted)),
        "macro_precision": float(precision.mean()),
        "macro_recall": float(recall.mean()),
        "macro_f1": float(f1.mean()),
        "loss": float(-np.log(np.clip(of_truth, _SMALLEST_PROBABILITY, 1)).mean()),
    }


def details(task: Classification, targets: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """Return the confusion matrix, raw and normalised by row (true class), and precision, recall and F1 per class."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    labels = np.arange(task.n_outputs)
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(targets, predicted, labels=labels)
    totals = matrix.sum(axis=1, keepdims=True)
    table = precision_recall_fscore_support(targets, predicted, labels=labels, average=None, zero_division=0)
    return {
        "confusion_matrix": matrix.tolist(),
        "confusion_matrix_normalised": (matrix / np.where(totals > 0, totals, 1)).tolist(),
        "per_class": {
            name: {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}
            for name, precision, recall, f1, support in zip(task.classes, *table, strict=True)
        },
    }
