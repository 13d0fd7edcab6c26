"""Squares of the sky as a step of the preparation: against astropy and reproject, near poles, and without positions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.units import arcsec
from astropy.wcs import WCS

from benchmarker import DataError, Preparation, SkyFacts, SkyImage, UnreadableImageError, read_fits
from benchmarker.contracts.settings import SkySquare
from benchmarker.data.loading import Context
from benchmarker.data.prepared import open_measured, prepare
from benchmarker.data.sky_facts import celestial, sky_view
from benchmarker.data.sky_preparation import cut_from_sky
from tests.data.skies import SKY, Sky, prepare_sky, record
from tests.data.test_sky_facts import header

SIDE = 120


def field(
    angle: float = 0.0,
    *,
    mirrored: bool = False,
    centre: tuple[float, float] = (150.0, 2.0),
    source: Sequence[float] = (),
) -> SkyImage:
    """Return an image of pixels of 2 arcsec with a source, and a fainter one 30 arcsec north of it."""
    cards = header(angle, mirrored=mirrored, centre=centre, CRPIX1=61.0, CRPIX2=60.0)
    wcs = WCS(cards)
    place = SkyCoord(*(source or centre), unit="deg")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pixels = np.zeros((SIDE, SIDE))
    for height, distance in ((2.0, 0.0), (1.0, 30.0)):
        x, y = wcs.world_to_pixel(place.directional_offset_by(0 * arcsec, distance * arcsec))
        pixels += height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 4)
    return SkyImage(pixels=pixels, sky=SkyFacts(shape=(SIDE, SIDE), cards=dict(cards), unit="JY/BEAM"))


@pytest.mark.parametrize(
    ("centre", "source"),
    [
        ((150.0, 2.0), (150.004, 2.006)),
        ((0.002, -30.0), (359.998, -30.001)),
        ((100.0, 89.995), (280.0, 89.998)),
        ((10.0, -89.999), (200.0, -89.999)),
    ],
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_position_is_in_the_centre_with_north_up_and_east_left(
    centre: tuple[float, float], source: tuple[float, float], mirrored: bool
) -> None:
    pytest.importorskip("reproject")
    image = field(140.0, mirrored=mirrored, centre=centre, source=source)
    square = SkySquare(size=102.0, pixel=2.0, north_up=True)
    found = cut_from_sky(image, square, source)
    assert found.pixels.shape == (51, 51)
    assert np.argwhere(found.pixels == np.nanmax(found.pixels)).tolist() == [[25, 25]]
    faint = np.where(np.hypot(*(np.mgrid[:51, :51] - 25)) < 8, 0, np.nan_to_num(found.pixels))
    assert np.argwhere(faint == faint.max()).tolist() == [[40, 25]]
    assert found.sky is not None
    wcs, view = celestial(found.sky), sky_view(found.sky)
    assert wcs is not None
    assert view is not None
    assert wcs.pixel_to_world(25, 25).separation(SkyCoord(*source, unit="deg")) < 1e-3 * arcsec
    assert (view.mirrored, round(view.pixel, 4)) == (False, 2.0)
    assert view.north == pytest.approx(0, abs=0.01)


def test_pixels_are_kept_unless_they_are_to_be_resampled() -> None:
    image = field(35.0, source=(150.004, 2.006))
    found = cut_from_sky(image, SkySquare(size="1 arcmin"), (150.004, 2.006))
    wcs = celestial(image.sky) if image.sky else None
    expected = Cutout2D(image.pixels, SkyCoord(150.004, 2.006, unit="deg"), 30, wcs=wcs)
    assert np.array_equal(found.pixels, expected.data)
    assert np.array_equal(cut_from_sky(image, SkySquare(centre="image")).pixels, image.pixels)


@pytest.mark.parametrize("pixel", [1.5, 2.0, 4.0])
def test_pixels_without_a_value_spoil_only_what_lies_beside_them(pixel: float) -> None:
    pytest.importorskip("reproject")
    image = field(20.0)
    square = SkySquare(size=120.0, pixel=pixel, north_up=True)
    whole = cut_from_sky(image, square, (150.0, 2.0)).pixels
    damaged = image.pixels.copy()
    damaged[40:44, 70:74] = np.nan
    found = cut_from_sky(SkyImage(pixels=damaged, sky=image.sky), square, (150.0, 2.0)).pixels
    blank = np.isnan(found)
    side = 4 * 2.0 / pixel  # of the blank square, in new pixels
    assert side**2 <= blank.sum() <= (2 * side + 6) ** 2
    assert np.abs(found - whole)[~blank].max() < 0.02 * np.nanmax(whole)


def test_every_channel_of_an_image_is_cut_out() -> None:
    image = field(35.0)
    colours = SkyImage(pixels=np.stack([image.pixels, 2 * image.pixels], axis=-1), sky=image.sky)
    square = SkySquare(size=40.0)
    found = cut_from_sky(colours, square, (150.0, 2.0)).pixels
    alone = cut_from_sky(image, square, (150.0, 2.0)).pixels
    assert np.array_equal(found, np.stack([alone, 2 * alone], axis=-1))


@pytest.mark.parametrize(
    ("image", "position", "reason"),
    [
        (SkyImage(pixels=np.eye(9)), (150.0, 2.0), "no celestial coordinates"),
        (SkyImage(pixels=np.eye(9), sky=SkyFacts(shape=(9, 9))), (150.0, 2.0), "no celestial coordinates"),
        (field(), (np.nan, np.nan), "position is unknown"),
        (field(), (150.05, 2.0), "not in the image"),
        (field(), (330.0, -2.0), "not in the image"),
    ],
)
def test_an_image_without_a_place_on_the_sky_is_refused(image: SkyImage, position: Any, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        cut_from_sky(image, SkySquare(size=400.0), position)


def _records(sky: Sky, *unplaced: int) -> None:
    sky.units = {"ra": "deg", "dec": "deg"}
    sky.records = []
    for number in range(4):
        image = field(90.0 * number)
        facts = None if number in unplaced else image.sky
        place = {"ra": 150.002, "dec": 2.001}
        sky.records.append(record(number, image=image.pixels + 1e-3 * number, sky=facts, attributes=place))


@pytest.mark.usefixtures("isolated_cache")
def test_a_set_with_images_off_the_sky_is_refused_with_their_names(sky: Sky) -> None:
    _records(sky, 1, 3)
    square = SkySquare(size=80.0)
    with pytest.raises(DataError, match=r"(?s)2 image\(s\).*J0001: its file gives no.*J0003") as refused:
        prepare_sky(preparation=Preparation(sky=square))
    assert "J0000" not in str(refused.value)


@pytest.mark.usefixtures("isolated_cache")
def test_images_off_the_sky_are_left_out_on_request(sky: Sky) -> None:
    _records(sky, 2)
    square = SkySquare(size=80.0, missing="leave-out")
    data = prepare_sky(preparation=Preparation(sky=square))
    assert data.source_ids == ("J0000", "J0001", "J0003")
    assert [(image.name, image.reason) for image in data.skipped] == [
        ("J0002", "its file gives no celestial coordinates")
    ]


@pytest.mark.usefixtures("isolated_cache")
def test_squares_come_before_the_other_steps_and_facts_are_kept(sky: Sky) -> None:
    pytest.importorskip("reproject")
    _records(sky)
    square = SkySquare(size=80.0, pixel=2.0, north_up=True)
    preparation = Preparation(sky=square, crop=30, resize=15)
    data, folder = prepare(SKY, None, preparation, Context(dataset="sky"))
    assert data.images.shape == (4, 15, 15, 1)
    assert data.sky is not None
    assert data.sky.from_fits.all()
    assert data.sky.pixel == pytest.approx(4.0, rel=1e-6)
    assert data.sky.north == pytest.approx(0.0, abs=0.01)
    assert set(data.sky.unit.tolist()) == {"JY/BEAM"}
    # Four turned images of one sky show the same once north is up.
    assert np.abs(data.images - data.images[:1]).max() < 0.02
    (folder / "sky.npy").unlink()  # as older versions prepared them
    older = open_measured(folder)
    assert older.sky is None
    assert older.digest == data.digest


@pytest.mark.usefixtures("isolated_cache")
def test_facts_about_the_sky_change_no_digest(sky: Sky) -> None:
    plain = prepare_sky()
    sky.records = [record(k, sky=SkyFacts(shape=(16, 16), unit="Jy/beam")) for k in range(6)]
    sky.signature = "two"
    data = prepare_sky()
    assert data.sky is not None
    assert data.sky.unit.tolist() == ["Jy/beam"] * 6
    assert np.isnan(data.sky.north).all()
    assert data.digest == plain.digest
    assert plain.sky is None
    assert "sky" not in Preparation().model_dump(mode="json")


def test_settings_of_squares_are_checked() -> None:
    assert Preparation(sky=SkySquare(size="4.5 arcmin", pixel="1.8 arcsec")).size == 150
    assert Preparation(sky=SkySquare(north_up=True)).size is None
    with pytest.raises(ValueError, match="16,384"):
        SkySquare(size="2 deg", pixel=0.1)


@pytest.mark.shared
def test_real_image_is_resampled_as_reproject_does(shared_data: Path) -> None:
    reproject = pytest.importorskip("reproject")
    path = min((shared_data / "mirabest_fits" / "FRI").glob("*.fits.gz"))
    image = read_fits(path)
    found = cut_from_sky(image, SkySquare(size=180.0, pixel=1.5, north_up=True), (10.451, -9.284))
    assert found.sky is not None
    with fits.open(path) as hdus:
        wcs = WCS(hdus[0].header)
        expected, _ = reproject.reproject_interp(
            (hdus[0].data.astype(float), wcs), celestial(found.sky), shape_out=(120, 120), order="bicubic"
        )
    assert np.abs(found.pixels - expected).max() < 1e-6 * np.abs(expected).max()
