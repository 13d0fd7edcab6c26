"""Caveats: sentences that belong beside a number and say what it cannot show."""

from __future__ import annotations

from collections.abc import Sequence

LARGEST_T = 10.0
"""Value of Student's t above which a table has too many comparisons for its seeds."""


def one_seed(n: int) -> str | None:
    """Return a caveat where there is only one seed; None where there are more."""
    return "One seed is too few to compare networks, so no verdict is given. Train three or more." if n == 1 else None


def unfinished(finished: int, planned: int) -> str | None:
    """Return a caveat where seeds are missing, for example ``"2 of 3 seeds finished"``; None where all finished."""
    return None if finished >= planned else f"{finished} of {planned} seeds finished"


def too_few_for_correction(n: int, degrees_of_freedom: float, tests: int, level: float = 0.95) -> str | None:
    """Return a caveat where n seeds can hardly be significant among so many comparisons; None where they can.

    The smallest of the p-values of a table must fall below (1 - level) / tests. The caveat is given where this requires
    Student's t to exceed `LARGEST_T`.
    """
    from scipy import special

    if n < 2 or tests < 1:
        return None
    needed = -float(special.stdtrit(degrees_of_freedom, (1 - level) / tests / 2))
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


def stands_out(row: str) -> str:
    """Return the caveat of a row that varies over seeds much more than the others of its table."""
    return f"{row} varies over seeds more than the other rows, so it is judged by its own variance"


def single_source(classes: Sequence[str]) -> str:
    """Return the caveat of classes with a single test source, or a single cluster of them."""
    return f"only one independent test source shows {', '.join(classes)}, so the variance cannot be measured"


def clustered(clusters: int) -> str:
    """Return the caveat of a study whose test sources come in clusters."""
    return f"Test sources are not independent: clusters.csv puts those of the study into {clusters} clusters."
