"""Non-parametric morphology of sources: Gini, M20, concentration, asymmetry and ellipticity, for whole batches.

The input is the flux above the background, with 0 in the sky, as of
`benchmarker_gan.quality.image_statistics.source_flux`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Each pixel is divided into this number of parts along each axis where circles cross it.
_PARTS = 4


def moments(flux: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the centroid and the second central moments of each source.

    .. math:: \mathbf{c} = \frac{\sum_i f_i \mathbf{r}_i}{\sum_i f_i}, \qquad
              C = \frac{\sum_i f_i (\mathbf{r}_i - \mathbf{c}) (\mathbf{r}_i - \mathbf{c})^T}{\sum_i f_i}

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
        Flux of the sources.

    Returns
    -------
    centroids : ndarray of shape (n, 2), float64
        Row and column in pixels; the centre of the first pixel is 0. NaN without flux.
    covariances : ndarray of shape (n, 2, 2), float64
        Second moments in square pixels.

    Examples
    --------
    >>> flux = np.zeros((1, 5, 5))
    >>> flux[0, 2, 1:4] = 1.0
    >>> centroids, covariances = moments(flux)
    >>> centroids[0].tolist(), round(float(covariances[0, 1, 1]), 3)
    ([2.0, 2.0], 0.667)
    """
    _, height, width = flux.shape
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = flux / flux.sum(axis=(1, 2), keepdims=True)
    rows, columns = weights.sum(axis=2), weights.sum(axis=1)
    y, x = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
    centroids = np.stack([rows @ y, columns @ x], axis=1)
    dy, dx = y - centroids[:, :1], x - centroids[:, 1:]
    yy, xx = (rows * dy**2).sum(axis=1), (columns * dx**2).sum(axis=1)
    yx = np.einsum("nyx,ny,nx->n", weights, dy, dx)
    return centroids, np.stack([np.stack([yy, yx], axis=1), np.stack([yx, xx], axis=1)], axis=2)


