"""Cut sources out of mosaics on disk: FITS images with valid world coordinates, and what is blank or missing."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.prepared import Progress
from benchmarker.data.tables import SourceTable
from benchmarker.errors import ConfigurationError, DataError
from benchmarker.files import atomic_write, make_folder, write_csv

if TYPE_CHECKING:
    from astropy.wcs import WCS

TABLE_FILE = "cutouts.csv"
_COLUMNS = ("name", "ra", "dec", "file", "mosaic", "blank", "reason")
_KEPT_CARDS = ("BUNIT", "BMAJ", "BMIN", "BPA", "TELESCOP", "INSTRUME", "FILTER", "DATE-OBS", "EQUINOX", "RADESYS")
_LARGEST = 16384
_OFF = "off the mosaics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A source to cut out.

    Parameters
    ----------
    name : str
        Its name, from which the file is named.
    ra, dec : float
        Right ascension and declination in degrees (ICRS).
    """

    name: str
    ra: float
    dec: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Size and orientation of cut-outs.

    Parameters
    ----------
    size : float
        Side of the square in arcsec.
    pixel : float, optional
        Side of a pixel in arcsec; by default that of the mosaic, whose pixels are then kept as they are.
    north_up : bool
        Turn north up and east to the left.
    """

    size: float
    pixel: float | None = None
    north_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """What became of a source.

    Parameters
    ----------
    target : Target
        The source.
    file : str
        Name of the cut-out; empty if there is none.
    mosaic : str
        Name of the mosaic that it is from.
    blank : float
        Fraction of its pixels that have no value: beyond the edge of the mosaic, or NaN in it.
    reason : str
        Why there is no cut-out.
    """

    target: Target
    file: str = ""
    mosaic: str = ""
    blank: float = 1.0
    reason: str = ""


def cut_out(
    image: NDArray[Any], wcs: WCS, target: Target, geometry: Geometry
) -> tuple[NDArray[np.float64], WCS] | None:
    """Cut a square around a source out of an image.

    Parameters
    ----------
    image : ndarray of shape (height, width), any real dtype
        Image, such as a memory-mapped mosaic.
    wcs : astropy.wcs.WCS
        Its celestial coordinates.
    target : Target
        The source.
    geometry : Geometry
        Size and orientation.

    Returns
    -------
    (ndarray of shape (n, n), WCS) or None
        Pixels, NaN where the image has none, and their coordinates; None if no pixel of the square is in the image.

    Raises
    ------
    ConfigurationError
        If images are to be resampled and reproject is not installed, or the square has too many pixels.

    Notes
    -----
    With the pixels of the mosaic, the square has ``round(size / pixel)`` pixels, and the source lies within half a
    pixel of its centre. Nothing is interpolated.

    Otherwise the square is a gnomonic projection about the source, which lies exactly in the centre, and the mosaic is
    resampled to it: by cubic interpolation, or by anti-aliased resampling (DeForest 2004) to pixels that are at least
    1.2 times as large as its own. Values are surface brightness, so Jy/beam stays Jy/beam. An image in Jy/pixel must be
    divided by the area of its pixels first. Noise of resampled pixels is correlated.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077, doi:10.1051/0004-6361:20021327; DeForest 2004, Solar Physics 219, 3,
    doi:10.1023/B:SOLA.0000021743.24248.b0.
    """
    from astropy.coordinates import SkyCoord
    from astropy.nddata import Cutout2D, NoOverlapError
    from astropy.wcs.utils import proj_plane_pixel_scales

    scale = float(np.sqrt(np.prod(proj_plane_pixel_scales(wcs.celestial)))) * 3600
    pixel = geometry.pixel or scale
    side = _pixels(geometry.size, pixel)
    where = SkyCoord(target.ra, target.dec, unit="deg")
    resampled = geometry.pixel is not None or geometry.north_up
    # A square that is turned by 45 degrees needs 1.42 of its side, and interpolation a few pixels more.
    needed = _pixels(1.5 * geometry.size, scale) + 8 if resampled else side
    x, y = (float(value) for value in wcs.world_to_pixel(where))
    if not (np.isfinite(x) and np.isfinite(y)):
        return None  # on the other side of the sky
    try:
        part = Cutout2D(image, (x, y), needed, wcs=wcs, mode="partial", fill_value=np.nan, copy=True)
    except NoOverlapError:
        return None
    except ValueError as error:
        if "fill_value" not in str(error):
            raise
        part = Cutout2D(image.astype(np.float64), (x, y), needed, wcs=wcs, mode="partial", fill_value=np.nan)
    pixels = np.asarray(part.data, dtype=np.float64)
    if not resampled:
        return (pixels, part.wcs) if np.isfinite(pixels).any() else None
    wanted = _target_wcs(wcs, target, geometry, pixel, side)
    found = _resampled(pixels, part.wcs, wanted, side, coarser=pixel > 1.2 * scale)
    return (found, wanted) if np.isfinite(found).any() else None


def _pixels(size: float, pixel: float) -> int:
    side = max(1, round(size / pixel))
    if side > _LARGEST:
        raise ConfigurationError(
            f"a cut-out of {size:g} arcsec has {side:,} pixels of {pixel:g} arcsec in a row; at most {_LARGEST:,} are "
            "allowed, so ask for a smaller --size"
        )
    return side


def _target_wcs(wcs: WCS, target: Target, geometry: Geometry, pixel: float, side: int) -> WCS:
    """Return the coordinates of a square about the source: north up, or oriented as the mosaic is there."""
    from astropy.wcs import WCS

    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [target.ra, target.dec]
    made.wcs.crpix = [(side + 1) / 2, (side + 1) / 2]
    made.wcs.radesys = "ICRS"
    made.wcs.cunit = ["deg", "deg"]
    made.wcs.cd = np.array([[-1.0, 0.0], [0.0, 1.0]]) * pixel / 3600
    if not geometry.north_up:
        made.wcs.cd = _local_orientation(wcs, target) * pixel / 3600
    made.wcs.set()
    return made


def _local_orientation(wcs: WCS, target: Target) -> NDArray[np.float64]:
    """Return the matrix from pixels to (east, north) at a source, without its scale: a turn, or a turn and a mirror."""
    from astropy.coordinates import SkyCoord
    from astropy.units import arcsec, deg

    centre = SkyCoord(target.ra, target.dec, unit="deg")
    start = np.array(wcs.world_to_pixel(centre), dtype=np.float64)
    north, east = (
        np.array(wcs.world_to_pixel(centre.directional_offset_by(angle * deg, 1 * arcsec)), dtype=np.float64) - start
        for angle in (0, 90)
    )
    north /= np.linalg.norm(north)
    mirrored = east[0] * north[1] - east[1] * north[0] > 0
    east = np.array([north[1], -north[0]]) if mirrored else np.array([-north[1], north[0]])
    return np.stack([east, north])


def _resampled(pixels: NDArray[np.float64], wcs: WCS, wanted: WCS, side: int, *, coarser: bool) -> NDArray[np.float64]:
    try:
        from reproject import reproject_adaptive, reproject_interp
    except ImportError as error:
        raise ConfigurationError(
            "to resample images, install reproject: python -m pip install 'galaxy-benchmarker[sky]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pixels beyond the edge
        if coarser:
            found, _ = reproject_adaptive(
                (pixels, wcs), wanted, shape_out=(side, side), conserve_flux=False, boundary_mode="strict",
                kernel="gaussian",
            )  # fmt: skip
        else:
            found, _ = reproject_interp((pixels, wcs), wanted, shape_out=(side, side), order="bicubic")
    return np.asarray(found, dtype=np.float64)


def catalogue_targets(table: SourceTable, *, name: str, ra: str, dec: str) -> list[Target]:
    """Return the sources of a catalogue.

    Parameters
    ----------
    table : SourceTable
        The catalogue.
    name, ra, dec : str
        Names of its columns; positions are in degrees, or in the unit that the column names.

    Raises
    ------
    DataError
        If a row has no position, or a position that is not on the sky.
    """
    from astropy import units

    found = []
    for axis in (ra, dec):
        try:
            degrees = units.Unit(table.unit(axis) or "deg").to(units.deg)
        except (units.UnitsError, ValueError, TypeError) as error:
            raise DataError(f"{table.path}: the unit of {axis} is no angle: {table.unit(axis)!r}") from error
        found.append(table.numbers(axis) * degrees)
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(~((np.abs(found[1]) <= 90) & (found[0] >= -180) & (found[0] <= 360)))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{table.path}: row {row + 1}: {ra} {found[0][row]:g} and {dec} {found[1][row]:g} are no position in "
            f"degrees; {len(wrong)} row(s) like this"
        )
    rows = zip(table.texts(name), *(axis.tolist() for axis in found), strict=True)
    return [Target(name=text or f"row {row}", ra=ra, dec=dec) for row, (text, ra, dec) in enumerate(rows, start=1)]


def write_cutouts(
    targets: Sequence[Target],
    mosaics: Sequence[Path],
    geometry: Geometry,
    out: Path,
    progress: Progress = lambda _description, _done, _total: None,
) -> list[Cutout]:
    """Write a FITS image of each source, cut out of the mosaic that shows most of it, and a table of all sources.

    Parameters
    ----------
    targets : sequence of Target
        The sources.
    mosaics : sequence of Path
        FITS images with celestial coordinates; read a part at a time.
    geometry : Geometry
        Size and orientation.
    out : Path
        Folder to write into; created if it does not exist.
    progress : callable
        Called after each source of each mosaic.

    Returns
    -------
    list of Cutout
        What became of each source, in the order of the sources; also written to ``cutouts.csv``.

    Raises
    ------
    DataError
        If a mosaic cannot be read, in which case nothing is written, or two sources have the same name.
    """
    files = _file_names(targets)
    for mosaic in mosaics:
        with _opened(mosaic):
            pass
    make_folder(out)
    found = [Cutout(target=target, reason=_OFF) for target in targets]
    for number, mosaic in enumerate(mosaics):
        with _opened(mosaic) as (image, wcs, header):
            for index, cutout in enumerate(found):
                progress("cutting out", number * len(found) + index, len(mosaics) * len(found))
                if cutout.blank == 0:
                    continue
                made = cut_out(image, wcs, cutout.target, geometry)
                if made is None:
                    continue
                blank = float(1 - np.isfinite(made[0]).mean())
                if blank < cutout.blank:
                    _write(out / files[index], made, _cards(made[1], header, cutout.target, mosaic))
                    found[index] = replace(cutout, file=files[index], mosaic=mosaic.name, blank=blank, reason="")
    write_csv(out / TABLE_FILE, _COLUMNS, [_row(cutout) for cutout in found])
    return found


@contextmanager
def _opened(path: Path) -> Iterator[tuple[NDArray[Any], WCS, Any]]:
    """Return a context with the image of a mosaic, which stays on disk if it can, its coordinates and its header."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # stale dates and units of old headers
            with fits.open(path, mode="readonly", memmap=True) as hdus:
                hdu, wcs = _celestial(hdus, path)
                yield _plane(hdu, path), wcs, hdu.header
    except OSError as error:
        raise DataError(f"{path}: cannot be read as a FITS file: {error}") from error


