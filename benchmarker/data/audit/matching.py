"""Turn one image onto another and measure whether they share their details."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.alignment import Alignment, chosen, laid, points, refined, seen
from benchmarker.data.audit.features import (
    ANGLES,
    COLUMNS,
    RADIUS,
    RING_RATIO,
    ROWS,
    SIDE,
    Array,
    Features,
    blurred,
    details,
    sample,
)
from benchmarker.data.audit.rings import best_moves

_DISC = (RADIUS < 26).astype(np.float32)
_GRID = (RADIUS < 24) & (ROWS % 2 == 0) & (COLUMNS % 2 == 0)
"""Points that an alignment is refined on; the smoothed images hold nothing finer."""
_FINE_GRID = (RADIUS < 26) & ((ROWS + COLUMNS) % 2 == 0)
_SHIFT = 4
_HOPEFUL = 0.6
_GOOD = 0.72
_SURE = 0.99
"""Correlations from which on a pair is looked at again, a third time and the other way, and no more."""
_AREA = (RADIUS < 24) & (ROWS % 2 == 0) & (COLUMNS % 2 == 0)
_SMALLEST_SCALE = 0.05
_SMALLEST_COVER = 0.5
_STARTS = 2
_REFINEMENTS = 4


def similarity(
    features: Features, first: NDArray[np.int64], second: NDArray[np.int64], detailed: NDArray[np.bool_] | None = None
) -> tuple[Array, Array]:
    """Lay the second image of each pair onto the first, and correlate their details.

    Parameters
    ----------
    features : Features
        Features of all images.
    first, second : ndarray of shape (n,)
        Indices of the images of each pair.
    detailed : ndarray of bool, optional
        Which of all images hold enough for a second look; by default all of them.

    Returns
    -------
    similarity : ndarray of shape (n,), float32
        Correlation coefficient of the details in the inner disc, 1 for a perfect copy.
    zoom : ndarray of shape (n,), float32
        Factor by which the second image was magnified, in pixels of the images.

    Notes
    -----
    The best angles of the rings are starting points. From each, angle, zoom and shift are refined by least squares on
    the smoothed images, and the details are compared at the best of all shifts of up to four reduced pixels.

    Pairs that may be copies are looked at again. Where a galaxy fills its image, the median and the deviation of the
    stretch depend on how large it appears, so both images are stretched anew by those of the area that both show. They
    are aligned on their details of 1 to 5 reduced pixels and then on the finest, and compared where both have pixels.
    Good ones are also laid onto each other the other way: resampling smooths an image, as it has the copy already.
    """
    best, alignment = _best_start(features, first, second)
    zoom = alignment.zoom.copy()
    worth = True if detailed is None else detailed[first] & detailed[second]
    unsure = np.flatnonzero((best >= _HOPEFUL) & (best < _SURE) & worth)
    if len(unsure):
        images = [features.sharp[index[unsure]].astype(np.float32) for index in (first, second)]
        found, zoomed = _looked_at_again(images[0], images[1], alignment.of(unsure))
        zoom[unsure] = np.where(found > best[unsure], zoomed, zoom[unsure])
        best[unsure] = np.maximum(best[unsure], found)
    return best, (zoom * features.scales[first] / features.scales[second]).astype(np.float32)


def _best_start(features: Features, first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[Array, Alignment]:
    """Return the best correlation of the details over the starting points, and its alignment."""
    fixed, moving, sharp = (
        images[index].astype(np.float32)
        for images, index in ((features.smooth, first), (features.smooth, second), (features.sharp, second))
    )
    flat = details(features.sharp[first])
    found, tried = [], []
    for centre, mirrored, zoom, angle in best_moves(features, first, second, _STARTS):
        start = Alignment(
            mirrored=mirrored,
            angle=angle * 2 * np.pi / ANGLES,
            zoom=RING_RATIO ** zoom.astype(np.float64),
            centres=features.centres[first, centre],
            row=features.centres[second, centre, 0].astype(np.float64),
            column=features.centres[second, centre, 1].astype(np.float64),
        )
        alignment = refined(fixed, moving, start, _GRID, _REFINEMENTS)
        score, row, column = _best_shift(flat, details(laid(sharp, alignment)[0]))
        found.append(score)
        tried.append(alignment.moved(row, column))
    scores = np.stack(found)
    which = scores.argmax(axis=0)
    return scores[which, np.arange(len(first))], chosen(tried, which)


def _best_shift(one: Array, two: Array) -> tuple[Array, NDArray[Any], NDArray[Any]]:
    """Return the largest correlation of the inner disc of one image with another one over small shifts, and where."""
    from scipy import fft

    inner = one * _DISC
    spectrum = fft.rfft2(two)
    product = fft.irfft2(fft.rfft2(inner) * spectrum.conj(), s=(SIDE, SIDE))
    energy = fft.irfft2(fft.rfft2(_DISC) * fft.rfft2(two * two).conj(), s=(SIDE, SIDE))
    own = (inner * inner).sum(axis=(1, 2))
    near = np.r_[-_SHIFT : _SHIFT + 1]
    product, energy = (each[:, near][:, :, near].reshape(len(one), -1) for each in (product, energy))
    ratio = product / np.sqrt(np.maximum(energy, 1e-9) * np.maximum(own, 1e-9)[:, None])
    at = ratio.argmax(axis=1)
    row, column = np.divmod(at, len(near))
    found: Array = np.take_along_axis(ratio, at[:, None], 1)[:, 0].astype(np.float32)
    return found, near[row].astype(np.float64), near[column].astype(np.float64)


def _looked_at_again(first: Array, second: Array, alignment: Alignment) -> tuple[Array, NDArray[Any]]:
    """Improve alignments with images that are stretched alike; return the better correlation of both ways."""
    found, alignment = _closer(first, second, alignment)
    zoom = alignment.zoom.copy()
    good = np.flatnonzero((found >= _GOOD) & (found < _SURE))
    if len(good):
        back, inverse = _closer(second[good], first[good], alignment.of(good).inverse())
        zoom[good] = np.where(back > found[good], 1 / inverse.zoom, zoom[good])
        found[good] = np.maximum(found[good], back)
    return found, zoom


def _closer(first: Array, second: Array, alignment: Alignment) -> tuple[Array, Alignment]:
    one, two = _stretched_alike(first, second, alignment)
    alignment = refined(_middle(one), _middle(two), alignment, _GRID, _REFINEMENTS)
    alignment = refined(details(one), details(two), alignment, _FINE_GRID, _REFINEMENTS)
    return _correlation(one, *laid(two, alignment)), alignment


def _correlation(one: Array, two: Array, covered: NDArray[np.bool_]) -> Array:
    """Return the correlation of the details of two images in the part of the inner disc that both show."""
    weight = covered.astype(np.float32)
    around = blurred(weight, 3.0) + 1e-3
    flat = [weight * (image - blurred(image * weight, 3.0) / around) for image in (one, two)]
    inner = weight * _DISC
    product, own, other = (
        (a * b * inner).sum(axis=(1, 2)) for a, b in ((flat[0], flat[1]), (flat[0], flat[0]), (flat[1], flat[1]))
    )
    cover = inner.sum(axis=(1, 2)) / _DISC.sum()
    found: Array = np.where(cover >= _SMALLEST_COVER, product / np.sqrt(np.maximum(own * other, 1e-12)), 0)
    return found.astype(np.float32)


def _middle(images: Array) -> Array:
    """Return the details of middle size, which neither the background nor the noise of single pixels changes."""
    found: Array = blurred(images, 1.0) - blurred(images, 5.0)
    return found


def _stretched_alike(first: Array, second: Array, alignment: Alignment) -> tuple[Array, Array]:
    """Stretch two images anew by the median and deviation of the area that both show."""
    one, two = np.sinh(first), np.sinh(second)
    where = points(alignment, ROWS[_AREA], COLUMNS[_AREA])
    covered = seen(*where)
    return (
        _by_statistics(one, np.where(covered, one[:, _AREA], np.nan)),
        _by_statistics(two, np.where(covered, sample(two, *where), np.nan)),
    )


def _by_statistics(images: Array, area: Array) -> Array:
    """Stretch images by the median and deviation of some of their pixels; those that are NaN do not count."""
    half = np.isfinite(area).sum(axis=1, keepdims=True) // 2
    ordered = np.sort(area, axis=1)  # NaN comes last
    middle = np.take_along_axis(ordered, half, 1)
    deviation = 1.4826 * np.take_along_axis(np.sort(np.abs(area - middle), axis=1), half, 1)
    scale = np.maximum(deviation, _SMALLEST_SCALE * (np.nanmax(area, axis=1, keepdims=True) - middle)) + 1e-6
    stretched: Array = np.arcsinh((images - middle[:, :, None]) / scale[:, :, None]).astype(np.float32)
    return stretched
