r"""Variance over seeds that all rows of a table share, guarded against rows whose spread is their own.

Three seeds measure a variance with two degrees of freedom, so an interval from them is wide whatever the networks do. A
table of K networks measures it K times. If :math:`s_k^2` is the variance of network k over its :math:`S_k` seeds, the
variance of a difference of two runs, one of each network, is twice the pooled variance

.. math:: \bar{s}^2 = \frac{\sum_k \nu_k s_k^2}{\sum_k \nu_k}, \qquad \nu_k = S_k - 1

with :math:`\sum_k \nu_k` degrees of freedom: 30 instead of 2 for fifteen networks and three seeds.

Networks do not all depend on their seed alike. Plain pooling then calls an unstable network better or worse too often
(in up to 16 % of tables at a nominal 5 %, see ``docs/explanation/pooled-variance.md``). Three guards keep the error
rate:

- the variance of a difference of networks a and b is never below what the two show themselves,
  :math:`\max(2 \bar{s}^2, s_a^2 + s_b^2)`;
- the degrees of freedom shrink with the inequality of the variances (Satterthwaite 1946, with the factor that makes the
  estimate unbiased for equal variances),

  .. math:: \nu = \min\left(\sum_k \nu_k,\; \left(1 + \frac{2}{\bar{\nu}}\right)
            \frac{(\sum_k \nu_k s_k^2)^2}{\sum_k \nu_k s_k^4}\right)

- a network whose variance *stands out*, by an F test against the pooled variance of all others at the level 0.15 / K,
  is judged by its own variance and its own degrees of freedom (Welch 1947).

Where every seed draws its own split, seeds are paired: a hard split is hard for all networks. Then :math:`s_k^2` is the
variance of the residuals after the effects of rows and seeds are taken out by least squares, and :math:`\nu_k` is the
number of its seeds minus their leverages: :math:`(S - 1)(1 - 1/K)` where all rows have the same seeds.

References
----------
Satterthwaite 1946, Biometrics Bull. 2, 110, doi:10.2307/3002019;
Welch 1947, Biometrika 34, 28, doi:10.1093/biomet/34.1-2.28.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

STANDS_OUT = 0.15
"""Level, over all rows of a table together, at which the spread of a row counts as its own."""

FEWEST_ROWS = 3
"""Rows that a table must have for its variances to be pooled."""

_LEAST_FREEDOM = 1e-6

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedVariance:
    """Variance over seeds: of one run, or of the difference of two.

    Parameters
    ----------
    value : float
        Variance in the squared unit of the metric; divided by the number of seeds, that of a mean difference.
    degrees_of_freedom : float
        Degrees of freedom of the estimate.
    own : tuple of str
        Rows that are judged by their own variance because it stands out.
    """

    value: float
    degrees_of_freedom: float
    own: tuple[str, ...] = ()


class PooledVariance:
    """Variances over seeds of the rows of one table.

    Parameters
    ----------
    values : mapping of str to mapping of int to float
        The metric of each row by seed. Rows with a single seed are left out.
    paired : bool
        Whether runs of one seed share their split, so that the effects of seeds are taken out first.

    Examples
    --------
    >>> pool = PooledVariance({
    ...     "a": {1: 80.0, 2: 82.0, 3: 81.0}, "b": {1: 70.0, 2: 71.0, 3: 72.0}, "c": {1: 60.0, 2: 62.0, 3: 61.0}
    ... })
    >>> found = pool.pair("a", "b")
    >>> found.value, found.degrees_of_freedom
    (2.0, 6.0)
    """

    def __init__(self, values: Mapping[str, Mapping[int, float]], *, paired: bool = False) -> None:
        self._variance, self._freedom = _residuals(values) if paired else _within_rows(values)
        self._outstanding = {name for name in self._variance if self._stands_out(name)}

    @property
    def names(self) -> tuple[str, ...]:
        """Rows with at least two seeds."""
        return tuple(self._variance)

    @property
    def usable(self) -> bool:
        """Whether there are enough rows to pool."""
        return len(self._variance) >= FEWEST_ROWS

    @property
    def outstanding(self) -> tuple[str, ...]:
        """Rows whose variance stands out and is not pooled with the others'."""
        return tuple(sorted(self._outstanding))

    def pair(self, first: str, second: str) -> SeedVariance:
        """Return the variance over seeds of the difference of two rows, by the guards of this module.

        Parameters
        ----------
        first, second : str
            Names of two rows.
        """
        pooled, freedom = self._pooled(self._variance), self._effective_freedom()
        floor = max(2 * pooled, self._variance[first] + self._variance[second])
        own = tuple(name for name in (first, second) if name in self._outstanding)
        if not own:
            return SeedVariance(value=floor, degrees_of_freedom=freedom)
        sides = [
            (self._variance[name], self._freedom[name]) if name in own else (pooled, sum(self._freedom.values()))
            for name in (first, second)
        ]
        value = max(floor, sum(variance for variance, _ in sides))
        welch = sum(variance for variance, _ in sides) ** 2 / sum(v**2 / nu for v, nu in sides)
        return SeedVariance(value=value, degrees_of_freedom=min(freedom, welch), own=own)

    def row(self, name: str) -> SeedVariance:
        """Return the variance over seeds of one row, never below what the row shows itself.

        Parameters
        ----------
        name : str
            Name of a row.
        """
        pooled, own = self._pooled(self._variance), self._variance[name]
        freedom = self._effective_freedom()
        if name not in self._outstanding:
            return SeedVariance(value=max(pooled, own), degrees_of_freedom=freedom)
        return SeedVariance(value=max(pooled, own), degrees_of_freedom=min(freedom, self._freedom[name]), own=(name,))

    def _pooled(self, variances: Mapping[str, float]) -> float:
        total = sum(self._freedom[name] for name in variances)
        return sum(self._freedom[name] * value for name, value in variances.items()) / total

    def _effective_freedom(self) -> float:
        freedom = np.array([self._freedom[name] for name in self._variance])
        variances = np.array(list(self._variance.values()))
        weighted = float((freedom * variances**2).sum())
        total = float(freedom.sum())
        if weighted == 0:
            return total
        unbiased = 1 + 2 / float(freedom.mean())
        return min(total, unbiased * float((freedom * variances).sum()) ** 2 / weighted)

    def _stands_out(self, name: str) -> bool:
        others = {other: value for other, value in self._variance.items() if other != name}
        if len(others) < FEWEST_ROWS - 1:
            return False
        rest = self._pooled(others)
        if rest == 0:
            return self._variance[name] > 0
        freedom = sum(self._freedom[other] for other in others)
        p = float(special.fdtrc(self._freedom[name], freedom, self._variance[name] / rest))
        return p < STANDS_OUT / len(self._variance)


