"""Metrics of predictions. The core asks here and never looks at the kind of task itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Classification, Regression, Task
from benchmarker.record import Record
from benchmarker.study.plan import PrimaryMetricRecord
from benchmarker.study.runs import ClassScores, NormalisedClassScores, TargetScores

_SMALLEST_PROBABILITY = 1e-7  # that of Keras, so that losses can be compared


class Details(Record):
    """What reports show beside the metrics of the test part; the rest of its `CheckpointMetrics`."""

    confusion_matrix: tuple[tuple[int, ...], ...] | None = None
    """Images by true class (row) and predicted class (column)."""

    confusion_matrix_normalised: tuple[tuple[float, ...], ...] | None = None
    """The same with rows that sum to 1; the row of a class without images stays 0."""

    per_class: dict[str, ClassScores] | None = None
    """Scores of each class of a classification."""

    per_class_normalised: dict[str, NormalisedClassScores] | None = None
    """The same from the row-normalised confusion matrix; see `normalised_class_scores`."""

    per_target: dict[str, TargetScores] | None = None
    """Errors of each target of a regression."""

    def given(self) -> dict[str, Any]:
        """Return the parts that the task has, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def primary_metric(task: Task) -> PrimaryMetricRecord:
    """Return the metric that leaderboards of a task are sorted by.

    Examples
    --------
    >>> from benchmarker import Classification
    >>> primary_metric(Classification(classes=("FRI", "FRII"))).name
    'mean_per_class_accuracy'
    """
    if isinstance(task, Classification):
        return PrimaryMetricRecord(name="mean_per_class_accuracy", higher_is_better=True)
    return PrimaryMetricRecord(name="mean_absolute_error", higher_is_better=False)


