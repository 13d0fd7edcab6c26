"""Dataset ``hsc-galaxies``: an array of images, an array of their identifiers, and a table with redshift and mass.

This is the layout of the dwarf galaxies of galaxyCGAN: images of the Hyper Suprime-Cam survey whose photometric
redshift and stellar mass come from a COSMOS catalogue. The images are not published with it; the reader takes those of
any survey in the same form::

    folder/images.small.npy               (n, 3, height, width), log10 of flux, in the order of the identifiers
    folder/HSC_ids.npy                    (n,), whole numbers
    folder/2018_02_23-all_objects.csv     HSC_id, selected, photo_z, log_mass; an identifier may repeat
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Regression,
    RegressionTarget,
    SkippedImage,
    Task,
    map_npy,
    path_signature,
)

CLASSES = ("other", "dwarf")
UNITS = {"redshift": "", "log_stellar_mass": "dex(solMass)"}
_MOST_CHANNELS = 16
_TRUE = ("true", "1", "yes", "t")


class HscOptions(Options):
    """Names of the files and columns, and what networks predict."""

    images: str = "images.small.npy"
    """File of the images: (n, channels, height, width), (n, height, width, channels) or (n, height, width)."""

    ids: str = "HSC_ids.npy"
    """File of the identifiers of the images, in their order."""

    table: str = "2018_02_23-all_objects.csv"
    """CSV table with a row for each object; of rows with the same identifier the first that is selected counts."""

    id_column: str = "HSC_id"
    """Column of the identifiers."""

    selected_column: str | None = "selected"
    """Column that says which rows may be used; null for all rows."""

    redshift_column: str = "photo_z"
    """Column of the redshifts."""

    mass_column: str = "log_mass"
    """Column of the decimal logarithms of the stellar masses in solar masses."""

    target: Literal["dwarf", "redshift", "log_stellar_mass"] = "dwarf"
    """What networks predict: a class, dwarf (1e8 to 1e9 solar masses, redshift below 0.15) or other, or a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxy:
    """One row of the table: redshift, and decimal logarithm of the stellar mass in solar masses."""

    redshift: float
    log_stellar_mass: float

    @property
    def is_dwarf(self) -> bool:
        """Whether it is a nearby dwarf: 8 < log mass < 9 and z < 0.15.

        >>> Galaxy(redshift=0.1, log_stellar_mass=8.5).is_dwarf, Galaxy(redshift=0.1, log_stellar_mass=9.0).is_dwarf
        (True, False)
        """
        return 8.0 < self.log_stellar_mass < 9.0 and self.redshift < 0.15


def load(options: HscOptions, context: DatasetContext) -> DatasetContents:
    """Read the table, and the images when they are first needed.

    Parameters
    ----------
    options : HscOptions
        Names of files and columns, and what networks predict.
    context : DatasetContext
        The user's folder.

    Returns
    -------
    DatasetContents
        One record for each image whose identifier has a usable row, with channels last and in the unit of the file.
        A source is called ``HSC <identifier>``; redshift and stellar mass are attributes, which a generator may take
        as conditions: it standardises them by the training part. A regression has the range of the table.

    Raises
    ------
    ConfigurationError
        If no folder is given.
    DataError
        If a file is missing or has another form.

    References
    ----------
    The data of galaxyCGAN: https://github.com/egentry/galaxyCGAN. Hyper Suprime-Cam survey: Aihara et al. 2018, PASJ
    70, S4, doi:10.1093/pasj/psx066.
    """
    folder = context.path
    if folder is None or not folder.is_dir():
        raise ConfigurationError(
            f"hsc-galaxies reads a folder with {options.images}, {options.ids} and {options.table}: give `-d FOLDER`. "
            f"Received: {folder}"
        )
    ids = read_ids(folder / options.ids)
    images = read_images(folder / options.images, len(ids))
    galaxies = read_table(folder / options.table, options)

    def records() -> Iterator[ImageRecord | SkippedImage]:
        for image, number in zip(images, ids.tolist(), strict=True):
            galaxy = galaxies.get(number)
            name = f"HSC {number}"
            if galaxy is None:
                yield SkippedImage(name=name, reason=f"{options.table} has no usable row for it")
            else:
                yield ImageRecord(
                    image=channels_last(image),
                    target=_target(galaxy, options),
                    source_id=name,
                    attributes={name: getattr(galaxy, name) for name in UNITS},
                )

    return DatasetContents(
        task=_task(galaxies, options),
        records=records,
        signature={
            "hsc-galaxies": 1,
            "files": [path_signature(folder / name) for name in (options.images, options.ids, options.table)],
            "options": options.model_dump(mode="json"),
        },
        count=len(ids),
        attribute_units=UNITS,
    )


