"""Fréchet distance between two sets of images, in features that need no other network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COMPONENTS = 32
_LARGEST_SIDE = 32


class Features:
    """The first principal components of images, which are shrunk to at most 32 x 32 pixels first.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Images that the components are fitted on.
    """

    def __init__(self, images: NDArray[np.float32]) -> None:
        import numpy as np

        rows = _flat(images)
        self._mean = rows.mean(axis=0)
        _, scales, components = np.linalg.svd(rows - self._mean, full_matrices=False)
        n = min(_COMPONENTS, len(scales), max(1, len(rows) // 4))
        self._components = components[:n] * (np.sqrt(len(rows)) / np.maximum(scales[:n, None], 1e-12))

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return features of unit variance for the images of the fit, ndarray of shape (n, n_features)."""
        found: NDArray[np.float64] = (_flat(images) - self._mean) @ self._components.T
        return found


def _flat(images: NDArray[np.float32]) -> NDArray[np.float64]:
    import numpy as np

    step = max(1, -(-images.shape[1] // _LARGEST_SIDE))
    height, width = (size // step * step for size in images.shape[1:3])
    blocks = np.asarray(images[:, :height, :width], dtype=np.float64)
    blocks = blocks.reshape(len(images), height // step, step, width // step, step, images.shape[3])
    rows: NDArray[np.float64] = blocks.mean(axis=(2, 4)).reshape(len(images), -1)
    return rows


def frechet_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    r"""Return the Fréchet distance between the normal distributions of two sets of features.

    .. math:: d^2 = |\mu_1 - \mu_2|^2 + \operatorname{tr}(C_1 + C_2 - 2 (C_1 C_2)^{1/2})

    Parameters
    ----------
    first, second : ndarray of shape (n, n_features), float64
        Features of two sets of images.

    Returns
    -------
    float
        The squared distance, as usual; 0 for equal distributions. Finite samples of one distribution have a distance
        above 0, so compare with that of two halves of real images.

    References
    ----------
    Heusel et al. 2017, arXiv:1706.08500; Dowson & Landau 1982, J. Multivar. Anal. 12, 450.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    >>> round(frechet_distance(square, square), 9), round(frechet_distance(square, square + [3, 0]), 9)
    (0.0, 9.0)
    """
    import numpy as np
    from scipy import linalg

    means = first.mean(axis=0) - second.mean(axis=0)
    covariances = [np.atleast_2d(np.cov(each, rowvar=False)) for each in (first, second)]
    values = linalg.eigvals(covariances[0] @ covariances[1])
    root = float(np.sqrt(np.maximum(values.real, 0)).sum())
    return max(0.0, float(means @ means + sum(np.trace(each) for each in covariances) - 2 * root))