def _celestial(hdus: Any, path: Path) -> tuple[Any, WCS]:
    """Return the first image with celestial coordinates."""
    from astropy.wcs import WCS

    for hdu in hdus:
        if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2:
            wcs = WCS(hdu.header, fobj=hdus)
            if wcs.has_celestial:
                return hdu, wcs.celestial
    raise DataError(f"{path}: no image in it has celestial coordinates (CTYPE, CRVAL, CRPIX and CDELT or CD)")


def _plane(hdu: Any, path: Path) -> NDArray[Any]:
    try:
        data = hdu.data
    except ValueError:  # scaled integers cannot be memory-mapped
        from astropy.io import fits

        with fits.open(path, memmap=False) as hdus:
            data = next(each.data for each in hdus if each.name == hdu.name and each.shape == hdu.shape)
    image: NDArray[Any] = data.reshape([length for length in data.shape if length > 1])
    if image.ndim != 2:
        axes = " x ".join(map(str, data.shape))
        raise DataError(f"{path}: an image of {axes} is no mosaic; give one with two axes longer than 1")
    return image


def _row(cutout: Cutout) -> tuple[str, ...]:
    target = cutout.target
    place = repr(target.ra), repr(target.dec)
    return target.name, *place, cutout.file, cutout.mosaic, f"{cutout.blank:.4f}", cutout.reason


