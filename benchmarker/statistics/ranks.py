"""Ranks of networks over several datasets, and the critical difference between mean ranks.

Only for datasets: the seeds of one dataset share its images and are no independent blocks, so tables with several rows
for a dataset, or with seeds in place of datasets, are refused.
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


class RanksError(BenchmarkerError):
    """A table cannot be ranked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankDiagram:
    """What a critical-difference diagram draws.

    Parameters
    ----------
    networks : tuple of str
        The best mean rank first.
    mean_ranks : tuple of float
        From 1, the best; ties share the mean of their ranks.
    datasets : tuple of str
        That were ranked over.
    chi_squared, p : float
        Friedman's test that all networks are alike.
    critical_difference : float
        Mean ranks that differ by less are not told apart (Nemenyi).
    groups : tuple of tuple of str
        Largest sets of networks that are not told apart: the bars of the diagram.
    level : float
    """

    networks: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    datasets: tuple[str, ...]
    chi_squared: float
    p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    level: float


def rank_diagram(
    table: pd.DataFrame, value: str, *, higher_is_better: bool, level: float = 0.95, network: str = "network"
) -> RankDiagram:
    """Rank networks over datasets.

    Parameters
    ----------
    table : DataFrame
        Tidy: columns ``dataset``, `network` and `value`, one row for each network and dataset, already averaged over
        seeds.
    value, network : str
        Names of columns.
    higher_is_better : bool
        Of the value.
    level : float
        Of the critical difference.

    Raises
    ------
    RanksError
        If there are several rows for a dataset (seeds), a network is missing on one, or too few of either.

    References
    ----------
    Friedman 1937, J. Am. Stat. Assoc. 32, 675, doi:10.1080/01621459.1937.10503522;
    Demšar 2006, J. Mach. Learn. Res. 7, 1, https://jmlr.org/papers/v7/demsar06a.html.
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
    """Return the difference between mean ranks that Nemenyi's test can tell.

    References
    ----------
    Demšar 2006, J. Mach. Learn. Res. 7, 1, https://jmlr.org/papers/v7/demsar06a.html.
    """
    from scipy import stats

    quantile = float(stats.studentized_range.ppf(level, n_networks, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(n_networks * (n_networks + 1) / (6 * n_datasets))


def _friedman(ranks: NDArray[np.float64]) -> tuple[float, float]:
    """Return Friedman's statistic with its correction for ties, and p."""
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
        hint = " Seeds are no datasets: they share their images." if "seed" in table else ""
        raise RanksError(f"ranks are taken over datasets: a column {missing[0]!r} was expected.{hint}")
    several = table.duplicated(["dataset", network])
    if several.any():
        row = table[several].iloc[0]
        raise RanksError(
            f"several values of {row[network]} on {row['dataset']}: average over seeds first. "
            "Ranks are taken over datasets, never over seeds, which share their images."
        )
    wide = table.pivot(index="dataset", columns=network, values=value)
    if wide.isna().any(axis=None):
        raise RanksError("every network needs a value on every dataset: leave out those that are incomplete")
    if len(wide) < 2 or wide.shape[1] < 2:
        raise RanksError(
            f"ranks need two networks on two datasets or more. Received: {wide.shape[1]} and {len(wide)}. "
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
