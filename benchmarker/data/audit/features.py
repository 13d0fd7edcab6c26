r"""Features of images that rotations, mirror images, small shifts and rescaling leave nearly unchanged.

The middle of every image, or the surroundings of a source that is small in it, is averaged over its channels, reduced
to 64 x 64 pixels, and stretched by :math:`\operatorname{arsinh}((x - m) / s)`, where :math:`m` is the median and
:math:`s` the deviation of its inner disc. The stretch makes noise as visible as the source: two copies share their
noise, and two galaxies never do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIDE = 64
"""Height and width of reduced images in pixels."""
ANGLES = 96
RINGS = 36
ZOOM_STEPS = 3
"""Zooms are searched in this many steps up and down, so from 0.79 to 1.26; one step is the ratio of two rings."""
ZOOMS = tuple(range(-ZOOM_STEPS, ZOOM_STEPS + 1))
RING_RATIO = 1.08
_INNERMOST = 2.0
_CHUNK = 128
_HARMONICS = 9
_COEFFICIENTS = 25
CENTRES = 3
VIEWS = CENTRES + 1
"""Descriptors of each image: around each centre without the background, and around the first one with it."""
_CENTRE = (SIDE - 1) / 2
_DISC_RADIUS = 24.0
_SMALLEST_SCALE = 0.05
_KEPT = 0.6
"""Fraction of height and width that is looked at, where 64 pixels are left: details count more than the field."""
_WIDTH = 4.0
"""Side of what is looked at, in units of the extent of the source; noise is as wide as the image."""
_WINDOWS = ((14.0, 0.5), (28.0, 1.5), (6.0, 1.5))
"""Width of the window, in reduced pixels, and faintest brightness of the three centres of each image. In noise, a wide
window stays in the middle; without it, a narrow one settles on one of two lobes; and the narrowest stays on the source
in the middle where a neighbour is brighter."""
_WHOLE = (28.0, 1.5)
"""Window and faintest brightness for the centre of a whole source, where the image is empty outside of it."""
_MOST = 0.75
"""Largest fraction of height and width that is looked at of a source; more would cost the details of its middle."""
_EMPTY = 1e-3
"""Where the noise is less than this fraction of the brightest pixel, the image is empty outside the source."""
_SHIFTS = 10
_BACKGROUND = 5.0
"""Width of the filter, in reduced pixels, whose result is taken off before the rings are measured."""

AXIS = np.arange(SIDE, dtype=np.float32)
ROWS, COLUMNS = (axis.astype(np.float32) for axis in np.mgrid[:SIDE, :SIDE])
RADIUS = np.hypot(ROWS - _CENTRE, COLUMNS - _CENTRE)
RADII = (_INNERMOST * RING_RATIO ** np.arange(RINGS)).astype(np.float32)
_THETA = (np.arange(ANGLES) * 2 * np.pi / ANGLES).astype(np.float32)
_RING_ROWS = (RADII[:, None] * np.sin(_THETA)).ravel()
_RING_COLUMNS = (RADII[:, None] * np.cos(_THETA)).ravel()
_TAPER = (RADII * np.exp(-0.5 * (RADII / 16.0) ** 2)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Features of n images.

    Parameters
    ----------
    smooth : ndarray of shape (n, 64, 64), float16
        Stretched images, smoothed.
    sharp : ndarray of shape (n, 64, 64), float16
        Stretched images with all their details.
    scales : ndarray of shape (n,), float32
        Pixels of the image in a reduced pixel.
    centres : ndarray of shape (n, 3, 2), float32
        Row and column of each of three centres of brightness, in reduced pixels.
    rings : ndarray of shape (n, 3, 36, 25), complex64
        Fourier coefficients over the angle of the smoothed image, less its background, on logarithmic rings around
        each centre.
    powers : ndarray of shape (n, 3, 36), float32
        Sum of the squared moduli of the coefficients of each ring but the first one, which is its mean.
    descriptors : ndarray of shape (n, 4, 36, 9), float32
        Moduli of the first coefficients, which rotations and mirror images do not change: those of the rings, and
        those around the first centre with the background.
    """

    smooth: NDArray[np.float16]
    sharp: NDArray[np.float16]
    scales: Array
    centres: Array
    rings: NDArray[np.complex64]
    powers: Array
    descriptors: Array

    def __len__(self) -> int:
        return len(self.centres)

    def richness(self) -> Array:
        r"""Return the effective number of pixels that hold the details of each image.

        It is :math:`(\sum d^2)^2 / \sum d^4` over the inner disc: about 15 for a point source without noise, several
        hundred where noise is seen.
        """
        parts = []
        for start in range(0, len(self), _CHUNK):
            inner = details(self.sharp[start : start + _CHUNK])[:, RADIUS < 26] ** 2
            parts.append(inner.sum(axis=1) ** 2 / np.maximum((inner**2).sum(axis=1), 1e-12))
        return np.concatenate(parts)


