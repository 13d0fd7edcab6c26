"""Caveats: sentences that belong beside a number and say what it cannot show."""

from __future__ import annotations

from collections.abc import Sequence

LARGEST_T = 10.0
"""Value of Student's t above which a table has too many comparisons for its seeds."""


def smallest_signed_rank_p(n: int) -> float:
    r"""Return the smallest two-sided p that Wilcoxon's signed-rank test can give for n pairs.

    Parameters
    ----------
    n : int
        Number of pairs, here of seeds.

    Notes
    -----
    .. math:: p_\min = 2 / 2^n

    reached where all n differences have the same sign. Five pairs are therefore never significant at 5 %.

    References
    ----------
    Wilcoxon 1945, Biometrics Bull. 1, 80, doi:10.2307/3001968.

    Examples
    --------
    >>> smallest_signed_rank_p(3), smallest_signed_rank_p(6)
    (0.25, 0.03125)
    """
    if n < 1:
        raise ValueError(f"at least one pair was expected. Received: n={n}")
    return min(1.0, 2.0 ** (1 - n))


def few_seeds(n: int, level: float = 0.95) -> str | None:
    """Return a caveat where so few seeds cannot be significant in a signed-rank test; None where they can."""
    if n < 1:
        return None
    if n == 1:
        return "One seed is too few to compare networks, so no verdict is given. Train three or more."
    smallest = smallest_signed_rank_p(n)
    return None if smallest <= 1 - level else f"{n} seeds: a signed-rank test cannot fall below p = {smallest:.4g}."


def unfinished(finished: int, planned: int) -> str | None:
    """Return a caveat where seeds are missing, for example ``"2 of 3 seeds finished"``; None where all finished."""
    return None if finished >= planned else f"{finished} of {planned} seeds finished"


def too_few_for_correction(n: int, tests: int, level: float = 0.95) -> str | None:
    """Return a caveat where n seeds can hardly be significant among so many comparisons; None where they can.

    The smallest of the p-values of a table must fall below (1 - level) / tests. The caveat is given where this requires
    Student's t with n - 1 degrees of freedom to exceed `LARGEST_T`.
    """
    from scipy import special

    if n < 2 or tests < 1:
        return None
    needed = -float(special.stdtrit(n - 1, (1 - level) / tests / 2))
    if needed < LARGEST_T:
        return None
    return (
        f"{n} seeds and {tests} comparisons: the smallest p must come from t = {needed:.0f} or more. "
        "Train more seeds or compare less."
    )


def no_spread(differences: Sequence[float]) -> str | None:
    """Return a caveat where all differences are equal, so that they have no variance; None where they differ."""
    if len(differences) < 2 or len(set(differences)) > 1:
        return None
    return f"the difference is the same under all {len(differences)} seeds, so there is no variance to judge it by"


def right_on_the_same(n: int) -> str:
    """Return the caveat of two networks that are right on exactly the same sources of a class under all n seeds."""
    return f"both are right on the same sources under all {n} seeds, so there is no variance to judge them by"
