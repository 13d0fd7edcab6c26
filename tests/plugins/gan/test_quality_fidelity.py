"""Fidelity curves of generators whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Stream
from benchmarker_gan.quality import fidelity

GRID = np.linspace(8.0, 11.0, 7)
POINTS = 40


def generator(slope: float, scatter: float) -> fidelity.Sampler:
    """A generator of two bands whose brightness follows the second condition, in batches of 16."""
    latent = Stream("test-latent").generator().normal(size=POINTS)
    jitter = Stream("test-jitter").generator()

    def sample(conditions: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        brightness = 10 + 0.1 * latent + slope * conditions[:, 1] + scatter * jitter.normal(size=POINTS)
        for start in range(0, POINTS, 16):
            part = brightness[start : start + 16, None, None, None]
            yield np.broadcast_to(part * [0.5, 1.5], (len(part), 4, 4, 2)).astype(np.float32)

    return sample


def curve(slope: float, scatter: float = 0.0, measured: str = "total_flux") -> dict[str, Any]:
    base = np.zeros((POINTS, 3), dtype=np.float32)
    traced = fidelity.trace(generator(slope, scatter), base, 1, GRID - GRID.mean(), fidelity.fluxes(2))
    assert not base.any()
    return fidelity.summarise(GRID, traced[measured])


def test_a_faithful_generator_rises_for_every_latent_point() -> None:
    found = curve(2.0)

    assert found["monotonic_share"] == 1
    assert found["falling_share"] == 0
    assert found["rank_correlation"] == pytest.approx(1, abs=0.02)
    assert found["latent_rank_correlation"] == pytest.approx(1)
    np.testing.assert_allclose(found["requested"], GRID)
    assert np.all(np.array(found["p16"]) < found["measured"])
    assert np.all(np.array(found["measured"]) < found["p84"])
    assert found["n"] == POINTS


def test_the_curve_has_the_flux_of_the_images() -> None:
    total, first, second = (curve(2.0, measured=name) for name in ("total_flux", "flux_band_1", "flux_band_2"))

    assert total["measured"][3] == pytest.approx(16 * 10, rel=0.02)
    np.testing.assert_allclose(np.array(second["measured"]), 3 * np.array(first["measured"]), rtol=1e-6)
    np.testing.assert_allclose(np.array(total["measured"]), 2 * np.array(first["measured"]), rtol=1e-6)


def test_aperture_photometry_takes_the_sky_away_and_keeps_the_source() -> None:
    images = np.full((2, 32, 32, 2), 0.3, dtype=np.float32)
    images[1] = 0.1
    images[:, 15:17, 14:18] += [0.5, 1.5]
    images[1, 0, 0] = 9.0  # outside of the aperture, and one pixel of the edge alone

    np.testing.assert_allclose(fidelity.aperture(images), 8.0, rtol=1e-5)
    assert np.ptp(fidelity.fluxes(2)["total_flux"](images)) > 100


def test_one_that_goes_the_other_way_falls() -> None:
    found = curve(-2.0)

    assert (found["monotonic_share"], found["falling_share"]) == (0, 1)
    assert found["rank_correlation"] == pytest.approx(-1, abs=0.02)


def test_one_that_ignores_its_condition_is_found_out() -> None:
    assert curve(0.0)["monotonic_share"] == 0
    assert abs(curve(0.0, scatter=1.0)["rank_correlation"]) < 0.2


def test_noise_in_a_step_breaks_monotony_before_it_breaks_the_rank_correlation() -> None:
    found = curve(2.0, scatter=0.6)

    assert found["rank_correlation"] > 0.9
    assert found["monotonic_share"] < 0.7


def test_a_property_that_never_changes_has_no_rank_correlation() -> None:
    found = fidelity.summarise(GRID, np.ones((7, 5)))

    assert found["rank_correlation"] is None
    assert found["latent_rank_correlation"] is None
    assert found["monotonic_share"] == 0


def test_the_grid_spans_what_was_trained_on_and_leaves_unknowns_out() -> None:
    values = np.append(np.arange(101.0), np.nan)

    np.testing.assert_allclose(fidelity.grid(values, 4), [5, 35, 65, 95])


def test_real_images_rank_where_the_condition_is_known() -> None:
    condition = np.array([1.0, np.nan, 2.0, 3.0, 4.0])

    assert fidelity.rank_correlation(condition, np.array([1.0, -9.0, 4.0, 9.0, 16.0])) == pytest.approx(1)
    assert fidelity.rank_correlation(condition[:2], np.array([1.0, 2.0])) is None
