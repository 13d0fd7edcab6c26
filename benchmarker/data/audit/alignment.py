"""Lay one image onto another: turned, mirrored, shifted and magnified, and refined by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.features import COLUMNS, ROWS, SIDE, Array, sample

_LARGEST_STEPS = (1.5, 1.5, 4.0, 4.0)
_ZOOMS = (0.72, 1.39)


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

    def moved(self, row: NDArray[Any], column: NDArray[Any], angle: Any = 0.0, growth: Any = 1.0) -> Alignment:
        """Return alignments whose first image was moved before, turned around its point, and magnified.

        Parameters
        ----------
        row, column : ndarray of shape (n,)
            Shift of the first image.
        angle : ndarray of shape (n,)
            Angle in radians.
        growth : ndarray of shape (n,)
            Magnification.
        """
        turned, zoom = self.angle - angle, np.clip(self.zoom * growth, *_ZOOMS)
        cosine, sine = np.cos(turned) / zoom, np.sin(turned) / zoom
        sign = np.where(self.mirrored, -1.0, 1.0)
        return Alignment(
            mirrored=self.mirrored,
            angle=turned,
            zoom=zoom,
            centres=self.centres,
            row=self.row - sign * (cosine * row - sine * column),
            column=self.column - (cosine * column + sine * row),
        )


def chosen(alignments: Sequence[Alignment], which: NDArray[np.int64]) -> Alignment:
    """Return one of several alignments for each pair."""
    every = np.arange(len(which))
    return Alignment(
        **{
            each.name: np.stack([getattr(one, each.name) for one in alignments])[which, every]
            for each in fields(Alignment)
        }
    )


def points(alignment: Alignment, rows: Array, columns: Array) -> tuple[Array, Array]:
    """Return where points of the first images lie in the second ones.

    Parameters
    ----------
    alignment : Alignment
        Alignments of n pairs.
    rows, columns : ndarray of shape (m,)
        Points, the same ones for all pairs.

    Returns
    -------
    rows, columns : ndarray of shape (n, m), float32
        Points of the second image of each pair.
    """
    zoom = alignment.zoom[:, None]
    cosine, sine = (f(alignment.angle)[:, None] / zoom for f in (np.cos, np.sin))
    sign = np.where(alignment.mirrored, -1.0, 1.0)[:, None]
    row, column = alignment.centres[:, :1], alignment.centres[:, 1:]
    # An affine map of the points, in the fewest operations on large arrays.
    start = alignment.row[:, None] - sign * (cosine * row - sine * column)
    other = alignment.column[:, None] - (cosine * column + sine * row)
    down, across, start, other = (each.astype(np.float32) for each in (sign * cosine, sign * sine, start, other))
    by_column = (cosine.astype(np.float32), sine.astype(np.float32))
    return down * rows - across * columns + start, by_column[0] * columns + by_column[1] * rows + other


def seen(rows: Array, columns: Array) -> NDArray[np.bool_]:
    """Return which points lie within an image."""
    found: NDArray[np.bool_] = (rows >= 0) & (rows <= SIDE - 1) & (columns >= 0) & (columns <= SIDE - 1)
    return found


def laid(images: Array, alignment: Alignment) -> tuple[Array, NDArray[np.bool_]]:
    """Return the second images as they lie on the first ones, 0 outside, and which pixels they cover."""
    rows, columns = points(alignment, ROWS.ravel(), COLUMNS.ravel())
    shape = (-1, SIDE, SIDE)
    return sample(images, rows, columns).reshape(shape), seen(rows, columns).reshape(shape)


def refined(fixed: Array, moving: Array, alignment: Alignment, grid: NDArray[np.bool_], steps: int) -> Alignment:
    r"""Improve alignments by Gauss-Newton steps on images.

    Parameters
    ----------
    fixed, moving : ndarray of shape (n, 64, 64)
        First and second image of each pair.
    alignment : Alignment
        Where to start.
    grid : ndarray of shape (64, 64), bool
        Pixels of the first image that are compared, where the second one covers them.
    steps : int
        Number of steps.

    Notes
    -----
    In each step, the second image is described as :math:`g\,[f + \nabla f \cdot \delta(x)] + b` with a gain g, a
    background b, and a shift, turn and growth :math:`\delta` of the first image f, by which the alignment is then
    corrected. The derivatives are those of the first image, so they are computed only once (Baker & Matthews 2004).

    References
    ----------
    Baker & Matthews 2004, International Journal of Computer Vision 56, 221, doi:10.1023/B:VISI.0000011205.11775.fd.
    """
    by_row, by_column = (np.gradient(fixed, axis=axis)[:, grid] for axis in (1, 2))
    rows, columns = ROWS[grid], COLUMNS[grid]
    down, across = (rows - alignment.centres[:, :1]) / SIDE, (columns - alignment.centres[:, 1:]) / SIDE
    turn, grow = by_column * down - by_row * across, by_row * down + by_column * across
    values = fixed[:, grid]
    design = np.stack([by_row, by_column, turn, grow, values, np.ones_like(values)], axis=1)
    for _ in range(steps):
        where = points(alignment, rows, columns)
        covered = seen(*where)
        masked = design * covered[:, None]
        normal = np.matmul(masked, masked.transpose(0, 2, 1)).astype(np.float64)
        normal += 1e-4 * np.eye(6) * (np.trace(normal, axis1=1, axis2=2)[:, None, None] / 6 + 1e-6)
        target = np.matmul(masked, sample(moving, *where)[:, :, None]).astype(np.float64)
        step = np.linalg.solve(normal, target)[:, :, 0]
        gain = np.where(step[:, 4] > 0.2, step[:, 4], 1.0)
        row, column, angle, growth = (np.clip(step[:, k] / gain, -most, most) for k, most in enumerate(_LARGEST_STEPS))
        alignment = alignment.moved(row, column, angle / SIDE, np.exp(growth / SIDE))
    return alignment
