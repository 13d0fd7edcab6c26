"""Physical statistics, checked against images of known shape, statmorph and photutils."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import DataError, Stream
from benchmarker_gan.quality import image_statistics, morphology

SIZE = 96


def galaxy(index: float = 1.0, ellipticity: float = 0.0, angle: float = 0.5, companion: float = 0.0) -> NDArray[Any]:
    """Return a Sersic profile in a Gaussian beam with little noise and a companion at 8 pixels."""
    from astropy.modeling.models import Sersic2D
    from scipy.ndimage import gaussian_filter

    y, x = np.mgrid[:SIZE, :SIZE]
    profile = Sersic2D(amplitude=1, r_eff=6, n=index, x_0=48, y_0=47, ellip=ellipticity, theta=angle)
    parts = (np.arange(5) + 0.5) / 5 - 0.5
    image = np.mean([profile(x + dx, y + dy) for dx in parts for dy in parts], axis=0)
    image += companion * image.max() * np.exp(-((x - 54) ** 2 + (y - 52) ** 2) / 8)
    image = gaussian_filter(image, 1.5)
    noise = Stream("test-noise", index=index).generator().normal(0, 1e-4, image.shape)
    return np.asarray(image / image.max() + noise)


GALAXIES = [
    (1.0, 0.0, 0.5, 0.0),
    (1.0, 0.4, 0.5, 0.0),
    (2.5, 0.3, 1.0, 0.3),
    (4.0, 0.2, 2.0, 0.0),
    (1.0, 0.6, 2.2, 0.6),
]


@pytest.fixture(scope="module")
def batch() -> NDArray[Any]:
    return np.array([galaxy(*each) for each in GALAXIES])


@pytest.fixture(scope="module")
def measured(batch: NDArray[Any]) -> image_statistics.Statistics:
    return image_statistics.statistics(batch[..., None])


@pytest.fixture(scope="module")
def statmorph_sources(batch: NDArray[Any]) -> list[Any]:
    """Measurements of the same pixels by statmorph."""
    import statmorph

    flux = image_statistics.source_flux(batch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            statmorph.SourceMorphology(image, (source > 0).astype(int), 1, weightmap=np.full(image.shape, 1e-4))
            for image, source in zip(batch, flux, strict=True)
        ]


def test_gini_and_m20_agree_with_statmorph_on_its_pixels(batch: NDArray[Any], statmorph_sources: list[Any]) -> None:
    # Statmorph ends a source at its Petrosian radius, so the comparison uses its pixels.
    for image, source in zip(batch, statmorph_sources, strict=True):
        flux = np.where(source._segmap_gini, image[source._slice_stamp], 0.0)[None]
        centres, _ = morphology.moments(flux)

        assert morphology.gini(flux)[0] == pytest.approx(source.gini, abs=1e-9)
        assert morphology.m20(flux, centres)[0] == pytest.approx(source.m20, abs=1e-6)


def test_concentration_agrees_with_statmorph_in_its_aperture(batch: NDArray[Any], statmorph_sources: list[Any]) -> None:
    # Statmorph counts the flux within 1.5 Petrosian radii of its centre, with exact circles.
    for image, source in zip(batch, statmorph_sources, strict=True):
        stamp = image[source._slice_stamp]
        x, y = source._asymmetry_center
        rows, columns = np.mgrid[: stamp.shape[0], : stamp.shape[1]]
        inside = np.hypot(rows - y, columns - x) < 1.5 * source.rpetro_circ
        found = morphology.concentration(np.where(inside, stamp, 0.0)[None], np.array([[y, x]]))

        assert found[0] == pytest.approx(source.concentration, abs=0.03)


def test_asymmetry_is_close_to_that_of_statmorph(
    measured: image_statistics.Statistics, statmorph_sources: list[Any]
) -> None:
    # Statmorph rotates about any point and interpolates; centres on half pixels add up to 0.1 for a sharp core.
    expected = np.array([source.asymmetry for source in statmorph_sources])

    np.testing.assert_allclose(measured["asymmetry"], expected, atol=0.1)
    assert (measured["asymmetry"] >= expected).all()


def test_moments_and_ellipticity_agree_with_photutils(
    batch: NDArray[Any], measured: image_statistics.Statistics
) -> None:
    from photutils.segmentation import SegmentationImage, SourceCatalog

    flux = image_statistics.source_flux(batch)
    centres, _ = morphology.moments(flux)
    for image, centre, ellipticity, gini in zip(flux, centres, measured["ellipticity"], measured["gini"], strict=True):
        found = SourceCatalog(image, SegmentationImage((image > 0).astype(int)))
        np.testing.assert_allclose(np.ravel(found.centroid), centre[::-1], atol=1e-9)
        assert ellipticity == pytest.approx(float(np.ravel(found.ellipticity.value)[0]), abs=1e-6)
        assert gini == pytest.approx(float(np.ravel(found.gini)[0]), abs=1e-9)


def test_statistics_of_an_image_do_not_depend_on_the_batch(
    batch: NDArray[Any], measured: image_statistics.Statistics
) -> None:
    for k in range(len(batch)):
        alone = image_statistics.statistics(batch[k : k + 1, ..., None])
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], measured[name][k], rtol=1e-12, err_msg=name)


def test_shapes_do_not_change_under_rotation_or_scaling(
    batch: NDArray[Any], measured: image_statistics.Statistics
) -> None:
    turned = image_statistics.statistics(0.25 * np.rot90(batch, axes=(1, 2))[..., None])

    for name in ("gini", "m20", "concentration", "asymmetry", "ellipticity"):
        np.testing.assert_allclose(turned[name], measured[name], atol=1e-6, err_msg=name)
    np.testing.assert_allclose(turned["total_flux"], measured["total_flux"] / 4)
    np.testing.assert_allclose(turned["peak"], measured["peak"] / 4)


def test_quantities_have_units(batch: NDArray[Any]) -> None:
    from astropy import units

    found = image_statistics.quantities(batch[:1, ..., None])

    assert set(found) == set(image_statistics.UNITS) == set(image_statistics.LABELS)
    assert found["total_flux"].unit == units.pix
    assert found["m20"].unit == units.dex
    assert found["gini"].unit == units.dimensionless_unscaled
    assert found["total_flux"][0].value == pytest.approx(batch[0].sum())


def test_gini_is_0_for_equal_pixels_and_1_for_a_single_one() -> None:
    flux = np.zeros((3, 10, 10))
    flux[0, :5] = 3.0
    flux[1, :5] = 1e-9
    flux[1, 2, 2] = 1.0
    flux[2, 0, :2] = 1.0, 3.0  # (2 - 1) * 3 - 1 over 4

    np.testing.assert_allclose(morphology.gini(flux), [0.0, 1.0, 0.5], atol=1e-6)


def test_concentration_of_a_uniform_disc_follows_from_its_area() -> None:
    y, x = np.mgrid[:64, :64]
    flux = (np.hypot(y - 32, x - 32) < 20).astype(float)[None]

    assert morphology.concentration(flux, np.array([[32.0, 32.0]]))[0] == pytest.approx(5 * np.log10(2), abs=0.01)


def test_ellipticity_of_a_gaussian_is_one_minus_its_axial_ratio() -> None:
    y, x = np.mgrid[:64, :64] - 31.5
    flux = np.exp(-(x**2 / 6**2 + y**2 / 3**2) / 2)[None]

    assert morphology.ellipticity(morphology.moments(flux)[1])[0] == pytest.approx(0.5, abs=1e-3)


def test_asymmetry_of_a_double_source_vanishes() -> None:
    y, x = np.mgrid[:64, :64]
    lobes = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 4) for a, b in ((10, 12), (50, 45))]
    flux = np.stack([lobes[0] + lobes[1], lobes[0] + 0.8 * lobes[1], lobes[0] + lobes[1] * (x > 45)])
    asymmetries, middles = morphology.asymmetry(flux)

    assert asymmetries[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(middles[0], [30, 28.5])
    assert asymmetries[1] == pytest.approx(0.4 / 1.8, rel=1e-3)
    assert asymmetries[2] > 0.2


def test_image_without_a_source_has_no_shape() -> None:
    images = np.zeros((2, 32, 32, 1), dtype=np.float32)
    images[1, 12:20, 10:22] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = image_statistics.statistics(images)

    assert found["total_flux"].tolist() == [0, 96]
    for name in ("gini", "m20", "concentration", "asymmetry", "ellipticity"):
        assert np.isnan(found[name][0]), name
        assert np.isfinite(found[name][1]), name
    assert np.isfinite(found["power_spectrum"]).all()


def test_source_excludes_faint_patterns() -> None:
    rng = Stream("test-faint").generator()
    image = np.zeros((2, 32, 32))
    image[:, 10:20, 12:18] = 1
    image[1] += rng.uniform(0, 1e-3, (32, 32))

    assert (image_statistics.source_flux(image) > 0).sum(axis=(1, 2)).tolist() == [60, 60]


def test_power_spectrum_of_noise_is_flat_and_stripes_are_in_the_last_bin() -> None:
    rng = Stream("test-white").generator()
    white = image_statistics.power_spectrum(rng.normal(0, 0.1, (20, 64, 64))).mean(axis=0)
    columns = np.broadcast_to(np.arange(64) % 2, (1, 64, 64)).astype(float)
    striped = image_statistics.power_spectrum(columns)[0]

    np.testing.assert_allclose(white, -2, atol=0.1)  # log10 of the variance
    assert striped.argmax() == image_statistics.FREQUENCIES - 1
    assert image_statistics.frequencies()[-1] == pytest.approx(0.479, abs=1e-3)


def test_statistics_refuse_unusable_images() -> None:
    with pytest.raises(DataError, match="8 pixels or more"):
        image_statistics.statistics(np.zeros((2, 7, 9, 1)))
    with pytest.raises(DataError, match="Received"):
        image_statistics.statistics(np.zeros((2, 16, 16)))
