r"""Scaling relations: from redshift and stellar mass to flux, colour and size of a galaxy's disc and bulge.

Published relations:

* Distances and angles: flat universe with :math:`H_0 = 70` km/s/Mpc and :math:`\Omega_m = 0.3`, as in Shen et al. 2003.
* Stellar mass-to-light ratio from colour: Bell et al. 2003, ApJS 149, 289, with their initial mass function.
* Absolute AB magnitudes of the Sun: Willmer 2018, ApJS 236, 47.
* Half-light radii: Shen et al. 2003, MNRAS 343, 978, and their erratum, 2007, MNRAS 379, 400. They fitted late- and
  early-type galaxies, not components, and bulges of small galaxies lie below the fitted masses.
* Axial ratio of an inclined disc: Hubble 1926, ApJ 64, 321.
* K correction: by its definition (Hogg et al. 2002, arXiv:astro-ph/0210394), for the spectrum below.
* Effective wavelengths of u, g, r and i, 3543, 4770, 6231 and 7625 angstrom: Fukugita et al. 1996, AJ 111, 1748.

The spectrum :math:`L_\nu` of a component is linear, in magnitudes against the logarithm of the wavelength, from u
through g and r to i.

Chosen for this data set to resemble the blue cloud and the red sequence, and fitted to no data:

* rest-frame colour of the disc, :math:`g-r = 0.40 + 0.07 (\log M - 9)`, and of the bulge,
  :math:`0.72 + 0.03 (\log M - 10)`, each with a scatter of 0.03 mag;
* :math:`u-g = 0.2 + 2 (g-r)`, which stands for the break at 4000 angstrom;
* the bulge fraction, see `bulge_share`.

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

WAVELENGTHS = (4770.0, 6231.0, 7625.0)
"""Effective wavelengths of g, r and i in angstrom."""

ULTRAVIOLET = 3543.0
"""Effective wavelength of u in angstrom."""

SOLAR_MAGNITUDES = (5.11, 4.65, 4.53)
"""Absolute AB magnitudes of the Sun in g, r and i (Willmer 2018)."""

ZERO_POINT = 22.5
"""AB magnitude of one nanomaggie."""

THICKNESS = 0.2
"""Intrinsic axial ratio of a disc seen edge-on (Hubble 1926)."""

_CHARACTERISTIC_MASS = 3.98e10
_SMALLEST_BULGE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Deviations of a galaxy from the relations, each in standard deviations.

    Parameters
    ----------
    size : float
        Deviation of the logarithm of the half-light radii.
    bulge : float
        Deviation of the bulge fraction.
    disc_colour, bulge_colour : float
        Deviations of the rest-frame colours.
    """

    size: float = 0.0
    bulge: float = 0.0
    disc_colour: float = 0.0
    bulge_colour: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A disc or a bulge as observed.

    Parameters
    ----------
    flux : ndarray of shape (3,), float64
        Total flux in g, r and i in nanomaggies.
    radius : float
        Half-light radius along the major axis in arcseconds.
    axial_ratio : float
        Minor over major axis.
    sersic_index : float
        1 for an exponential disc, 4 for a bulge with the profile of de Vaucouleurs.
    """

    flux: Floats
    radius: float
    axial_ratio: float
    sersic_index: float


def components(redshift: float, log_mass: float, inclination: float, scatter: Scatter) -> tuple[Component, Component]:
    r"""Return disc and bulge of a galaxy.

    The stellar mass is divided between both by `bulge_share`. The axial ratio of the disc follows from its inclination
    i,

    .. math:: q^2 = \cos^2 i + q_0^2 \sin^2 i, \qquad q_0 = 0.2,

    and the bulge is half as flattened. Without dust, the flux does not depend on the inclination.

    Parameters
    ----------
    redshift : float
        Redshift, above 0.
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.
    inclination : float
        Inclination in degrees, from 0 (face-on) to 90 (edge-on).
    scatter : Scatter
        Deviations of this galaxy from the relations.

    Returns
    -------
    tuple of Component
        Disc and bulge.

    References
    ----------
    Hubble 1926, ApJ 64, 321 (1926ApJ....64..321H); the other relations are listed in the module.

    Examples
    --------
    >>> disc, bulge = components(0.1, 10.0, 60.0, Scatter())
    >>> round(disc.axial_ratio, 3), round(disc.radius, 2)
    (0.529, 1.44)
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
    r"""Return the half-light radius of a late-type galaxy in kpc.

    .. math:: R = 0.1 \left(\frac{M}{M_\odot}\right)^{0.14} \left(1 + \frac{M}{M_0}\right)^{0.25} \mathrm{kpc},
              \qquad M_0 = 3.98 \times 10^{10} M_\odot

    Parameters
    ----------
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.

    References
    ----------
    Shen et al. 2003, MNRAS 343, 978 (2003MNRAS.343..978S), equation 18.

    Examples
    --------
    >>> round(late_type_radius(10.0), 2)
    2.66
    """
    mass = 10.0**log_mass
    return float(0.1 * mass**0.14 * (1.0 + mass / _CHARACTERISTIC_MASS) ** (0.39 - 0.14))


