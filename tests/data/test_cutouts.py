"""Cut-outs: on a made sky with known positions, and on FIRST images against astropy and reproject."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.units import arcsec, deg
from astropy.wcs import WCS

from benchmarker import DataError
from benchmarker.cli import main
from benchmarker.data.cutouts import write_cutouts
from benchmarker.data.resampling import Geometry, Target, cut_out

SOURCE = Target(name="3C 1", ra=150.1, dec=60.05)
PIXEL = 2.0  # arcsec, of the mosaic


def sky(angle: float = 30.0, *, mirrored: bool = False, centre: tuple[float, float] = (150.0, 60.0)) -> WCS:
    """Return the coordinates of a mosaic that is turned by an angle, and mirrored or not."""
    turn = np.radians(angle)
    cd = np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * PIXEL / 3600
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = centre
    wcs.wcs.crpix = [300.5, 300.5]
    wcs.wcs.cd = cd * [[-1, 1]] if mirrored else cd
    wcs.wcs.radesys = "ICRS"
    return wcs


def peak(image: np.ndarray[Any, Any]) -> tuple[float, float]:
    row, column = np.unravel_index(np.nanargmax(image), image.shape)
    return float(row), float(column)


def mosaic(wcs: WCS, *, size: int = 600) -> np.ndarray[Any, Any]:
    """Return a sky with the source, and fainter ones 40 arcsec north and 30 arcsec east of it."""
    image = np.zeros((size, size))
    rows, columns = np.mgrid[:size, :size]
    where = SkyCoord(SOURCE.ra, SOURCE.dec, unit="deg")
    offsets = ((0, 0), (0, 40), (90, 30))
    places = (where.directional_offset_by(angle * deg, distance * arcsec) for angle, distance in offsets)
    for height, place in zip((3.0, 2.0, 1.0), places, strict=True):
        x, y = wcs.world_to_pixel(place)
        image += height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    return image


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("pixel", [None, 1.0, 4.0])
def test_north_is_up_and_east_left_whatever_the_mosaic(mirrored: bool, pixel: float | None) -> None:
    pytest.importorskip("reproject")
    wcs = sky(130.0, mirrored=mirrored)
    found = cut_out(mosaic(wcs), wcs, SOURCE, Geometry(size=202.0, pixel=pixel, north_up=True))
    assert found is not None
    image, made = found
    scale = pixel or PIXEL
    middle = (len(image) - 1) / 2
    assert len(image) == round(202 / scale)
    assert np.abs(np.subtract(peak(image), middle)).max() <= 0.5
    north, east = image.copy(), image.copy()
    rows, columns = np.mgrid[: len(image), : len(image)]
    north[np.hypot(rows - middle, columns - middle) < 20 / scale] = 0  # the source itself
    assert np.abs(np.subtract(peak(north), (middle + 40 / scale, middle))).max() <= 1
    east[(np.hypot(rows - middle, columns - middle) < 20 / scale) | (rows > middle + 20 / scale)] = 0
    assert np.abs(np.subtract(peak(east), (middle, middle - 30 / scale))).max() <= 1
    assert SkyCoord(SOURCE.ra, SOURCE.dec, unit="deg").separation(made.pixel_to_world(middle, middle)) < 1e-3 * arcsec
    upwards = made.pixel_to_world(middle, middle + 5)
    assert upwards.dec.deg > SOURCE.dec
    assert upwards.ra.deg == pytest.approx(SOURCE.ra, abs=1e-6)


@pytest.mark.parametrize("mirrored", [False, True])
def test_resampled_cutouts_keep_the_orientation_of_the_mosaic_unless_asked(mirrored: bool) -> None:
    pytest.importorskip("reproject")
    wcs = sky(75.0, mirrored=mirrored)
    image = mosaic(wcs)
    plain = cut_out(image, wcs, SOURCE, Geometry(size=122.0))
    resampled = cut_out(image, wcs, SOURCE, Geometry(size=122.0, pixel=PIXEL))
    assert plain is not None
    assert resampled is not None
    assert np.corrcoef(plain[0].ravel(), resampled[0].ravel())[0, 1] > 0.97


def test_cutout_without_resampling_has_the_pixels_of_astropy() -> None:
    wcs = sky()
    image = mosaic(wcs).astype(">f4")
    found = cut_out(image, wcs, SOURCE, Geometry(size=122.0))
    assert found is not None
    expected = Cutout2D(image, SkyCoord(SOURCE.ra, SOURCE.dec, unit="deg"), 61, wcs=wcs)
    assert np.array_equal(found[0], expected.data)
    assert np.abs(np.subtract(peak(found[0]), 30)).max() <= 1
    x, y = found[1].world_to_pixel(SkyCoord(SOURCE.ra, SOURCE.dec, unit="deg"))
    assert np.abs(np.subtract((x, y), 30)).max() <= 0.5


def test_first_image_is_resampled_as_reproject_does(shared_data: Path) -> None:
    reproject = pytest.importorskip("reproject")
    path = min((shared_data / "first_fits").glob("FRI/*.fits"))
    with fits.open(path) as hdus:
        image, header = np.squeeze(hdus[0].data), hdus[0].header
        wcs = WCS(header).celestial
    target = Target(name="centre", ra=float(header["CRVAL1"]), dec=float(header["CRVAL2"]))
    found = cut_out(image, wcs, target, Geometry(size=90.0, pixel=1.5, north_up=True))
    assert found is not None
    assert found[0].shape == (60, 60)
    expected, _ = reproject.reproject_interp((image.astype(float), wcs), found[1], shape_out=(60, 60), order="bicubic")
    assert np.allclose(found[0], expected, rtol=1e-6, atol=1e-9)
    plain = cut_out(image, wcs, target, Geometry(size=90.0))
    assert plain is not None
    assert np.array_equal(plain[0], image[50:100, 50:100])


def test_command_writes_images_and_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wcs = sky(0.0)
    header = wcs.to_header()
    header.update({"BUNIT": "Jy/beam", "BMAJ": 0.0015, "EXTEND": True})
    data = mosaic(wcs).astype(np.float32)[None, None]  # with Stokes and frequency, as radio images have
    fits.PrimaryHDU(data, header=header).writeto(tmp_path / "field.fits")
    edge = wcs.pixel_to_world(599, 300)
    (tmp_path / "sources.csv").write_text(
        f"name,ra,dec\n3C 1,150.1,60.05\nedge,{edge.ra.deg},{edge.dec.deg}\nfar,10,-40\n"
    )
    words = ["data", "cutouts", str(tmp_path / "sources.csv"), str(tmp_path / "field.fits"), "--size", "2arcmin"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "far" in said
    assert "edge (48 %)" in said or "edge (49 %)" in said or "edge (50 %)" in said
    with fits.open(tmp_path / "out" / "3C_1.fits") as hdus:
        written = hdus[0]
        assert written.data.shape == (60, 60)
        kept = [written.header[key] for key in ("BUNIT", "BMAJ", "OBJECT", "MOSAIC")]
        assert kept == ["Jy/beam", 0.0015, "3C 1", "field.fits"]
        x, y = WCS(written.header).world_to_pixel(SkyCoord(SOURCE.ra, SOURCE.dec, unit="deg"))
        assert np.abs(np.subtract(peak(written.data), (float(y), float(x)))).max() <= 1
    rows = list(csv.DictReader((tmp_path / "out" / "cutouts.csv").read_text().splitlines()))
    assert [(row["name"], row["file"], row["reason"]) for row in rows] == [
        ("3C 1", "3C_1.fits", ""), ("edge", "edge.fits", ""), ("far", "", "off the mosaics"),
    ]  # fmt: skip


def test_source_is_cut_out_of_the_mosaic_that_shows_most_of_it(tmp_path: Path) -> None:
    whole = sky(0.0)
    near = sky(0.0, centre=(SOURCE.ra + 0.32, SOURCE.dec))
    paths = []
    for name, wcs in (("near.fits", near), ("whole.fits", whole)):
        paths.append(tmp_path / name)
        fits.PrimaryHDU(mosaic(wcs), header=wcs.to_header()).writeto(paths[-1])
    calls: list[tuple[str, int, int | None]] = []
    (cutout,) = write_cutouts([SOURCE], paths, Geometry(size=120.0), tmp_path / "out", lambda *call: calls.append(call))
    assert (cutout.mosaic, cutout.blank) == ("whole.fits", 0.0)
    assert calls == [("cutting out", 0, 2), ("cutting out", 1, 2)]


def test_nothing_is_written_if_a_mosaic_cannot_be_read(tmp_path: Path) -> None:
    wcs = sky(0.0)
    good, bad = tmp_path / "good.fits", tmp_path / "bad.fits"
    fits.PrimaryHDU(mosaic(wcs), header=wcs.to_header()).writeto(good)
    bad.write_bytes(b"SIMPLE  = no")
    with pytest.raises(DataError, match=r"bad\.fits"):
        write_cutouts([SOURCE], [good, bad], Geometry(size=120.0), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_would_share_a_file_and_images_without_coordinates_are_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((5, 5))).writeto(tmp_path / "plain.fits")
    with pytest.raises(DataError, match=r"plain\.fits"):
        write_cutouts([SOURCE], [tmp_path / "plain.fits"], Geometry(size=60.0), tmp_path / "out")
    with pytest.raises(DataError, match="3C/1"):
        write_cutouts([SOURCE, Target(name="3C/1", ra=1.0, dec=1.0)], [], Geometry(size=60.0), tmp_path / "out")
    assert not (tmp_path.parent / "3C_1.fits").exists()
