"""Sersic profiles, point spread function and asinh scale conserve the flux."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gammaincinv

from benchmarker_optical.observation import HIGHEST, LOWEST, stretch, unstretch
from benchmarker_optical.relations import Component
from benchmarker_optical.rendering import (
    MOFFAT_BETA,
    PIXEL,
    SEEING,
    moffat_transform,
    render,
    sersic_profile,
    sersic_transform,
)


def _component(radius: float, ratio: float = 1.0, index: float = 1.0) -> Component:
    return Component(flux=np.array([1.0, 2.0, 3.0]), radius=radius, axial_ratio=ratio, sersic_index=index)


def test_sersic_transform_of_an_exponential_disc_agrees_with_its_closed_form() -> None:
    k = np.logspace(-3, 2, 40)
    scale = 1.0 / gammaincinv(2.0, 0.5)
    assert sersic_transform(k, 1.0) == pytest.approx((1.0 + (k * scale) ** 2) ** -1.5, abs=1e-5)


@pytest.mark.parametrize("index", [1.0, 4.0])
def test_sersic_profile_has_half_of_its_light_within_the_half_light_radius(index: float) -> None:
    x = np.linspace(0.0, 1.0, 200_001)[1:]
    radius = x**4
    inside = np.trapezoid(2.0 * math.pi * radius * sersic_profile(radius, index) * 4.0 * x**3, x)
    assert inside == pytest.approx(0.5, abs=1e-4)


def test_point_spread_function_conserves_the_flux_and_has_its_width() -> None:
    size = 49
    image = render([_component(1e-4)], size, (0.0, 0.0), 0.0)
    # The wings reach beyond the edge: a fraction (1 + (r / alpha)^2)^(1 - beta) of a Moffat profile lies outside r.
    for band, fwhm in enumerate(SEEING):
        alpha = fwhm / PIXEL / (2.0 * math.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))
        outside = (1.0 + (0.5 * size / alpha) ** 2) ** (1.0 - MOFFAT_BETA)
        assert image[:, :, band].sum() == pytest.approx((band + 1.0) * (1.0 - outside), rel=2e-3)
        # The pixel widens it.
        across = image[24, 24:36, band] / image[24, 24, band]
        assert fwhm / PIXEL < 2.0 * np.interp(0.5, across[::-1], np.arange(12)[::-1]) < math.hypot(fwhm / PIXEL, 1.3)
    assert moffat_transform(np.zeros(1), 2.2, 3.5)[0] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("ratio", "index"), [(1.0, 1.0), (0.2, 1.0), (0.7, 4.0)])
def test_rendering_conserves_the_flux_at_any_angle(ratio: float, index: float) -> None:
    sums = [render([_component(0.8, ratio, index)], 64, (0.3, -0.4), angle).sum((0, 1)) for angle in (0.0, 0.7, 2.5)]
    assert sums[0] == pytest.approx(np.array([1.0, 2.0, 3.0]), rel=0.06 if index == 4.0 else 0.005)
    assert sums[1] == pytest.approx(sums[0], rel=2e-3)
    assert sums[2] == pytest.approx(sums[0], rel=2e-3)


def test_rendered_image_follows_the_profile_of_a_large_galaxy() -> None:
    radius = 8.0
    image = render([_component(radius, 0.5)], 65, (0.0, 0.0), math.pi / 2)
    expected = sersic_profile(np.array([10.0 * PIXEL / radius]), 1.0)[0] * (PIXEL / radius) ** 2 / 0.5
    # The major axis is vertical, so 10 pixels up are as bright as 5 to the side.
    assert image[42, 32, 0] == pytest.approx(expected, rel=0.05)
    assert image[32, 37, 0] == pytest.approx(expected, rel=0.05)


def test_offset_moves_the_centroid() -> None:
    image = render([_component(1.0)], 48, (2.0, -1.0), 0.0)[:, :, 1]
    rows, columns = np.mgrid[:48, :48] - 23.5
    assert (image * columns).sum() / image.sum() == pytest.approx(2.0, abs=0.02)
    assert (image * rows).sum() / image.sum() == pytest.approx(-1.0, abs=0.02)


def test_stretch_can_be_inverted_and_is_the_same_for_every_image() -> None:
    flux = np.array([LOWEST, -0.01, 0.0, 0.003, 1.0, HIGHEST])
    pixels = stretch(flux)
    assert pixels[0] == 0.0
    assert pixels[-1] == 1.0
    assert (np.diff(pixels) > 0).all()
    assert unstretch(pixels) == pytest.approx(flux, abs=1e-12)
    assert np.array_equal(stretch(flux[2:4]), pixels[2:4])
    assert unstretch(pixels.astype(np.float32))[4] == pytest.approx(1.0, rel=1e-5)
