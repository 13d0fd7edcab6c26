"""Correlate the rings of two images: over all angles at once, for both mirror images and several zooms."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.features import (
    ANGLES,
    CENTRES,
    RADII,
    RINGS,
    ZOOM_STEPS,
    ZOOMS,
    Array,
    Features,
    workers,
)

_CHUNK = 256
_INNER = slice(ZOOM_STEPS, RINGS - ZOOM_STEPS)
_WEIGHTS = (RADII**2 * np.exp(-((RADII / 19.0) ** 2))).astype(np.float32)[_INNER]
"""The area of a ring grows with its radius."""


def correlate(
    features: Features, first: NDArray[np.int64], second: NDArray[np.int64], centre: int, zoom: int
) -> tuple[Array, Array]:
    """Correlate the rings of pairs of images around one of their centres, at one zoom.

    Parameters
    ----------
    features : Features
        Features of all images.
    first, second : ndarray of shape (n,)
        Indices of the images of each pair.
    centre : int
        Which of the three centres of each image.
    zoom : int
        Steps by which the second image is magnified.

    Returns
    -------
    as_it_is, mirrored : ndarray of shape (n, 96), float32
        Correlation coefficients over all angles of the second image as it is, and of its mirror image.
    """
    from scipy import fft

    moved = slice(_INNER.start - zoom, _INNER.stop - zoom)
    one = features.rings[first, centre, _INNER, 1:] * _WEIGHTS[:, None]
    two = features.rings[second, centre, moved, 1:]
    energies = [features.powers[index, centre, which] @ _WEIGHTS for index, which in ((first, _INNER), (second, moved))]
    norm = 2 * np.sqrt(energies[0] * energies[1]) + 1e-9
    spectra = np.zeros((2, len(first), ANGLES // 2 + 1), np.complex64)
    rest = slice(1, 1 + one.shape[2])
    spectra[1, :, rest] = np.einsum("prm,prm->pm", one, two)
    spectra[0, :, rest] = np.einsum("prm,prm->pm", one, np.conj(two, out=two))
    curves = fft.irfft(spectra, ANGLES, axis=2) * (ANGLES / norm[:, None])
    return curves[0], curves[1]


def correlate_pairs(features: Features, looks: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    """Correlate the rings of pairs of images where they are alike.

    Parameters
    ----------
    features : Features
        Features of all images.
    looks : ndarray of shape (n, 4)
        Indices of the images of each pair, the centre and the zoom.

    Returns
    -------
    pairs : ndarray of shape (m, 2)
        Every pair once.
    correlations : ndarray of shape (m,), float32
        Largest correlation coefficient over all angles, both mirror images, and zooms of up to one step more or less.
    """
    groups = []
    for centre, zoom in np.unique(looks[:, 2:], axis=0).tolist():
        members = np.flatnonzero((looks[:, 2] == centre) & (looks[:, 3] == zoom))
        groups += [(members[k : k + _CHUNK], centre, zoom) for k in range(0, len(members), _CHUNK)]

    def best(group: tuple[NDArray[np.int64], int, int]) -> Array:
        members, centre, zoom = group
        images = looks[members, 0], looks[members, 1]
        near = [each for each in (zoom - 1, zoom, zoom + 1) if each in ZOOMS]
        curves = (c for each in near for c in correlate(features, *images, centre, each))
        highest: Array = np.maximum.reduce([curve.max(axis=1) for curve in curves])
        return highest

    scores = np.empty(len(looks), np.float32)
    with ThreadPoolExecutor(workers()) as pool:
        for group, found in zip(groups, pool.map(best, groups), strict=True):
            scores[group[0]] = found
    pairs, which = np.unique(looks[:, :2], axis=0, return_inverse=True)
    correlations = np.full(len(pairs), -1, np.float32)
    np.maximum.at(correlations, which.ravel(), scores)
    return pairs, correlations


def best_moves(
    features: Features, first: NDArray[np.int64], second: NDArray[np.int64], number: int
) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Return the best few ways to lay the second image of each pair onto the first, by the correlation of their rings.

    Parameters
    ----------
    features : Features
        Features of all images.
    first, second : ndarray of shape (n,)
        Indices of the images of each pair.
    number : int
        Number of ways, up to six: each has another centre, or another parity.

    Returns
    -------
    list of (centre, mirrored, zoom, angle)
        The ways, the best first: which centre, whether the second image is mirrored, the steps by which it is
        magnified, and the step of the angle by which it is turned, each of shape (n,).
    """
    scores = np.empty((len(first), 2 * CENTRES), np.float32)
    zooms, angles = np.empty(scores.shape, np.int64), np.empty(scores.shape, np.int64)
    for centre in range(CENTRES):
        at_zooms = [correlate(features, first, second, centre, zoom) for zoom in ZOOMS]
        both = [np.stack(each) for each in zip(*at_zooms, strict=True)]
        for mirrored, curves in enumerate(both):
            at = curves.argmax(axis=2)
            highest = np.take_along_axis(curves, at[:, :, None], 2)[:, :, 0]
            zoom = highest.argmax(axis=0)
            column = 2 * centre + mirrored
            every = np.arange(len(first))
            scores[:, column], zooms[:, column], angles[:, column] = highest[zoom, every], zoom, at[zoom, every]
    ways = []
    for column in np.argsort(-scores, axis=1, kind="stable")[:, :number].T:
        zoom, angle = (np.take_along_axis(each, column[:, None], 1)[:, 0] for each in (zooms, angles))
        ways.append((column // 2, column % 2 == 1, zoom - ZOOM_STEPS, angle))
    return ways
