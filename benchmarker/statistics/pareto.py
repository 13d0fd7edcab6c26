"""Metric against cost: the networks that no other network beats in both (the Pareto front)."""

from __future__ import annotations

from collections.abc import Mapping
from operator import ge

import numpy as np
from numpy.typing import ArrayLike, NDArray

PARETO_COSTS: Mapping[str, bool] = {"parameters": False, "flops": False, "inference_images_per_second": True}
"""Costs that the metric is compared with, and whether more of each is better."""


def pareto_front(
    values: ArrayLike, *, higher_is_better: ArrayLike, noise: ArrayLike | None = None
) -> NDArray[np.bool_]:
    r"""Return which rows no other row dominates.

    Parameters
    ----------
    values : array_like of shape (n, n_columns)
        For example accuracy, parameters and images per second of n networks, in any units. A row with a NaN is never
        on the front.
    higher_is_better : array_like of shape (n_columns,), bool
        Direction of each column.
    noise : array_like of shape (n, n_columns), optional
        Standard error or deviation of each value, in its unit. Two values that differ by no more than the larger of
        their noises are equal. Without it, all values are exact.

    Returns
    -------
    ndarray of shape (n,), bool
        True on the front; equal rows are on it together.

    Notes
    -----
    With all columns oriented so that more is better, row a dominates row b if

    .. math:: a_j \ge b_j \text{ for all } j \quad\text{and}\quad a_j > b_j \text{ for some } j

    where values within their noise count as equal. A network may still miss the front by less than the luck of a seed
    in a column whose noise is not given.

    References
    ----------
    Kung, Luccio and Preparata 1975, J. ACM 22, 469, doi:10.1145/321906.321910.

    Examples
    --------
    Accuracy in percent and number of parameters of three networks:

    >>> pareto_front([[91.0, 2e6], [90.0, 1e5], [88.0, 5e6]], higher_is_better=[True, False]).tolist()
    [True, True, False]

    Accuracy, and images per second with a noise of 20:

    >>> noise = [[0.0, 20.0], [0.0, 20.0]]
    >>> pareto_front([[91.0, 2324.0], [90.0, 2325.0]], higher_is_better=[True, True], noise=noise).tolist()
    [True, False]
    """
    table = np.asarray(values, dtype=np.float64)
    direction = np.asarray(higher_is_better, dtype=bool)
    if table.ndim != 2 or direction.shape != (table.shape[1],):
        raise ValueError(f"one direction per column was expected. Received: shapes {table.shape}, {direction.shape}")
    oriented = np.where(direction, table, -table)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(oriented).all(axis=1), dtype=bool)
    if noise is not None:
        return known & ~_dominated(np.where(known[:, None], oriented, -np.inf), np.asarray(noise, dtype=np.float64))
    front = np.zeros(len(table), dtype=bool)
    members: list[tuple[float, ...]] = []
    # In descending order, a row that dominates another comes before it, and so does a member of the front that does.
    points = [(tuple(oriented[k].tolist()), int(k)) for k in np.flatnonzero(known)]
    for row, index in sorted(points, key=lambda each: each[0], reverse=True):
        if not any(other != row and all(map(ge, other, row)) for other in members):
            members.append(row)
            front[index] = True
    return front


def _dominated(oriented: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows another row dominates, where more is better and values within their noise are equal."""
    dominated = np.zeros(len(oriented), dtype=bool)
    for place, row in enumerate(oriented):
        allowed = np.maximum(noise, noise[place])
        no_worse = (oriented >= row - allowed).all(axis=1)
        better = (oriented > row + allowed).any(axis=1)
        dominated[place] = bool((no_worse & better).any())
    return dominated
