"""New images: the files of a folder or an archive, or those that a catalogue names, with their positions."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarker import (
    IMAGE_SUFFIXES,
    ConfigurationError,
    DataError,
    Member,
    SkippedImage,
    UnreadableImageError,
    read_fits_image,
    read_members,
)

_FORMATS = {
    ".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".fits": "fits", ".fit": "fits", ".vot": "votable", ".xml": "votable",
    ".parquet": "parquet",
}  # fmt: skip
CATALOGUE_SUFFIXES = tuple(_FORMATS)
_FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "cutout")
_IDENTIFIER_COLUMNS = ("id", "identifier", "name", "object", "source_id", "objid", "source")
_RA_COLUMNS = ("ra", "raj2000", "ra_deg", "_raj2000", "alpha")
_DEC_COLUMNS = ("dec", "dej2000", "decj2000", "dec_deg", "_dej2000", "delta")
_FITS_BEGINNING = b"SIMPLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An image file to predict.

    Parameters
    ----------
    identifier : str
        Name in the catalogue, or path of the file within its folder without the extension.
    member : Member
        The file.
    ra, dec : float
        Right ascension and declination in degrees, as the catalogue gives them; NaN where it does not.
    """

    identifier: str
    member: Member
    ra: float = math.nan
    dec: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImages:
    """All images to predict.

    Parameters
    ----------
    images : sequence of NewImage
        Images in the order of the catalogue, or sorted by the names of their files.
    skipped : sequence of SkippedImage
        Rows of the catalogue that name no file that can be read.
    """

    images: Sequence[NewImage]
    skipped: Sequence[SkippedImage] = field(default_factory=tuple)


def find_images(data: Path, images: Path | None = None) -> NewImages:
    """Return the images of a folder, an archive or a catalogue.

    Parameters
    ----------
    data : Path
        Image, folder or archive, or a catalogue (CSV, ECSV, FITS, VOTable or Parquet) with a column of file names.
    images : Path, optional
        Folder that the file names of a catalogue are relative to; by default that of the catalogue. Files outside it
        are not read.

    Raises
    ------
    DataError
        If there are no images, or the catalogue cannot be read.
    ConfigurationError
        If nothing exists there, or a catalogue has no column of file names.
    """
    if not data.exists():
        raise ConfigurationError(f"{data}: there is no such file or folder")
    if data.is_file() and _is_image(data):
        return NewImages(images=[NewImage(identifier=_stem(data.name), member=_file(data, data.name))])
    if data.is_file() and data.suffix.lower() in CATALOGUE_SUFFIXES:
        return _catalogue(data, images or data.parent)
    found = [NewImage(identifier=_stem(member.name), member=member) for member in read_members(data, IMAGE_SUFFIXES)]
    if not found:
        raise DataError(f"{data}: holds no images; names of image files end in one of: {', '.join(IMAGE_SUFFIXES)}")
    return NewImages(images=found)


def _is_image(path: Path) -> bool:
    """Whether a single file is an image; a FITS file is a catalogue if it holds a table and no image."""
    if path.suffix.lower() not in CATALOGUE_SUFFIXES:
        return path.name.lower().endswith(IMAGE_SUFFIXES)
    if not path.name.lower().endswith(IMAGE_SUFFIXES):
        return False
    try:
        read_fits_image(path)
    except UnreadableImageError as error:
        return "only tables" not in error.reason
    return True


def _file(path: Path, name: str) -> Member:
    return Member(name=name, read=partial(Path.read_bytes, path))


def _stem(name: str) -> str:
    return name[: -max(len(suffix) for suffix in IMAGE_SUFFIXES if name.lower().endswith(suffix))]


def _catalogue(path: Path, folder: Path) -> NewImages:
    from astropy.table import Table

    try:
        # Left to guess, astropy would also read HDF5, which may lead to other files, under any of these names.
        form = _FORMATS[path.suffix.lower()]
        table = Table.read(path, format=form, **({"comment": "#"} if form == "ascii.csv" else {}))
    # Broad on purpose: readers of damaged tables raise many kinds of errors, and the message quotes them.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path}: cannot be read as a table: {reason}") from error
    names = {name.lower(): name for name in table.colnames}
    file = _column(names, _FILE_COLUMNS)
    if file is None:
        raise ConfigurationError(
            f"{path}: has no column of file names; call it {', '.join(_FILE_COLUMNS)}. It has: "
            f"{', '.join(table.colnames)}"
        )
    columns = [_column(names, known) for known in (_IDENTIFIER_COLUMNS, _RA_COLUMNS, _DEC_COLUMNS)]
    found: list[NewImage] = []
    skipped: list[SkippedImage] = []
    for row in table:
        name = str(row[file])
        identifier, ra, dec = (None if column is None else row[column] for column in columns)
        member, problem = _member(folder, name)
        if member is None:
            skipped.append(SkippedImage(name=name, reason=problem))
            continue
        own = _stem(name) if identifier is None else str(identifier)
        found.append(NewImage(identifier=own, member=member, ra=_degrees(ra), dec=_degrees(dec)))
    return NewImages(images=found, skipped=skipped)


def _column(names: dict[str, str], known: tuple[str, ...]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _degrees(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):  # a masked value, or sexagesimal text
        return math.nan


def _member(folder: Path, name: str) -> tuple[Member | None, str]:
    """Return the file that a catalogue names, or why it is not read."""
    if not name.lower().endswith(IMAGE_SUFFIXES):
        return None, f"not an image file; names end in one of: {', '.join(IMAGE_SUFFIXES)}"
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        return None, f"outside {folder}; name the folder of all images by --images"
    if not path.is_file():
        return None, f"there is no such file in {folder}"
    return _file(path, name), ""


def position(content: bytes) -> tuple[float, float]:
    """Return right ascension and declination of the centre of a FITS image in degrees; NaN where they are unknown.

    The keywords ``RA`` and ``DEC`` come first if both are numbers, then the world coordinates of the first image that
    has celestial ones.
    """
    if not content.startswith(_FITS_BEGINNING):
        return math.nan, math.nan
    import warnings

    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                return next(_positions(hdus), (math.nan, math.nan))
    # Broad on purpose: headers may be wrong in any way, and an image without a position is used all the same.
    except Exception:  # noqa: BLE001
        return math.nan, math.nan


def _positions(hdus: Any) -> Iterator[tuple[float, float]]:
    from astropy.wcs import WCS

    for hdu in hdus:
        ra, dec = (_degrees(hdu.header.get(key)) for key in ("RA", "DEC"))
        if 0 <= ra <= 360 and -90 <= dec <= 90:
            yield ra, dec
        if hdu.header.get("NAXIS", 0) >= 2:
            celestial = WCS(hdu.header).celestial
            if celestial.naxis == 2:
                width, height = hdu.header["NAXIS1"], hdu.header["NAXIS2"]
                centre = celestial.pixel_to_world_values((width - 1) / 2, (height - 1) / 2)
                yield float(centre[0]), float(centre[1])