def early_type_radius(log_mass: float) -> float:
    r"""Return the half-light radius of an early-type galaxy in kpc.

    .. math:: R = 2.88 \times 10^{-6} \left(\frac{M}{M_\odot}\right)^{0.56} \mathrm{kpc}

    Parameters
    ----------
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.

    References
    ----------
    Shen et al. 2003, MNRAS 343, 978, equation 17, with the constant of the erratum, 2007, MNRAS 379, 400.

    Examples
    --------
    >>> round(early_type_radius(11.0), 2)
    4.16
    """
    return float(2.88e-6 * 10.0 ** (0.56 * log_mass))


def size_scatter(log_mass: float) -> float:
    r"""Return the standard deviation of the natural logarithm of the half-light radius.

    .. math:: \sigma = 0.34 + \frac{0.47 - 0.34}{1 + (M / M_0)^2}

    Parameters
    ----------
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.

    References
    ----------
    Shen et al. 2003, MNRAS 343, 978, equation 19.

    Examples
    --------
    >>> round(size_scatter(8.0), 2), round(size_scatter(12.0), 2)
    (0.47, 0.34)
    """
    return float(0.34 + (0.47 - 0.34) / (1.0 + (10.0**log_mass / _CHARACTERISTIC_MASS) ** 2))


def bulge_share(log_mass: float, scatter: float = 0.0) -> float:
    r"""Return the fraction of the stellar mass in the bulge.

    .. math:: 0.03 + \frac{0.67}{1 + \exp\left(-(\log M - 10.5) / 0.3 + 0.5 \epsilon\right)}

    This was chosen, not fitted: half-way near 3e10 solar masses, where Kauffmann et al. 2003, MNRAS 341, 54, found that
    galaxies change from disc- to bulge-dominated.

    Parameters
    ----------
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.
    scatter : float
        Deviation :math:`\epsilon` in standard deviations.

    Returns
    -------
    float
        Fraction between 0.03 and 0.7.

    Examples
    --------
    >>> round(bulge_share(10.5), 3)
    0.365
    """
    return 0.03 + 0.67 / (1.0 + math.exp(-(log_mass - 10.5) / 0.3 + 0.5 * scatter))


def absolute_magnitudes(log_mass: float, colour: float) -> Floats:
    r"""Return rest-frame absolute AB magnitudes in g, r and i from a stellar mass and a colour.

    .. math:: \log_{10} M/L_r = -0.306 + 1.097 (g-r), \qquad \log_{10} M/L_i = -0.222 + 0.864 (g-r)

    in solar units, and :math:`\mathcal{M} = \mathcal{M}_\odot - 2.5 \log_{10} L`.

    Parameters
    ----------
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.
    colour : float
        Rest-frame g - r in magnitudes.

    Returns
    -------
    ndarray of shape (3,), float64
        Magnitudes in g, r and i.

    References
    ----------
    Bell et al. 2003, ApJS 149, 289 (2003ApJS..149..289B), table 7; Willmer 2018, ApJS 236, 47 (2018ApJS..236...47W).

    Examples
    --------
    >>> absolute_magnitudes(10.0, 0.6).round(2).tolist()
    [-18.87, -19.47, -19.73]
    """
    red = SOLAR_MAGNITUDES[1] - 2.5 * (log_mass + 0.306 - 1.097 * colour)
    infrared = SOLAR_MAGNITUDES[2] - 2.5 * (log_mass + 0.222 - 0.864 * colour)
    return np.array([red + colour, red, infrared])


