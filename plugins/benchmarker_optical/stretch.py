r"""One fixed, invertible scale of brightness for every image of the set.

A pixel of flux f becomes

.. math:: x = \frac{\operatorname{asinh}(f / s) - \operatorname{asinh}(f_0 / s)}
                   {\operatorname{asinh}(f_1 / s) - \operatorname{asinh}(f_0 / s)}

with :math:`s = 0.02`, :math:`f_0 = -0.06` and :math:`f_1 = 100` nanomaggies per pixel, the same in all bands: linear
among the noise, logarithmic where galaxies are bright. The inverse hyperbolic sine is that of Lupton, Gunn & Szalay
1999, AJ 118, 1406 (magnitudes) and Lupton et al. 2004, PASP 116, 133 (images); it is applied to each band alone here,
so that each can be inverted alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# In nanomaggies per pixel.
SOFTENING = 0.02
LOWEST = -0.06
HIGHEST = 100.0

_START = math.asinh(LOWEST / SOFTENING)
_SPAN = math.asinh(HIGHEST / SOFTENING) - _START


def stretch(flux: NDArray[Any]) -> NDArray[np.float64]:
    """Return the pixels that networks see.

    Parameters
    ----------
    flux : ndarray of any shape
        Nanomaggies per pixel. Below -0.06 and above 100 it is cut off: three softenings, and more than any galaxy of
        the default ranges has.

    Returns
    -------
    ndarray of the same shape, float64
        In [0, 1]; an empty sky is near 0.165.
    """
    values: NDArray[np.float64] = np.arcsinh(np.clip(flux, LOWEST, HIGHEST).astype(np.float64) / SOFTENING)
    return (values - _START) / _SPAN


def unstretch(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return the flux in nanomaggies per pixel, ndarray of the same shape, float64, of pixels in [0, 1]."""
    flux: NDArray[np.float64] = SOFTENING * np.sinh(np.asarray(pixels, dtype=np.float64) * _SPAN + _START)
    return flux
