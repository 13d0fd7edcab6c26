"""What FITS headers say about the sky: read from real and made files, and compared with astropy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import ICRS, SkyCoord
from astropy.io import fits
from astropy.units import arcsec, deg
from astropy.wcs import WCS

from benchmarker import Member, SkyFacts, read_fits, read_sky_image
from benchmarker.data.sky_facts import celestial, sky_view


def header(
    angle: float = 0.0, *, mirrored: bool = False, centre: tuple[float, float] = (150.0, 2.0), **more: Any
) -> Any:
    """Return the header of an image of 30 x 40 pixels of 2 arcsec, whose north is turned by an angle."""
    turn = np.radians(angle)
    cd = np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * 2 / 3600
    cd = cd * [[-1, 1]] if mirrored else cd
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 20.5, "CRPIX2": 15.5, "RADESYS": "ICRS"}
    cards |= {"CRVAL1": centre[0], "CRVAL2": centre[1]}
    cards |= {f"CD{row + 1}_{column + 1}": cd[row, column] for row in (0, 1) for column in (0, 1)}
    return fits.Header(cards | more)


def facts(cards: Any, shape: tuple[int, ...] = (30, 40)) -> SkyFacts:
    stream = io.BytesIO()
    fits.PrimaryHDU(np.zeros(shape, np.float32), cards).writeto(stream)
    found = read_fits(stream.getvalue()).sky
    assert found is not None
    return found


def towards(cards: Any, position_angle: float) -> Any:
    """Return the step in pixels from the centre towards a position angle, by astropy."""
    wcs = WCS(cards)
    middle = (19.5, 14.5)
    centre = wcs.pixel_to_world(*middle).transform_to(ICRS())
    return np.subtract(wcs.world_to_pixel(centre.directional_offset_by(position_angle * deg, 1 * arcsec)), middle)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, -135.0])
@pytest.mark.parametrize("centre", [(150.0, 2.0), (0.001, -60.0), (77.0, 89.999)])
def test_orientation_is_that_of_astropy(angle: float, mirrored: bool, centre: tuple[float, float]) -> None:
    cards = header(angle, mirrored=mirrored, centre=centre)
    view = sky_view(facts(cards))
    assert view is not None
    north, east = towards(cards, 0), towards(cards, 90)
    turned = view.north - np.degrees(np.arctan2(*north))
    assert (turned + 180) % 360 == pytest.approx(180, abs=0.01)
    assert view.mirrored == mirrored == bool(east[0] * north[1] > east[1] * north[0])
    assert view.pixel == pytest.approx(2.0, rel=1e-6)


def test_orientation_of_galactic_images_is_that_of_equatorial_north() -> None:
    cards = header(20.0, CTYPE1="GLON-TAN", CTYPE2="GLAT-TAN")
    view = sky_view(facts(cards))
    assert view is not None
    assert view.north == pytest.approx(np.degrees(np.arctan2(*towards(cards, 0))), abs=0.01)


def test_latitude_may_be_the_first_axis() -> None:
    cards = header(25.0, CTYPE1="DEC--TAN", CTYPE2="RA---TAN", CRVAL1=2.0, CRVAL2=150.0)
    found = facts(cards)
    view, wcs = sky_view(found), celestial(found)
    assert view is not None
    assert wcs is not None
    assert view.north == pytest.approx(np.degrees(np.arctan2(*towards(cards, 0))), abs=0.01)
    assert wcs.pixel_to_world(3, 4).separation(WCS(cards).pixel_to_world(3, 4)) < 1e-6 * arcsec


def test_further_axes_are_left_out() -> None:
    cards = header(25.0, CTYPE3="FREQ", CRVAL3=1.4e9, CDELT3=1.0, CRPIX3=1.0, CTYPE4="STOKES", CRVAL4=1.0, CDELT4=1.0)
    wcs = celestial(facts(cards, (1, 1, 30, 40)))
    assert wcs is not None
    assert wcs.naxis == 2
    assert wcs.pixel_to_world(3, 4).separation(WCS(header(25.0)).pixel_to_world(3, 4)) < 1e-6 * arcsec


@pytest.mark.parametrize(
    "cards",
    [
        fits.Header(),
        header(CTYPE1="LAMBDA", CTYPE2="ANGLE"),
        header(CTYPE2="RA---TAN"),
        header(CD1_1=1e-4, CD1_2=1e-4, CD2_1=1e-4, CD2_2=1e-4),
        header(CTYPE1="RA---XYZ", CTYPE2="DEC--XYZ"),
        header(CRVAL1="ten"),
    ],
)
def test_wrong_coordinates_are_unknown_and_the_image_is_read(cards: Any) -> None:
    assert sky_view(facts(cards)) is None


def test_axes_that_are_not_height_and_width_are_no_coordinates() -> None:
    cards = header(CTYPE1="FREQ", CTYPE2="RA---TAN", CTYPE3="DEC--TAN", CRVAL3=2.0, CDELT3=0.001, CRPIX3=1.0)
    assert facts(cards, (1, 30, 40)).cards == {}


def test_damaged_cards_do_not_keep_an_image_from_being_read() -> None:
    stream = io.BytesIO()
    fits.PrimaryHDU(np.ones((30, 40), np.float32), header(BMAJ=0.0015)).writeto(stream)
    damaged = stream.getvalue().replace(b"CRVAL1  =                150.0", b"CRVAL1  =   12 34 56.7 +1 2 3 ", 1)
    image = read_fits(damaged)
    assert image.pixels.shape == (30, 40)
    assert image.sky is not None
    assert sky_view(image.sky) is None


def test_unit_and_beam_are_those_of_the_header() -> None:
    found = facts(header(BUNIT=" mJy/beam ", BMAJ=0.0015, BMIN=0.001, BPA=30.0))
    assert found.unit == "mJy/beam"
    assert found.beam is not None
    assert (found.beam.major, found.beam.minor, found.beam.angle) == pytest.approx((5.4, 3.6, 30.0))
    assert facts(header(BMAJ=-1.0)).beam is None


def test_a_picture_has_no_facts_about_the_sky() -> None:
    stream = io.BytesIO()
    np.save(stream, np.eye(3))
    assert read_sky_image(Member(name="a.npy", read=stream.getvalue)).sky is None


@pytest.mark.shared
def test_coordinates_of_real_files_are_those_of_astropy(shared_data: Path) -> None:
    folders = ("mirabest_fits/FRI", "fits_more", "fits_edge_cases")
    names = {"FIRSTJ124646.7+224554.fits", "first_cutout_server_reply.fits", "m13_rice.fits", "scale.fits"}
    names |= {"small_3D.fits", "stokes_frequency_axes.fits", "cutout_stale_datasum.fits", "checksum_false.fits"}
    files = [path for folder in folders for path in sorted((shared_data / folder).glob("*.fits*"))]
    files = [path for path in files if path.name in names or path.suffix == ".gz"]
    assert len(files) == len(names) + 6
    for path in files:
        found = read_fits(path).sky
        wcs = None if found is None else celestial(found)
        assert found is not None, path
        assert wcs is not None, path
        with fits.open(path) as hdus:
            original = next(hdu.header for hdu in hdus if hdu.header.get("NAXIS", 0) >= 2)
        assert found.unit == original.get("BUNIT", "").strip(), path
        expected = WCS(original).celestial
        corners = np.array([[0, 0], [found.shape[1] - 1, 3], [5, found.shape[0] - 1]])
        one, two = (SkyCoord(each.pixel_to_world(*corners.T)) for each in (wcs, expected))
        assert one.separation(two).max() < 1e-6 * arcsec, path