def ellipticity(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return the ellipticity of the ellipses with the given second moments.

    .. math:: \epsilon = 1 - b / a = 1 - \sqrt{\lambda_2 / \lambda_1}

    with the eigenvalues :math:`\lambda_1 \ge \lambda_2` of the second moments. The width of a pixel and of the point
    spread function are not subtracted, so small sources appear rounder than they are.

    Parameters
    ----------
    covariances : ndarray of shape (n, 2, 2), float64
        Second moments in square pixels.

    Returns
    -------
    ndarray of shape (n,), float64
        0 for a circle; NaN without flux.

    Examples
    --------
    >>> ellipticity(np.array([[[4.0, 0.0], [0.0, 1.0]]])).tolist()
    [0.5]
    """
    found = np.full(len(covariances), np.nan)
    known = np.isfinite(covariances).all(axis=(1, 2))
    values = np.linalg.eigvalsh(covariances[known])
    with np.errstate(invalid="ignore", divide="ignore"):
        found[known] = 1 - np.sqrt(np.maximum(values[:, 0], 0) / values[:, 1])
    return found


def gini(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return the Gini coefficient of the pixels of each source.

    .. math:: G = \frac{\sum_{i=1}^{n} (2 i - n - 1) f_i}{(n - 1) \sum_i f_i}

    with the fluxes :math:`f_i` of the n pixels in increasing order: 0 if all pixels are equally bright, 1 if one pixel
    has all the flux. It depends on which pixels belong to the source. Lotz et al. end a source at the Petrosian radius,
    which the lobes of a radio galaxy do not have; here every pixel with flux belongs to it.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
        Flux of the sources.

    Returns
    -------
    ndarray of shape (n,), float64
        NaN for a source of fewer than two pixels.

    References
    ----------
    Lotz, Primack & Madau 2004, AJ 128, 163 (doi:10.1086/421849), equation 6.

    Examples
    --------
    >>> gini(np.array([[[0.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 3.0]]])).tolist()
    [0.0, 0.5]
    """
    ordered = np.sort(flux.reshape(len(flux), -1), axis=1)
    count = (ordered > 0).sum(axis=1)
    # Ranks start at the faintest pixel of the source; the zeros before it contribute nothing.
    ranks = np.arange(1, ordered.shape[1] + 1) - (ordered.shape[1] - count)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = ((2 * ranks - count[:, None] - 1) * ordered).sum(axis=1) / (ordered.sum(axis=1) * (count - 1))
    return np.where(count > 1, found, np.nan)


def m20(flux: NDArray[np.float64], centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return M20: the share of the brightest pixels in the second moment of each source.

    .. math:: M_{20} = \log_{10} \frac{\sum_{i \in B} f_i |\mathbf{r}_i - \mathbf{c}|^2}
                                      {\sum_i f_i |\mathbf{r}_i - \mathbf{c}|^2}

    with the set B of the brightest pixels that contain 20 % of the flux, including the pixel that reaches it. It is
    near 0 if the brightest parts lie at the edge, as in an FRII source, and very negative if they lie in the centre.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
        Flux of the sources.
    centroids : ndarray of shape (n, 2), float64
        Centroids in pixels, about which the second moment is smallest.

    Returns
    -------
    ndarray of shape (n,), float64
        Values in dex; NaN for a source of one pixel.

    References
    ----------
    Lotz, Primack & Madau 2004, AJ 128, 163 (doi:10.1086/421849), equations 7 and 8.

    Examples
    --------
    >>> double = np.array([[[1.0, 0.0, 0.0, 0.0, 1.0]]])
    >>> round(float(m20(double, np.array([[0.0, 2.0]]))[0]), 3)
    -0.301
    """
    n, height, width = flux.shape
    y, x = np.arange(height) - centroids[:, :1], np.arange(width) - centroids[:, 1:]
    weighted = (flux * (y[:, :, None] ** 2 + x[:, None, :] ** 2)).reshape(n, -1)
    order = np.argsort(-flux.reshape(n, -1), axis=1, kind="stable")
    ordered = np.take_along_axis(flux.reshape(n, -1), order, axis=1)
    bright = ordered.cumsum(axis=1) - ordered <= 0.2 * ordered.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (np.take_along_axis(weighted, order, axis=1) * bright).sum(axis=1) / weighted.sum(axis=1)
        return np.where(share > 0, np.log10(share), np.nan)


def asymmetry(flux: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the asymmetry under a rotation by 180 degrees, and the centre of rotation that minimises it.

    .. math:: A = \min_\mathbf{c} \frac{\sum |I - I_{180}|}{\sum I}

    Centres lie half a pixel apart, so that a rotation moves pixels onto pixels and nothing is interpolated. The search
    starts at the centre with the smallest squared difference in the whole frame, where the convolution of the image
    with itself is largest, and continues among its eight neighbours. The usual search in steps from the centroid does
    not find that the two lobes of a double source are images of each other. The asymmetry of the background is not
    subtracted, because the background is zero here.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
        Flux of the sources.

    Returns
    -------
    asymmetries : ndarray of shape (n,), float64
        Values in [0, 2], 0 for a point-symmetric source; NaN without flux.
    centres : ndarray of shape (n, 2), float64
        Row and column of the centres of rotation in pixels.

    References
    ----------
    Conselice 2003, ApJS 147, 1 (doi:10.1086/375001), section 3.1, without the background term.

    Examples
    --------
    >>> values, centres = asymmetry(np.array([[[1.0, 0.0, 0.0, 0.0, 1.0]]]))
    >>> values.tolist(), centres.tolist()
    ([0.0], [[0.0, 2.0]])
    """
    from scipy import fft

    _, height, width = flux.shape
    frame = 2 * height - 1, 2 * width - 1
    convolution = fft.irfft2(fft.rfft2(flux, frame) ** 2, frame)
    # Equally good centres differ by rounding, so almost equal ones count as equal and the first of them is used.
    largest = convolution.max(axis=(1, 2), keepdims=True)
    first = (convolution >= largest * (1 - 1e-9)).reshape(len(flux), -1).argmax(axis=1)
    doubled_start = np.stack(np.divmod(first, frame[1]), axis=1)
    total = flux.sum(axis=(1, 2))
    best, centres = np.full(len(flux), np.inf), np.full((len(flux), 2), np.nan)
    for step in np.ndindex(3, 3):
        doubled = doubled_start + np.array(step) - 1
        differences = np.abs(flux - _half_turn(flux, doubled)).sum(axis=(1, 2))
        better = differences < best * (1 - 1e-12)
        best[better], centres[better] = differences[better], doubled[better] / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, best / total, np.nan), centres


def _half_turn(flux: NDArray[np.float64], doubled: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rotate each image by 180 degrees about half of the doubled centre, with zeros from outside the frame."""
    n, height, width = flux.shape
    y, x = doubled[:, :1] - np.arange(height), doubled[:, 1:] - np.arange(width)
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    turned = flux[np.arange(n)[:, None, None], y.clip(0, height - 1)[:, :, None], x.clip(0, width - 1)[:, None, :]]
    return np.where(inside, turned, 0.0)


def concentration(flux: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return the concentration of each source.

    .. math:: C = 5 \log_{10} (r_{80} / r_{20})

    with the radii of circles that contain 80 % and 20 % of the source's flux. Each pixel is divided into 4 x 4 parts.
    The total is the flux of the source, not the flux within 1.5 Petrosian radii as usual; for a profile of de
    Vaucouleurs this gave 3.49 instead of 3.14.

    Parameters
    ----------
    flux : ndarray of shape (n, height, width), float64, not negative
        Flux of the sources.
    centres : ndarray of shape (n, 2), float64
        Centres of the circles in pixels, where the asymmetry is smallest.

    Returns
    -------
    ndarray of shape (n,), float64
        1.5 for a uniform disc, larger for concentrated sources; NaN without flux.

    References
    ----------
    Conselice 2003, ApJS 147, 1 (doi:10.1086/375001), section 3.2.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64] - 32
    >>> disc = (np.hypot(y, x) < 20).astype(float)[None]
    >>> round(float(concentration(disc, np.array([[32.0, 32.0]]))[0]), 1)
    1.5
    """
    n, height, width = flux.shape
    image, y, x = np.nonzero(flux)
    offsets = (np.arange(_PARTS) + 0.5) / _PARTS - 0.5
    dy = (y - centres[image, 0])[:, None, None] + offsets[:, None]
    dx = (x - centres[image, 1])[:, None, None] + offsets
    bins = _PARTS * int(np.ceil(np.hypot(height, width)))
    ring = np.minimum((np.hypot(dy, dx) * _PARTS).astype(np.int64), bins - 1)
    parts = np.broadcast_to((flux[image, y, x] / _PARTS**2)[:, None, None], ring.shape)
    rings = np.bincount((ring + image[:, None, None] * bins).ravel(), parts.ravel(), minlength=n * bins)
    growth = np.concatenate([np.zeros((n, 1)), rings.reshape(n, bins).cumsum(axis=1)], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 5 * np.log10(_radius(growth, 0.8) / _radius(growth, 0.2))


def _radius(growth: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the radius at which the growth curve reaches a share of the total, in units of its bins."""
    target = share * growth[:, -1]
    after = np.argmax(growth >= target[:, None], axis=1)
    rows = np.arange(len(growth))
    low, high = growth[rows, np.maximum(after - 1, 0)], growth[rows, after]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Within a ring the flux grows with the square of the radius.
        inner, outer = np.maximum(after - 1, 0) ** 2, after**2
        radius = np.sqrt(inner + (target - low) / (high - low) * (outer - inner))
    return np.where(growth[:, -1] > 0, radius, np.nan)
