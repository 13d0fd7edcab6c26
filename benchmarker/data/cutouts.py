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
from benchmarker.data.resampling import Geometry, Target, cut_out
from benchmarker.data.tables import SourceTable
from benchmarker.errors import DataError
from benchmarker.files import atomic_write, make_folder, write_csv

if TYPE_CHECKING:
    from astropy.wcs import WCS

TABLE_FILE = "cutouts.csv"
_COLUMNS = ("name", "ra", "dec", "file", "mosaic", "blank", "reason")
_KEPT_CARDS = ("BUNIT", "BMAJ", "BMIN", "BPA", "TELESCOP", "INSTRUME", "FILTER", "DATE-OBS", "EQUINOX", "RADESYS")
_OFF = "off the mosaics"


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
