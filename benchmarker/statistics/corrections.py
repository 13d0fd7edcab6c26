"""Correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values after Holm's correction over all of them.

    The chance of one or more false findings among all comparisons of a table stays at the level that one of them would
    have alone, however the comparisons depend on each other.

    Parameters
    ----------
    p_values : sequence of float or None
        None where a comparison could not be made; it is not counted, and stays None.

    References
    ----------
    Holm 1979, Scand. J. Stat. 6, 65, https://www.jstor.org/stable/4615733.
    """
    made = [k for k, p in enumerate(p_values) if p is not None]
    raw = np.array([p_values[k] for k in made], dtype=np.float64)
    if raw.size and not ((raw >= 0) & (raw <= 1)).all():
        raise ValueError(f"p-values between 0 and 1 were expected. Received: {raw.tolist()}")
    order = np.argsort(raw, kind="stable")
    steps = np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1))
    adjusted: list[float | None] = [None] * len(p_values)
    for position, step in zip(order, steps, strict=True):
        adjusted[made[position]] = min(1.0, float(step))
    return adjusted
