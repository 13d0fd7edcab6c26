"""Accuracy against cost: the networks that no other network beats in everything."""

from __future__ import annotations

from collections.abc import Mapping
from operator import ge
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd

PARETO_COSTS: Mapping[str, bool] = {"parameters": False, "flops": False, "inference_images_per_second": True}
"""Costs that a front is drawn over, and whether more of it is better."""


def pareto_front(values: ArrayLike, *, higher_is_better: ArrayLike) -> NDArray[np.bool_]:
    """Tell which rows no other row dominates: at least as good in every column, and better in one.

    Parameters
    ----------
    values : array_like of shape (n, n_columns)
        For example accuracy, parameters and images per second of n networks. A row with a NaN is never on the front.
    higher_is_better : array_like of shape (n_columns,), bool
        Of each column.

    Returns
    -------
    ndarray of shape (n,), bool
        Equal rows are on the front together.

    References
    ----------
    Kung, Luccio and Preparata 1975, J. ACM 22, 469, doi:10.1145/321906.321910.
    """
    table = np.asarray(values, dtype=np.float64)
    direction = np.asarray(higher_is_better, dtype=bool)
    if table.ndim != 2 or direction.shape != (table.shape[1],):
        raise ValueError(f"one direction per column was expected. Received: shapes {table.shape}, {direction.shape}")
    oriented = np.where(direction, table, -table)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(oriented).all(axis=1), dtype=bool)
    front = np.zeros(len(table), dtype=bool)
    members: list[tuple[float, ...]] = []
    # From the largest on: whatever beats a row in everything stands before it, and so does a member of the front.
    places = [(tuple(oriented[k].tolist()), int(k)) for k in np.flatnonzero(known)]
    for row, place in sorted(places, key=lambda each: each[0], reverse=True):
        if not any(other != row and all(map(ge, other, row)) for other in members):
            members.append(row)
            front[place] = True
    return front


def fronts(table: pd.DataFrame, metric: str, *, higher_is_better: bool) -> pd.DataFrame:
    """Return, for each cost, which rows are on the front of metric against it.

    Parameters
    ----------
    table : DataFrame
        One row for each network and arm, with columns `metric` and any of ``parameters``, ``flops`` and
        ``inference_images_per_second``.
    metric : str
        A column of `table`.
    higher_is_better : bool
        Of the metric.

    Returns
    -------
    DataFrame
        The same index; one column of bool for each cost that `table` has.
    """
    import pandas as pd

    return pd.DataFrame(
        {
            cost: pareto_front(table[[metric, cost]].to_numpy(float), higher_is_better=[higher_is_better, more])
            for cost, more in PARETO_COSTS.items()
            if cost in table
        },
        index=table.index,
    )
