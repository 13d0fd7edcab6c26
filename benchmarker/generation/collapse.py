"""Detects a generator that collapsed: one that makes almost the same image for every latent point and condition.

The *diversity* of images is the root mean square, over pixels and classes, of the standard deviation of a pixel among
images of one class,

    diversity² = sum_c sum_{i in c} mean_p (x_ip - mean_c,p)² / sum_c (n_c - 1),

which is half the mean squared distance between two images of a class, under a square root. Images are first averaged
over blocks, so that no side has more than 16 pixels: otherwise the noise of each pixel, which a generator rightly
smooths, would count for more than the sources. A training is judged by the ratio of the generated images' diversity to
that of real ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.errors import DivergedError

BLOCKS = 16
"""Largest number of blocks on each side of an image."""

THRESHOLD = 0.1
"""A generator below this fraction of the real images' diversity makes one image with invisible variations."""

STEPS = 2000
"""Gradient steps that it must stay below. Generators also start uniform, and those of images with an empty sky become
uniform again while they learn the sky before the sources: one of 32 x 32 pixels took some hundred steps for that."""

STEPS_AT_END = 500
"""A training of at least this many steps also fails if it ends collapsed: its samples would be worthless."""


def diversity(batches: Iterable[NDArray[np.float32]], groups: NDArray[np.int64]) -> float:
    """Return how much images of the same class differ.

    Parameters
    ----------
    batches : iterable of ndarray of shape (b, height, width, channels), float32
        Images, in the order of ``groups``.
    groups : ndarray of shape (n,), int64
        Class of each image.

    Returns
    -------
    float
        Diversity in the unit of the images; 0 where no class has two images.

    Examples
    --------
    >>> images = np.zeros((2, 8, 8, 1), np.float32)
    >>> images[1] = 1
    >>> round(diversity([images], np.array([0, 0])), 3)
    0.707
    """
    sums: dict[int, list[Any]] = {}
    done = 0
    for batch in batches:
        blocks = _blocks(batch)
        for group, image in zip(groups[done : done + len(batch)].tolist(), blocks, strict=True):
            _add(sums.setdefault(group, [0, 0.0, 0.0]), image)
        done += len(batch)
    spread = sum(float(np.mean(squares)) for _, _, squares in sums.values())
    freedom = sum(count - 1 for count, _, _ in sums.values())
    return float(np.sqrt(spread / freedom)) if freedom else 0.0


def _add(group: list[Any], image: NDArray[np.float64]) -> None:
    """Add an image to the count, the mean and the squared deviations of a group.

    Reference: B. P. Welford (1962), Technometrics 4, 419, doi:10.1080/00401706.1962.10490022.
    """
    group[0] += 1
    step = image - group[1]
    group[1] = group[1] + step / group[0]
    group[2] = group[2] + step * (image - group[1])


def _blocks(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Average images over blocks, at most `BLOCKS` on each side, whose sizes differ by a pixel at most."""
    averaged = images.astype(np.float64)
    for axis in (1, 2):
        n = averaged.shape[axis]
        if n > BLOCKS:
            edges = np.linspace(0, n, BLOCKS + 1).astype(int)
            sizes = np.diff(edges).reshape([-1 if a == axis else 1 for a in range(4)])
            averaged = np.add.reduceat(averaged, edges[:-1], axis=axis) / sizes
    return averaged


def check_collapse(ratios: Sequence[float], steps_per_epoch: int, *, last: bool) -> None:
    """Judge a training by the diversity after each of its epochs.

    Parameters
    ----------
    ratios : sequence of float
        Diversity of generated images over that of real ones, one number for each epoch.
    steps_per_epoch : int
        Gradient steps in an epoch.
    last : bool
        Whether the training is over.

    Raises
    ------
    DivergedError
        If the ratio was below `THRESHOLD` for the last `STEPS` steps or more, or is at the end of `STEPS_AT_END` or
        more.
    """
    low = 0
    while low < len(ratios) and ratios[-1 - low] < THRESHOLD:
        low += 1
    trained = len(ratios) * steps_per_epoch
    if low * steps_per_epoch >= STEPS or (last and low and trained >= STEPS_AT_END):
        raise DivergedError(
            f"the generator collapsed: its images have {ratios[-1]:.3f} of the diversity of real ones after epoch "
            f"{len(ratios)} (less than {THRESHOLD:g} for {low * steps_per_epoch} steps); try a smaller learning rate, "
            "another seed or other options"
        )