def _within_rows(values: Mapping[str, Mapping[int, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the sample variance of each row over its seeds, and its degrees of freedom."""
    kept = {name: np.array(list(row.values())) for name, row in values.items() if len(row) > 1}
    variances = {name: float(row.var(ddof=1)) for name, row in kept.items()}
    return variances, {name: float(len(row) - 1) for name, row in kept.items()}


def _residuals(values: Mapping[str, Mapping[int, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the residual variance of each row of a crossed table, and its degrees of freedom.

    Rows may have different seeds: row and seed effects are then those of least squares. Seeds are solved for after the
    rows are eliminated, so that thousands of rows cost little.
    """
    kept = {name: row for name, row in values.items() if len(row) > 1}
    seeds = sorted({seed for row in kept.values() for seed in row})
    if len(kept) < 2:
        return {}, {}
    table: Array = np.array([[row.get(seed, 0.0) for seed in seeds] for row in kept.values()])
    known: Array = np.array([[float(seed in row) for seed in seeds] for row in kept.values()])
    counts = known.sum(axis=1)
    shares = known / counts[:, None]
    centred = known * (table - (table.sum(axis=1) / counts)[:, None])
    inverse = np.linalg.pinv(np.diag(known.sum(axis=0)) - known.T @ shares, hermitian=True)
    effects = inverse @ centred.sum(axis=0)
    residual = centred - known * (effects - (shares @ effects)[:, None])
    weighed = shares @ inverse
    leverage = known * (np.diag(inverse) - 2 * weighed + (weighed * shares).sum(axis=1)[:, None])
    freedom = counts - 1 - leverage.sum(axis=1)
    found = {
        name: (float(squares / left), float(left))
        for name, squares, left in zip(kept, (residual**2).sum(axis=1), freedom, strict=True)
        if left > _LEAST_FREEDOM
    }
    return {name: variance for name, (variance, _) in found.items()}, {name: left for name, (_, left) in found.items()}
