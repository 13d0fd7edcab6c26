"""Turn one image onto another and measure whether they share their details."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.features import (
    ANGLES,
    CENTRES,
    COLUMNS,
    RADII,
    RADIUS,
    RING_RATIO,
    RINGS,
    ROWS,
    SIDE,
    ZOOM_STEPS,
    Array,
    Features,
    details,
    sample,
)

_DISC = (RADIUS < 26).astype(np.float32)
_GRID = (RADIUS < 24) & (ROWS % 2 == 0) & (COLUMNS % 2 == 0)
"""Points that an alignment is refined on; the smoothed images hold nothing finer."""
_MOVES = 2 * (2 * ZOOM_STEPS + 1)
"""Zooms, and a mirror image for each."""
_LARGEST_STEPS = (1.5, 1.5, 4.0, 4.0)
_SHIFT = 4
_HOPEFUL = 0.7
_GOOD = 0.72
_SURE = 0.99
"""Correlations from which on a pair is looked at again, a third time and the other way, and no more."""
_AREA = (RADIUS < 24) & ((ROWS + COLUMNS) % 2 == 0)
_SMALLEST_SCALE = 0.05
_STARTS = 2
_REFINEMENTS = 4
_WEIGHTS = (RADII**2 * np.exp(-((RADII / 19.0) ** 2))).astype(np.float32)  # the area of a ring grows with its radius


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How the second image of each of n pairs is laid onto the first.

    Parameters
    ----------
    mirrored : ndarray of shape (n,), bool
        Whether it is mirrored.
    angle : ndarray of shape (n,)
        Angle by which it is turned, in radians.
    zoom : ndarray of shape (n,)
        Factor by which it is magnified.
    centres : ndarray of shape (n, 2)
        Row and column of a point of the first image, in reduced pixels.
    row, column : ndarray of shape (n,)
        Point of the second image that lies on it.
    """

    mirrored: NDArray[np.bool_]
    angle: NDArray[Any]
    zoom: NDArray[Any]
    centres: Array
    row: NDArray[Any]
    column: NDArray[Any]

    def of(self, pairs: NDArray[np.int64]) -> Alignment:
        """Return the alignments of some of the pairs."""
        return Alignment(**{each.name: getattr(self, each.name)[pairs] for each in fields(self)})

    def inverse(self) -> Alignment:
        """Return how the first images are laid onto the second ones; a mirrored turn is its own inverse."""
        return Alignment(
            mirrored=self.mirrored,
            angle=np.where(self.mirrored, self.angle, -self.angle),
            zoom=1 / self.zoom,
            centres=np.stack([self.row, self.column], axis=1).astype(np.float32),
            row=self.centres[:, 0].astype(np.float64),
            column=self.centres[:, 1].astype(np.float64),
        )


def correlate(features: Features, first: NDArray[np.int64], second: NDArray[np.int64]) -> Array:
    """Correlate the rings of pairs of images over all angles, both mirror images and small zooms.

    Parameters
    ----------
    features : Features
        Features of all images.
    first, second : ndarray of shape (n,)
        Indices of the images of each pair.

    Returns
    -------
    ndarray of shape (n,), float32
        Largest correlation coefficient of the rings, around the best of the three centres.
    """
    best: Array = _ring_correlations(features, first, second)[0].max(axis=1)
    return best


def _ring_correlations(
    features: Features, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Array, NDArray[np.int64]]:
    """Return the best correlations of each centre, mirror image and zoom, and their states: one number for all four."""
    scores, states = [], []
    for centre in range(CENTRES):
        for number, curve in enumerate(_curves(features.rings[first, centre], features.rings[second, centre])):
            angle = curve.argmax(axis=1)
            scores.append(np.take_along_axis(curve, angle[:, None], 1)[:, 0])
            states.append((centre * _MOVES + number) * ANGLES + angle)
    return np.stack(scores, axis=1).astype(np.float32), np.stack(states, axis=1)


def _curves(first: NDArray[np.complex64], second: NDArray[np.complex64]) -> Iterator[Array]:
    """Yield the correlation over all angles, for each zoom, of the second images as they are and mirrored."""
    from scipy import fft

    inner = slice(ZOOM_STEPS, RINGS - ZOOM_STEPS)
    one = first[:, inner] * np.sqrt(_WEIGHTS[inner, None])
    one[:, :, 0] = 0
    for zoom in range(-ZOOM_STEPS, ZOOM_STEPS + 1):
        two = second[:, inner.start - zoom : inner.stop - zoom] * np.sqrt(_WEIGHTS[inner, None])
        two[:, :, 0] = 0
        norm = np.sqrt(_energy(one) * _energy(two)) + 1e-9
        for other in (two.conj(), two):
            yield fft.irfft((one * other).sum(axis=1), ANGLES, axis=1) * ANGLES / norm[:, None]


