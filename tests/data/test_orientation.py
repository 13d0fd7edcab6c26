"""Pictures are drawn as the sky is seen: north up, east to the left."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.units import arcsec
from astropy.wcs import WCS

from benchmarker import Preparation, SkyFacts, upright
from benchmarker.contracts.sky import SkyColumns
from benchmarker.data.orientation import north_is_known, pixel_side
from benchmarker.data.pictures import contact_sheet
from benchmarker.data.sky_columns import SkyRow, sky_rows
from tests.data.skies import prepare_sky
from tests.data.test_sky_facts import header
from tests.data.test_sky_preparation import field

SIDE = 61


def columns(row: SkyRow | None) -> SkyColumns:
    known = row or SkyRow()
    return SkyColumns(
        from_fits=np.array([row is not None]),
        pixel=np.array([known.pixel]),
        north=np.array([known.north]),
        mirrored=np.array([known.mirrored]),
        unit=np.array([known.unit]),
        beam=np.array([known.beam]),
    )


@pytest.mark.parametrize("angle", [0.0, 0.3, 35.0, 90.0, 180.0, -90.0, 260.0])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("east", "north"), [(0, 40), (40, 0)])
def test_north_is_up_and_east_to_the_left(angle: float, mirrored: bool, east: int, north: int) -> None:
    cards = header(angle, mirrored=mirrored, CRPIX1=31.0, CRPIX2=31.0)
    wcs, image = WCS(cards), np.zeros((SIDE, SIDE, 1), np.float32)
    centre = wcs.pixel_to_world(30, 30)
    place = SkyCoord(centre.ra + east * arcsec / np.cos(centre.dec), centre.dec + north * arcsec)
    x, y = (round(float(value)) for value in wcs.world_to_pixel(place))
    image[y - 1 : y + 2, x - 1 : x + 2] = 1
    (row,) = sky_rows(SkyFacts(shape=(SIDE, SIDE), cards=dict(cards)), Preparation(), 1)
    drawn = np.nan_to_num(upright(image, columns(row), 0))[..., 0]
    assert drawn.shape == (SIDE, SIDE)
    assert np.argwhere(drawn > 0.5).mean(axis=0) == pytest.approx([30 - north / 2, 30 - east / 2], abs=1.0)


def test_right_angles_interpolate_nothing() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    drawn = upright(image, columns(SkyRow(north=90.2, pixel=1.0)), 0)[..., 0]
    assert drawn.tolist() == np.rot90(image[::-1, :, 0]).tolist()


def test_first_row_of_a_fits_file_is_at_the_bottom_and_others_stay() -> None:
    image = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    assert upright(image, columns(SkyRow()), 0)[..., 0].tolist() == [[3, 4], [1, 2]]
    assert upright(image, columns(None), 0)[..., 0].tolist() == [[1, 2], [3, 4]]
    assert not north_is_known(columns(SkyRow()), 0)
    assert pixel_side(columns(SkyRow()), 0) is None


def test_scale_follows_the_preparation() -> None:
    (row,) = sky_rows(field().sky, Preparation(crop=60, resize=30), 1)
    assert row is not None
    assert pixel_side(columns(row), 0) == pytest.approx(4.0, rel=1e-3)


@pytest.mark.usefixtures("isolated_cache", "sky")
def test_contact_sheets_draw_images_upright() -> None:
    data = prepare_sky()
    one = columns(SkyRow())
    sky = SkyColumns(**{each.name: np.repeat(getattr(one, each.name), len(data), axis=0) for each in fields(one)})
    flipped = replace(data, images=data.images[:, ::-1])
    assert contact_sheet(replace(data, sky=sky)) == contact_sheet(flipped) != contact_sheet(data)
