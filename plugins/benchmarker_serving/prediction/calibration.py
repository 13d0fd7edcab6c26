"""Calibration on the validation part: temperature scaling, split conformal sets and intervals, and unlike images.

All functions are pure and know no study.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOWEST, _HIGHEST = 0.05, 20.0
_SMALLEST_PROBABILITY = 1e-12


def tempered(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    r"""Return probabilities at a temperature: :math:`q_c = p_c^{1/T} / \sum_k p_k^{1/T}`.

    For a softmax this divides the logits by :math:`T`. :math:`T > 1` makes a network less certain, :math:`T < 1` more;
    the order of the classes stays.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes), float64
        Probabilities of each image.
    temperature : float
        Temperature, without unit.

    Examples
    --------
    >>> import numpy as np
    >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3)
    array([[0.667, 0.333]])
    """
    import numpy as np

    logits = np.log(np.maximum(probabilities, _SMALLEST_PROBABILITY)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    raised = np.exp(logits)
    scaled: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return scaled


def fit_temperature(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    r"""Return the temperature with the smallest mean cross-entropy, between 0.05 and 20.

    :math:`T = \arg\min_T -\frac{1}{n} \sum_i \log q_{i, y_i}(T)` with the true classes :math:`y_i`, see `tempered`.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes), float64
        Probabilities of images that the network was not trained on.
    targets : ndarray of shape (n,), int64
        Their true classes.

    Notes
    -----
    One number is fitted, so some dozens of images suffice. A network that makes no error on them would become certain
    without bound; the lower limit keeps the temperature finite.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks", ICML, arXiv:1706.04599.

    Examples
    --------
    A network that is right in three of four cases but says 99 % is too certain:

    >>> import numpy as np
    >>> probabilities = np.array([[0.99, 0.01]] * 4)
    >>> temperature = fit_temperature(probabilities, np.array([0, 0, 0, 1]))
    >>> tempered(probabilities, temperature)[0].round(2)
    array([0.75, 0.25])
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(targets))

    def loss(logarithm: float) -> float:
        chosen = tempered(probabilities, math.exp(logarithm))[rows, targets]
        return float(-np.log(np.maximum(chosen, _SMALLEST_PROBABILITY)).mean())

    bounds = (math.log(_LOWEST), math.log(_HIGHEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))


def conformal_quantile(scores: NDArray[np.float64], coverage: float) -> float:
    r"""Return the threshold of split conformal prediction: the :math:`\lceil (n+1)(1-\alpha) \rceil`-th smallest score.

    If the calibration images and a new one are exchangeable, the score of the new one is at most the threshold with a
    probability of at least :math:`1 - \alpha`, whatever the network; without ties it is at most
    :math:`1 - \alpha + 1/(n+1)`.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
        Scores of the calibration images; larger means that the truth fits the prediction worse.
    coverage : float
        :math:`1 - \alpha`, between 0 and 1.

    Returns
    -------
    float
        Threshold; infinity where there are too few images, so that no value is excluded.

    Notes
    -----
    The coverage is an average over calibration sets: with :math:`n` images it scatters by about
    :math:`\sqrt{\alpha (1 - \alpha) / n}` from one set to the next. It does not hold for images of another survey, nor
    within subsamples.

    References
    ----------
    Vovk, Gammerman & Shafer 2005, "Algorithmic Learning in a Random World", doi:10.1007/b106715; Lei et al. 2018,
    JASA 113, 1094, doi:10.1080/01621459.2017.1307116.

    Examples
    --------
    >>> import numpy as np
    >>> conformal_quantile(np.arange(1.0, 20.0), 0.9), conformal_quantile(np.arange(5.0), 0.9)
    (18.0, inf)
    """
    import numpy as np

    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return math.inf if rank > len(scores) else float(np.sort(scores)[max(rank, 1) - 1])