class Images(Protocol):
    """What gives n images in slices."""

    def __len__(self) -> int: ...
    def __getitem__(self, wanted: slice, /) -> Any:
        """Return some of the images."""


def measure(images: Images) -> Features:
    """Measure the features of images, a chunk at a time.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), or what gives its slices
        Images; may be memory-mapped.
    """
    with ThreadPoolExecutor(workers()) as pool:
        parts = list(pool.map(_chunk, (images[k : k + _CHUNK] for k in range(0, len(images), _CHUNK))))
    return Features(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def workers() -> int:
    """Return the number of threads for numerical work that does not hold the interpreter."""
    return min(4, os.cpu_count() or 1)


def _chunk(images: Any) -> dict[str, NDArray[Any]]:
    reduced, scales = _looked_at(images)
    smooth, _empty = _stretched(blurred(reduced, 1.2))
    sharp = blurred(_stretched(reduced)[0], 0.8)
    centres = np.stack([_centres(smooth, *window)[0] for window in _WINDOWS], axis=1)
    # Without the profile of the whole source, which is much the same in all galaxies that are seen face-on.
    flat = smooth - blurred(smooth, _BACKGROUND)
    found = [*(_rings(flat, centres[:, k]) for k in range(CENTRES)), _rings(smooth, centres[:, 0])]
    rings = np.stack(found[:CENTRES], axis=1).astype(np.complex64)
    return {
        "smooth": smooth.astype(np.float16),
        "sharp": sharp.astype(np.float16),
        "scales": scales,
        "centres": centres,
        "rings": rings,
        "powers": (rings.real[..., 1:] ** 2 + rings.imag[..., 1:] ** 2).sum(axis=3),
        "descriptors": np.abs(np.stack(found, axis=1)[..., :_HARMONICS]).astype(np.float32),
    }


def _rings(images: Array, centre: Array) -> NDArray[np.complexfloating[Any, Any]]:
    """Return the first Fourier coefficients of images over the angle, on rings around a centre of each."""
    from scipy import fft

    rows, columns = (centre[:, axis, None] + ring for axis, ring in enumerate((_RING_ROWS, _RING_COLUMNS)))
    values = sample(images, rows, columns).reshape(-1, RINGS, ANGLES)
    coefficients: NDArray[np.complexfloating[Any, Any]] = fft.rfft(values, axis=2)[:, :, :_COEFFICIENTS]
    return coefficients


def blurred(images: Array, width: float) -> Array:
    """Return images of shape (n, 64, 64) smoothed by a Gaussian, with their edges mirrored.

    Parameters
    ----------
    images : ndarray of shape (n, 64, 64), float32
        Images.
    width : float
        Standard deviation of the Gaussian in pixels.

    Notes
    -----
    A product of matrices takes a fraction of the time of a filter, since the images are small.
    """
    matrix = _smoothing(width)
    found: Array = np.matmul(np.matmul(matrix, images), matrix.T)
    return found


@cache
def _smoothing(width: float) -> Array:
    """Return the matrix that smooths each column of an image."""
    from scipy.ndimage import gaussian_filter1d

    matrix: Array = gaussian_filter1d(np.eye(SIDE), width, axis=0, truncate=3.0).astype(np.float32)
    return matrix


def details(images: NDArray[Any]) -> Array:
    """Return images of shape (n, 64, 64) without their large-scale structure, in float32.

    It is taken off after one image is laid onto another, because a filter of fixed width passes other details of a
    magnified copy.
    """
    wide = images.astype(np.float32)
    found: Array = wide - blurred(wide, 3.0)
    return found


def descriptors(features: Features, view: int, zoom: int = 0) -> Array:
    """Return the descriptors of images as they would be if the images were magnified by ``1.08**zoom``.

    Parameters
    ----------
    features : Features
        Features of n images.
    view : int
        Which of the four descriptors of each image.
    zoom : int
        Steps of the zoom, from -3 to 3.

    Returns
    -------
    ndarray of shape (n, d), float32
        Descriptors of unit length.
    """
    inner = slice(ZOOM_STEPS - zoom, RINGS - ZOOM_STEPS - zoom)
    weights = _TAPER[ZOOM_STEPS : RINGS - ZOOM_STEPS]
    found = (features.descriptors[:, view, inner] * weights[:, None]).reshape(len(features), -1)
    scaled: Array = found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-9)
    return scaled


def sample(images: Array, rows: Array, columns: Array) -> Array:
    """Return the values of images at other points, interpolated bilinearly; 0 outside.

    Parameters
    ----------
    images : ndarray of shape (n, 64, 64)
        Images.
    rows, columns : ndarray of shape (n, m)
        Points of each image, in pixels.

    Returns
    -------
    ndarray of shape (n, m), float32
        Values.
    """
    edge = np.float32(SIDE - 1.001)
    inside = (rows >= 0) & (rows <= edge) & (columns >= 0) & (columns <= edge)
    rows, columns = np.clip(rows, 0, edge), np.clip(columns, 0, edge)
    top, left = np.floor(rows), np.floor(columns)
    down, right = rows - top, columns - left
    first = (top * SIDE + left).astype(np.intp)
    first += (np.arange(len(images)) * SIDE * SIDE)[:, None]
    flat = np.ascontiguousarray(images).reshape(-1)
    upper, lower = (flat[offset:].take(first) for offset in (0, SIDE))
    upper += right * (flat[1:].take(first) - upper)
    lower += right * (flat[SIDE + 1 :].take(first) - lower)
    upper += down * (lower - upper)
    upper *= inside
    return upper