def _task(galaxies: dict[int, Galaxy], options: HscOptions) -> Task:
    if options.target == "dwarf":
        return Classification(classes=CLASSES)
    values = [getattr(galaxy, options.target) for galaxy in galaxies.values()]
    target = RegressionTarget(name=options.target, unit=UNITS[options.target], minimum=min(values), maximum=max(values))
    return Regression(targets=(target,))


def _target(galaxy: Galaxy, options: HscOptions) -> int | tuple[float, ...]:
    return int(galaxy.is_dwarf) if options.target == "dwarf" else (float(getattr(galaxy, options.target)),)


def read_ids(path: Path) -> NDArray[np.int64]:
    """Read the identifiers of the images.

    Raises
    ------
    DataError
        If the file is missing, or holds something else than different whole numbers.
    """
    ids = _array(path)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or len(np.unique(ids)) != len(ids):
        raise DataError(f"{path}: different whole numbers were expected. Received: {ids.dtype} of shape {ids.shape}")
    return ids.astype(np.int64)


def read_images(path: Path, n: int) -> NDArray[Any]:
    """Open the images, which are read when they are needed.

    Raises
    ------
    DataError
        If the file is missing, or does not hold as many images as there are identifiers.
    """
    images = _array(path)
    if images.ndim not in {3, 4} or images.dtype.kind not in "iuf" or len(images) != n:
        raise DataError(
            f"{path}: {n} images were expected, one for each identifier. "
            f"Received: {images.dtype} of shape {images.shape}"
        )
    return images


def channels_last(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image with its channels on the last axis.

    >>> channels_last(np.zeros((3, 50, 50))).shape
    (50, 50, 3)
    """
    first = image.ndim == 3 and image.shape[0] <= _MOST_CHANNELS < image.shape[2]
    return np.moveaxis(image, 0, -1) if first else image


def _array(path: Path) -> NDArray[Any]:
    try:
        return map_npy(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: does not exist; the options of the dataset name its files") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: is not an array of numbers in the npy format: {error}") from error


def read_table(path: Path, options: HscOptions) -> dict[int, Galaxy]:
    """Read the first usable row of each identifier.

    Parameters
    ----------
    path : Path
        CSV file with a header.
    options : HscOptions
        Names of the columns.

    Returns
    -------
    dict of int to Galaxy
        Rows by identifier. Rows that are not selected, and those without redshift or mass, are left out.

    Raises
    ------
    DataError
        If the file is missing, lacks a column, or has no usable row.
    """
    columns = [options.id_column, options.redshift_column, options.mass_column]
    columns += [] if options.selected_column is None else [options.selected_column]
    found: dict[int, Galaxy] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: has no column {', '.join(missing)}. Received: {reader.fieldnames}")
            for row in reader:
                number, galaxy = _row(row, options)
                if number is not None and galaxy is not None:
                    found.setdefault(number, galaxy)
    except FileNotFoundError as error:
        raise DataError(f"{path}: does not exist; the options of the dataset name its files") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    if not found:
        raise DataError(f"{path}: has no row that is selected and has an identifier, a redshift and a mass")
    return found


def _row(row: dict[str, str], options: HscOptions) -> tuple[int | None, Galaxy | None]:
    if options.selected_column is not None and (row[options.selected_column] or "").strip().lower() not in _TRUE:
        return None, None
    try:
        number = int(row[options.id_column])
        redshift, mass = float(row[options.redshift_column]), float(row[options.mass_column])
    except (TypeError, ValueError):  # an empty cell
        return None, None
    usable = math.isfinite(redshift) and math.isfinite(mass)
    return number, Galaxy(redshift=redshift, log_stellar_mass=mass) if usable else None
