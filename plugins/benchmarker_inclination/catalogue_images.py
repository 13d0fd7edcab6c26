"""Dataset ``inclination``: a catalogue of spirals with an image in each band, as the inclination pipeline reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Member,
    Options,
    Regression,
    RegressionTarget,
    SkippedImage,
    Task,
    UnreadableImageError,
    open_picture,
    path_signature,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLASSES = ("accepted", "rejected")

BAND_NUMBERS = {"gri": 0, "g": 1, "r": 2, "i": 3}
"""Attribute ``band`` of an image: 0 for colour, 1 to 3 for the grey bands."""

_SMALLEST_CODE = 10
_INCLINATION = RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90)

Band = Literal["g", "r", "i", "gri"]


class InclinationOptions(Options):
    """Which files are read, and what networks predict."""

    catalogue: str = "catalog.csv"
    """Catalogue inside the folder: separated by ``|``, with the columns pgc, inc, inc_flg, fon and inc_note."""

    images: str = "galaxies"
    """Folder of the images inside the folder."""

    root: str = "d25x2_rot"
    """Middle of the file names: ``pgc<number>_<root>_<band>.png``."""

    bands: tuple[Band, ...] = ("g", "r", "i", "gri")
    """Bands that are read, one image each; all images of a galaxy are in the same part of the split."""

    size: Annotated[int, Field(strict=True, ge=16, le=1024)] = 128
    """Height and width in pixels that images are resized to, by bicubic interpolation with anti-aliasing."""

    target: Literal["inclination", "rejected"] = "inclination"
    """What networks predict: the inclination of accepted galaxies in degrees, or whether a galaxy was rejected."""

    @field_validator("bands")
    @classmethod
    def _bands_differ(cls, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        if not bands or len(set(bands)) < len(bands):
            raise ValueError(f"bands should be some of g, r, i and gri, each once. Received: {list(bands)}")
        return bands


def load(options: InclinationOptions, context: DatasetContext) -> DatasetContents:
    """Describe the data set.

    Grey images become three equal channels. Pixels are divided by 255. For inclinations, galaxies below 45 degrees and
    rejected ones are left out; for the classes, a galaxy is rejected if its code is below 10, as in the original.

    Parameters
    ----------
    options : InclinationOptions
        What to read.
    context : DatasetContext
        Folder with the catalogue and the images.

    Raises
    ------
    ConfigurationError
        If no folder is given.
    DataError
        If the catalogue cannot be read.
    """
    from benchmarker_inclination.catalogue import SMALLEST_INCLINATION, Galaxy, read_catalogue

    folder = context.path
    if folder is None or not folder.is_dir():
        raise ConfigurationError(
            f"inclination reads your own folder with a catalogue and images; give it with -d or dataset.path. "
            f"Received: {folder}"
        )
    galaxies = read_catalogue(folder / options.catalogue)

    def used() -> Iterator[Galaxy]:
        for galaxy in galaxies:
            if options.target == "rejected" or galaxy.code >= SMALLEST_INCLINATION:
                yield galaxy

    def records() -> Iterator[ImageRecord | SkippedImage]:
        for galaxy in used():
            target = (float(galaxy.code),) if options.target == "inclination" else int(galaxy.code < _SMALLEST_CODE)
            for band in options.bands:
                yield _record(folder, options, galaxy.pgc, band, target)

    return DatasetContents(
        task=_task(options),
        records=records,
        signature={"files": path_signature(folder), **options.model_dump(mode="json")},
        count=len(options.bands) * sum(1 for _ in used()),
        attribute_units={"band": ""},
    )


def _task(options: InclinationOptions) -> Task:
    return Classification(classes=CLASSES) if options.target == "rejected" else Regression(targets=(_INCLINATION,))


def read_image(member: Member, options: InclinationOptions) -> NDArray[np.float32]:
    """Read one image file as the data set does: resized, divided by 255, and with three channels."""
    import io

    from benchmarker_inclination.small_images import small_image

    content = member.read()
    try:
        with open_picture(io.BytesIO(content)) as picture:
            colour = picture.mode not in {"L", "I", "I;16", "F", "1"}
        return _three_channels(small_image(io.BytesIO(content), options.size, colour=colour))
    except UnreadableImageError:
        raise
    except (ValueError, DataError) as error:
        raise UnreadableImageError(f"not a readable picture ({type(error).__name__})") from error


def _three_channels(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    import numpy as np

    values = pixels.astype(np.float32) / np.float32(255)
    return values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)


def _record(
    folder: Path, options: InclinationOptions, pgc: int, band: Band, target: int | tuple[float, ...]
) -> ImageRecord | SkippedImage:
    from benchmarker_inclination.small_images import original_image, small_image

    path = original_image(folder / options.images, pgc, options.root, band)
    if path is None:
        return SkippedImage(name=f"pgc{pgc}", reason=f"it has no {band} image")
    image = _three_channels(small_image(path, options.size, colour=band == "gri"))
    return ImageRecord(
        image=image, target=target, source_id=f"pgc{pgc}", attributes={"band": float(BAND_NUMBERS[band])}
    )
