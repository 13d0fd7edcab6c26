"""Distances between two samples: Fréchet, kernel and Wasserstein distance, precision, recall, density and coverage.

Large sets are processed in blocks of rows: memory grows with the block times the larger set, never with the product of
both sets. All calculations are in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError

BLOCK = 1024
"""Default number of rows that are processed at a time."""


def frechet_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    r"""Return the Fréchet distance between two sets of features.

    It is the squared 2-Wasserstein distance between Gaussians with the means m and covariances S of the two sets,

    .. math:: d^2 = |m_1 - m_2|^2 + \mathrm{tr}\left(S_1 + S_2 - 2 (S_1 S_2)^{1/2}\right)

    with covariances normalised by n - 1. The trace of the square root is the sum of the singular values of
    :math:`R_1 R_2^T` with :math:`S = R^T R` from a QR factorisation. No matrix is squared and no root is taken of an
    eigenvalue near zero, so the result is accurate even with fewer images than features, where S is singular.

    The distance sees means and covariances only. It is biased: with few images the distance between two samples of the
    same distribution is well above zero. Compare only values of the same n, and never with the FID of papers, whose
    features come from another network.

    Parameters
    ----------
    first, second : ndarray of shape (n, d) and (m, d)
        Features of at least two images each.

    Returns
    -------
    float
        Distance in squared units of the features; 0 if means and covariances agree.

    Raises
    ------
    DataError
        If a set has fewer than two rows, or a feature is not finite.

    References
    ----------
    Dowson & Landau 1982, doi:10.1016/0047-259X(82)90077-X; Heusel et al. 2017, arXiv:1706.08500.

    Examples
    --------
    >>> features = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    >>> round(frechet_distance(features, features + [3.0, 0.0]), 9)
    9.0
    """
    one, two = _checked(first), _checked(second)
    if min(len(one), len(two)) < 2:
        raise DataError(f"a Fréchet distance needs two images in each set. Received: {len(one)} and {len(two)}")
    roots = [_covariance_root(rows) for rows in (one, two)]
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float(np.square(root).sum()) for root in roots)
    gap = float(np.square(one.mean(axis=0) - two.mean(axis=0)).sum())
    return max(0.0, float(gap + spread - 2 * shared))


def _covariance_root(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return R of shape (min(n, d), d) with the covariance of the rows as ``R.T @ R``."""
    # QR never squares a number, which would cost half of the digits.
    root: NDArray[np.float64] = np.linalg.qr(rows - rows.mean(axis=0), mode="r") / np.sqrt(len(rows) - 1)
    return root


