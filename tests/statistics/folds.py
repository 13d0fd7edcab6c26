"""Cross-validated studies whose truth is known: classifiers that are trained on overlapping folds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarker import Stream
from benchmarker.contracts.folds import fold_seeds, tested
from benchmarker.statistics.comparing import compare_pair, corrected_table
from benchmarker.statistics.network_results import NetworkResults, SeedResult, classification_sums, score
from benchmarker.statistics.pairing import pooled_variance
from tests.statistics.crossed import METRIC, SETTINGS

Array = NDArray[np.float64]
CLASSES = 4
FEATURES = 4
"""Features that each network sees; no two see the same."""


def study(networks: int, seeds: int, folds: int, size: int, generator: np.random.Generator) -> list[NetworkResults]:  # noqa: TID251 - a type
    """Return the rows of equally good networks under all folds and seeds.

    A network is a linear classifier (nearest class mean) that sees features of its own. All features say as much about
    the class, so the networks are equally good in expectation; what they learn depends on the training folds.

    Parameters
    ----------
    networks, seeds, folds : int
        Size of the study.
    size : int
        Sources of each class.
    generator : numpy.random.Generator
        Where draws come from.
    """
    truth = np.repeat(np.arange(CLASSES), size)
    centres = 0.6 * generator.standard_normal((CLASSES, networks, FEATURES))
    centres = np.stack([centres[:, 0]] * networks, axis=1)  # every network can tell the classes apart equally well
    features = centres[truth] + generator.standard_normal((truth.size, networks, FEATURES))
    names = np.array([f"{k:04d}" for k in range(truth.size)])
    groups = {str(c): names[truth == c].tolist() for c in range(CLASSES)}
    first = int(generator.integers(1, 10_000))
    cells = fold_seeds(range(first, first + seeds), folds)
    parts = {cell: np.isin(names, list(tested(groups, cell, folds))) for cell in cells}
    return [_row(k, features[:, k], truth, names, parts) for k in range(networks)]


def _row(
    number: int, features: Array, truth: NDArray[np.int64], names: NDArray[np.str_], parts: dict[int, NDArray[np.bool_]]
) -> NetworkResults:
    seeds = {}
    for cell, test in parts.items():
        means = np.stack([features[~test & (truth == c)].mean(axis=0) for c in range(CLASSES)])
        predicted = ((features[test][:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        sources = tuple(names[test].tolist())
        sums = classification_sums(sources, truth[test], predicted, CLASSES)
        found = score(sums, METRIC)
        assert found is not None
        seeds[cell] = SeedResult(value=found.value, sums=sums, image_sources=sources)
    trained = int((~next(iter(parts.values()))).sum())
    return NetworkResults(
        network=f"network {number}",
        arm="real",
        model=f"network {number}",
        planned=len(seeds),
        seeds=seeds,
        n_train=trained,
    )


def false_verdicts(networks: int, seeds: int, folds: int, size: int, studies: int) -> tuple[float, float]:
    """Return the share of tables of equal networks with a false verdict, and of pairs with one."""
    generator = Stream("folds of equal networks", size=[networks, seeds, folds, size]).generator()
    tables = pairs = 0.0
    for _ in range(studies):
        rows = study(networks, seeds, folds, size, generator)
        pool = pooled_variance(rows, SETTINGS)
        found = (compare_pair(one, other, SETTINGS, pool=pool) for one, other in combinations(rows, 2))
        table = corrected_table("networks", "", "", found, SETTINGS.level)
        wrong = [row.verdict in {"better", "worse"} for row in table.rows]
        tables += any(wrong)
        pairs += sum(wrong) / len(wrong)
    return tables / studies, pairs / studies
