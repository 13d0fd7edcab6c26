"""From p-values to verdicts: equivalence, the verdict on a difference, and McNemar's test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from benchmarker.statistics.paired import MeanDifference

Verdict = Literal["better", "worse", "equivalent", "undecided"]
"""What a comparison concludes about its first side."""

SIGNS: Mapping[Verdict, str] = {"better": "+", "worse": "-", "equivalent": "=", "undecided": "?"}
"""One character per verdict, for narrow tables and for readers who see no colours."""

DEFAULT_MARGIN = 1.0
"""Difference in percentage points up to which two networks are equivalent in practice (Benavoli et al. 2017)."""


def equivalence_p(difference: MeanDifference, margin: float) -> float:
    r"""Return the p-value of equivalence: two one-sided tests that a difference lies outside (-margin, margin).

    Parameters
    ----------
    difference : MeanDifference
        Difference between two networks or arms.
    margin : float
        Half the width of the region of practical equivalence, in the unit of the metric.

    Returns
    -------
    float
        The larger of the two one-sided p-values. A small value means that the two sides are equivalent.

    Notes
    -----
    .. math:: p = \max\left(p_{\Delta \le -m},\; p_{\Delta \ge m}\right)

    with the one-sided p-values of the hypotheses that the true difference :math:`\Delta` is at most -m, or at least m.
    A large p is no evidence of a difference, only of too few seeds or test sources. Choose the margin before you look
    at the results.

    References
    ----------
    Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657, doi:10.1007/BF01068419.

    Examples
    --------
    >>> from benchmarker import paired_t
    >>> difference = paired_t([0.2, 0.3, 0.1, 0.25])
    >>> round(equivalence_p(difference, margin=1.0), 4)
    0.0002
    >>> round(equivalence_p(difference, margin=0.2), 2)
    0.61
    """
    if margin <= 0:
        raise ValueError(f"a positive margin was expected. Received: {margin}")
    inside = margin - abs(difference.value)
    two_sided = difference.components.p(abs(inside))
    return two_sided / 2 if inside > 0 else 1 - two_sided / 2


def verdict(
    difference: float | None,
    p: float | None,
    p_equivalence: float | None,
    *,
    higher_is_better: bool,
    level: float = 0.95,
) -> Verdict:
    """Return the verdict on a difference: better, worse, equivalent or undecided.

    Parameters
    ----------
    difference : float or None
        First minus second, in the unit of the metric; None where there is no shared seed.
    p, p_equivalence : float or None
        Adjusted p-values of no difference and of equivalence; None where there is no such test.
    higher_is_better : bool
        True for scores, False for errors.
    level : float
        One minus the error rate that is accepted.

    Returns
    -------
    {"better", "worse", "equivalent", "undecided"}
        Verdict on the first side. ``"equivalent"`` means that the difference is significantly inside the margin, even
        if it also differs significantly from zero. ``"undecided"`` does not mean equal.

    References
    ----------
    Benavoli et al. 2017, J. Mach. Learn. Res. 18 (77), arXiv:1606.04316, for the region of practical equivalence.

    Examples
    --------
    >>> verdict(2.4, 0.01, 0.9, higher_is_better=True)
    'better'
    >>> verdict(2.4, 0.01, 0.9, higher_is_better=False)
    'worse'
    >>> verdict(0.1, 0.4, 0.02, higher_is_better=True)
    'equivalent'
    >>> verdict(2.4, 0.2, 0.9, higher_is_better=True)
    'undecided'
    """
    alpha = 1 - level
    if difference is None:
        return "undecided"
    if p_equivalence is not None and p_equivalence < alpha:
        return "equivalent"
    if p is None or p >= alpha or difference == 0:
        return "undecided"
    return "better" if (difference > 0) == higher_is_better else "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledMcNemar:
    """Result of McNemar's test on the predictions of all shared seeds; no verdict is based on it.

    Parameters
    ----------
    first_only, second_only : int
        Number of predictions that only the first side, or only the second side, got right.
    p : float
        Exact two-sided p-value. It is too small, because all predictions of all seeds are taken as independent.
    """

    first_only: int
    second_only: int
    p: float


def pooled_mcnemar(first: ArrayLike, second: ArrayLike) -> PooledMcNemar:
    r"""Test whether two networks are right equally often, with the predictions of all seeds pooled.

    Parameters
    ----------
    first, second : array_like of bool, shape (n_seeds, n_images)
        Whether each network was right; any shape will do if both are the same.

    Returns
    -------
    PooledMcNemar
        Counts and exact p-value.

    Notes
    -----
    With b and c predictions that only one side got right,

    .. math:: p = \min\left(1, 2 \sum_{k=0}^{\min(b, c)} \binom{b + c}{k} 2^{-(b + c)}\right)

    Pooling treats three trainings' predictions for the same source as three independent ones, and the luck of a seed as
    a property of the network. The p-value is therefore too small; it is shown because papers show it. For a single
    seed it compares these two trainings only, not the networks.

    References
    ----------
    McNemar 1947, Psychometrika 12, 153, doi:10.1007/BF02295996 (exact binomial form);
    Dietterich 1998, Neural Comput. 10, 1895, doi:10.1162/089976698300017197.

    Examples
    --------
    >>> found = pooled_mcnemar([True, True, True, True, True, False], [False, False, False, False, False, True])
    >>> found.first_only, found.second_only, round(found.p, 4)
    (5, 1, 0.2188)
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != other.shape:
        raise ValueError(f"predictions of the same images were expected. Received: shapes {one.shape}, {other.shape}")
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    n = gained + lost
    # Twice the smaller tail of a fair binomial, at most 1 because the tails overlap where the counts are equal.
    p = min(1.0, 2 * float(special.bdtr(min(gained, lost), n, 0.5))) if n else 1.0
    return PooledMcNemar(first_only=gained, second_only=lost, p=p)
