r"""Features of images that rotations, mirror images, small shifts and rescaling leave nearly unchanged.

The middle of every image is averaged over its channels, reduced to 64 x 64 pixels, and stretched by
:math:`\operatorname{arsinh}((x - m) / s)`, where :math:`m` is the median and :math:`s` the deviation of its inner disc.
The stretch makes noise as visible as the source: two copies share their noise, and two galaxies never do.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SIDE = 64
"""Height and width of reduced images in pixels."""
ANGLES = 96
RINGS = 53
ZOOM_STEPS = 2
"""Zooms are searched in this many steps up and down; one step is the ratio of two neighbouring rings."""
RING_RATIO = 1.05
_INNERMOST = 2.0
_CHUNK = 128
_HARMONICS = 9
_CENTRE = (SIDE - 1) / 2
_DISC_RADIUS = 24.0
_SMALLEST_SCALE = 0.05
_KEPT = 0.6
"""Fraction of height and width that is looked at, where 64 pixels are left: details count more than the field."""
_WINDOW = 14.0
_SHIFTS = 10

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
    detail : ndarray of shape (n, 64, 64), float16
        Stretched images without their large-scale structure.
    centres : ndarray of shape (n, 2), float32
        Row and column of the centre of brightness, in reduced pixels.
    rings : ndarray of shape (n, 53, 49), complex64
        Fourier coefficients over the angle of the smoothed image on logarithmic rings around its centre.
    descriptors : ndarray of shape (n, d), float32
        Moduli of the first coefficients, which rotations and mirror images do not change.
    """

    smooth: NDArray[np.float16]
    detail: NDArray[np.float16]
    centres: Array
    rings: NDArray[np.complex64]
    descriptors: Array

    def __len__(self) -> int:
        return len(self.centres)

    def richness(self) -> Array:
        r"""Return the effective number of pixels that hold the details of each image.

        It is :math:`(\sum d^2)^2 / \sum d^4` over the inner disc: about 15 for a point source without noise, several
        hundred where noise is seen.
        """
        inner = self.detail[:, RADIUS < 26].astype(np.float32) ** 2
        pixels: Array = inner.sum(axis=1) ** 2 / np.maximum((inner**2).sum(axis=1), 1e-12)
        return pixels


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
    from scipy import fft
    from scipy.ndimage import gaussian_filter

    reduced = np.stack([_reduced(image) for image in images])
    smooth = _stretched(gaussian_filter(reduced, (0, 1.2, 1.2)))
    sharp = gaussian_filter(_stretched(reduced), (0, 0.8, 0.8))
    centres = _centres(smooth)
    rows, columns = (centres[:, axis, None] + ring for axis, ring in enumerate((_RING_ROWS, _RING_COLUMNS)))
    rings = fft.rfft(sample(smooth, rows, columns).reshape(-1, RINGS, ANGLES), axis=2)
    return {
        "smooth": smooth.astype(np.float16),
        "detail": (sharp - gaussian_filter(sharp, (0, 3.0, 3.0))).astype(np.float16),
        "centres": centres,
        "rings": rings.astype(np.complex64),
        "descriptors": np.abs(rings[:, :, :_HARMONICS]).astype(np.float32),
    }


def descriptors(features: Features, zoom: int = 0) -> Array:
    """Return the descriptors of images as they would be if the images were magnified by ``1.05**zoom``.

    Parameters
    ----------
    features : Features
        Features of n images.
    zoom : int
        Steps of the zoom, from -2 to 2.

    Returns
    -------
    ndarray of shape (n, d), float32
        Descriptors of unit length.
    """
    inner = slice(ZOOM_STEPS - zoom, RINGS - ZOOM_STEPS - zoom)
    weights = _TAPER[ZOOM_STEPS : RINGS - ZOOM_STEPS]
    found = (features.descriptors[:, inner] * weights[:, None]).reshape(len(features), -1)
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
    edge = SIDE - 1.001
    inside = (rows >= 0) & (rows <= edge) & (columns >= 0) & (columns <= edge)
    rows, columns = np.clip(rows, 0, edge), np.clip(columns, 0, edge)
    top, left = rows.astype(np.int32), columns.astype(np.int32)
    down, right = rows - top, columns - left
    flat = images.reshape(len(images), -1)
    first = top * SIDE + left

    def pixel(offset: int) -> Array:
        return np.take_along_axis(flat, first + offset, 1)

    upper = pixel(0) * (1 - right) + pixel(1) * right
    lower = pixel(SIDE) * (1 - right) + pixel(SIDE + 1) * right
    values: Array = (upper * (1 - down) + lower * down) * inside
    return values


def _reduced(image: NDArray[Any]) -> Array:
    from PIL import Image

    height, width = image.shape[:2]
    side = max(SIDE, round(_KEPT * min(height, width)))
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    inner = image[top : top + side, left : left + side]
    grey = Image.fromarray(inner.mean(axis=-1, dtype=np.float64).astype(np.float32))
    shrinks = max(grey.size) >= SIDE
    resampling = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(grey.resize((SIDE, SIDE), resampling))


def _stretched(images: Array) -> Array:
    inner = images[:, RADIUS < _DISC_RADIUS]
    middle = np.median(inner, axis=1)
    deviation = 1.4826 * np.median(np.abs(inner - middle[:, None]), axis=1)
    scale = np.maximum(deviation, _SMALLEST_SCALE * (inner.max(axis=1) - middle)) + 1e-12
    stretched: Array = np.arcsinh((images - middle[:, None, None]) / scale[:, None, None]).astype(np.float32)
    return stretched


def _centres(images: Array) -> Array:
    """Return the centre of brightness in a Gaussian window that moves along with it, from the middle of the image."""
    bright = np.clip(images - 0.5, 0, None)
    row = np.full(len(images), _CENTRE, np.float32)
    column = row.copy()
    for _ in range(_SHIFTS):
        down = np.exp(-0.5 * ((AXIS - row[:, None]) / _WINDOW) ** 2)
        across = np.exp(-0.5 * ((AXIS - column[:, None]) / _WINDOW) ** 2)
        by_row = np.matmul(bright, across[:, :, None])[..., 0] * down
        by_column = np.matmul(down[:, None, :], bright)[:, 0] * across
        total = by_row.sum(axis=1)
        known = total > 0
        row = np.where(known, (by_row * AXIS).sum(axis=1) / np.where(known, total, 1), row).astype(np.float32)
        column = np.where(known, (by_column * AXIS).sum(axis=1) / np.where(known, total, 1), column).astype(np.float32)
    return np.stack([row, column], axis=1)
