"""Distances between samples, checked against independent implementations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import DataError, Stream
from benchmarker_gan.quality import distances


def features(name: str, n: int, d: int = 24, *, shift: float = 0.0) -> NDArray[np.float64]:
    """Return features that are correlated and not Gaussian."""
    rng = Stream("test-features", name=name).generator()
    mixing = Stream("test-mixing", d=d).generator().normal(size=(d, d)) / np.sqrt(d)
    return np.asarray(np.tanh(rng.normal(size=(n, d)) @ mixing + shift) * 2 + rng.exponential(0.1, (n, d)))


def reference_frechet(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the distance as torch-fidelity does, with a matrix square root of the product of the covariances."""
    from scipy.linalg import sqrtm

    gap = first.mean(axis=0) - second.mean(axis=0)
    one, two = (np.cov(side, rowvar=False) for side in (first, second))
    root = np.real(sqrtm(one @ two))
    return float(gap @ gap + np.trace(one) + np.trace(two) - 2 * np.trace(root))


def reference_kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the unbiased MMD^2 as torch-fidelity does, for sets of equal size m."""

    def kernel(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((one @ two.T * (1.0 / one.shape[1]) + 1.0) ** 3)

    m = len(first)
    xx, yy, xy = kernel(first, first), kernel(second, second), kernel(first, second)
    within = xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)
    return float(within / (m * (m - 1)) - 2 * xy.sum() / m**2)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_frechet_distance_agrees_with_the_matrix_square_root(shift: float) -> None:
    real, generated = features("real", 300), features("generated", 200, shift=shift)

    assert distances.frechet_distance(real, generated) == pytest.approx(
        reference_frechet(real, generated), rel=1e-6, abs=1e-6
    )


def test_frechet_distance_is_exact_with_fewer_images_than_features() -> None:
    few, others = features("few", 12, 6), features("others", 15, 6, shift=0.4)
    turn, _ = np.linalg.qr(Stream("test-turn").generator().normal(size=(80, 80)))
    embedded = [side @ turn[:6] for side in (few, others)]  # 12 and 15 images of 80 features

    assert distances.frechet_distance(*embedded) == pytest.approx(reference_frechet(few, others), abs=1e-9)
    assert distances.frechet_distance(embedded[0], embedded[0]) == pytest.approx(0.0, abs=1e-9)


def test_kernel_distance_agrees_with_torch_fidelity() -> None:
    real, generated = features("real", 150), features("generated", 150, shift=0.2)

    assert distances.kernel_distance(real, generated) == pytest.approx(reference_kernel(real, generated), abs=1e-6)


def test_kernel_distance_between_equal_distributions_is_zero_on_average() -> None:
    pairs = [(features(f"a{k}", 40), features(f"b{k}", 40)) for k in range(60)]
    found = np.array([distances.kernel_distance(*pair) for pair in pairs])

    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert (found < 0).any()


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("k", [3, 5])
def test_precision_recall_density_and_coverage_agree_with_prdc(shift: float, k: int) -> None:
    from prdc import compute_prdc

    real, generated = features("real", 180), features("generated", 140, shift=shift)
    expected = compute_prdc(real_features=real, fake_features=generated, nearest_k=k)
    found = distances.neighbourhood_measures(real, generated, k)

    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-6), name


def test_distances_do_not_depend_on_the_block_size() -> None:
    real, generated = features("real", 90), features("generated", 70, shift=0.3)

    assert distances.neighbourhood_measures(real, generated, block=11) == distances.neighbourhood_measures(
        real, generated
    )
    assert distances.kernel_distance(real, generated, block=11) == pytest.approx(
        distances.kernel_distance(real, generated), abs=1e-12
    )


def test_collapsed_generator_has_precision_but_no_recall() -> None:
    real = features("real", 100)
    found = distances.neighbourhood_measures(real, np.repeat(real[:1], 100, axis=0))

    assert (found.precision, found.recall) == (1.0, 0.0)
    assert found.coverage < 0.2


def test_wasserstein_distance_is_a_shift_and_ignores_unknown_values() -> None:
    values = np.array([0.0, 1.0, 2.0, np.nan])
    shifted = np.stack([values, values + 1], axis=1)

    assert distances.wasserstein_distance(values, values + 0.5) == pytest.approx(0.5)
    assert distances.wasserstein_distance(np.stack([values, values], axis=1), shifted) == 0.5
    assert distances.wasserstein_distance(values, np.full(3, np.nan)) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rows: distances.frechet_distance(rows[:1], rows), "two images in each set"),
        (lambda rows: distances.kernel_distance(rows[:1], rows), "two images in each set"),
        (lambda rows: distances.neighbourhood_measures(rows, rows[:5]), "more than 5 images"),
        (lambda rows: distances.frechet_distance(rows, np.full((4, 3), np.nan)), "finite"),
        (lambda rows: distances.frechet_distance(rows, rows.ravel()), "shape"),
    ],
)
def test_distances_refuse_unusable_features(call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(features("rows", 30, 3))