def scores(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> dict[str, float]:
    """Return the metrics of a part: those of `classification_scores` or of `regression_scores`.

    Targets of a regression that differ in their units are divided by the widths of their ranges first; see
    `benchmarker.Regression.error_scales`.

    Parameters
    ----------
    task : Task
        Meaning of targets and predictions.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        True class indices, or true values in the units of the task.
    predictions : ndarray of shape (n, n_outputs), float64
        Probabilities, or values in the units of the task.
    """
    if isinstance(task, Classification):
        return classification_scores(targets, predictions)
    scales = np.array(task.error_scales)
    return regression_scores(targets / scales, predictions / scales)


def details(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> Details:
    """Return confusion matrix and scores of each class, or the errors of each target of a regression.

    Parameters
    ----------
    task : Task
        Meaning of targets and predictions.
    targets, predictions : ndarray
        As for `scores`.
    """
    if isinstance(task, Classification):
        return _classification_details(task, targets, predictions)
    return _regression_details(task, targets, predictions)


def collapsed_to(task: Task, targets: NDArray[Any], predictions: NDArray[np.float64]) -> str | None:
    """Return the class that a network predicts for every image, if the images are of several classes.

    Parameters
    ----------
    task : Task
        Meaning of targets and predictions; a regression never collapses.
    targets, predictions : ndarray
        As for `scores`.

    Returns
    -------
    str or None
        Name of the class; None if the network predicts several classes, or if all images are of the same class.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import Classification
    >>> task = Classification(classes=("FRI", "FRII"))
    >>> collapsed_to(task, np.array([0, 1]), np.array([[0.4, 0.6], [0.1, 0.9]]))
    'FRII'
    """
    if not isinstance(task, Classification) or len(np.unique(targets)) < 2:
        return None
    predicted = np.unique(predictions.argmax(axis=1))
    return task.classes[int(predicted[0])] if len(predicted) == 1 else None


def classification_scores(targets: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    r"""Return accuracies, macro-averaged precision, recall and F1, and the cross-entropy.

    With :math:`n_{ck}` images of class :math:`c` predicted as class :math:`k`, the recall of a class is
    :math:`r_c = n_{cc} / \sum_k n_{ck}`, its precision :math:`p_c = n_{cc} / \sum_k n_{kc}`, and its F1
    :math:`2 p_c r_c / (p_c + r_c)`. The predicted class is the one with the largest probability.

    Parameters
    ----------
    targets : ndarray of shape (n,), int64
        Index of the true class of each image.
    probabilities : ndarray of shape (n, n_classes), float64
        Probability of each class; rows sum to 1.

    Returns
    -------
    dict of str to float
        ============================  ===========================================================  ==========
        name                          definition                                                   range
        ============================  ===========================================================  ==========
        ``mean_per_class_accuracy``   mean of :math:`r_c` over classes, in percent                 0 to 100
        ``accuracy``                  fraction of images whose predicted class is the true one     0 to 1
        ``macro_precision``           mean of :math:`p_c` over classes                             0 to 1
        ``macro_recall``              mean of :math:`r_c` over classes                             0 to 1
        ``macro_f1``                  mean of the F1 of each class                                 0 to 1
        ``loss``                      :math:`-\frac{1}{n} \sum_i \ln p_i` of the true classes       0 to 16.1
        ============================  ===========================================================  ==========

    Notes
    -----
    The mean per-class accuracy (MPCA) is the mean diagonal of the row-normalised confusion matrix, also called balanced
    accuracy. Every class counts the same, however rare it is: a network that always predicts the most frequent of
    :math:`K` classes reaches :math:`100 / K`, whatever its accuracy. Rare classes dominate its scatter, since the
    standard error of a recall from :math:`n_c` images is :math:`\sqrt{r_c (1 - r_c) / n_c}`.

    Means are taken over the classes that occur among the targets. The precision of a class that is never predicted is
    set to 0. Macro F1 is the mean of F1, not the F1 of the means.

    ``loss`` is in nat. Probabilities are limited to at least 1e-7, as in Keras, and regularisation terms are left out,
    so that the losses of networks can be compared.

    References
    ----------
    Mean per-class accuracy: Becker et al. 2021, MNRAS 503, 1828, doi:10.1093/mnras/stab325; Brodersen et al. 2010,
    ICPR, doi:10.1109/ICPR.2010.764. Two definitions of macro F1: Opitz & Burst 2019, arXiv:1911.03347.

    Examples
    --------
    Nine images of a frequent and one of a rare class, all predicted as the frequent class:

    >>> import numpy as np
    >>> targets = np.array([0] * 9 + [1])
    >>> found = classification_scores(targets, np.tile([0.9, 0.1], (10, 1)))
    >>> found["accuracy"], found["mean_per_class_accuracy"]
    (0.9, 50.0)
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


def _classification_details(
    task: Classification, targets: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> Details:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    labels = np.arange(task.n_outputs)
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(targets, predicted, labels=labels)
    totals = matrix.sum(axis=1, keepdims=True)
    normalised = matrix / np.where(totals > 0, totals, 1)
    table = precision_recall_fscore_support(targets, predicted, labels=labels, average=None, zero_division=0)
    return Details(
        confusion_matrix=tuple(map(tuple, matrix.tolist())),
        confusion_matrix_normalised=tuple(map(tuple, normalised.tolist())),
        per_class={
            name: ClassScores(precision=float(precision), recall=float(recall), f1=float(f1), support=int(support))
            for name, precision, recall, f1, support in zip(task.classes, *table, strict=True)
        },
        per_class_normalised={
            name: NormalisedClassScores(precision=precision, f1=f1)
            for name, (precision, f1) in zip(task.classes, normalised_class_scores(normalised).tolist(), strict=True)
        },
    )


def normalised_class_scores(normalised: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return precision and F1 of each class from the row-normalised confusion matrix.

    With the fraction :math:`f_{ck}` of the images of class :math:`c` that are called class :math:`k`, precision is
    :math:`p_c = f_{cc} / \sum_k f_{kc}`, recall is :math:`r_c = f_{cc}`, and F1 is :math:`2 p_c r_c / (p_c + r_c)`.

    Parameters
    ----------
    normalised : ndarray of shape (n_classes, n_classes), float64
        Confusion matrix by true class (row) and predicted class (column), whose rows sum to 1.

    Returns
    -------
    ndarray of shape (n_classes, 2), float64
        Precision and F1 of each class, between 0 and 1; 0 for a class that is never predicted.

    Notes
    -----
    This is the precision of a sample in which every class is equally frequent. It answers another question than the
    precision from counts, which depends on the frequencies of the test part: where a rare class is confused with a
    frequent one, the latter is much lower. Recall is the same in both.

    References
    ----------
    Becker et al. 2021, MNRAS 503, 1828, doi:10.1093/mnras/stab325, give these values.

    Examples
    --------
    Ninety images of a frequent class, of which nine are called the rare one; all ten of the rare class are right:

    >>> import numpy as np
    >>> counts = np.array([[81, 9], [0, 10]])
    >>> normalised_class_scores(counts / counts.sum(axis=1, keepdims=True)).round(3).tolist()
    [[1.0, 0.947], [0.909, 0.952]]

    From counts the precision of the rare class is 10 / 19 = 0.526.
    """
    recall = normalised.diagonal()
    called = normalised.sum(axis=0)
    precision = recall / np.where(called > 0, called, 1)
    total = precision + recall
    return np.stack([precision, 2 * precision * recall / np.where(total > 0, total, 1)], axis=1)


def regression_scores(targets: NDArray[np.float64], predictions: NDArray[np.float64]) -> dict[str, float]:
    r"""Return the errors of a regression, averaged over its targets.

    With the error :math:`e_i = \hat y_i - y_i` of prediction :math:`\hat y_i` and truth :math:`y_i` of image :math:`i`:

    Parameters
    ----------
    targets, predictions : ndarray of shape (n, n_targets), float64
        True and predicted values in the units of the task.

    Returns
    -------
    dict of str to float
        ============================  ===============================================  ==================
        name                          definition, for each target                      unit
        ============================  ===============================================  ==================
        ``mean_absolute_error``       :math:`\langle |e_i| \rangle`                    unit of the target
        ``root_mean_squared_error``   :math:`\sqrt{\langle e_i^2 \rangle}`             unit of the target
        ``median_absolute_error``     median of :math:`|e_i|`                          unit of the target
        ``bias``                      :math:`\langle e_i \rangle`                      unit of the target
        ``loss``                      :math:`\langle e_i^2 \rangle`                    its square
        ============================  ===============================================  ==================

    Notes
    -----
    With several targets each value is the mean over targets, which has a meaning only if they share a unit. `scores`
    therefore divides targets of several units by the widths of their ranges, so that errors are fractions of a range;
    `details` holds the errors of each target in its unit.

    Single failures dominate the root mean squared error and hardly change the median; the two together show outliers. A
    positive bias means that predictions are too large. ``loss`` is in the units of the task, while networks are
    trained on targets mapped to [-1, 1].

    References
    ----------
    Hyndman & Koehler 2006, Int. J. Forecasting 22, 679, doi:10.1016/j.ijforecast.2006.03.001.

    Examples
    --------
    Inclinations in degrees:

    >>> import numpy as np
    >>> found = regression_scores(np.array([[50.0], [60.0], [70.0]]), np.array([[52.0], [60.0], [71.0]]))
    >>> found["mean_absolute_error"], found["median_absolute_error"], found["bias"]
    (1.0, 1.0, 1.0)
    """
    from sklearn.metrics import mean_absolute_error, median_absolute_error, root_mean_squared_error

    return {
        "mean_absolute_error": float(mean_absolute_error(targets, predictions)),
        "root_mean_squared_error": float(root_mean_squared_error(targets, predictions)),
        "median_absolute_error": float(median_absolute_error(targets, predictions)),
        "bias": float((predictions - targets).mean()),
        "loss": float(((predictions - targets) ** 2).mean()),
    }


def _regression_details(task: Regression, targets: NDArray[np.float64], predictions: NDArray[np.float64]) -> Details:
    return Details(
        per_target={
            target.name: TargetScores(unit=target.unit, **regression_scores(targets[:, [k]], predictions[:, [k]]))
            for k, target in enumerate(task.targets)
        }
    )