def _energy(coefficients: NDArray[np.complex64]) -> Array:
    # Each coefficient also stands for its conjugate; the first one is 0.
    total: Array = 2 * (coefficients.real**2 + coefficients.imag**2).sum(axis=(1, 2))
    return total


def _alignment(
    features: Features, first: NDArray[np.int64], second: NDArray[np.int64], state: NDArray[np.int64]
) -> Alignment:
    number, angle = np.divmod(state, ANGLES)
    centre, move = np.divmod(number, _MOVES)
    zoom, mirrored = np.divmod(move, 2)
    return Alignment(
        mirrored=mirrored == 1,
        angle=angle * 2 * np.pi / ANGLES,
        zoom=RING_RATIO ** (zoom - float(ZOOM_STEPS)),
        centres=features.centres[first, centre],
        row=features.centres[second, centre, 0].astype(np.float64),
        column=features.centres[second, centre, 1].astype(np.float64),
    )


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
    The best angles of the rings are starting points. From each, angle, zoom and shift are refined by Gauss-Newton steps
    on the smoothed images (Lucas & Kanade 1981), and the details are compared at the best of all shifts of up to four
    reduced pixels.

    Where a galaxy fills its image, the median and the deviation of the stretch depend on how large it appears, so the
    same brightness is stretched differently in a magnified copy. Pairs that may be copies are therefore stretched anew
    by the median and the deviation of the area that both show, and aligned on their details of 1 to 5 reduced pixels.
    Good ones are also laid onto each other the other way: resampling smooths an image, as it has the copy already.

    References
    ----------
    Lucas & Kanade 1981, Proc. 7th IJCAI, 674.
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


def _looked_at_again(first: Array, second: Array, alignment: Alignment) -> tuple[Array, NDArray[Any]]:
    """Improve alignments with images that are stretched alike; return the better correlation of both ways."""
    found, alignment = _closer(first, second, alignment)
    zoom = alignment.zoom.copy()
    good = np.flatnonzero((found >= _GOOD) & (found < _SURE))
    if len(good):
        one, two = first[good], second[good]
        again, alignment = _closer(one, two, alignment.of(good))
        back, inverse = _closer(two, one, alignment.inverse())
        better = np.where(back > again, 1 / inverse.zoom, alignment.zoom)
        again = np.maximum(again, back)
        zoom[good] = np.where(again > found[good], better, zoom[good])
        found[good] = np.maximum(found[good], again)
    return found, zoom


def _closer(first: Array, second: Array, alignment: Alignment) -> tuple[Array, Alignment]:
    one, two = _stretched_alike(first, second, alignment)
    alignment = _refined(_middle(one), _middle(two), alignment)
    one, two = _stretched_alike(first, second, alignment)
    return _shifted_correlation(details(one), details(_laid(two, alignment))), alignment


