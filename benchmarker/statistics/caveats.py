"""Sentences that belong beside a number: what it cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

FEW_DATASETS = 5


def smallest_signed_rank_p(n: int) -> float:
    """Return the smallest two-sided p that Wilcoxon's signed-rank test can give for n pairs: 2 / 2**n.

    References
    ----------
    Wilcoxon 1945, Biometrics Bull. 1, 80, doi:10.2307/3001968.
    """
    if n < 1:
        raise ValueError(f"pairs were expected. Received: n={n}")
    return min(1.0, 2.0 ** (1 - n))


def few_seeds(n: int, level: float = 0.95) -> str | None:
    """Say that a signed-rank test over so few seeds cannot be significant; None where it can."""
    if n < 1:
        return None
    if n == 1:
        return "1 seed: nothing can be said about differences; train three or more"
    smallest = smallest_signed_rank_p(n)
    return None if smallest <= 1 - level else f"{n} seeds: a signed-rank test cannot fall below p = {smallest:.4g}"


def unfinished(finished: int, planned: int) -> str | None:
    """Say that seeds are missing; None where they are all there."""
    return None if finished >= planned else f"{finished} of {planned} seeds finished"


def differing_fingerprints(what: str) -> str | None:
    """Say that environments differ; None where ``what``, a list of the differences, is empty."""
    return f"fingerprints differ: {what}" if what else None


def too_few_for_correction(n: int, tests: int, level: float = 0.95) -> str | None:
    """Say that so many comparisons ask for a t value that so few seeds hardly reach; None where it is below 10."""
    from scipy import special

    if n < 2 or tests < 1:
        return None
    needed = -float(special.stdtrit(n - 1, (1 - level) / tests / 2))
    if needed < 10:
        return None
    return (
        f"{n} seeds and {tests} comparisons: the first of them must reach t = {needed:.0f}; "
        "train more seeds or compare less"
    )


def no_spread(differences: Sequence[float]) -> str | None:
    """Say that equal differences have no spread to be judged by; None where they differ."""
    if len(differences) < 2 or len(set(differences)) > 1:
        return None
    return f"all {len(differences)} seeds differ by the same amount: there is no spread to judge it by"


def agreed(n: int) -> str:
    """Say that networks which differ were right on the same sources of a class: no spread, but no certainty either."""
    return f"right on the same sources under all {n} seeds, by networks that differ: there is no spread to judge it by"


def few_datasets(n: int) -> str | None:
    """Say that ranks over so few datasets tell little; None for five or more."""
    return None if n >= FEW_DATASETS else f"{n} datasets: ranks over fewer than {FEW_DATASETS} tell little"