def kernel_distance(first: NDArray[Any], second: NDArray[Any], block: int = BLOCK) -> float:
    r"""Return the kernel distance between two sets of features: the unbiased estimate of the squared MMD.

    .. math:: \mathrm{MMD}^2 = \frac{\sum_{i \ne j} k(x_i, x_j)}{n (n - 1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{m (m -
    1)}
              - \frac{2 \sum_{ij} k(x_i, y_j)}{n m}, \qquad k(x, y) = \left(\frac{x \cdot y}{d} + 1\right)^3

    MMD is the maximum mean discrepancy; this kernel compares moments of the distributions up to the third. For samples
    of the same distribution the expectation is 0 at any n, so about half of the values are negative.

    Parameters
    ----------
    first, second : ndarray of shape (n, d) and (m, d)
        Features of at least two images each.
    block : int
        Rows that are processed at a time.

    Returns
    -------
    float
        Squared discrepancy, a pure number.

    Raises
    ------
    DataError
        If a set has fewer than two rows, or a feature is not finite.

    References
    ----------
    Gretton et al. 2012, JMLR 13, 723, equation 3; Binkowski et al. 2018, arXiv:1801.01401.

    Examples
    --------
    >>> kernel_distance(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))
    7.0
    """
    one, two = _checked(first), _checked(second)
    if min(len(one), len(two)) < 2:
        raise DataError(f"a kernel distance needs two images in each set. Received: {len(one)} and {len(two)}")
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
class NeighbourhoodMeasures:
    """How generated features lie among real ones, see `neighbourhood_measures`.

    Parameters
    ----------
    precision : float
        Fraction of generated images within the neighbourhood of any real one: are they realistic?
    recall : float
        Fraction of real images within the neighbourhood of any generated one: does every kind occur?
    density : float
        Mean number of real neighbourhoods that contain a generated image, divided by k; may exceed 1.
    coverage : float
        Fraction of real images with a generated one in their neighbourhood.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhood_measures(
    real: NDArray[Any], generated: NDArray[Any], k: int = 5, block: int = BLOCK
) -> NeighbourhoodMeasures:
    r"""Return precision, recall, density and coverage of generated images.

    The neighbourhood of an image is a ball in the space of features, with a radius :math:`r_k` up to the k-th nearest
    image of the same set. With real images :math:`x_i` and generated images :math:`y_j`,

    .. math:: \mathrm{precision} &= \langle \exists i : |y_j - x_i| < r_k(x_i) \rangle_j, \qquad
              \mathrm{recall} = \langle \exists j : |x_i - y_j| < r_k(y_j) \rangle_i, \\
              \mathrm{density} &= \frac{1}{k} \Big\langle \sum_i [|y_j - x_i| < r_k(x_i)] \Big\rangle_j, \qquad
              \mathrm{coverage} = \langle \exists j : |x_i - y_j| < r_k(x_i) \rangle_i

    A generator that repeats one good image has high precision and density, but recall and coverage near 0. One that
    copies its training images passes all four. A single outlier enlarges its own neighbourhood, which density and
    coverage are less sensitive to. All values depend on n and k: compare only values of the same n and k.

    Parameters
    ----------
    real, generated : ndarray of shape (n, d) and (m, d)
        Features of more than `k` images each.
    k : int
        Number of the neighbour that sets the radius, not counting the image itself.
    block : int
        Rows that are processed at a time.

    Returns
    -------
    NeighbourhoodMeasures

    Raises
    ------
    DataError
        If a set has at most `k` rows, or a feature is not finite.

    References
    ----------
    Kynkaanniemi et al. 2019, arXiv:1904.06991 (precision, recall); Naeem et al. 2020, arXiv:2002.09797 (density,
    coverage).

    Examples
    --------
    >>> real = np.arange(8.0)[:, None]
    >>> measures = neighbourhood_measures(real, np.repeat(real[:1], 8, axis=0), k=3)
    >>> measures.precision, measures.recall, measures.coverage
    (1.0, 0.0, 0.25)
    """
    one, two = _checked(real), _checked(generated)
    if min(len(one), len(two)) <= k:
        raise DataError(f"{k} neighbours need more than {k} images in each set. Received: {len(one)} and {len(two)}")
    real_radii, generated_radii = _radii(one, k, block), _radii(two, k, block)
    counts = np.zeros(len(two), dtype=np.int64)
    recalled = np.zeros(len(one), dtype=bool)
    covered = np.zeros(len(one), dtype=bool)
    for rows, distances in _distances(one, two, block):
        counts += (distances < real_radii[rows, None]).sum(axis=0)
        recalled[rows] = (distances < generated_radii).any(axis=1)
        covered[rows] = distances.min(axis=1) < real_radii[rows]
    return NeighbourhoodMeasures(
        precision=float((counts > 0).mean()),
        recall=float(recalled.mean()),
        density=float(counts.mean() / k),
        coverage=float(covered.mean()),
    )


def wasserstein_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    r"""Return the first Wasserstein distance between two samples of a statistic.

    .. math:: W_1 = \int |F(t) - G(t)| \, dt

    with the cumulative distributions F and G: the mean distance by which values have to be moved to turn one sample
    into the other. It is sensitive to shifts and to outliers, and is biased upwards for small samples.

    Parameters
    ----------
    first, second : ndarray of shape (n,) and (m,), or (n, k) and (m, k), float64
        Values; those that are not finite are ignored. The distances of several columns are averaged.

    Returns
    -------
    float or None
        Distance in the unit of the values; None if a sample has no finite value.

    References
    ----------
    Ramdas, Trillos & Cuturi 2017, Entropy 19, 47, doi:10.3390/e19020047.

    Examples
    --------
    >>> wasserstein_distance(np.array([0.0, 1.0, np.nan]), np.array([0.5, 1.5]))
    0.5
    """
    from scipy import stats

    found = []
    for one, two in zip(_columns(first), _columns(second), strict=True):
        known = one[np.isfinite(one)], two[np.isfinite(two)]
        if not min(map(len, known)):
            return None
        found.append(float(stats.wasserstein_distance(*known)))
    return float(np.mean(found))


def _columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[None] if values.ndim == 1 else values.T


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
