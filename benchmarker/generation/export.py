"""Writes generated images as FITS or PNG files, with what they were generated for."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker._version import __version__
from benchmarker.errors import ConfigurationError
from benchmarker.generation.layout import write_file
from benchmarker.generation.request import Request
from benchmarker.generation.standalone import TrainedGenerator

if TYPE_CHECKING:
    from astropy.io.fits import Header

TABLE_FILE = "conditions.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Generated images on their way to files.

    Parameters
    ----------
    generator : TrainedGenerator
        That made them.
    request : Request
        What they were made for.
    images : ndarray of shape (n, height, width, channels), float32
        In the units of the prepared images.
    epoch, draw : int
        Whose weights, and which latent points.
    """

    generator: TrainedGenerator
    request: Request
    images: NDArray[np.float32]
    epoch: int
    draw: int

    def names(self, suffix: str) -> list[str]:
        """Return the names of the files, one for each image."""
        stem = f"{self.generator.name}-{self.generator.seed}-epoch{self.epoch:04d}-draw{self.draw}"
        return [f"{stem}-{k:06d}{suffix}" for k in range(len(self.images))]

    def conditions(self, k: int) -> list[tuple[str, Any, str]]:
        """Return name, value and unit of each condition of an image."""
        space = self.generator.space
        found: list[tuple[str, Any, str]] = []
        if space.classes:
            found.append(("class", space.classes[int(self.request.targets[k])], ""))
        for name, unit in zip(space.attributes, space.units, strict=True):
            found.append((name, float(self.request.attributes[name][k]), unit))
        return found


def write_fits(export: Export, folder: Path, done: Callable[[], None]) -> None:
    """Write each image as a FITS file: height x width, or channels x height x width."""
    from astropy.io import fits

    for k, name in enumerate(export.names(".fits")):
        planes = np.moveaxis(export.images[k], -1, 0).astype(">f4")
        hdu = fits.PrimaryHDU(planes[0] if len(planes) == 1 else planes)
        _describe(hdu.header, export, k)
        write_file(folder / name, hdu.writeto)
        done()


def _describe(header: Header, export: Export, k: int) -> None:
    generator = export.generator
    header["ORIGIN"] = (f"galaxy-benchmarker {__version__}", "program that made the image")
    header["SYNTHET"] = (True, "generated, not observed")
    header["GENERATR"] = (generator.name, "generator")
    header["GENSEED"] = (generator.seed, "seed that it was trained under")
    header["GENEPOCH"] = (export.epoch, "epoch of its weights")
    header["GENDRAW"] = (export.draw, "draw of latent points")
    header["GENINDEX"] = (k, "number of the image in the draw")
    header["GENKEY"] = generator.key  # a digest leaves a card no room for a comment
    if export.epoch == generator.epochs[-1]:
        header["GENWGHTS"] = generator.weights
    for name, value, unit in export.conditions(k):
        header[f"HIERARCH CONDITION {name}"] = (value, f"[{unit}]" if unit else "")


def write_png(export: Export, folder: Path, done: Callable[[], None]) -> None:
    """Write each image as a PNG file of 8 bits, 0 to 1 as black to white, and all conditions as a CSV file."""
    from benchmarker.generation.watch import to_image

    names = export.names(".png")
    for k, name in enumerate(names):
        write_file(folder / name, partial(to_image(export.images[k]).save, format="PNG"))
        done()
    columns = [f"{name} [{unit}]" if unit else name for name, _, unit in export.conditions(0)]
    with (folder / TABLE_FILE).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", *columns])
        for k, name in enumerate(names):
            writer.writerow([name, *(value for _, value, _ in export.conditions(k))])


def require_fresh(folder: Path, *, force: bool) -> None:
    """Refuse to write among files that are there already.

    Raises
    ------
    ConfigurationError
        Unless ``force``, if the folder is not empty.
    """
    if not force and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder}: there is something already; choose another --out, or --force to overwrite")