def observed_flux(log_mass: float, colour: float, redshift: float) -> Floats:
    r"""Return the total observed flux in g, r and i.

    .. math:: f_\nu(\lambda) = \frac{(1 + z) \, L_\nu(\lambda / (1 + z))}{4 \pi d_L^2}

    with :math:`L_\nu` interpolated between the absolute magnitudes as the module describes. Beyond a redshift of 0.35,
    g shows light from below u, where the spectrum is extrapolated.

    Parameters
    ----------
    log_mass : float
        Decimal logarithm of the stellar mass in solar masses.
    colour : float
        Rest-frame g - r in magnitudes.
    redshift : float
        Redshift, above 0.

    Returns
    -------
    ndarray of shape (3,), float64
        Flux in nanomaggies.

    References
    ----------
    Hogg et al. 2002, *The K correction*, arXiv:astro-ph/0210394, equation 5.

    Examples
    --------
    >>> near, far = (observed_flux(10.0, 0.6, redshift) for redshift in (0.05, 0.1))
    >>> bool((near > 4 * far).all())
    True
    """
    magnitudes = absolute_magnitudes(log_mass, colour)
    ultraviolet = magnitudes[0] + 0.2 + 2.0 * colour
    known, wanted = np.log((ULTRAVIOLET, *WAVELENGTHS)), np.log(np.array(WAVELENGTHS) / (1.0 + redshift))
    emitted = np.interp(wanted, known, np.concatenate([[ultraviolet], magnitudes]))
    slope = (magnitudes[0] - ultraviolet) / (known[1] - known[0])
    emitted = np.where(wanted < known[0], ultraviolet + slope * (wanted - known[0]), emitted)
    apparent = emitted + distance_modulus(redshift) - 2.5 * math.log10(1.0 + redshift)
    flux: Floats = 10.0 ** (-0.4 * (apparent - ZERO_POINT))
    return flux


def distance_modulus(redshift: float) -> float:
    r"""Return the distance modulus in magnitudes.

    .. math:: m - \mathcal{M} = 5 \log_{10} \frac{d_L}{10\,\mathrm{pc}}, \qquad d_L = (1 + z)^2 d_A

    for bolometric magnitudes; the K correction is separate.

    References
    ----------
    Hogg 1999, *Distance measures in cosmology*, arXiv:astro-ph/9905116.

    Examples
    --------
    >>> round(distance_modulus(0.1), 2)
    38.32
    """
    return 5.0 * math.log10((1.0 + redshift) ** 2 * _angular_diameter_distance(redshift) * 1e5)


def physical_scale(redshift: float) -> float:
    """Return the proper length that an arcsecond spans, in kpc per arcsecond.

    References
    ----------
    Hogg 1999, *Distance measures in cosmology*, arXiv:astro-ph/9905116.

    Examples
    --------
    >>> round(physical_scale(0.1), 2)
    1.84
    """
    return math.radians(_angular_diameter_distance(redshift) * 1000.0 / 3600.0)


def _angular_diameter_distance(redshift: float) -> float:
    """Return the angular diameter distance in Mpc."""
    return float(_cosmology().angular_diameter_distance(redshift).to_value("Mpc"))


@cache
def _cosmology() -> Any:
    from astropy.cosmology import FlatLambdaCDM

    return FlatLambdaCDM(H0=70.0, Om0=0.3)
