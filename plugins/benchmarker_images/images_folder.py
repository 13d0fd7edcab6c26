"""Dataset ``images-folder``: PNG, JPEG, TIFF or FITS images in a folder for each class, loose or in an archive.

Folders ``train``, ``valid`` and ``test`` above those of the classes are the published split::

    my_galaxies/spiral/587722.png             my_galaxies/train/spiral/587722.png
    my_galaxies/elliptical/587731.png         my_galaxies/test/elliptical/587731.png
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field, NonNegativeInt

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Member,
    Options,
    Part,
    SkippedImage,
    SkyImage,
    UnreadableImageError,
    path_signature,
    read_members,
    read_sky_image,
)
from benchmarker_images.labels import PARTS

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_FITS = tuple(f"{suffix}{packed}" for suffix in (".fits", ".fit", ".fts") for packed in ("", ".gz", ".fz", ".bz2"))
_SUFFIXES = (*_PICTURES, *_FITS)


class ImagesFolderOptions(Options):
    """Which classes to read, and how."""

    classes: tuple[str, ...] | None = None
    """Folders of the classes, in the order in which networks number them; by default all folders, sorted by name."""

    colour: Literal["as-it-is", "grey", "radio-framework"] = "as-it-is"
    """`as-it-is`: one channel for grey images and three for colour ones; `grey`: the luminance of colour pictures;
    `radio-framework`: 0.3 R + 0.59 G + 0.11 B, or the mean of other numbers of channels, also of FITS cubes."""

    hdu: int | str | None = None
    """Number (0 is the primary one) or EXTNAME of the HDU with a FITS image; by default the science image is found."""

    # Left out of what decides a cell's key where it is not used, so that keys stay what they were before it existed.
    planes: Literal["all"] | tuple[NonNegativeInt, ...] | None = Field(
        default=None, min_length=1, exclude_if=lambda value: value is None
    )
    """Planes of FITS cubes that become channels: `all`, or their numbers, such as `[0, 2]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where an image belongs according to the folders that it is in."""

    source: str
    label: str
    part: Part | None


def load(options: ImagesFolderOptions, context: DatasetContext) -> DatasetContents:
    """Find the images in the user's folder or archive.

    Parameters
    ----------
    options : ImagesFolderOptions
        Classes, colour and HDU.
    context : DatasetContext
        The user's folder, or a zip or tar archive of it.

    Returns
    -------
    DatasetContents
        One record per image. Grey images have shape (height, width), colour ones (height, width, 3), in the values of
        their files; FITS images in the unit of the file. A source is identified by its path within the folder, without
        the extension.

    Raises
    ------
    ConfigurationError
        If no folder is given.
    DataError
        If there are no images in folders of classes, or a class of the options has no folder.
    """
    path = context.path
    if path is None:
        raise ConfigurationError(
            "images-folder reads your own images: give `-d FOLDER`, or `path: FOLDER` under `dataset`"
        )
    names = [member.name for member in read_members(path, _SUFFIXES)]
    origins = _origins(names)
    present = sorted({origin.label for origin in origins.values()})
    classes = options.classes or tuple(present)
    missing = [label for label in classes if label not in present]
    if missing or len(classes) < 2:
        problem = f"there is no folder {', '.join(missing)}" if missing else "two classes are needed"
        raise DataError(
            f"{path}: {problem}; expected a folder of images ({', '.join(_PICTURES)} or FITS) for each class. "
            f"Received: {', '.join(present) or 'no image in a folder'}"
        )

    def records() -> Iterator[ImageRecord | SkippedImage]:
        for member in read_members(path, _SUFFIXES):
            origin = origins.get(member.name)
            if origin is None or origin.label not in classes:
                yield SkippedImage(name=member.name, reason=_unused(origin))
                continue
            try:
                image = read_image(member, options)
            except UnreadableImageError as error:
                yield SkippedImage(name=member.name, reason=error.reason)
            else:
                yield ImageRecord(
                    image=image.pixels,
                    target=classes.index(origin.label),
                    source_id=origin.source,
                    part=origin.part,
                    sky=image.sky,
                )

    return DatasetContents(
        task=Classification(classes=classes),
        records=records,
        signature={"images-folder": 1, "files": path_signature(path, _SUFFIXES if path.is_dir() else ())},
        count=len(names),
    )


def _unused(origin: _Origin | None) -> str:
    """Return why an image belongs to no class of the dataset."""
    return "in no folder of a class" if origin is None else f"the class {origin.label} is not in `classes`"


def _origins(names: list[str]) -> dict[str, _Origin]:
    """Return class and part of each image that is in a folder of a class."""
    origins: dict[str, _Origin] = {}
    for name in names:
        *folders, _file = PurePosixPath(name).parts
        if not folders or folders[-1].lower() in PARTS:
            continue
        parent = folders[-2].lower() if len(folders) > 1 else ""
        source = name[: -len(_suffix(name))]
        origins[name] = _Origin(source=source, label=folders[-1], part=PARTS.get(parent))
    return origins


def _suffix(name: str) -> str:
    return max((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), key=len)


def read_image(member: Member, options: ImagesFolderOptions) -> SkyImage:
    """Read one image file as the dataset does."""
    return read_sky_image(member, hdu=options.hdu, planes=options.planes, colour=options.colour)
