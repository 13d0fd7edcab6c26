"""Studies whose truth is known and whose training parts overlap: folds, and splits that each seed draws for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarker import Stream
from benchmarker.contracts.folds import fold_seeds, tested
from benchmarker.statistics.comparing import compare_pair, corrected_table
from benchmarker.statistics.network_results import NetworkResults, SeedResult, classification_sums, score
from benchmarker.statistics.pairing import pooled_variance
from benchmarker.statistics.published_folds import means_of_folds
from tests.statistics.crossed import METRIC, SETTINGS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
CLASSES = 4
FEATURES = 4
"""Features that each network sees; no two see the same."""


def study(
    networks: int,
    seeds: int,
    folds: int,
    size: int,
    generator: np.random.Generator,  # noqa: TID251 - a type
    *,
    common: int = 0,
) -> list[NetworkResults]:
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
    common : int
        Sources of each class in a test part that all cells share; the folds are then the same under every seed, and
        each is left out of training once. Without it each fold is tested.
    """
    truth = np.repeat(
        np.tile(np.arange(CLASSES), 2 if common else 1), [size] * CLASSES + [common] * CLASSES * bool(common)
    )
    centres = 0.6 * generator.standard_normal((CLASSES, networks, FEATURES))
    centres = np.stack([centres[:, 0]] * networks, axis=1)  # every network can tell the classes apart equally well
    features = centres[truth] + generator.standard_normal((truth.size, networks, FEATURES))
    names = np.array([f"{k:04d}" for k in range(truth.size)])
    last = np.arange(truth.size) >= CLASSES * size
    groups = {str(c): names[(truth == c) & ~last].tolist() for c in range(CLASSES)}
    first = int(generator.integers(1, 10_000))
    cells = fold_seeds(range(first, first + seeds), folds)
    drawn = {cell: cell if not common else first * 100 + cell % 100 for cell in cells}  # published folds do not change
    out = {cell: np.isin(names, list(tested(groups, drawn[cell], folds))) for cell in cells}
    parts = {cell: (~(left | last), last if common else left) for cell, left in out.items()}
    held_out = int(next(iter(out.values())).sum()) if common else 0
    rows = [_row(k, features[:, k], truth, names, parts) for k in range(networks)]
    return [replace(row, held_out=held_out, published_folds=folds) for row in rows] if common else rows


def on_one_test_part(
    networks: int,
    seeds: int,
    generator: np.random.Generator,  # noqa: TID251 - a type
    *,
    luck: float = 0.1,
    spread: float = 0.1,
    folds: int = 5,
    size: int = 50,
) -> list[NetworkResults]:
    """Return the rows of networks that are equally good on average over the folds of these training sources.

    A source is classified correctly where ability - difficulty (standard deviation 1.5) + effect of the fold on the
    network + luck of the cell + quirk (0.45 for each source and network) + noise (0.6 for each cell) is positive.

    Parameters
    ----------
    networks, seeds : int
        Size of the study.
    generator : numpy.random.Generator
        Where draws come from.
    luck, spread : float
        Standard deviations of the luck of cells, and of the effects of folds, whose mean over folds is zero.
    folds, size : int
        Number of folds, and of test sources in each class.
    """
    truth = np.repeat(np.arange(CLASSES), size)
    names = tuple(f"{k:04d}" for k in range(truth.size))
    latent = (
        1.0 - 1.5 * generator.standard_normal(truth.size) + 0.45 * generator.standard_normal((networks, truth.size))
    )
    effect = spread * generator.standard_normal((networks, folds))
    effect -= effect.mean(axis=1, keepdims=True)
    rows = []
    for k in range(networks):
        cells = {}
        for cell in fold_seeds(range(1, seeds + 1), folds):
            shift = effect[k, cell % 100 - 1] + luck * generator.standard_normal()
            right = latent[k] + shift + 0.6 * generator.standard_normal(truth.size) > 0
            cells[cell] = _result(names, truth, np.where(right, truth, (truth + 1) % CLASSES))
        rows.append(
            NetworkResults(
                network=f"network {k}",
                arm="real",
                model=f"network {k}",
                planned=len(cells),
                seeds=cells,
                n_train=4,
                held_out=1,
                published_folds=folds,
            )
        )
    return rows


def classifiers_on_own_splits(
    networks: int,
    seeds: int,
    size: int,
    generator: np.random.Generator,  # noqa: TID251 - a type
) -> list[NetworkResults]:
    """Return the rows of the classifiers of `study` where each seed draws its own split: 60 % train, 20 % test.

    Parameters
    ----------
    networks, seeds : int
        Size of the study.
    size : int
        Sources of each class.
    generator : numpy.random.Generator
        Where draws come from.
    """
    truth = np.repeat(np.arange(CLASSES), size)
    centres = np.stack([0.6 * generator.standard_normal((CLASSES, FEATURES))] * networks, axis=1)
    features = centres[truth] + generator.standard_normal((truth.size, networks, FEATURES))
    names = np.array([f"{k:04d}" for k in range(truth.size)])
    parts = {seed: _own_split(truth, generator) for seed in range(seeds)}
    return [_row(k, features[:, k], truth, names, parts) for k in range(networks)]


