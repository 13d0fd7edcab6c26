"""Better, worse, equivalent or undecided; and the smallest difference that could have been seen."""

from __future__ import annotations

from benchmarker.statistics.comparison import Verdict
from benchmarker.statistics.paired import MeanDifference

DEFAULT_MARGIN = 1.0
"""Percentage points within which two networks are the same for practical purposes (Benavoli et al. 2017)."""


def equivalence_p(difference: MeanDifference, margin: float) -> float:
    """Return the p that a difference lies outside (-margin, margin): two one-sided tests, the larger p.

    Parameters
    ----------
    difference : MeanDifference
        Of two networks or arms.
    margin : float
        Half the width of the region of practical equivalence, in the unit of the metric.

    References
    ----------
    Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657, doi:10.1007/BF01068419.
    """
    if margin <= 0:
        raise ValueError(f"a positive margin was expected. Received: {margin}")
    inside = margin - abs(difference.value)
    two_sided = difference.spread.p(abs(inside))
    return two_sided / 2 if inside > 0 else 1 - two_sided / 2


def verdict(
    difference: float | None,
    p: float | None,
    p_equivalence: float | None,
    *,
    higher_is_better: bool,
    level: float = 0.95,
) -> Verdict:
    """Return what may be said of a difference.

    ``"equivalent"`` where it surely lies within the margin, also if it is surely not zero; ``"better"`` or ``"worse"``
    where it is surely not zero; else ``"undecided"``, which is no equality.

    Parameters
    ----------
    difference : float or None
        First minus second; None where there is none.
    p, p_equivalence : float or None
        That there is no difference, and that it is outside the margin; corrected for many comparisons.
    higher_is_better : bool
        Of the metric.
    level : float
        One minus the error rate that is tolerated.

    References
    ----------
    Benavoli et al. 2017, J. Mach. Learn. Res. 18 (77), arXiv:1606.04316, for the region of practical equivalence.
    """
    alpha = 1 - level
    if difference is None:
        return "undecided"
    if p_equivalence is not None and p_equivalence < alpha:
        return "equivalent"
    if p is None or p >= alpha or difference == 0:
        return "undecided"
    return "better" if (difference > 0) == higher_is_better else "worse"
