"""Find the images whose descriptors are most alike, among all pairs of a set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.features import CENTRES, VIEWS, ZOOM_STEPS, Array, Features, descriptors

NEIGHBOURS = 12
_COMPONENTS = 48
_BLOCK = 1024


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
    ndarray of shape (m, 2), int64
        Indices of pairs, the lower one first; every pair once, in ascending order.

    Notes
    -----
    The background of a galaxy that is seen face-on hides its details, but that of a small source tells much of it, so
    neighbours of both kinds are taken. The descriptors are projected on their 48 first principal components, each
    divided by the square root of its deviation, so that neither the brightest structure nor the noise decides alone.
    All pairs are compared in blocks: the time grows as :math:`n^2`, the memory as :math:`n`. Each image is looked up at
    seven zooms.
    """
    wanted = [neighbours if view < CENTRES else neighbours // 2 for view in range(VIEWS)]
    pairs = [_pairs_of(features, view, min(k, len(features) - 1)) for view, k in enumerate(wanted)]
    return np.unique(np.concatenate(pairs), axis=0)


def _pairs_of(features: Features, view: int, k: int) -> NDArray[np.int64]:
    """Return pairs of each image with the k nearest ones by one of their descriptors."""
    plain = descriptors(features, view)
    mean = plain.mean(axis=0)
    project = _projection(plain - mean)
    queries = [(descriptors(features, view, zoom) - mean) @ project for zoom in range(-ZOOM_STEPS, ZOOM_STEPS + 1)]
    stored = queries[ZOOM_STEPS]
    pairs = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(features), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(features)))
        distance = np.minimum.reduce([_distances(query[block], stored) for query in queries])
        distance[np.arange(len(block)), block] = np.inf
        found = np.argpartition(distance, k - 1, axis=1)[:, :k]
        pairs.append(np.sort(np.stack([np.repeat(block, k), found.ravel()], axis=1), axis=1))
    return np.concatenate(pairs)


def _projection(centred: Array) -> Array:
    """Return the matrix that projects descriptors on their principal components, damped."""
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    power, axes = np.linalg.eigh(covariance)
    strongest = np.argsort(power)[::-1][:_COMPONENTS]
    kept = strongest[power[strongest] > 1e-12 * power.max()]
    matrix: Array = (axes[:, kept] / power[kept] ** 0.25).astype(np.float32)
    return matrix


def _distances(one: Array, all_others: Array) -> Array:
    squares: Array = (one**2).sum(axis=1)[:, None] + (all_others**2).sum(axis=1) - 2 * one @ all_others.T
    return squares