def networks_on_own_splits(
    luck: Sequence[float],
    seeds: int,
    size: int,
    generator: np.random.Generator,  # noqa: TID251 - a type
    *,
    shared: float,
) -> list[NetworkResults]:
    """Return the rows of equally good networks that each seed tests on another fifth of the sources of each class.

    A source is classified correctly where ability - difficulty (standard deviation 1.5) + luck of the run + luck of the
    seed + quirk (0.45 for each source and network) + noise (0.6 for each run) is positive.

    Parameters
    ----------
    luck : sequence of float
        Standard deviation of the luck of runs for each network; its length is the number of networks.
    seeds : int
        Seeds of each network.
    size : int
        Sources of each class, of which a fifth is tested and three are trained on.
    generator : numpy.random.Generator
        Where draws come from.
    shared : float
        Standard deviation of the luck of a seed, which all networks share.
    """
    truth = np.repeat(np.arange(CLASSES), size)
    names = np.array([f"{k:04d}" for k in range(truth.size)])
    latent = 1.0 - 1.5 * generator.standard_normal(truth.size)
    latent = latent + 0.45 * generator.standard_normal((len(luck), truth.size))
    rows: list[dict[int, SeedResult]] = [{} for _ in luck]
    for seed in range(seeds):
        train, test = _own_split(truth, generator)
        common = shared * generator.standard_normal()
        for k, own in enumerate(luck):
            shift = common + own * generator.standard_normal()
            right = latent[k, test] + shift + 0.6 * generator.standard_normal(int(test.sum())) > 0
            predicted = np.where(right, truth[test], (truth[test] + 1) % CLASSES)
            rows[k][seed] = _result(tuple(names[test].tolist()), truth[test], predicted)
    trained = int(train.sum())
    return [
        NetworkResults(
            network=f"network {k}", arm="real", model=f"network {k}", planned=seeds, seeds=row, n_train=trained
        )
        for k, row in enumerate(rows)
    ]


def _own_split(truth: NDArray[np.int64], generator: np.random.Generator) -> tuple[Mask, Mask]:  # noqa: TID251 - a type
    """Return which sources are trained on and which are tested: 60 and 20 % of each class."""
    train, test = np.zeros(truth.size, dtype=bool), np.zeros(truth.size, dtype=bool)
    for c in range(CLASSES):
        order = generator.permutation(np.flatnonzero(truth == c))
        train[order[: 3 * len(order) // 5]] = True
        test[order[4 * len(order) // 5 :]] = True
    return train, test


def _result(sources: tuple[str, ...], truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> SeedResult:
    sums = classification_sums(sources, truth, predicted, CLASSES)
    found = score(sums, METRIC)
    assert found is not None
    return SeedResult(value=found.value, sums=sums, image_sources=sources)


def _row(
    number: int, features: Array, truth: NDArray[np.int64], names: NDArray[np.str_], parts: dict[int, tuple[Mask, Mask]]
) -> NetworkResults:
    seeds = {}
    for cell, (train, test) in parts.items():
        means = np.stack([features[train & (truth == c)].mean(axis=0) for c in range(CLASSES)])
        predicted = ((features[test][:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        seeds[cell] = _result(tuple(names[test].tolist()), truth[test], predicted)
    trained = int(next(iter(parts.values()))[0].sum())
    return NetworkResults(
        network=f"network {number}",
        arm="real",
        model=f"network {number}",
        planned=len(seeds),
        seeds=seeds,
        n_train=trained,
    )


def false_verdicts(
    networks: int, seeds: int, folds: int, size: int, studies: int, *, common: int = 0
) -> tuple[float, float]:
    """Return the share of tables of equal networks with a false verdict, and of pairs with one."""
    shape = [networks, seeds, folds, size, *([common] if common else [])]
    generator = Stream("folds of equal networks", size=shape).generator()
    return rates(lambda: study(networks, seeds, folds, size, generator, common=common), studies)


def rates(drawn: Callable[[], list[NetworkResults]], studies: int) -> tuple[float, float]:
    """Return the share of drawn tables of equal networks with a false verdict, and of pairs with one."""
    tables = pairs = 0.0
    for _ in range(studies):
        rows = [means_of_folds(row) for row in drawn()]
        pool = pooled_variance(rows, SETTINGS)
        found = (compare_pair(one, other, SETTINGS, pool=pool) for one, other in combinations(rows, 2))
        table = corrected_table("networks", "", "", found, SETTINGS.level)
        wrong = [row.verdict in {"better", "worse"} for row in table.rows]
        tables += any(wrong)
        pairs += sum(wrong) / len(wrong)
    return tables / studies, pairs / studies
