"""Dataset ``fits-cutouts``: images that a catalogue lists, with labels, positions and any further quantities.

For example::

    my_cutouts/sources.vot          Name, Type, RAJ2000, DEJ2000, z
    my_cutouts/images/3C_31.fits

Several files for each source, one for each band, become channels, and so do the planes of a cube.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from benchmarker import (
    IMAGE_SUFFIXES,
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Member,
    SkippedImage,
    SkyFacts,
    SkyImage,
    UnreadableImageError,
    path_signature,
    read_members,
    read_sky_image,
    remark,
)
from benchmarker_images.catalogue import IDENTIFIER, Catalogue, Entry, read_catalogue
from benchmarker_images.catalogue_options import CatalogueOptions

_SUFFIXES = tuple(IMAGE_SUFFIXES)
_SHOWN = 3


class FitsCutoutsOptions(CatalogueOptions):
    """The catalogue, and how its images are read."""

    files: str | tuple[str, ...] = IDENTIFIER
    """Name of the image file where the catalogue has no column of files, with `{id}` for the identifier, such as
    `images/{id}_cutout.fits`; several names for one file in each band, such as `[{id}_g.fits, {id}_r.fits]`."""

    hdu: int | str | None = None
    """Number (0 is the primary one) or EXTNAME of the HDU with a FITS image; by default the science image is found."""

    planes: Literal["all"] | tuple[NonNegativeInt, ...] | None = Field(default=None, min_length=1)
    """Planes of cubes that become channels: `all`, or their numbers, such as `[0, 2]`; cubes are skipped by default."""

    colour: Literal["as-it-is", "grey", "radio-framework"] = "as-it-is"
    """`as-it-is`: one channel for grey images and three for colour ones; `grey`: the luminance of colour pictures;
    `radio-framework`: 0.3 R + 0.59 G + 0.11 B, or the mean of other numbers of channels, also of FITS cubes."""

    @model_validator(mode="after")
    def _file_of_each_source(self) -> Self:
        patterns = (self.files,) if isinstance(self.files, str) else self.files
        if self.columns.file is None and self.columns.id is None:
            raise ValueError("'columns' needs 'file', 'id' or both, to find the image of each row")
        if not patterns or not all(IDENTIFIER in pattern for pattern in patterns):
            raise ValueError(f"'files' needs {IDENTIFIER} in each name")
        return self


def load(options: FitsCutoutsOptions, context: DatasetContext) -> DatasetContents:
    """Read the catalogue, and find its images in the user's folder or archive.

    Parameters
    ----------
    options : FitsCutoutsOptions
        Catalogue, columns, joins, and how images are read.
    context : DatasetContext
        The user's folder, or an archive of the images, in whose folder the catalogue is.

    Returns
    -------
    DatasetContents
        One record for each row with an image, in the order of the catalogue, in the unit of the files; several files or
        planes are channels. Rows and files that cannot be used are `SkippedImage`, with a reason that is the same for
        all rows of a kind. A source has the identifier of the catalogue, or else the name of its first file without the
        extension. Positions in degrees are the attributes ``ra`` and ``dec``.

    Raises
    ------
    ConfigurationError
        If no folder is given, or a catalogue does not exist.
    DataError
        If a catalogue cannot be read, or none of its rows has an image.
    """
    path = context.path
    if path is None:
        raise ConfigurationError(
            "fits-cutouts reads your own images: give `-d FOLDER`, or `path: FOLDER` under `dataset`"
        )
    folder = path if path.is_dir() else path.parent
    patterns = (options.files,) if isinstance(options.files, str) else options.files
    catalogue = read_catalogue(folder, options, patterns)
    _require_an_image(path, catalogue)

    def records() -> Iterator[ImageRecord | SkippedImage]:
        yield from catalogue.left_out
        files = _Files(path)
        for entry in catalogue.entries:
            yield _record(entry, files, options)

    return DatasetContents(
        task=catalogue.task,
        records=records,
        signature={
            "fits-cutouts": 1,
            "catalogues": list(catalogue.digests),
            "files": path_signature(path, _SUFFIXES if path.is_dir() else ()),
        },
        count=len(catalogue.entries) + len(catalogue.left_out),
        attribute_units={name: catalogue.units.get(name, "") for name in _attributes(catalogue)},
    )


def _attributes(catalogue: Catalogue) -> list[str]:
    return list(catalogue.entries[0].attributes)


class _Files:
    """The image files of a folder or archive, by the names that a catalogue may give them."""

    def __init__(self, path: Path) -> None:
        self._folder = path
        # Of a folder only the names are kept, which take a tenth of the memory of its members.
        keep = not path.is_dir()
        self._members: dict[str, Member | None] = {
            member.name: member if keep else None for member in read_members(path, _SUFFIXES)
        }

    @property
    def names(self) -> list[str]:
        """The names of all files."""
        return list(self._members)

    @cached_property
    def _loose(self) -> dict[str, str]:
        """Name of the file for each name without folder or extension; empty where several have it."""
        found: dict[str, str] = {}
        for member in self._members:
            name = _composed(member)
            base = PurePosixPath(name).name
            for known in {name, _stem(name), base, _stem(base)}:
                found[known] = member if found.get(known, member) == member else ""
        return found

    def find(self, name: str) -> Member:
        """Return the file with a path, with or without extension and folder.

        Raises
        ------
        UnreadableImageError
            If there is none, or several.
        """
        if name not in self._members:
            found = self._loose.get(_composed(name.removeprefix("./")))
            if found is None:
                raise UnreadableImageError("there is no such file")
            if not found:
                raise UnreadableImageError("several files have its name; give the folder or the extension, too")
            name = found
        return self._members[name] or Member(name=name, read=partial(_content, self._folder / name))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UnreadableImageError(f"it cannot be read: {error.strerror or error}") from error


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _stem(name: str) -> str:
    ending = max((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(ending)]


def _require_an_image(path: Path, catalogue: Catalogue) -> None:
    """Refuse a catalogue none of whose rows has an image: its names are written in another way."""
    files = _Files(path)
    for entry in catalogue.entries:
        try:
            files.find(entry.files[0])
        except UnreadableImageError:
            continue
        return
    wanted = ", ".join(entry.files[0] for entry in catalogue.entries[:_SHOWN])
    present = ", ".join(sorted(files.names)[:_SHOWN]) or "no image"
    raise DataError(f"{path}: none of the images in the catalogue is there. Expected: {wanted}. Received: {present}")


def _record(entry: Entry, files: _Files, options: FitsCutoutsOptions) -> ImageRecord | SkippedImage:
    shown = entry.source or entry.files[0]
    try:
        bands = [_band(files.find(name), options) for name in entry.files]
        image = bands[0] if len(bands) == 1 else _stacked(bands, shown)
    except UnreadableImageError as error:
        return SkippedImage(name=shown, reason=error.reason)
    return ImageRecord(
        image=image.pixels,
        target=entry.target,
        source_id=entry.source or _stem(_composed(entry.files[0])),
        part=entry.part,
        attributes=entry.attributes,
        sky=image.sky,
    )


def _band(member: Member, options: FitsCutoutsOptions) -> SkyImage:
    return read_sky_image(member, hdu=options.hdu, planes=options.planes, colour=options.colour)


def _stacked(bands: Sequence[SkyImage], name: str) -> SkyImage:
    """Return several bands as the channels of one image, with the facts about the sky that they share."""
    import numpy as np

    pixels = [band.pixels for band in bands]
    if len({each.shape[:2] for each in pixels}) > 1:
        shapes = ", ".join(" x ".join(map(str, each.shape[:2])) for each in pixels)
        raise UnreadableImageError(f"its bands have different sizes: {shapes}")
    return SkyImage(
        pixels=np.concatenate([np.atleast_3d(each) for each in pixels], axis=-1),
        sky=_shared([band.sky for band in bands], name),
    )


def _shared(facts: Sequence[SkyFacts | None], name: str) -> SkyFacts | None:
    known = [each for each in facts if each is not None]
    if len(known) < len(facts):
        return None
    first, *others = known
    same = all(dict(each.cards) == dict(first.cards) for each in others)
    if not same:
        remark("its bands have different celestial coordinates, which are therefore not used", name)
    return SkyFacts(
        shape=first.shape,
        cards=first.cards if same else {},
        unit=first.unit if all(each.unit == first.unit for each in others) else "",
        beam=first.beam if all(each.beam == first.beam for each in others) else None,
    )


def read_image(member: Member, options: FitsCutoutsOptions) -> SkyImage:
    """Read one image file as the dataset does."""
    return _band(member, options)
