"""McNemar's test of two classifiers on the same images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from benchmarker.statistics.comparison import PooledMcNemar


def pooled_mcnemar(first: ArrayLike, second: ArrayLike) -> PooledMcNemar:
    """Test whether two networks are right equally often, on the predictions of all seeds thrown together.

    Pooling takes the predictions of three networks for one source for three independent ones, and the luck of a seed
    for a property of the network. Its p is therefore too small; it is shown because papers show it.

    Parameters
    ----------
    first, second : array_like of bool, same shape
        Whether each network was right: of shape (n_seeds, n_images), or any other.

    References
    ----------
    McNemar 1947, Psychometrika 12, 153, doi:10.1007/BF02295996 (exact binomial form);
    Dietterich 1998, Neural Comput. 10, 1895, doi:10.1162/089976698300017197.
    """
    one, other = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != other.shape:
        raise ValueError(f"predictions of the same images were expected. Received: shapes {one.shape}, {other.shape}")
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    n = gained + lost
    # Twice the smaller tail of a fair binomial; both tails meet where the counts are equal.
    p = min(1.0, 2 * float(special.bdtr(min(gained, lost), n, 0.5))) if n else 1.0
    return PooledMcNemar(first_only=gained, second_only=lost, p=p)
