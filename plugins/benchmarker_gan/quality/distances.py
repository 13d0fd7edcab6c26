"""Distances between two sets of features: Frechet, kernel, precision, recall, density and coverage.

Everything is worked out on blocks of rows: memory grows with the block times the larger set, never with the product of
both sets. Features are float64 inside, whatever comes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError

if TYPE_CHECKING:
    from benchmarker import Stream

BLOCK = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and covariance of a set of features, gathered batch by batch.

    Parameters
    ----------
    n : int
        How many rows went in.
    mean : ndarray of shape (d,), float64
        Of the rows.
    root : ndarray of shape (r, d), float64
        ``root.T @ root`` is the sum of squares and products about the mean; r is at most d.
    """

    n: int
    mean: NDArray[np.float64]
    root: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[Any], block: int = BLOCK) -> Moments:
        """Return the moments of features, ndarray of shape (n, d), read in blocks of rows."""
        rows = _checked(features)
        gathered = cls(n=0, mean=np.zeros(rows.shape[1]), root=np.zeros((0, rows.shape[1])))
        for start in range(0, len(rows), block):
            gathered = gathered.with_batch(rows[start : start + block])
        return gathered

    def with_batch(self, features: NDArray[Any]) -> Moments:
        """Return the moments with further rows, ndarray of shape (m, d)."""
        rows = _checked(features)
        mean = rows.mean(axis=0)
        gap = (mean - self.mean) * np.sqrt(self.n * len(rows) / (self.n + len(rows)))
        # R of a QR factorisation keeps sums of squares without ever squaring, which would cost half of the digits.
        root = np.asarray(np.linalg.qr(np.concatenate([self.root, rows - mean, gap[None]]), mode="r"))
        total = self.n + len(rows)
        return Moments(n=total, mean=self.mean + (mean - self.mean) * (len(rows) / total), root=root)


def frechet_distance(first: NDArray[Any] | Moments, second: NDArray[Any] | Moments) -> float:
    """Return the Frechet distance between two Gaussians with the means and covariances of two sets of features.

    ``|m1 - m2|^2 + trace(S1 + S2 - 2 (S1 S2)^(1/2))`` with covariances that are divided by n - 1. The trace of the
    square root is the sum of the singular values of ``R1 R2^T`` where ``S = R^T R``: no matrix is squared and no root
    is taken of an eigenvalue near zero, so the result is as good with fewer images than features (n < d), where the
    covariance has no inverse. It is not corrected for n: with few images the distance of equals is above zero, and only
    values of the same n are comparable.

    Parameters
    ----------
    first, second : ndarray of shape (n, d) or Moments
        At least two rows each.

    Returns
    -------
    float
        In squared units of the features; 0 where means and covariances agree.

    Raises
    ------
    DataError
        If there are fewer than two rows, or a feature is not finite.

    References
    ----------
    Heusel et al. 2017, arXiv:1706.08500; Dowson & Landau 1982, doi:10.1016/0047-259X(82)90077-X.
    """
    one, two = (side if isinstance(side, Moments) else Moments.of(side) for side in (first, second))
    if min(one.n, two.n) < 2:
        raise DataError(f"a Frechet distance needs two images on each side. Received: {one.n} and {two.n}")
    roots = one.root / np.sqrt(one.n - 1), two.root / np.sqrt(two.n - 1)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float(np.square(root).sum()) for root in roots)
    return max(0.0, float(np.square(one.mean - two.mean).sum() + spread - 2 * shared))


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelDistance:
    """A kernel distance over subsets.

    Parameters
    ----------
    mean, deviation : float
        Of the subsets' estimates; the deviation divides by the number of subsets.
    subsets, subset_size : int
        How many, and how large.
    """

    mean: float
    deviation: float
    subsets: int
    subset_size: int


def kernel_distance(
    first: NDArray[Any], second: NDArray[Any], stream: Stream, *, subsets: int = 100, subset_size: int = 1000
) -> KernelDistance:
    """Return the kernel inception distance: the mean unbiased MMD^2 of subsets.

    Parameters
    ----------
    first, second : ndarray of shape (n, d) and (m, d)
        Features.
    stream : Stream
        What subsets are drawn from, without replacement within one.
    subsets, subset_size : int
        Where a set has no more rows than `subset_size`, all rows are used once instead: the best estimate there is.

    References
    ----------
    Binkowski et al. 2018, arXiv:1801.01401; cubic polynomial kernel ``(x.y / d + 1)^3``.
    """
    one, two = _checked(first), _checked(second)
    if subset_size >= min(len(one), len(two)):
        return KernelDistance(
            mean=squared_discrepancy(one, two), deviation=0.0, subsets=1, subset_size=min(len(one), len(two))
        )
    rng = stream.generator()
    found = [
        squared_discrepancy(
            one[rng.choice(len(one), subset_size, replace=False)], two[rng.choice(len(two), subset_size, replace=False)]
        )
        for _ in range(subsets)
    ]
    return KernelDistance(
        mean=float(np.mean(found)), deviation=float(np.std(found)), subsets=subsets, subset_size=subset_size
    )


