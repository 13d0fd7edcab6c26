"""Datasets ``galaxy10-decals`` and ``galaxy10-sdss``: colour galaxies in ten classes, in one HDF5 file each.

Either file has the data sets ``images``, uint8 of shape (n, size, size, 3), and ``ans``, the class of each image from 0
to 9; that of DECaLS also ``ra``, ``dec``, ``redshift`` and ``pxscale``. The images are colour composites, of g, r and z
or of g, r and i, made to be looked at; their pixels are no fluxes.

References
----------
Walmsley et al. 2022, *Galaxy Zoo DECaLS*, MNRAS 509, 3966 (2022MNRAS.509.3966W).

Lintott et al. 2011, *Galaxy Zoo 1: data release*, MNRAS 410, 166 (2011MNRAS.410..166L).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    SkippedImage,
    open_hdf5,
    path_signature,
)
from benchmarker_images.galaxy10_published import DECALS_CLASSES, DECALS_FILE, SDSS_CLASSES, SDSS_FILE

_ATTRIBUTES: Mapping[str, tuple[str, str]] = {
    "ra": ("ra", "deg"),
    "dec": ("dec", "deg"),
    "redshift": ("redshift", ""),
    "pxscale": ("pixel_scale", "arcsec / pix"),
}
"""Name and unit of the attribute that each further data set becomes."""

_MOST_BYTES = 8 << 30
"""The images of DECaLS take 3.5 GB; they are read in blocks."""

_BLOCK = 64


def load_decals(_options: None, context: DatasetContext) -> DatasetContents:
    """Read Galaxy10 DECaLS: 17,736 images of 256 x 256 pixels.

    Parameters
    ----------
    _options : None
        The dataset has no options.
    context : DatasetContext
        Where the file is, or is downloaded to (2.54 GB).

    Returns
    -------
    DatasetContents
        One record for each image, uint8 of shape (256, 256, 3), read in blocks of 64. Attributes are ``ra`` and ``dec``
        (deg), ``redshift`` (NaN where unknown) and ``pixel_scale`` (arcsec / pix).

    Raises
    ------
    DataError
        If the file is not of this layout.
    """
    return _contents(context.fetch(DECALS_FILE), DECALS_CLASSES)


def load_sdss(_options: None, context: DatasetContext) -> DatasetContents:
    """Read Galaxy10 SDSS: 21,785 images of 69 x 69 pixels.

    Parameters
    ----------
    _options : None
        The dataset has no options.
    context : DatasetContext
        Where the file is, or is downloaded to (0.21 GB).

    Returns
    -------
    DatasetContents
        One record for each image, uint8 of shape (69, 69, 3), read in blocks of 64.

    Raises
    ------
    DataError
        If the file is not of this layout.
    """
    return _contents(context.fetch(SDSS_FILE), SDSS_CLASSES)


def _contents(path: Path, classes: tuple[str, ...]) -> DatasetContents:
    with open_hdf5(path, most_bytes=_MOST_BYTES) as file:
        n = _checked_length(path, file)
        present = [name for name in _ATTRIBUTES if name in file and file[name].shape == (n,)]

    def records() -> Iterator[ImageRecord | SkippedImage]:
        with open_hdf5(path, most_bytes=_MOST_BYTES) as file:
            labels = np.asarray(file["ans"])
            columns = {_ATTRIBUTES[name][0]: np.asarray(file[name], dtype=np.float64) for name in present}
            for start in range(0, n, _BLOCK):
                for k, image in enumerate(np.asarray(file["images"][start : start + _BLOCK]), start):
                    yield _record(k, image, int(labels[k]), {name: float(each[k]) for name, each in columns.items()})

    return DatasetContents(
        task=Classification(classes=classes),
        records=records,
        signature={"galaxy10": 1, "file": path_signature(path)},
        count=n,
        attribute_units={_ATTRIBUTES[name][0]: _ATTRIBUTES[name][1] for name in present},
    )


def _record(k: int, image: Any, label: int, attributes: dict[str, float]) -> ImageRecord | SkippedImage:
    name = f"galaxy {k:05d}"
    if not 0 <= label < len(DECALS_CLASSES):
        return SkippedImage(name=name, reason=f"its class is {label}, and classes go from 0 to 9")
    return ImageRecord(image=image, target=label, source_id=name, attributes=attributes)


def _checked_length(path: Path, file: Any) -> int:
    """Return the number of images of a file of this layout."""
    shapes = {name: getattr(file.get(name), "shape", None) for name in ("images", "ans")}
    images, labels = shapes["images"], shapes["ans"]
    if images is None or labels is None or len(images) != 4 or images[3] != 3 or labels != images[:1] or not images[0]:
        raise DataError(
            f"{path}: the data sets 'images' of shape (n, size, size, 3) and 'ans' of shape (n,) were expected. "
            f"Received: {shapes}; the file holds: {', '.join(file) or 'nothing'}"
        )
    return int(images[0])