def class_thresholds(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], coverage: float, *, per_class: bool = False
) -> NDArray[np.float64]:
    r"""Return the score up to which each class belongs to the set of an image; the score is :math:`1 - p_c`.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes), float64
        Probabilities of the calibration images.
    targets : ndarray of shape (n,), int64
        Their true classes.
    coverage : float
        Fraction of new images whose set holds the true class.
    per_class : bool
        Whether the coverage holds within each true class (Mondrian conformal prediction), and not on average over them.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        Thresholds; all equal unless ``per_class``.

    Notes
    -----
    These are the smallest sets on average, but a set may be empty, which means that no class fits. On average over
    classes, a rare and difficult class may be covered much less often than 90 %; ``per_class`` mends that with larger
    sets, and needs at least nine images of each class for 90 %.

    References
    ----------
    Sadinle, Lei & Wasserman 2019, JASA 114, 223, doi:10.1080/01621459.2017.1395341.

    Examples
    --------
    >>> import numpy as np
    >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> thresholds = class_thresholds(probabilities, np.array([0, 0, 1]), 0.5)
    >>> prediction_sets(np.array([[0.85, 0.15], [0.5, 0.5]]), thresholds)
    array([[ True, False],
           [False, False]])
    """
    import numpy as np

    scores = 1.0 - probabilities[np.arange(len(targets)), targets]
    n_classes = probabilities.shape[1]
    if not per_class:
        return np.full(n_classes, conformal_quantile(scores, coverage))
    return np.array([conformal_quantile(scores[targets == k], coverage) for k in range(n_classes)])


def prediction_sets(probabilities: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which classes belong to the set of each image, ndarray of shape (n, n_classes); see `class_thresholds`."""
    inside: NDArray[np.bool_] = 1.0 - probabilities <= thresholds
    return inside


def interval_widths(
    predictions: NDArray[np.float64], targets: NDArray[np.float64], coverage: float
) -> NDArray[np.float64]:
    """Return the half-width of the conformal interval of each target of a regression.

    Parameters
    ----------
    predictions, targets : ndarray of shape (n, n_targets), float64
        Predictions and truth of the calibration images, in the units of the targets.
    coverage : float
        Fraction of new images whose interval holds the truth, for each target separately.

    Returns
    -------
    ndarray of shape (n_targets,), float64
        Half-widths in the units of the targets; infinity where there are too few images. All images get the same one.

    References
    ----------
    Lei et al. 2018, JASA 113, 1094, doi:10.1080/01621459.2017.1307116.

    Examples
    --------
    >>> import numpy as np
    >>> interval_widths(np.zeros((19, 1)), np.arange(1.0, 20.0)[:, None], 0.9)
    array([18.])
    """
    import numpy as np

    errors = np.abs(predictions - targets)
    return np.array([conformal_quantile(errors[:, k], coverage) for k in range(errors.shape[1])])


class Neighbours:
    r"""Distances of images to the training part in the features of a network, to find images unlike it.

    The score of an image is the Euclidean distance of its features, scaled to length 1, to the :math:`k`-th nearest of
    the training images.

    Parameters
    ----------
    features : ndarray of shape (n, n_features), float32
        Features of training images: the inputs of the network's last layer.
    k : int
        Number of the neighbour; at most ``n``.

    References
    ----------
    Sun, Ming, Zhu & Li 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML, arXiv:2204.06507.

    Examples
    --------
    >>> import numpy as np
    >>> Neighbours(np.eye(2, dtype=np.float32), k=1)(np.array([[2.0, 0.0], [-1.0, 0.0]])).round(3)
    array([0.   , 1.414])
    """

    def __init__(self, features: NDArray[Any], k: int = 5) -> None:
        from sklearn.neighbors import NearestNeighbors

        self._search = NearestNeighbors(n_neighbors=min(k, len(features)), algorithm="brute").fit(_unit(features))

    def __call__(self, features: NDArray[Any]) -> NDArray[np.float64]:
        """Return the score of each image, ndarray of shape (n,), float64."""
        distances: NDArray[np.float64] = self._search.kneighbors(_unit(features))[0][:, -1]
        return distances


def _unit(features: NDArray[Any]) -> NDArray[np.float64]:
    """Return features scaled to length 1."""
    import numpy as np

    values: NDArray[np.float64] = np.asarray(features, dtype=np.float64)
    scaled: NDArray[np.float64] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    return scaled


def unlike_threshold(scores: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return the score above which an image counts as unlike, and the fraction of ordinary images above it.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
        Scores of calibration images.
    level : float
        Wanted fraction of ordinary images that are flagged by mistake.

    Returns
    -------
    threshold, level : float
        With ``n`` images no fraction below ``1/(n + 1)`` can be had, so a smaller level becomes this one. Without
        images nothing can be flagged.

    Examples
    --------
    >>> import numpy as np
    >>> unlike_threshold(np.arange(1.0, 100.0), 0.01)
    (99.0, 0.01)
    """
    if not len(scores):
        return math.inf, 0.0
    attainable = max(level, 1.0 / (len(scores) + 1))
    return conformal_quantile(scores, 1.0 - attainable), attainable
