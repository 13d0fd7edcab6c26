"""Folds that are the same under every seed: what comparisons count is folds, not cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarker.contracts.folds import fold_of
from benchmarker.statistics.network_results import NetworkResults, SeedResult, SourceSums


def means_of_folds(row: NetworkResults) -> NetworkResults:
    r"""Return a row whose cells of one published fold are averaged over seeds, so that each fold counts once.

    Where each seed draws its own folds, all cells divide the sources differently. Published folds are the same under
    every seed: cells of one fold share training and test part, and averaging them takes the luck of seeds out but not
    the luck of the fold. With the score :math:`y_{fs}` of fold f under seed s, comparisons therefore use

    .. math:: y_f = \frac{1}{S} \sum_s y_{fs}

    with as many degrees of freedom as folds allow.

    Parameters
    ----------
    row : NetworkResults
        Row of a study. One without published folds, or with one seed for each, is returned as it is.

    Returns
    -------
    NetworkResults
        The seed of a fold is the lowest of its cells. Folds some of whose cells have not finished are left out.
    """
    folds = row.published_folds
    if not folds or row.planned <= folds or row.planned % folds:
        return row
    cells: dict[int, list[int]] = {}
    for seed in sorted(row.seeds):
        cells.setdefault(fold_of(seed, folds)[1], []).append(seed)
    whole = [seeds for seeds in cells.values() if len(seeds) == row.planned // folds]
    means = {seeds[0]: _mean([row.seeds[seed] for seed in seeds]) for seeds in whole}
    return replace(row, planned=folds, seeds=means, _scores={})


def _mean(cells: Sequence[SeedResult]) -> SeedResult:
    sums = [cell.sums for cell in cells]
    known = [each for each in sums if each is not None]
    same = len(known) == len(sums) and len({each.sources for each in known}) == 1
    return replace(
        cells[0],
        value=float(np.mean([cell.value for cell in cells])),
        sums=_mean_sums(known) if same else None,
        correct=None,
    )


def _mean_sums(sums: Sequence[SourceSums]) -> SourceSums:
    """Return mean sums, so that scores which are linear in them, such as recalls, are means over seeds."""
    return replace(sums[0], values=np.mean([each.values for each in sums], axis=0))