def _best_start(features: Features, first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[Array, Alignment]:
    """Return the best correlation of the details over the starting points, and its alignment."""
    scores, states = _ring_correlations(features, first, second)
    order = np.argsort(-scores, axis=1)[:, :_STARTS]
    fixed, moving = (features.smooth[index].astype(np.float32) for index in (first, second))
    flat, sharp = details(features.sharp[first]), features.sharp[second].astype(np.float32)
    every = np.arange(len(first))
    tried = [_refined(fixed, moving, _alignment(features, first, second, states[every, k])) for k in order.T]
    found = np.stack([_shifted_correlation(flat, details(_laid(sharp, each))) for each in tried])
    chosen = found.argmax(axis=0)
    return found[chosen, every], _chosen(tried, chosen)


def _chosen(tried: Sequence[Alignment], chosen: NDArray[np.int64]) -> Alignment:
    """Return one of several alignments for each pair."""
    every = np.arange(len(chosen))
    return Alignment(
        **{each.name: np.stack([getattr(one, each.name) for one in tried])[chosen, every] for each in fields(Alignment)}
    )


def _middle(images: Array) -> Array:
    """Return the details of middle size, which neither the background nor the noise of single pixels changes."""
    from scipy.ndimage import gaussian_filter

    found: Array = gaussian_filter(images, (0, 1.0, 1.0)) - gaussian_filter(images, (0, 5.0, 5.0), truncate=3.0)
    return found


def _stretched_alike(first: Array, second: Array, alignment: Alignment) -> tuple[Array, Array]:
    """Stretch two images anew by the median and deviation of the area that both show."""
    one, two = np.sinh(first), np.sinh(second)
    rows, columns, _ = _points(alignment, (ROWS[_AREA], COLUMNS[_AREA]))
    seen = (rows >= 0) & (rows <= SIDE - 1) & (columns >= 0) & (columns <= SIDE - 1)
    laid = sample(two, rows.astype(np.float32), columns.astype(np.float32))
    return _by_statistics(one, np.where(seen, one[:, _AREA], np.nan)), _by_statistics(two, np.where(seen, laid, np.nan))


def _by_statistics(images: Array, area: Array) -> Array:
    """Stretch images by the median and deviation of some of their pixels; those that are NaN do not count."""
    seen = np.isfinite(area).sum(axis=1, keepdims=True) // 2
    ordered = np.sort(area, axis=1)  # NaN comes last
    middle = np.take_along_axis(ordered, seen, 1)
    deviation = 1.4826 * np.take_along_axis(np.sort(np.abs(area - middle), axis=1), seen, 1)
    scale = np.maximum(deviation, _SMALLEST_SCALE * (np.nanmax(area, axis=1, keepdims=True) - middle)) + 1e-6
    stretched: Array = np.arcsinh((images - middle[:, :, None]) / scale[:, :, None]).astype(np.float32)
    return stretched


def _points(
    alignment: Alignment, grid: tuple[Array, Array]
) -> tuple[NDArray[Any], NDArray[Any], tuple[NDArray[Any], NDArray[Any]]]:
    """Return where points of the first image lie in the second one, and the derivatives over the angle."""
    down, across = grid[0] - alignment.centres[:, 0, None], grid[1] - alignment.centres[:, 1, None]
    zoom = alignment.zoom[:, None]
    cosine, sine = np.cos(alignment.angle)[:, None] / zoom, np.sin(alignment.angle)[:, None] / zoom
    sign = np.where(alignment.mirrored, -1.0, 1.0)[:, None]
    rows, columns = sign * (cosine * down - sine * across), cosine * across + sine * down
    turned = -sign * (sine * down + cosine * across), cosine * down - sine * across
    return rows + alignment.row[:, None], columns + alignment.column[:, None], turned


def _laid(images: Array, alignment: Alignment) -> Array:
    rows, columns, _ = _points(alignment, (ROWS.ravel(), COLUMNS.ravel()))
    return sample(images, rows.astype(np.float32), columns.astype(np.float32)).reshape(-1, SIDE, SIDE)


def _refined(fixed: Array, moving: Array, alignment: Alignment) -> Alignment:
    """Improve an alignment by Gauss-Newton steps on images."""
    fixed = fixed[:, _GRID]
    layers = moving, *np.gradient(moving, axis=(1, 2))
    for _ in range(_REFINEMENTS):
        rows, columns, turned = _points(alignment, (ROWS[_GRID], COLUMNS[_GRID]))
        where = rows.astype(np.float32), columns.astype(np.float32)
        laid, by_row, by_column = (sample(layer, *where) for layer in layers)
        turn = by_row * turned[0] + by_column * turned[1]
        grow = -by_row * (rows - alignment.row[:, None]) - by_column * (columns - alignment.column[:, None])
        design = np.stack([by_row, by_column, turn / SIDE, grow / SIDE, laid, np.ones_like(laid)], axis=2)
        normal = np.matmul(design.transpose(0, 2, 1), design)
        normal += 1e-3 * np.eye(6) * np.trace(normal, axis1=1, axis2=2)[:, None, None] / 6
        step = np.linalg.solve(normal, np.matmul(design.transpose(0, 2, 1), fixed[:, :, None]))[:, :, 0]
        gain = np.where(step[:, 4] > 0.2, step[:, 4], 1.0)
        row, column, angle, zoom = (np.clip(step[:, k] / gain, -most, most) for k, most in enumerate(_LARGEST_STEPS))
        alignment = Alignment(
            mirrored=alignment.mirrored,
            angle=alignment.angle + angle / SIDE,
            centres=alignment.centres,
            zoom=np.clip(alignment.zoom * np.exp(zoom / SIDE), 0.75, 1.33),
            row=alignment.row + row,
            column=alignment.column + column,
        )
    return alignment


def _shifted_correlation(one: Array, two: Array) -> Array:
    """Return the largest correlation of the inner disc of one image with another one, over small shifts."""
    from scipy import fft

    inner = one * _DISC
    spectrum = fft.rfft2(inner)
    product = fft.irfft2(spectrum * fft.rfft2(two).conj(), s=(SIDE, SIDE))
    energy = fft.irfft2(fft.rfft2(_DISC) * fft.rfft2(two * two).conj(), s=(SIDE, SIDE))
    own = (inner * inner).sum(axis=(1, 2))
    ratio = product / np.sqrt(np.maximum(energy, 1e-9) * np.maximum(own, 1e-9)[:, None, None])
    near = np.r_[0 : _SHIFT + 1, SIDE - _SHIFT : SIDE]
    found: Array = ratio[:, near][:, :, near].reshape(len(one), -1).max(axis=1).astype(np.float32)
    return found
