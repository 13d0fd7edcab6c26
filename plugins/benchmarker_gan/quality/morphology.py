"""The shapes of sources: Gini, M20, concentration, asymmetry and ellipticity, of a whole batch at once.

Sources come as flux above the background, 0 where there is sky.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Each pixel is cut into so many parts along each axis where circles cross it.
_PARTS = 4


def moments(flux: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centroid (row, column) and the second central moments of each source.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative

    Returns
    -------
    centres : ndarray of shape (n, 2), float64, pixels
        The middle of the first pixel is 0. NaN without flux.
    covariances : ndarray of shape (n, 2, 2), float64, square pixels
    """
    _, height, width = flux.shape
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = flux / flux.sum(axis=(1, 2), keepdims=True)
    rows, columns = weights.sum(axis=2), weights.sum(axis=1)
    y, x = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
    centres = np.stack([rows @ y, columns @ x], axis=1)
    dy, dx = y - centres[:, :1], x - centres[:, 1:]
    yy, xx = (rows * dy**2).sum(axis=1), (columns * dx**2).sum(axis=1)
    yx = np.einsum("nyx,ny,nx->n", weights, dy, dx)
    return centres, np.stack([np.stack([yy, yx], axis=1), np.stack([yx, xx], axis=1)], axis=2)