def _looked_at(images: Any) -> tuple[Array, Array]:
    """Return what is looked at of each image as 64 x 64 pixels, and the pixels of the image in each of them.

    It is the middle of the image. If the image is empty outside the source, it is the surroundings of the source: their
    size follows that of the source, so it does not depend on the zoom.
    """
    grey = [image.mean(axis=-1, dtype=np.float64).astype(np.float32) for image in images]
    sides = np.array([max(SIDE, round(_KEPT * min(image.shape))) for image in grey])
    middles = np.array([image.shape for image in grey]) / 2
    found = np.stack([_reduced(*each) for each in zip(grey, middles, sides, strict=True)])
    empty = _stretched(blurred(found, 1.2))[1]
    chosen = np.flatnonzero(empty)
    if len(chosen):
        middles[chosen], sides[chosen] = _surroundings([grey[index] for index in chosen], middles[chosen])
    for index in chosen:
        found[index] = _reduced(grey[index], middles[index], sides[index])
    smallest = np.array([min(image.shape) for image in grey])
    return found, (np.minimum(sides, smallest) / SIDE).astype(np.float32)


def _surroundings(images: Sequence[Array], middles: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return middle and side of a square around the source of each image that is empty otherwise.

    Both follow from the whole source, so that they stay with it whichever of two lobes is near the middle.
    """
    whole = np.array([min(image.shape) for image in images])
    reduced = np.stack([_reduced(*each) for each in zip(images, middles, whole, strict=True)])
    stretched = _stretched(blurred(reduced, 1.2))[0]
    centres, extents = _centres(np.where(RADIUS < _CENTRE, stretched, 0), *_WHOLE)
    sides = np.clip(_WIDTH * extents * whole / SIDE, np.minimum(SIDE, whole), np.maximum(SIDE, _MOST * whole))
    return middles + (centres - _CENTRE) * (whole / SIDE)[:, None], np.rint(sides)


def _reduced(image: Array, middle: NDArray[Any], side: float) -> Array:
    """Return a square of an image around a point as 64 x 64 pixels; all of an image that is smaller."""
    from PIL import Image

    size = np.minimum(side, image.shape)
    top, left = np.clip(np.rint(middle - size / 2), 0, np.array(image.shape) - size).astype(int)
    inner = Image.fromarray(image[top : top + int(size[0]), left : left + int(size[1])])
    shrinks = max(inner.size) >= SIDE
    resampling = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(inner.resize((SIDE, SIDE), resampling))


def _stretched(images: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return stretched images, and which of them are empty outside their source, as clipped images are."""
    inner = images[:, RADIUS < _DISC_RADIUS]
    middle = np.median(inner, axis=1)
    deviation = 1.4826 * np.median(np.abs(inner - middle[:, None]), axis=1)
    height = inner.max(axis=1) - middle
    scale = np.maximum(deviation, _SMALLEST_SCALE * height) + 1e-12
    stretched: Array = np.arcsinh((images - middle[:, None, None]) / scale[:, None, None]).astype(np.float32)
    return stretched, deviation <= _EMPTY * height


def _centres(images: Array, window: float, faintest: float) -> tuple[Array, Array]:
    """Return the centre of brightness in a Gaussian window that moves along with it, and the extent around it.

    The window starts in the middle of the image. The extent is the root mean square radius within the window.
    """
    bright = np.clip(images - faintest, 0, None)
    row = column = np.full(len(images), _CENTRE, np.float32)
    for _ in range(_SHIFTS):
        down = np.exp(-0.5 * ((AXIS - row[:, None]) / window) ** 2)
        across = np.exp(-0.5 * ((AXIS - column[:, None]) / window) ** 2)
        by_row = np.matmul(bright, across[:, :, None])[..., 0] * down
        by_column = np.matmul(down[:, None, :], bright)[:, 0] * across
        total = by_row.sum(axis=1)
        known = total > 0
        row = np.where(known, (by_row * AXIS).sum(axis=1) / np.where(known, total, 1), row).astype(np.float32)
        column = np.where(known, (by_column * AXIS).sum(axis=1) / np.where(known, total, 1), column).astype(np.float32)
    down, across = AXIS - row[:, None], AXIS - column[:, None]
    squares = (down**2 * by_row).sum(axis=1) + (across**2 * by_column).sum(axis=1)
    extent = np.where(known, np.sqrt(squares / np.where(known, total, 1)), SIDE).astype(np.float32)
    return np.stack([row, column], axis=1), extent
