"""Distances between sets of features, against other people's implementations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import DataError, Stream
from benchmarker_gan.quality import distances


def features(name: str, n: int, d: int = 24, *, shift: float = 0.0) -> NDArray[np.float64]:
    """Features that are correlated and not Gaussian."""
    rng = Stream("test-features", name=name).generator()
    mixing = Stream("test-mixing", d=d).generator().normal(size=(d, d)) / np.sqrt(d)
    return np.asarray(np.tanh(rng.normal(size=(n, d)) @ mixing + shift) * 2 + rng.exponential(0.1, (n, d)))


def reference_frechet(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The formula as torch-fidelity evaluates it: with a square root of the product of the covariances."""
    from scipy.linalg import sqrtm

    gap = first.mean(axis=0) - second.mean(axis=0)
    one, two = (np.cov(side, rowvar=False) for side in (first, second))
    root = np.real(sqrtm(one @ two))
    return float(gap @ gap + np.trace(one) + np.trace(two) - 2 * np.trace(root))


def reference_kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The unbiased MMD^2 of torch-fidelity, for sets of one size m."""

    def kernel(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((one @ two.T * (1.0 / one.shape[1]) + 1.0) ** 3)

    m = len(first)
    xx, yy, xy = kernel(first, first), kernel(second, second), kernel(first, second)
    within = xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)
    return float(within / (m * (m - 1)) - 2 * xy.sum() / m**2)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_frechet_distance_agrees_with_the_matrix_square_root(shift: float) -> None:
    real, generated = features("real", 300), features("generated", 200, shift=shift)

    assert distances.frechet_distance(real, generated) == pytest.approx(
        reference_frechet(real, generated), rel=1e-6, abs=1e-6
    )


def test_a_frechet_distance_with_fewer_images_than_features_is_that_of_the_space_they_span() -> None:
    few, others = features("few", 12, 6), features("others", 15, 6, shift=0.4)
    turn, _ = np.linalg.qr(Stream("test-turn").generator().normal(size=(80, 80)))
    embedded = [side @ turn[:6] for side in (few, others)]  # 12 and 15 images of 80 features

    assert distances.frechet_distance(*embedded) == pytest.approx(reference_frechet(few, others), abs=1e-9)
    assert distances.frechet_distance(embedded[0], embedded[0]) == pytest.approx(0.0, abs=1e-9)


def test_moments_that_are_gathered_in_batches_are_those_of_everything() -> None:
    rows = features("rows", 250)
    gathered = distances.Moments.of(rows, block=7)

    assert gathered.n == 250
    np.testing.assert_allclose(gathered.mean, rows.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(gathered.root.T @ gathered.root / 249, np.cov(rows, rowvar=False), atol=1e-12)
    assert gathered.root.shape == (24, 24)


def test_the_kernel_distance_agrees_with_torch_fidelity() -> None:
    real, generated = features("real", 150), features("generated", 150, shift=0.2)

    assert distances.squared_discrepancy(real, generated) == pytest.approx(reference_kernel(real, generated), abs=1e-6)
    subsets = distances.kernel_distance(real, generated, Stream("subsets"), subsets=5, subset_size=40)
    rng = Stream("subsets").generator()
    expected = [
        reference_kernel(real[rng.choice(150, 40, replace=False)], generated[rng.choice(150, 40, replace=False)])
        for _ in range(5)
    ]
    assert subsets.mean == pytest.approx(np.mean(expected), abs=1e-6)
    assert subsets.deviation == pytest.approx(np.std(expected), abs=1e-6)
    whole = distances.kernel_distance(real, generated, Stream("subsets"))
    assert (whole.subsets, whole.subset_size) == (1, 150)
    assert whole.mean == pytest.approx(reference_kernel(real, generated), abs=1e-6)


def test_the_kernel_distance_of_equals_is_zero_on_average() -> None:
    pairs = [(features(f"a{k}", 40), features(f"b{k}", 40)) for k in range(60)]
    found = np.array([distances.squared_discrepancy(*pair) for pair in pairs])

    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert (found < 0).any()


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("k", [3, 5])
def test_precision_recall_density_and_coverage_agree_with_prdc(shift: float, k: int) -> None:
    from prdc import compute_prdc

    real, generated = features("real", 180), features("generated", 140, shift=shift)
    expected = compute_prdc(real_features=real, fake_features=generated, nearest_k=k)
    found = distances.coverage_measures(real, generated, k)

    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-6), name


def test_blocks_change_nothing() -> None:
    real, generated = features("real", 90), features("generated", 70, shift=0.3)

    assert distances.coverage_measures(real, generated, block=11) == distances.coverage_measures(real, generated)
    assert distances.squared_discrepancy(real, generated, block=11) == pytest.approx(
        distances.squared_discrepancy(real, generated), abs=1e-12
    )


def test_a_generator_that_always_draws_the_same_has_precision_and_no_recall() -> None:
    real = features("real", 100)
    found = distances.coverage_measures(real, np.repeat(real[:1], 100, axis=0))

    assert (found.precision, found.recall) == (1.0, 0.0)
    assert found.coverage < 0.2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rows: distances.frechet_distance(rows[:1], rows), "two images on each side"),
        (lambda rows: distances.squared_discrepancy(rows[:1], rows), "two images on each side"),
        (lambda rows: distances.coverage_measures(rows, rows[:5]), "more than 5 images"),
        (lambda rows: distances.frechet_distance(rows, np.full((4, 3), np.nan)), "finite"),
        (lambda rows: distances.frechet_distance(rows, rows.ravel()), "shape"),
    ],
)
def test_what_cannot_be_compared_is_refused(call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(features("rows", 30, 3))
