r"""From redshift and stellar mass to the flux, the colour and the size of a galaxy's disc and bulge.

Relations with a source:

* Distances and angles: flat universe with :math:`H_0 = 70` km/s/Mpc and :math:`\Omega_m = 0.3`, as in Shen et al. 2003.
* Stellar mass to light from colour, :math:`\log_{10} M/L_r = -0.306 + 1.097 (g-r)` and
  :math:`\log_{10} M/L_i = -0.222 + 0.864 (g-r)`: Bell et al. 2003, ApJS 149, 289 (their initial mass function).
* Absolute AB magnitudes of the Sun, 5.11, 4.65 and 4.53 in g, r and i: Willmer 2018, ApJS 236, 47.
* Half-light radius of the disc, :math:`0.1\,(M/M_\odot)^{0.14} (1 + M/M_0)^{0.25}` kpc with
  :math:`M_0 = 3.98 \times 10^{10} M_\odot` and its scatter, and of the bulge,
  :math:`2.88 \times 10^{-6} (M_b/M_\odot)^{0.56}` kpc: late- and early-type galaxies of Shen et al. 2003, MNRAS 343,
  978 (the second constant as in their erratum, 2007, MNRAS 379, 400). They are galaxies there, not components, and
  bulges of small galaxies lie below the masses that were fitted.
* Axial ratio of a disc of inclination i, :math:`q^2 = \cos^2 i + q_0^2 \sin^2 i`: Hubble 1926, ApJ 64, 321, with
  :math:`q_0 = 0.2`.
* K correction by its definition (Hogg et al. 2002, arXiv:astro-ph/0210394): the spectrum :math:`L_\nu` of a component
  is taken to run straight, in magnitudes against the logarithm of the wavelength, from u over g and r to i. Effective
  wavelengths are 3543, 4770, 6231 and 7625 angstrom: Fukugita et al. 1996, AJ 111, 1748.

Chosen for this set, to look like the blue cloud and the red sequence, and fitted to nothing: the rest-frame colours of
disc, :math:`g-r = 0.40 + 0.07 (\log M - 9)`, and bulge, :math:`0.72 + 0.03 (\log M - 10)`, each with a scatter of 0.03
mag; :math:`u-g = 0.2 + 2 (g-r)`, which stands for the break at 4000 angstrom; and the bulge's share of the mass,
:math:`0.03 + 0.67 / (1 + e^{-(\log M - 10.5)/0.3 + \epsilon})` with a scatter of 0.5 in :math:`\epsilon`, half-way near
the mass of :math:`3 \times 10^{10} M_\odot` at which Kauffmann et al. 2003, MNRAS 341, 54 found galaxies to change.
There is no dust, no evolution and no clustering.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BANDS = ("g", "r", "i")
WAVELENGTHS = (4770.0, 6231.0, 7625.0)
ULTRAVIOLET = 3543.0
SOLAR_MAGNITUDES = (5.11, 4.65, 4.53)
# Of magnitudes in units of nanomaggies.
ZERO_POINT = 22.5
# Intrinsic axial ratio of a disc seen edge-on.
THICKNESS = 0.2

_CHARACTERISTIC_MASS = 3.98e10
_SMALLEST_BULGE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """How far a galaxy lies off the relations, in standard deviations of each.

    Parameters
    ----------
    size, bulge, disc_colour, bulge_colour : float
        Of the half-light radii, of the bulge's share, and of the two colours.
    """

    size: float = 0.0
    bulge: float = 0.0
    disc_colour: float = 0.0
    bulge_colour: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A disc or a bulge, as it is seen.

    Parameters
    ----------
    flux : ndarray of shape (3,), float64
        Total flux in g, r and i, in nanomaggies.
    radius : float
        Half-light radius along the major axis, in arcseconds.
    axial_ratio : float
        Minor over major axis.
    sersic_index : float
        1 for an exponential disc, 4 for a bulge of de Vaucouleurs' profile.
    """

    flux: Floats
    radius: float
    axial_ratio: float
    sersic_index: float


