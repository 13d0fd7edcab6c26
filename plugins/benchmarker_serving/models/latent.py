"""Latent points from seeds with NumPy: the same numbers as the signature ``seeded`` of an exported SavedModel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MASK = 0xFFFFFFFF
GOLDEN = 0x1E3779B9
STEPS = ((1 << 16, 0x21F0AAAD), (1 << 15, 0x735A2D97))
"""Shifts, as divisors, and multipliers of the hash (Wellons' lowbias32), whose products fit into 63 bits."""

LAST_SHIFT = 1 << 15
FRACTION_BITS = 24


def latent_points(seeds: NDArray[np.int64], size: int, *, uniform: bool) -> NDArray[np.float32]:
    r"""Return latent points that depend on nothing but the seed of each image.

    Each number starts as a hash of the seed and of its place. Two of them make a standard normal one by the
    Box-Muller transform, :math:`\sqrt{-2 \ln u_1} \cos 2 \pi u_2`.

    Parameters
    ----------
    seeds : ndarray of shape (n,), int64
        Seed of each image; the lower 32 bits count.
    size : int
        Numbers of a latent point.
    uniform : bool
        Uniform in [-1, 1) instead of standard normal.

    Returns
    -------
    ndarray of shape (n, size), float32

    Examples
    --------
    >>> import numpy as np
    >>> points = latent_points(np.arange(1000), 8, uniform=False)
    >>> bool(abs(points.mean()) < 0.05), bool(abs(points.std() - 1) < 0.05)
    (True, True)
    """
    import numpy as np

    places = np.arange(1, 2 * size + 1, dtype=np.int64)[None, :] * GOLDEN & MASK
    state = (_mixed(np.asarray(seeds, dtype=np.int64).reshape(-1, 1) & MASK) + places) & MASK
    numbers = ((_mixed(state) >> 8).astype(np.float32) + np.float32(0.5)) / np.float32(1 << FRACTION_BITS)
    first, second = numbers[:, :size], numbers[:, size:]
    if uniform:
        return 2 * first - 1
    points: NDArray[Any] = np.sqrt(-2 * np.log(first)) * np.cos(np.float32(2 * np.pi) * second)
    return points.astype(np.float32)


def _mixed(values: NDArray[np.int64]) -> NDArray[np.int64]:
    for divisor, multiplier in STEPS:
        values = (values ^ (values // divisor)) * multiplier & MASK
    return values ^ (values // LAST_SHIFT)
