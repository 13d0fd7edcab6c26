"""Weighted sums of networks' results: the average over networks or arms, and the effect of an arm on a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarker.statistics.network_results import NetworkResults, Score, SeedResult


def averaged(rows: Sequence[NetworkResults], metric: str, *, network: str, arm: str) -> NetworkResults:
    """Return the mean of several rows as if it were the result of one network.

    Parameters
    ----------
    rows : sequence of NetworkResults
        At least one row.
    metric : str
        Flat name of the metric.
    network, arm : str
        Names of the new row.

    Returns
    -------
    NetworkResults
        As `weighted` returns it.
    """
    return weighted([(1 / len(rows), row) for row in rows], metric, network=network, arm=arm)


def weighted(terms: Sequence[tuple[float, NetworkResults]], metric: str, *, network: str, arm: str) -> NetworkResults:
    r"""Return a weighted sum of rows as if it were the result of one network.

    Parameters
    ----------
    terms : sequence of (float, NetworkResults)
        Weight and row of each term.
    metric : str
        Flat name of the metric, in whose unit the sum is.
    network, arm : str
        Names of the new row.

    Returns
    -------
    NetworkResults
        With the seeds that all rows finished. It has a jackknife over test sources where all rows were tested on the
        same sources under a seed. It has no predictions, so it knows this one metric only.

    Notes
    -----
    With weights :math:`w_k` and the metric :math:`y_{ks}` of row k under seed s,

    .. math:: y_s = \sum_k w_k \, y_{ks}, \qquad y_{s(i)} = \sum_k w_k \, y_{ks(i)}

    where :math:`y_{ks(i)}` is the metric without source i. The jackknife of a sum is the sum of the jackknives, so the
    variance from test sources includes what the rows have in common.
    """
    rows = [row for _, row in terms]
    seeds: dict[int, SeedResult] = {}
    scores: dict[tuple[int, str, int | None], Score | None] = {}
    for seed in sorted(set.intersection(*(set(row.seeds) for row in rows))):
        seeds[seed], scores[seed, metric, None] = _one_seed(terms, metric, seed)
    return NetworkResults(
        network=network,
        arm=arm,
        model=network,
        planned=max(row.planned for row in rows),
        seeds=seeds,
        n_train=rows[0].n_train,
        held_out=rows[0].held_out,
        published_folds=rows[0].published_folds,
        _scores=scores,
    )


def _one_seed(terms: Sequence[tuple[float, NetworkResults]], metric: str, seed: int) -> tuple[SeedResult, Score | None]:
    value = sum(weight * row.seeds[seed].value for weight, row in terms)
    first = terms[0][1].seeds[seed]
    found = [(weight, row.sums(seed), row.score(seed, metric)) for weight, row in terms]
    left_out, tested = [], set()
    for weight, sums, score in found:
        if sums is None or score is None:
            return SeedResult(value=value, fingerprint=first.fingerprint), None
        tested.add(sums.sources)
        left_out.append(weight * score.left_out)
    sums = terms[0][1].sums(seed)
    if len(tested) > 1 or sums is None:
        return SeedResult(value=value, fingerprint=first.fingerprint), None
    # Sums of a difference would be no counts, so a metric that nobody asked for has no value.
    empty = replace(sums, values=np.zeros_like(sums.values))
    result = SeedResult(value=value, sums=empty, image_sources=first.image_sources, fingerprint=first.fingerprint)
    return result, Score(value=value, left_out=np.sum(left_out, axis=0))
