"""Tells a generator that collapsed: one that makes almost the same image whatever it is given.

The *diversity* of images is the standard deviation of a pixel from image to image of the same class, in quadratic mean
over pixels and classes, after averaging over blocks so that no side has more than 16 pixels: else the noise of each
pixel, which a generator rightly smooths, would count for more than the sources. It is half the mean squared distance
between two images of a class, under a square root. What is judged is the ratio of the generated images' to the real
ones'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.errors import DivergedError

BLOCKS = 16
"""Blocks on each side of an image that diversity is measured on."""

THRESHOLD = 0.1
"""A generator below this fraction of the real images' diversity makes one image with variations nobody sees."""

STEPS = 2000
"""Gradient steps that it must stay there. Generators begin uniform too, and those of images with an empty sky become so
again while they learn the sky, before they learn sources: one of 32 x 32 pixels took some hundred steps for that."""

STEPS_AT_END = 500
"""A training of at least so many steps is judged by how it ends: what is handed on then is worth nothing."""


def diversity(batches: Iterable[NDArray[np.float32]], groups: NDArray[np.int64]) -> float:
    """Return how much images of one group differ.

    Parameters
    ----------
    batches : iterable of ndarray of shape (b, height, width, channels), float32
        The images, in the order of ``groups``.
    groups : ndarray of shape (n,), int64
        Class of each image.

    Returns
    -------
    float
        In the unit of the images; 0 where no group has two images.
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

    Source: B. P. Welford (1962), Technometrics 4, 419, doi:10.1080/00401706.1962.10490022.
    """
    group[0] += 1
    step = image - group[1]
    group[1] = group[1] + step / group[0]
    group[2] = group[2] + step * (image - group[1])


def _blocks(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Average images over blocks, at most `BLOCKS` on each side; they differ by a pixel where they must."""
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
        Diversity of generated images over that of real ones, epoch by epoch.
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