def _file_names(targets: Sequence[Target]) -> list[str]:
    names = [f"{re.sub(r'[^A-Za-z0-9._+-]', '_', target.name).lstrip('.') or 'source'}.fits" for target in targets]
    seen: dict[str, str] = {}
    for name, target in zip(names, targets, strict=True):
        if name.lower() in seen:
            raise DataError(
                f"the sources {seen[name.lower()]!r} and {target.name!r} would be written into one file, {name}; give "
                "them different names"
            )
        seen[name.lower()] = target.name
    return names


def _cards(wcs: WCS, header: Any, target: Target, mosaic: Path) -> Any:
    """Return the header of a cut-out: its coordinates, and what stays true of the mosaic's."""
    cards = wcs.to_header()
    for key in _KEPT_CARDS:
        if key in header and key not in cards:
            cards[key] = header[key]
    cards["OBJECT"] = target.name.encode("ascii", "replace").decode()[:68]
    cards["MOSAIC"] = mosaic.name.encode("ascii", "replace").decode()[:68]
    return cards


def _write(path: Path, made: tuple[NDArray[np.float64], WCS], cards: Any) -> None:
    from astropy.io import fits

    with atomic_write(path) as stream:
        fits.PrimaryHDU(made[0].astype(np.float32), header=cards).writeto(stream)
