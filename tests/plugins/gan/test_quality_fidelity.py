"""Fidelity curves of generators with known behaviour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Stream
from benchmarker_gan.quality import condition_fidelity

GRID = np.linspace(8.0, 11.0, 7)
POINTS = 40


def generator(slope: float, scatter: float) -> condition_fidelity.Sampler:
    """Return a generator of two bands whose brightness follows the second condition, in batches of 16."""
    latent = Stream("test-latent").generator().normal(size=POINTS)
    jitter = Stream("test-jitter").generator()

    def sample(conditions: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        brightness = 10 + 0.1 * latent + slope * conditions[:, 1] + scatter * jitter.normal(size=POINTS)
        for start in range(0, POINTS, 16):
            part = brightness[start : start + 16, None, None, None]
            yield np.broadcast_to(part * [0.5, 1.5], (len(part), 4, 4, 2)).astype(np.float32)

    return sample


def curve(slope: float, scatter: float = 0.0, measured: str = "total_flux") -> condition_fidelity.FidelityCurve:
    base = np.zeros((POINTS, 3), dtype=np.float32)
    traced = condition_fidelity.trace(
        generator(slope, scatter), base, 1, GRID - GRID.mean(), condition_fidelity.fluxes(2)
    )
    assert not base.any()
    return condition_fidelity.summarise(GRID, traced[measured])


def test_faithful_generator_rises_for_every_latent_point() -> None:
    found = curve(2.0)

    assert found.monotonic_share == 1
    assert found.falling_share == 0
    assert found.rank_correlation == pytest.approx(1, abs=0.02)
    assert found.latent_rank_correlation == pytest.approx(1)
    np.testing.assert_allclose(found.requested, GRID)
    assert np.all(np.array(found.p16) < found.measured)
    assert np.all(np.array(found.measured) < found.p84)
    assert found.n == POINTS


def test_curve_measures_the_flux_of_the_images() -> None:
    total, first, second = (curve(2.0, measured=name) for name in ("total_flux", "flux_band_1", "flux_band_2"))

    assert total.measured[3] == pytest.approx(16 * 10, rel=0.02)
    np.testing.assert_allclose(np.array(second.measured), 3 * np.array(first.measured), rtol=1e-6)
    np.testing.assert_allclose(np.array(total.measured), 2 * np.array(first.measured), rtol=1e-6)


def test_aperture_flux_subtracts_the_sky_and_keeps_the_source() -> None:
    images = np.full((2, 32, 32, 2), 0.3, dtype=np.float32)
    images[1] = 0.1
    images[:, 15:17, 14:18] += [0.5, 1.5]
    images[1, 0, 0] = 9.0  # outside the aperture, and a single pixel of the edge

    np.testing.assert_allclose(condition_fidelity.aperture_flux(images), 8.0, rtol=1e-5)
    assert np.ptp(condition_fidelity.fluxes(2)["total_flux"](images)) > 100


def test_inverted_generator_falls_for_every_latent_point() -> None:
    found = curve(-2.0)

    assert (found.monotonic_share, found.falling_share) == (0, 1)
    assert found.rank_correlation == pytest.approx(-1, abs=0.02)


def test_generator_that_ignores_its_condition_has_no_correlation() -> None:
    assert curve(0.0).monotonic_share == 0
    assert curve(0.0, scatter=1.0).rank_correlation == pytest.approx(0, abs=0.2)


def test_noise_lowers_the_monotonic_share_before_the_rank_correlation() -> None:
    found = curve(2.0, scatter=0.6)

    assert found.rank_correlation == pytest.approx(1, abs=0.1)
    assert found.monotonic_share < 0.7


def test_constant_property_has_no_rank_correlation() -> None:
    found = condition_fidelity.summarise(GRID, np.ones((7, 5)))

    assert found.rank_correlation is None
    assert found.latent_rank_correlation is None
    assert found.monotonic_share == 0


def test_grid_spans_the_training_part_without_unknown_values() -> None:
    values = np.append(np.arange(101.0), np.nan)

    np.testing.assert_allclose(condition_fidelity.grid(values, 4), [5, 35, 65, 95])


def test_rank_correlation_of_real_images_ignores_unknown_conditions() -> None:
    condition = np.array([1.0, np.nan, 2.0, 3.0, 4.0])

    assert condition_fidelity.rank_correlation(condition, np.array([1.0, -9.0, 4.0, 9.0, 16.0])) == pytest.approx(1)
    assert condition_fidelity.rank_correlation(condition[:2], np.array([1.0, 2.0])) is None