def squared_discrepancy(first: NDArray[Any], second: NDArray[Any], block: int = BLOCK) -> float:
    """Return the unbiased estimate of MMD^2 with the kernel ``(x.y / d + 1)^3``.

    It is negative about half of the time for sets of one distribution: its expectation is 0 then, for any n.

    Parameters
    ----------
    first, second : ndarray of shape (n, d) and (m, d)
        At least two rows each.

    References
    ----------
    Gretton et al. 2012, JMLR 13, 723, equation 3; Binkowski et al. 2018, arXiv:1801.01401.
    """
    one, two = _checked(first), _checked(second)
    if min(len(one), len(two)) < 2:
        raise DataError(f"a kernel distance needs two images on each side. Received: {len(one)} and {len(two)}")
    within = [
        (_kernel_sum(side, side, block) - float(((np.square(side).sum(axis=1) / side.shape[1] + 1) ** 3).sum()))
        / (len(side) * (len(side) - 1))
        for side in (one, two)
    ]
    return within[0] + within[1] - 2 * _kernel_sum(one, two, block) / (len(one) * len(two))


def _kernel_sum(first: NDArray[np.float64], second: NDArray[np.float64], block: int) -> float:
    return sum(
        float(((first[start : start + block] @ second.T / first.shape[1] + 1) ** 3).sum())
        for start in range(0, len(first), block)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How generated features lie among real ones.

    Parameters
    ----------
    precision : float
        Share of generated images within the k-th neighbour's distance of any real one: are they real?
    recall : float
        Share of real images within the k-th neighbour's distance of any generated one: is every kind there?
    density : float
        Mean number of real neighbourhoods that a generated image is in, divided by k; may exceed 1.
    coverage : float
        Share of real images with a generated one in their neighbourhood.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def coverage_measures(real: NDArray[Any], generated: NDArray[Any], k: int = 5, block: int = BLOCK) -> Coverage:
    """Return precision, recall, density and coverage.

    Parameters
    ----------
    real, generated : ndarray of shape (n, d) and (m, d)
        Features; both n and m above `k`.
    k : int
        Neighbour that sets the radius, not counting the image itself.
    block : int
        Rows that are compared at a time.

    Raises
    ------
    DataError
        If there are not more images than `k`, or a feature is not finite.

    References
    ----------
    Kynkaanniemi et al. 2019, arXiv:1904.06991 (precision, recall); Naeem et al. 2020, arXiv:2002.09797 (density,
    coverage).
    """
    one, two = _checked(real), _checked(generated)
    if min(len(one), len(two)) <= k:
        raise DataError(f"{k} neighbours need more than {k} images on each side. Received: {len(one)} and {len(two)}")
    real_radii, generated_radii = _radii(one, k, block), _radii(two, k, block)
    counts = np.zeros(len(two), dtype=np.int64)
    recalled = np.zeros(len(one), dtype=bool)
    covered = np.zeros(len(one), dtype=bool)
    for rows, distances in _distances(one, two, block):
        counts += (distances < real_radii[rows, None]).sum(axis=0)
        recalled[rows] = (distances < generated_radii).any(axis=1)
        covered[rows] = distances.min(axis=1) < real_radii[rows]
    return Coverage(
        precision=float((counts > 0).mean()),
        recall=float(recalled.mean()),
        density=float(counts.mean() / k),
        coverage=float(covered.mean()),
    )


def _radii(features: NDArray[np.float64], k: int, block: int) -> NDArray[np.float64]:
    radii = np.empty(len(features))
    for rows, distances in _distances(features, features, block):
        radii[rows] = np.partition(distances, k, axis=1)[:, k]  # position 0 is the image itself
    return radii


def _distances(
    first: NDArray[np.float64], second: NDArray[np.float64], block: int
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    from scipy.spatial.distance import cdist

    for start in range(0, len(first), block):
        rows = slice(start, min(start + block, len(first)))
        yield rows, cdist(first[rows], second)


def _checked(features: NDArray[Any]) -> NDArray[np.float64]:
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or not rows.size:
        raise DataError(f"features must be rows of numbers, at least one. Received: shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise DataError("features must be finite numbers")
    return rows