def gini(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Gini coefficient of each source's pixels: 0 where all are alike, 1 where one has everything.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
        Pixels of 0 do not belong to the source.

    References
    ----------
    Lotz et al. 2004, 2004AJ....128..163L, equation 6; their source ends at the Petrosian radius.
    """
    ordered = np.sort(flux.reshape(len(flux), -1), axis=1)
    count = (ordered > 0).sum(axis=1)
    # Ranks begin with the source's faintest pixel; the zeros before it add nothing.
    ranks = np.arange(1, ordered.shape[1] + 1) - (ordered.shape[1] - count)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = ((2 * ranks - count[:, None] - 1) * ordered).sum(axis=1) / (ordered.sum(axis=1) * (count - 1))
    return np.where(count > 1, found, np.nan)


def m20(flux: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log10 of the share of the second moment that the brightest pixels with 20 % of the flux have.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
    centres : ndarray of shape (n, 2), float64
        Centroids, about which the second moment is smallest. The pixel that reaches 20 % counts as bright.

    Returns
    -------
    ndarray of shape (n,), float64, dex
        NaN for a source of one pixel.

    References
    ----------
    Lotz et al. 2004, 2004AJ....128..163L, equations 7 and 8; their source ends at the Petrosian radius.
    """
    n, height, width = flux.shape
    y, x = np.arange(height) - centres[:, :1], np.arange(width) - centres[:, 1:]
    weighed = (flux * (y[:, :, None] ** 2 + x[:, None, :] ** 2)).reshape(n, -1)
    order = np.argsort(-flux.reshape(n, -1), axis=1, kind="stable")
    ordered = np.take_along_axis(flux.reshape(n, -1), order, axis=1)
    bright = ordered.cumsum(axis=1) - ordered <= 0.2 * ordered.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (np.take_along_axis(weighed, order, axis=1) * bright).sum(axis=1) / weighed.sum(axis=1)
        return np.where(share > 0, np.log10(share), np.nan)


def asymmetry(flux: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``sum |I - I180| / sum I``, smallest over centres, and the centre where it is.

    Centres lie half a pixel apart, so that turning by 180 degrees moves pixels onto pixels and nothing is interpolated.
    The search begins where the squared difference is smallest of all centres in the frame, which is where the
    convolution of the image with itself is largest, and takes the best of the nine centres there. A search that walks
    from the centroid, as is common, stays between the lobes of a double source that no small step makes overlap.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
        Sky is 0, so no background's asymmetry is taken away.

    Returns
    -------
    asymmetries : ndarray of shape (n,), float64, in [0, 2]
    middles : ndarray of shape (n, 2), float64, pixels

    References
    ----------
    Conselice 2003, 2003ApJS..147....1C, section 3.1, without the background's term.
    """
    from scipy import fft

    _, height, width = flux.shape
    frame = 2 * height - 1, 2 * width - 1
    folded = fft.irfft2(fft.rfft2(flux, frame) ** 2, frame)
    # Rounding decides between centres that are equally good, so nearly equal ones count as equal: the first is taken.
    largest = folded.max(axis=(1, 2), keepdims=True)
    first = (folded >= largest * (1 - 1e-9)).reshape(len(flux), -1).argmax(axis=1)
    twice_best = np.stack(np.divmod(first, frame[1]), axis=1)
    total = flux.sum(axis=(1, 2))
    best, middles = np.full(len(flux), np.inf), np.full((len(flux), 2), np.nan)
    for step in np.ndindex(3, 3):
        twice = twice_best + np.array(step) - 1
        differences = np.abs(flux - _turned(flux, twice)).sum(axis=(1, 2))
        better = differences < best * (1 - 1e-12)
        best[better], middles[better] = differences[better], twice[better] / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, best / total, np.nan), middles


def _turned(flux: NDArray[np.float64], twice: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn each image by 180 degrees about half of ``twice``; 0 comes in from outside."""
    n, height, width = flux.shape
    y, x = twice[:, :1] - np.arange(height), twice[:, 1:] - np.arange(width)
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    turned = flux[np.arange(n)[:, None, None], y.clip(0, height - 1)[:, :, None], x.clip(0, width - 1)[:, None, :]]
    return np.where(inside, turned, 0.0)


def concentration(flux: NDArray[np.float64], middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``5 log10(r80 / r20)`` of the circles about the middle that hold 80 % and 20 % of the source's flux.

    Each pixel is cut into 4 x 4 parts; the total is the source's flux, not that within 1.5 Petrosian radii.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
    middles : ndarray of shape (n, 2), float64, pixels
        Where the asymmetry is smallest.

    References
    ----------
    Conselice 2003, 2003ApJS..147....1C, section 3.2.
    """
    n, height, width = flux.shape
    image, y, x = np.nonzero(flux)
    offsets = (np.arange(_PARTS) + 0.5) / _PARTS - 0.5
    dy = (y - middles[image, 0])[:, None, None] + offsets[:, None]
    dx = (x - middles[image, 1])[:, None, None] + offsets
    bins = _PARTS * int(np.ceil(np.hypot(height, width)))
    ring = np.minimum((np.hypot(dy, dx) * _PARTS).astype(np.int64), bins - 1)
    parts = np.broadcast_to((flux[image, y, x] / _PARTS**2)[:, None, None], ring.shape)
    rings = np.bincount((ring + image[:, None, None] * bins).ravel(), parts.ravel(), minlength=n * bins)
    growth = np.concatenate([np.zeros((n, 1)), rings.reshape(n, bins).cumsum(axis=1)], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 5 * np.log10(_radius(growth, 0.8) / _radius(growth, 0.2))


def _radius(growth: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return where the growth curve passes a share of its end, in units of its bins; NaN without flux."""
    wanted = share * growth[:, -1]
    after = np.argmax(growth >= wanted[:, None], axis=1)
    rows = np.arange(len(growth))
    low, high = growth[rows, np.maximum(after - 1, 0)], growth[rows, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Flux within a ring grows with the square of the radius.
        inner, outer = np.maximum(after - 1, 0) ** 2, after**2
        radius = np.sqrt(inner + (wanted - low) / (high - low) * (outer - inner))
    return np.where(growth[:, -1] > 0, radius, np.nan)


def ellipticity(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 - b / a`` of the ellipses with the second moments given, ndarray of shape (n,), float64.

    Parameters
    ----------
    covariances : ndarray of shape (n, 2, 2), float64, square pixels
        A pixel's own width is not taken away.
    """
    found = np.full(len(covariances), np.nan)
    known = np.isfinite(covariances).all(axis=(1, 2))
    values = np.linalg.eigvalsh(covariances[known])
    with np.errstate(invalid="ignore", divide="ignore"):
        found[known] = 1 - np.sqrt(np.maximum(values[:, 0], 0) / values[:, 1])
    return found
