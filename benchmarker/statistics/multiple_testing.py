"""Correction of p-values for the number of comparisons in a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    r"""Adjust p-values for the number of comparisons in a table (Holm's step-down method).

    Parameters
    ----------
    p_values : sequence of float or None
        One p-value per comparison; None where no test was possible. Such comparisons are not counted.

    Returns
    -------
    list of float or None
        Adjusted p-values in the same order; None stays None.

    Notes
    -----
    With the m p-values in ascending order,

    .. math:: \tilde{p}_{(i)} = \max_{j \le i} \min\left(1, (m - j + 1) \, p_{(j)}\right)

    The chance of one or more false findings in the whole table stays below the level at which the adjusted values are
    read, however the comparisons depend on each other. The price is power: with many comparisons and few seeds hardly
    any difference remains significant.

    References
    ----------
    Holm 1979, Scand. J. Stat. 6, 65, https://www.jstor.org/stable/4615733.

    Examples
    --------
    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
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
