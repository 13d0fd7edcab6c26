r"""Memorisation: distances of generated images from the training images.

The distance of an image x from the training part is that to the nearest training image t in any orientation g,

.. math:: d(x) = \min_{t, g} \sqrt{\langle (x - g \cdot t)^2 \rangle}

with the mean over pixels and channels, and the eight rotations and mirror images of a square (four for a rectangle).
The distances of generated images are compared with those of held-out real images, which cannot be copies.

A copy is far below all held-out distances. A blurred generator is nearer to everything without copying anything: its
distances are smaller on average, but none is below the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError

LARGEST_SIDE = 64
"""Larger images are averaged over blocks of pixels until no side is longer."""

PERCENTILE = 1.0
"""Percentile of the held-out distances below which a generated image is suspected to be a copy."""


def orientations(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield images in the eight orientations of a square, or the four of a rectangle.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Images in any unit.

    Yields
    ------
    ndarray of shape (n, height, width, channels)
        All images in one orientation, the original one first.

    Examples
    --------
    >>> len(list(orientations(np.zeros((1, 8, 8, 1))))), len(list(orientations(np.zeros((1, 8, 9, 1)))))
    (8, 4)
    """
    square = images.shape[1] == images.shape[2]
    for quarters in range(4) if square else (0, 2):
        turned = np.rot90(images, quarters, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def shrink(images: NDArray[Any], largest: int = LARGEST_SIDE) -> NDArray[np.float32]:
    """Return images averaged over square blocks of pixels until no side is longer than ``largest``.

    Rows and columns that do not fill a block are dropped, equally on both sides where possible.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Images in any unit.
    largest : int
        Longest side in pixels.

    Returns
    -------
    ndarray of shape (n, rows, columns, channels), float32

    Examples
    --------
    >>> shrink(np.zeros((1, 150, 150, 1))).shape
    (1, 50, 50, 1)
    """
    n, height, width, channels = images.shape
    step = -(-max(height, width) // largest)
    if step == 1:
        return np.asarray(images, dtype=np.float32)
    rows, columns = height // step, width // step
    top, left = (height - rows * step) // 2, (width - columns * step) // 2
    cut = images[:, top : top + rows * step, left : left + columns * step]
    blocks = cut.reshape(n, rows, step, columns, step, channels)
    return np.asarray(blocks.mean(axis=(2, 4)), dtype=np.float32)


def nearest(images: NDArray[Any], training: Iterable[NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distance of each image from the nearest training image in any orientation, and the latter's index.

    Candidates are found by scalar products in float32. The distance to the best one is then calculated pixel by pixel
    in float64, so that a copy has a distance of exactly 0.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Images of any size, which are shrunk first.
    training : iterable of ndarray of shape (m, height, width, channels)
        Batches of training images; eight orientations of one batch are held in memory at a time.

    Returns
    -------
    distances : ndarray of shape (n,), float64
        Root mean squares of the differences between pixels, in the unit of the images.
    indices : ndarray of shape (n,), int64
        Position of the nearest training image.

    Raises
    ------
    DataError
        If there is no training image.

    Examples
    --------
    >>> training = np.arange(32.0).reshape(2, 4, 4, 1)
    >>> distances, indices = nearest(np.rot90(training[1:], axes=(1, 2)), [training])
    >>> distances.tolist(), indices.tolist()
    ([0.0], [1])
    """
    small = shrink(images)
    rows = small.reshape(len(small), -1)
    best = np.full(len(small), np.inf)
    indices = np.full(len(small), -1, dtype=np.int64)
    seen = 0
    for batch in training:
        turned = np.concatenate(list(orientations(shrink(batch))))
        others = turned.reshape(len(turned), -1)
        # Half of the squared distance, without the term that is the same for all candidates of an image.
        candidates = (np.square(others).sum(axis=1) / 2 - rows @ others.T).argmin(axis=1)
        distances = np.sqrt(np.square(rows.astype(np.float64) - others[candidates]).mean(axis=1))
        better = distances < best
        best[better], indices[better] = distances[better], (candidates % len(batch) + seen)[better]
        seen += len(batch)
    if not seen:
        raise DataError("distances to training images need at least one training image")
    return best, indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorisation:
    """Distances of generated images from the training part, compared with those of held-out images.

    Parameters
    ----------
    n, n_reference : int
        Number of generated and of held-out images.
    median, held_out_median, ratio : float
        Medians of the distances and their ratio, which is near 1 without copying; None if the held-out median is 0.
    threshold : float
        First percentile of the held-out distances.
    share_below, expected_share : float
        Fraction of generated images below the threshold, and its expectation without copying.
    probability_nearer : float
        Probability that a generated image is nearer to the training part than a held-out one, counting ties as one
        half. It is 0.5 if both have the same distribution.
    smallest, held_out_smallest : float
        Smallest distances.
    """

    n: int
    n_reference: int
    median: float
    held_out_median: float
    ratio: float | None
    threshold: float
    share_below: float
    expected_share: float
    probability_nearer: float
    smallest: float
    held_out_smallest: float


def summarise(generated: NDArray[np.float64], held_out: NDArray[np.float64]) -> Memorisation:
    r"""Compare the distances of generated images from the training part with those of held-out real images.

    The probability of being nearer is the Mann-Whitney statistic

    .. math:: \frac{1}{n m} \sum_{ij} \left([g_i < h_j] + \tfrac{1}{2} [g_i = h_j]\right)

    With fewer than 100 held-out images the threshold lies between the two smallest distances, and the fraction below it
    is coarse.

    Parameters
    ----------
    generated, held_out : ndarray of shape (n,) and (m,), float64
        Distances from `nearest`.

    References
    ----------
    Meehan, Chaudhuri & Dasgupta 2020, *A Non-Parametric Test to Detect Data-Copying in Generative Models*,
    arXiv:2004.05675: a test based on the same comparison of ranks.

    Examples
    --------
    >>> summary = summarise(np.zeros(10), np.linspace(1.0, 2.0, 10))
    >>> summary.share_below, summary.probability_nearer
    (1.0, 1.0)
    """
    threshold = float(np.percentile(held_out, PERCENTILE))
    ordered = np.sort(held_out)
    not_larger = np.searchsorted(ordered, generated, side="right")
    larger = len(ordered) - not_larger
    ties = not_larger - np.searchsorted(ordered, generated, side="left")
    medians = float(np.median(generated)), float(np.median(held_out))
    return Memorisation(
        n=len(generated),
        n_reference=len(held_out),
        median=medians[0],
        held_out_median=medians[1],
        ratio=medians[0] / medians[1] if medians[1] > 0 else None,
        threshold=threshold,
        share_below=float((generated < threshold).mean()),
        expected_share=PERCENTILE / 100,
        probability_nearer=float((larger + ties / 2).mean() / len(held_out)),
        smallest=float(generated.min()),
        held_out_smallest=float(held_out.min()),
    )