def components(redshift: float, log_mass: float, inclination: float, scatter: Scatter) -> tuple[Component, Component]:
    """Return disc and bulge of a galaxy.

    Parameters
    ----------
    redshift : float
        Dimensionless, above 0.
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.
    inclination : float
        0 face-on to 90 edge-on, in degrees.
    scatter : Scatter
        What is special about this galaxy.

    Returns
    -------
    tuple of Component
        Disc and bulge.
    """
    share = bulge_share(log_mass, scatter.bulge)
    kiloparsecs_per_arcsecond = physical_scale(redshift)
    stretched = math.exp(scatter.size * size_scatter(log_mass))
    disc_mass, bulge_mass = log_mass + math.log10(1.0 - share), log_mass + math.log10(share)
    disc_colour = 0.40 + 0.07 * (log_mass - 9.0) + 0.03 * scatter.disc_colour
    bulge_colour = 0.72 + 0.03 * (log_mass - 10.0) + 0.03 * scatter.bulge_colour
    disc = Component(
        flux=observed_flux(disc_mass, disc_colour, redshift),
        radius=late_type_radius(log_mass) * stretched / kiloparsecs_per_arcsecond,
        axial_ratio=math.hypot(math.cos(math.radians(inclination)), THICKNESS * math.sin(math.radians(inclination))),
        sersic_index=1.0,
    )
    bulge = Component(
        flux=observed_flux(bulge_mass, bulge_colour, redshift),
        radius=max(_SMALLEST_BULGE, early_type_radius(bulge_mass) * stretched) / kiloparsecs_per_arcsecond,
        axial_ratio=0.5 + 0.5 * disc.axial_ratio,
        sersic_index=4.0,
    )
    return disc, bulge


def late_type_radius(log_mass: float) -> float:
    """Return the half-light radius of a late-type galaxy in kpc (Shen et al. 2003, MNRAS 343, 978, eq. 18)."""
    mass = 10.0**log_mass
    return float(0.1 * mass**0.14 * (1.0 + mass / _CHARACTERISTIC_MASS) ** (0.39 - 0.14))


def early_type_radius(log_mass: float) -> float:
    """Return the half-light radius of an early-type galaxy in kpc (Shen et al. 2003, eq. 17, with the erratum)."""
    return float(2.88e-6 * 10.0 ** (0.56 * log_mass))


def size_scatter(log_mass: float) -> float:
    """Return the standard deviation of the natural logarithm of the radius (Shen et al. 2003, eq. 19)."""
    return float(0.34 + (0.47 - 0.34) / (1.0 + (10.0**log_mass / _CHARACTERISTIC_MASS) ** 2))


def bulge_share(log_mass: float, scatter: float = 0.0) -> float:
    """Return the bulge's share of the stellar mass, 0.03 to 0.7; ``scatter`` in standard deviations."""
    return 0.03 + 0.67 / (1.0 + math.exp(-(log_mass - 10.5) / 0.3 + 0.5 * scatter))


def absolute_magnitudes(log_mass: float, colour: float) -> Floats:
    """Return rest-frame AB magnitudes in g, r and i, ndarray of shape (3,), of a mass of rest-frame colour g - r."""
    red = SOLAR_MAGNITUDES[1] - 2.5 * (log_mass + 0.306 - 1.097 * colour)
    infrared = SOLAR_MAGNITUDES[2] - 2.5 * (log_mass + 0.222 - 0.864 * colour)
    return np.array([red + colour, red, infrared])


def observed_flux(log_mass: float, colour: float, redshift: float) -> Floats:
    r"""Return the total flux in g, r and i, ndarray of shape (3,), in nanomaggies.

    It is :math:`f_\nu(\lambda) = (1 + z) L_\nu(\lambda / (1 + z)) / 4 \pi d_L^2` (Hogg et al. 2002, eq. 5), where
    :math:`L_\nu` runs through the absolute magnitudes as the module says.
    """
    magnitudes = absolute_magnitudes(log_mass, colour)
    ultraviolet = magnitudes[0] + 0.2 + 2.0 * colour
    known, wanted = np.log((ULTRAVIOLET, *WAVELENGTHS)), np.log(np.array(WAVELENGTHS) / (1.0 + redshift))
    emitted = np.interp(wanted, known, np.concatenate([[ultraviolet], magnitudes]))
    # Only beyond a redshift of 0.35.
    slope = (magnitudes[0] - ultraviolet) / (known[1] - known[0])
    emitted = np.where(wanted < known[0], ultraviolet + slope * (wanted - known[0]), emitted)
    apparent = emitted + distance_modulus(redshift) - 2.5 * math.log10(1.0 + redshift)
    flux: Floats = 10.0 ** (-0.4 * (apparent - ZERO_POINT))
    return flux


def distance_modulus(redshift: float) -> float:
    """Return the difference between apparent and absolute bolometric magnitude."""
    return 5.0 * math.log10((1.0 + redshift) ** 2 * _angular_diameter_distance(redshift) * 1e5)


def physical_scale(redshift: float) -> float:
    """Return how many kiloparsecs an arcsecond spans."""
    return math.radians(_angular_diameter_distance(redshift) * 1000.0 / 3600.0)


def _angular_diameter_distance(redshift: float) -> float:
    """Return megaparsecs."""
    return float(_cosmology().angular_diameter_distance(redshift).to_value("Mpc"))


@cache
def _cosmology() -> Any:
    from astropy.cosmology import FlatLambdaCDM

    return FlatLambdaCDM(H0=70.0, Om0=0.3)
