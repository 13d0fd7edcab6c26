"""Ranks of networks over several datasets, and the critical difference between mean ranks.

Ranks are for datasets only. The seeds of one dataset share its images and are not independent blocks, so a table with
several rows per dataset, or with seeds in place of datasets, is an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarker.errors import BenchmarkerError

if TYPE_CHECKING:
    import pandas as pd

FEW_DATASETS = 5


class RanksError(BenchmarkerError):
    """A table cannot be ranked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankDiagram:
    """Content of a critical-difference diagram.

    Parameters
    ----------
    networks : tuple of str
        Names, the best mean rank first.
    mean_ranks : tuple of float
        Mean rank of each network; 1 is the best, and tied networks share the mean of their ranks.
    datasets : tuple of str
        The datasets ranked over.
    chi_squared, p : float
        Friedman's test of the hypothesis that all networks are equally good.
    critical_difference : float
        Smallest significant difference between two mean ranks (Nemenyi's test).
    groups : tuple of tuple of str
        Largest sets of networks without a significant difference: the bars of the diagram.
    level : float
        Confidence level of the critical difference.
    """

    networks: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    datasets: tuple[str, ...]
    chi_squared: float
    p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    level: float

    @property
    def caveats(self) -> tuple[str, ...]:
        """Sentences that belong beside the diagram."""
        n = len(self.datasets)
        return () if n >= FEW_DATASETS else (f"Ranks over only {n} datasets say little; use {FEW_DATASETS} or more.",)


def rank_diagram(
    table: pd.DataFrame, value: str, *, higher_is_better: bool, level: float = 0.95, network: str = "network"
) -> RankDiagram:
    r"""Rank networks over datasets with Friedman's test and Nemenyi's critical difference.

    Parameters
    ----------
    table : DataFrame
        Tidy table with the columns ``dataset``, `network` and `value`: one row per network and dataset, already
        averaged over seeds.
    value, network : str
        Names of columns.
    higher_is_better : bool
        True for scores, False for errors.
    level : float
        Confidence level of the critical difference.

    Returns
    -------
    RankDiagram
        Mean ranks, Friedman's test and groups without a significant difference.

    Raises
    ------
    RanksError
        If there are several rows per dataset (seeds), a network is missing on one, or there are too few of either.

    Notes
    -----
    For k networks on N datasets with mean ranks :math:`R_j` and without ties,

    .. math:: \chi^2 = \frac{12 N}{k (k + 1)} \sum_j \left(R_j - \frac{k + 1}{2}\right)^2

    has k - 1 degrees of freedom; ties are corrected for. Ranks ignore how large the differences are, and a group of
    networks says only that the datasets are too few to separate them.

    References
    ----------
    Friedman 1937, J. Am. Stat. Assoc. 32, 675, doi:10.1080/01621459.1937.10503522;
    Demšar 2006, J. Mach. Learn. Res. 7, 1, https://jmlr.org/papers/v7/demsar06a.html.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = {"a": [90, 80, 70, 85, 77, 93], "b": [88, 78, 65, 80, 75, 90], "c": [60, 79, 50, 55, 64, 71]}
    >>> surveys = ["first", "mirabest", "lotss", "galaxy10", "gama", "hst"]
    >>> wide = pd.DataFrame(scores, index=pd.Index(surveys, name="dataset"))
    >>> table = wide.reset_index().melt("dataset", var_name="network", value_name="accuracy")
    >>> found = rank_diagram(table, "accuracy", higher_is_better=True)
    >>> found.networks, [round(rank, 2) for rank in found.mean_ranks]
    (('a', 'b', 'c'), [1.0, 2.17, 2.83])
    >>> round(found.critical_difference, 2), found.groups
    (1.35, (('a', 'b'), ('b', 'c')))
    """
    from scipy import stats

    wide = _wide(table, value, network)
    n, k = wide.shape
    scores = wide.to_numpy(float)
    ranks = np.array([stats.rankdata(-row if higher_is_better else row) for row in scores])
    mean_ranks = ranks.mean(axis=0)
    order = np.argsort(mean_ranks, kind="stable")
    names = tuple(str(wide.columns[j]) for j in order)
    ordered = tuple(float(mean_ranks[j]) for j in order)
    difference = critical_difference(k, n, level)
    chi_squared, p = _friedman(ranks)
    return RankDiagram(
        networks=names,
        mean_ranks=ordered,
        datasets=tuple(str(name) for name in wide.index),
        chi_squared=chi_squared,
        p=p,
        critical_difference=difference,
        groups=_groups(names, ordered, difference),
        level=level,
    )


def critical_difference(n_networks: int, n_datasets: int, level: float = 0.95) -> float:
    r"""Return the smallest significant difference between two mean ranks (Nemenyi's test).

    Parameters
    ----------
    n_networks, n_datasets : int
        Number of networks ranked (k) and of datasets ranked over (N).
    level : float
        Confidence level.

    Notes
    -----
    .. math:: \mathrm{CD} = \frac{q_{k,\infty}}{\sqrt{2}} \sqrt{\frac{k (k + 1)}{6 N}}

    with the quantile q of the studentised range. The test corrects for all pairs of networks, so it is conservative
    where only some of them matter.

    References
    ----------
    Demšar 2006, J. Mach. Learn. Res. 7, 1, https://jmlr.org/papers/v7/demsar06a.html.

    Examples
    --------
    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    from scipy import stats

    quantile = float(stats.studentized_range.ppf(level, n_networks, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(n_networks * (n_networks + 1) / (6 * n_datasets))


def _friedman(ranks: NDArray[np.float64]) -> tuple[float, float]:
    """Return Friedman's statistic, corrected for ties, and its p-value."""
    from scipy import special

    n, k = ranks.shape
    between = n * float(((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum())
    within = float(((ranks - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))
    if within == 0:
        return 0.0, 1.0
    statistic = between / within
    return statistic, float(special.chdtrc(k - 1, statistic))


def _wide(table: pd.DataFrame, value: str, network: str) -> pd.DataFrame:
    missing = [name for name in ("dataset", network, value) if name not in table]
    if missing:
        hint = " Seeds are not datasets, because they share their images." if "seed" in table else ""
        raise RanksError(f"Ranks are taken over datasets, but the table has no column {missing[0]!r}.{hint}")
    several = table.duplicated(["dataset", network])
    if several.any():
        row = table[several].iloc[0]
        raise RanksError(
            f"There are several values of {row[network]} on {row['dataset']}: average over seeds first. "
            "Ranks are taken over datasets, never over seeds, which share their images."
        )
    wide = table.pivot(index="dataset", columns=network, values=value)
    if wide.isna().any(axis=None):
        raise RanksError("Every network needs a value on every dataset: leave out networks that are incomplete.")
    if len(wide) < 2 or wide.shape[1] < 2:
        raise RanksError(
            "Ranks need at least two networks on two datasets. "
            f"Received: {wide.shape[1]} network(s) on {len(wide)} dataset(s). "
            "Compare networks on one dataset by their paired differences."
        )
    return wide


def _groups(names: tuple[str, ...], ranks: tuple[float, ...], difference: float) -> tuple[tuple[str, ...], ...]:
    groups: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = max(k for k in range(first, len(names)) if ranks[k] - ranks[first] <= difference)
        if last > first and not (groups and groups[-1][1] >= last):
            groups.append((first, last))
    return tuple(names[first : last + 1] for first, last in groups)
