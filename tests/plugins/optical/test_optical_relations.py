"""Scaling relations, checked against closed forms, Astropy and published values."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from benchmarker_optical import relations
from benchmarker_optical.relations import Scatter, components

PLAIN = Scatter()


def _flux(redshift: float, log_mass: float, inclination: float = 30.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    disc, bulge = components(redshift, log_mass, inclination, PLAIN)
    return disc.flux + bulge.flux


@pytest.mark.parametrize("redshift", [0.02, 0.15, 0.9])
def test_distances_agree_with_astropy(redshift: float) -> None:
    cosmology = FlatLambdaCDM(H0=70.0, Om0=0.3)
    assert relations.distance_modulus(redshift) == pytest.approx(cosmology.distmod(redshift).value, abs=1e-9)
    expected = cosmology.kpc_proper_per_arcmin(redshift).value / 60.0
    assert relations.physical_scale(redshift) == pytest.approx(expected, rel=1e-9)


def test_sizes_agree_with_the_paper() -> None:
    # Evaluated by hand: 0.1 (1e10)^0.14 (1 + 1/3.98)^0.25, and 2.88e-6 (1e11)^0.56.
    assert relations.late_type_radius(10.0) == pytest.approx(2.656, abs=0.01)
    assert relations.early_type_radius(11.0) == pytest.approx(4.163, abs=0.01)
    assert relations.size_scatter(7.0) == pytest.approx(0.47, abs=1e-4)
    assert relations.size_scatter(13.0) == pytest.approx(0.34, abs=1e-4)


def test_mass_to_light_ratios_follow_the_colour() -> None:
    g, r, i = relations.absolute_magnitudes(10.0, 0.6)
    assert g - r == pytest.approx(0.6)
    assert -0.4 * (r - 4.65) == pytest.approx(10.0 - (-0.306 + 1.097 * 0.6))
    assert -0.4 * (i - 4.53) == pytest.approx(10.0 - (-0.222 + 0.864 * 0.6))


def test_flux_grows_with_mass_in_every_band_at_every_redshift() -> None:
    for redshift in (0.05, 0.15, 0.3):
        flux = np.array([_flux(redshift, log_mass) for log_mass in np.linspace(8.0, 11.0, 25)])
        assert (np.diff(flux, axis=0) > 0).all()


def test_galaxies_dim_redden_and_shrink_with_redshift() -> None:
    redshifts = np.linspace(0.05, 0.3, 11)
    flux = np.array([_flux(redshift, 10.0) for redshift in redshifts])
    assert (np.diff(flux, axis=0) < 0).all()
    assert (np.diff(flux[:, 0] / flux[:, 1]) < 0).all()
    radii = [components(redshift, 10.0, 30.0, PLAIN)[0].radius for redshift in redshifts]
    assert (np.diff(radii) < 0).all()


def test_massive_galaxies_are_redder_and_have_larger_bulge_fractions() -> None:
    flux = np.array([_flux(0.1, log_mass) for log_mass in np.linspace(8.0, 11.0, 13)])
    assert (np.diff(flux[:, 0] / flux[:, 1]) < 0).all()
    shares = [relations.bulge_share(log_mass) for log_mass in np.linspace(8.0, 11.0, 13)]
    assert (np.diff(shares) > 0).all()
    assert 0.0 < shares[0] < shares[-1] < 0.7


def test_surface_brightness_dims_with_the_fourth_power_of_one_plus_redshift() -> None:
    # For a spectrum that is flat in f_nu the K correction is one factor 1 + z, which leaves (1 + z)^-3 per unit
    # frequency. A colour of -0.1 makes u as bright as g.
    def brightness(redshift: float) -> float:
        magnitudes = np.zeros(3)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(relations, "absolute_magnitudes", lambda *_: magnitudes)
            flux = relations.observed_flux(10.0, -0.1, redshift)
        assert np.ptp(flux) < 1e-12 * flux[0]
        return float(flux[0] * relations.physical_scale(redshift) ** 2)

    assert brightness(0.3) / brightness(0.1) == pytest.approx((1.1 / 1.3) ** 3, rel=1e-9)


@pytest.mark.parametrize(("inclination", "ratio"), [(0.0, 1.0), (90.0, 0.2), (60.0, np.sqrt(0.25 + 0.04 * 0.75))])
def test_axial_ratio_of_inclined_discs_follows_hubble(inclination: float, ratio: float) -> None:
    assert components(0.1, 10.0, inclination, PLAIN)[0].axial_ratio == pytest.approx(ratio)


def test_flux_does_not_depend_on_inclination() -> None:
    assert np.array_equal(_flux(0.1, 10.0, 0.0), _flux(0.1, 10.0, 90.0))


def test_mass_is_divided_between_disc_and_bulge() -> None:
    disc, bulge = components(0.1, 10.5, 30.0, PLAIN)
    # The bulge is redder and has a higher mass-to-light ratio, so it has less of the light than of the mass.
    share = bulge.flux / (disc.flux + bulge.flux)
    assert (np.diff(share) > 0).all()
    assert share[2] < relations.bulge_share(10.5)
