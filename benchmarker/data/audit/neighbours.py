"""Find the images whose descriptors are most alike, among all pairs of a set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.features import (
    CENTRES,
    VIEWS,
    ZOOM_STEPS,
    ZOOMS,
    Array,
    Features,
    descriptors,
    workers,
)

NEIGHBOURS = 100
_COMPONENTS = 48
_BLOCK = 512


def nearest_pairs(features: Features, neighbours: int = NEIGHBOURS) -> NDArray[np.int64]:
    """Return pairs of each image with those whose descriptors are nearest to its own.

    Parameters
    ----------
    features : Features
        Features of n images.
    neighbours : int
        Number of neighbours of each image for each of its three centres, as seen without the background; with it, half
        as many are added.

    Returns
    -------
    ndarray of shape (m, 4), int64
        Indices of pairs, the lower one first, the centre around which they are alike, and the steps of the zoom by
        which the second one must be magnified for that, in ascending order. A pair that was found more than once is
        there with each of its centres and zooms.

    Notes
    -----
    The background of a galaxy that is seen face-on hides its details, but that of a small source tells much of it, so
    neighbours of both kinds are taken. The descriptors are projected on their 48 first principal components, each
    divided by its deviation to the power of 0.9, so that neither the brightest structure nor the noise decides alone.
    All pairs are compared in blocks: the time grows as :math:`n^2`, the memory as :math:`n`. Each image is looked up at
    seven zooms.
    """
    wanted = [neighbours if view < CENTRES else neighbours // 2 for view in range(VIEWS)]
    pairs = [_pairs_of(features, view, min(k, len(features) - 1)) for view, k in enumerate(wanted)]
    return np.unique(np.concatenate(pairs), axis=0)


def _pairs_of(features: Features, view: int, k: int) -> NDArray[np.int64]:
    """Return pairs of each image with the k nearest ones by one of their descriptors, with centre and zoom."""
    plain = descriptors(features, view)
    mean = plain.mean(axis=0)
    project = _projection(plain - mean)
    queries = [(descriptors(features, view, zoom) - mean) @ project for zoom in ZOOMS]
    stored = queries[ZOOM_STEPS]
    # One product of matrices gives the squares of all distances.
    right = np.concatenate([-2 * stored, _squares(stored), np.ones_like(stored[:, :1])], axis=1).T.copy()
    left = [np.concatenate([query, np.ones_like(query[:, :1]), _squares(query)], axis=1) for query in queries]

    def looked_up(start: int) -> NDArray[np.int64]:
        block = np.arange(start, min(start + _BLOCK, len(features)))
        distance = left[0][block] @ right
        for query in left[1:]:
            np.minimum(distance, query[block] @ right, out=distance)
        distance[np.arange(len(block)), block] = np.inf
        found = np.argpartition(distance, k - 1, axis=1)[:, :k]
        each = np.stack([((query[block, None] - stored[found]) ** 2).sum(axis=2) for query in queries])
        zoom = each.argmin(axis=0).ravel() - ZOOM_STEPS
        query, other = np.repeat(block, k), found.ravel()
        centre = np.full(len(query), view % CENTRES)
        lower = query < other
        return np.stack(
            [np.where(lower, query, other), np.where(lower, other, query), centre, np.where(lower, -zoom, zoom)], axis=1
        )

    with ThreadPoolExecutor(workers()) as pool:
        return np.concatenate(list(pool.map(looked_up, range(0, len(features), _BLOCK))))


def _squares(vectors: Array) -> Array:
    """Return the squares of the lengths of vectors, as a column."""
    found: Array = (vectors**2).sum(axis=1, keepdims=True)
    return found


def _projection(centred: Array) -> Array:
    """Return the matrix that projects descriptors on their principal components, damped."""
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    power, axes = np.linalg.eigh(covariance)
    strongest = np.argsort(power)[::-1][:_COMPONENTS]
    kept = strongest[power[strongest] > 1e-12 * power.max()]
    matrix: Array = (axes[:, kept] / power[kept] ** 0.45).astype(np.float32)
    return matrix
