"""Turn one image onto another and measure whether they share their details."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.features import (
    ANGLES,
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
    sample,
)

_DISC = (RADIUS < 26).astype(np.float32)
_GRID = (RADIUS < 24) & (ROWS % 2 == 0) & (COLUMNS % 2 == 0)
"""Points that an alignment is refined on; the smoothed images hold nothing finer."""
_LARGEST_STEPS = (1.5, 1.5, 4.0, 4.0)
_SHIFT = 4
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
    row, column : ndarray of shape (n,)
        Point of the second image that lies on the centre of the first, in reduced pixels.
    """

    mirrored: NDArray[np.bool_]
    angle: NDArray[Any]
    zoom: NDArray[Any]
    row: NDArray[Any]
    column: NDArray[Any]


def correlate(features: Features, first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[Array, Alignment]:
    """Correlate the rings of pairs of images over all angles, both mirror images and small zooms.

    Parameters
    ----------
    features : Features
        Features of all images.
    first, second : ndarray of shape (n,)
        Indices of the images of each pair.

    Returns
    -------
    score : ndarray of shape (n,)
        Largest correlation coefficient of the rings.
    alignment : Alignment
        Where it is reached.
    """
    scores, states = _ring_correlations(features, first, second)
    best = scores.argmax(axis=1)
    return scores.max(axis=1), _alignment(features, second, states[np.arange(len(best)), best])


def _ring_correlations(
    features: Features, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Array, NDArray[np.int64]]:
    """Return the best correlations of each mirror image and zoom, and their states: one number for all three."""
    from scipy import fft

    inner = slice(ZOOM_STEPS, RINGS - ZOOM_STEPS)
    one = features.rings[first][:, inner] * np.sqrt(_WEIGHTS[inner, None])
    one[:, :, 0] = 0
    scores, states = [], []
    for number, zoom in enumerate(range(-ZOOM_STEPS, ZOOM_STEPS + 1)):
        two = features.rings[second][:, inner.start - zoom : inner.stop - zoom] * np.sqrt(_WEIGHTS[inner, None])
        two[:, :, 0] = 0
        norm = np.sqrt(_energy(one) * _energy(two)) + 1e-9
        for mirrored, other in enumerate((two.conj(), two)):
            curve = fft.irfft((one * other).sum(axis=1), ANGLES, axis=1) * ANGLES / norm[:, None]
            angle = curve.argmax(axis=1)
            scores.append(np.take_along_axis(curve, angle[:, None], 1)[:, 0])
            states.append((number * 2 + mirrored) * ANGLES + angle)
    return np.stack(scores, axis=1).astype(np.float32), np.stack(states, axis=1)


def _energy(coefficients: NDArray[np.complex64]) -> Array:
    # Each coefficient but the first and the last also stands for its conjugate.
    power = coefficients.real**2 + coefficients.imag**2
    total: Array = 2 * power.sum(axis=(1, 2)) - power[:, :, -1].sum(axis=1)
    return total


def _alignment(features: Features, second: NDArray[np.int64], state: NDArray[np.int64]) -> Alignment:
    number, angle = np.divmod(state, ANGLES)
    zoom, mirrored = np.divmod(number, 2)
    return Alignment(
        mirrored=mirrored == 1,
        angle=angle * 2 * np.pi / ANGLES,
        zoom=RING_RATIO ** (zoom - float(ZOOM_STEPS)),
        row=features.centres[second, 0].astype(np.float64),
        column=features.centres[second, 1].astype(np.float64),
    )


def similarity(features: Features, first: NDArray[np.int64], second: NDArray[np.int64]) -> Array:
    """Return the correlation of the details of pairs of images after the second was laid onto the first.

    Parameters
    ----------
    features : Features
        Features of all images.
    first, second : ndarray of shape (n,)
        Indices of the images of each pair.

    Returns
    -------
    ndarray of shape (n,), float32
        Correlation coefficient of the details in the inner disc, 1 for a perfect copy.

    Notes
    -----
    The best angles of the rings are starting points. From each, angle, zoom and shift are refined by Gauss-Newton steps
    on the smoothed images (Lucas & Kanade 1981), and the details are compared at the best of all shifts of up to four
    reduced pixels.

    References
    ----------
    Lucas & Kanade 1981, Proc. 7th IJCAI, 674.
    """
    scores, states = _ring_correlations(features, first, second)
    order = np.argsort(-scores, axis=1)[:, :_STARTS]
    best = np.full(len(first), -1.0, np.float32)
    for start in range(order.shape[1]):
        state = states[np.arange(len(first)), order[:, start]]
        alignment = _refined(features, first, second, _alignment(features, second, state))
        moved = _laid(features.detail[second].astype(np.float32), features.centres[first], alignment)
        best = np.maximum(best, _shifted_correlation(features.detail[first].astype(np.float32), moved))
    return best


def _points(
    centres: Array, alignment: Alignment, grid: tuple[Array, Array]
) -> tuple[NDArray[Any], NDArray[Any], tuple[NDArray[Any], NDArray[Any]]]:
    """Return where points of the first image lie in the second one, and the derivatives over the angle."""
    down, across = grid[0] - centres[:, 0, None], grid[1] - centres[:, 1, None]
    zoom = alignment.zoom[:, None]
    cosine, sine = np.cos(alignment.angle)[:, None] / zoom, np.sin(alignment.angle)[:, None] / zoom
    sign = np.where(alignment.mirrored, -1.0, 1.0)[:, None]
    rows, columns = sign * (cosine * down - sine * across), cosine * across + sine * down
    turned = -sign * (sine * down + cosine * across), cosine * down - sine * across
    return rows + alignment.row[:, None], columns + alignment.column[:, None], turned


def _laid(images: Array, centres: Array, alignment: Alignment) -> Array:
    rows, columns, _ = _points(centres, alignment, (ROWS.ravel(), COLUMNS.ravel()))
    return sample(images, rows.astype(np.float32), columns.astype(np.float32)).reshape(-1, SIDE, SIDE)


def _refined(
    features: Features, first: NDArray[np.int64], second: NDArray[np.int64], alignment: Alignment
) -> Alignment:
    """Improve an alignment by Gauss-Newton steps on the smoothed images."""
    fixed, moving = (features.smooth[index].astype(np.float32) for index in (first, second))
    fixed = fixed[:, _GRID]
    layers = moving, *np.gradient(moving, axis=(1, 2))
    centres = features.centres[first]
    for _ in range(_REFINEMENTS):
        rows, columns, turned = _points(centres, alignment, (ROWS[_GRID], COLUMNS[_GRID]))
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
            zoom=np.clip(alignment.zoom * np.exp(zoom / SIDE), 0.8, 1.25),
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
