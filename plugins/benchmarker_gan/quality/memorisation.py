"""Does a generator repeat its training images? Distances to the nearest one, under rotations and flips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError

LARGEST = 64
"""Larger images are averaged over blocks of pixels until they are no larger."""

PERCENTILE = 1.0


def symmetries(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield images under the eight rotations and flips of the square, or the four of a rectangle.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)

    Yields
    ------
    ndarray of shape (n, height, width, channels)
        The images themselves first.
    """
    square = images.shape[1] == images.shape[2]
    for turn in range(4) if square else (0, 2):
        turned = np.rot90(images, turn, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def shrink(images: NDArray[Any], largest: int = LARGEST) -> NDArray[np.float32]:
    """Return images averaged over square blocks of pixels until no side is longer than ``largest``.

    What does not fill a block at the end of a side is left out, the same on both ends where it can be.
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
    """Return how far each image is from the nearest training image, turned and mirrored as fits best, and which it is.

    Candidates are found by inner products in float32; the distance to the one found is then taken pixel by pixel in
    float64, so that a copy is at 0 and not at what rounding leaves.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Already shrunk, or of any size.
    training : iterable of ndarray of shape (m, height, width, channels)
        Batches of training images; one is held at a time, eight times.

    Returns
    -------
    distances : ndarray of shape (n,), float64
        Root mean square of the pixels' differences, in the unit of the images, after `shrink`.
    indices : ndarray of shape (n,), int64
        Position of the nearest training image.

    Raises
    ------
    DataError
        If there is no training image.
    """
    small = shrink(images)
    rows = small.reshape(len(small), -1)
    best = np.full(len(small), np.inf)
    indices = np.full(len(small), -1, dtype=np.int64)
    seen = 0
    for batch in training:
        turned = np.concatenate(list(symmetries(shrink(batch))))
        others = turned.reshape(len(turned), -1)
        # Half of the squared distance but for what is the same for all candidates of an image.
        candidates = (np.square(others).sum(axis=1) / 2 - rows @ others.T).argmin(axis=1)
        distances = np.sqrt(np.square(rows.astype(np.float64) - others[candidates]).mean(axis=1))
        better = distances < best
        best[better], indices[better] = distances[better], (candidates % len(batch) + seen)[better]
        seen += len(batch)
    if not seen:
        raise DataError("distances to training images need one training image at least")
    return best, indices


def summarise(generated: NDArray[np.float64], held_out: NDArray[np.float64]) -> dict[str, Any]:
    """Compare distances of generated images to the training part with those of held-out real images.

    Parameters
    ----------
    generated, held_out : ndarray of shape (n,) and (m,), float64
        Distances that `nearest` gave.

    Returns
    -------
    dict of str to JSON value
        ``n``, ``n_reference``; ``median`` and ``held_out_median`` of the distances, and their ``ratio``; ``threshold``,
        the first percentile of the held-out distances; ``share_below`` it, and ``expected_share``, 0.01;
        ``probability_nearer``: of a generated image being nearer than a held-out one, 0.5 where they are alike;
        ``smallest`` and ``held_out_smallest``.

    References
    ----------
    Meehan, Chaudhuri & Dasgupta 2020, arXiv:2004.05675: the same comparison, by ranks.
    """
    threshold = float(np.percentile(held_out, PERCENTILE))
    ordered = np.sort(held_out)
    beyond = len(ordered) - np.searchsorted(ordered, generated, side="right")
    ties = np.searchsorted(ordered, generated, side="right") - np.searchsorted(ordered, generated, side="left")
    medians = float(np.median(generated)), float(np.median(held_out))
    return {
        "n": len(generated),
        "n_reference": len(held_out),
        "median": medians[0],
        "held_out_median": medians[1],
        "ratio": medians[0] / medians[1] if medians[1] > 0 else None,
        "threshold": threshold,
        "share_below": float((generated < threshold).mean()),
        "expected_share": PERCENTILE / 100,
        "probability_nearer": float((beyond + ties / 2).mean() / len(held_out)),
        "smallest": float(generated.min()),
        "held_out_smallest": float(held_out.min()),
    }
