"""The first two steps: published images to small JPEG files, and those of one band to one ``.npz`` file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError, UnreadableImageError, open_picture
from benchmarker_inclination.catalogue import Galaxy, label_code
from benchmarker_inclination.npz import write_npz

BANDS = ("g", "r", "i", "gri")
"""Grey bands, and the colour image made of all three."""

_JPEG_QUALITY = 75
_PREPARED = re.compile(r"pgc(\d+)_(\d+)x\2_(F|\d+)\.(g|r|i|RGB)\.jpg")

Report = Callable[[str], None]


def band_name(band: str) -> str:
    """Return the name of a band in file names: colour images are called ``RGB``."""
    return "RGB" if band == "gri" else band


def original_image(folder: Path, pgc: int, root: str, band: str) -> Path | None:
    """Return the published image of a galaxy, or None where there is none.

    Parameters
    ----------
    folder : Path
        Folder of the images.
    pgc : int
        Number of the galaxy.
    root : str
        Middle of the file names, ``"d25x2_rot"`` in the published set.
    band : {"g", "r", "i", "gri"}
        Grey bands are PNG files; colour images are JPEG files, of which the SDSS one comes first.
    """
    stem = f"pgc{pgc}_{root}_{band}"
    names = (f"{stem}.sdss.jpg", f"{stem}.jpg") if band == "gri" else (f"{stem}.png",)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def small_image(path: Path | IO[bytes], size: int, *, colour: bool) -> NDArray[np.uint8]:
    """Read an image and resize it.

    Grey images that are stored in several channels are averaged over all of them, an alpha channel included, and the
    image is resized by bicubic interpolation with anti-aliasing without keeping its aspect ratio, both as in the
    original.

    Parameters
    ----------
    path : Path or binary stream
        PNG or JPEG file.
    size : int
        Height and width of the result in pixels.
    colour : bool
        Whether the result has three channels.

    Returns
    -------
    ndarray of shape (size, size) or (size, size, 3), uint8

    Raises
    ------
    DataError
        If the file is no image.
    """
    from PIL import Image

    try:
        with open_picture(path) as image:
            pixels = np.asarray(image.convert("RGB") if colour else image)
    except UnreadableImageError as error:
        raise DataError(f"{path}: is no image that can be read: {error}") from error
    if not colour and pixels.ndim == 3:
        pixels = pixels.mean(axis=2).astype(np.uint8)
    return np.asarray(Image.fromarray(pixels).resize((size, size)), dtype=np.uint8)


def prepare_band(
    galaxies: Sequence[Galaxy], folder: Path, *, root: str, band: str, size: int, output: Path, report: Report
) -> int:
    """Write a small JPEG file of every galaxy of a catalogue, and return how many there are.

    Parameters
    ----------
    galaxies : sequence of Galaxy
        Catalogue.
    folder, root, band
        As for `original_image`.
    size : int
        Height and width of the small images in pixels.
    output : Path
        Folder in which the folder ``<size>x<size>_<band>`` is made.
    report : callable
        Called with a sentence for each file that is written or missing.

    Raises
    ------
    DataError
        If no galaxy has an image.
    """
    from PIL import Image

    name = band_name(band)
    target = output / f"{size}x{size}_{name}"
    target.mkdir(parents=True, exist_ok=True)
    written = 0
    for galaxy in galaxies:
        source = original_image(folder, galaxy.pgc, root, band)
        if source is None:
            report(f"pgc{galaxy.pgc}: has no {band} image in {folder}; left out")
            continue
        path = target / f"pgc{galaxy.pgc}_{size}x{size}_{galaxy.label}.{name}.jpg"
        Image.fromarray(small_image(source, size, colour=band == "gri")).save(path, "JPEG", quality=_JPEG_QUALITY)
        report(f"saved: {path}")
        written += 1
    if not written:
        raise DataError(
            f"{folder}: holds no {band} image of any galaxy of the catalogue; files such as "
            f"pgc{galaxies[0].pgc if galaxies else 1}_{root}_{band}.png were expected"
        )
    return written


def compress_folder(folder: Path, size: int, output: Path) -> Path:
    """Write all small images of a folder into one ``.npz`` file, sorted by PGC number.

    The file holds ``images``, ndarray of shape (n, size, size, 3), big-endian int32 from 0 to 255, with grey images in
    three equal channels, and ``labels``, ndarray of shape (2, n), big-endian int32: PGC numbers and label codes.

    Parameters
    ----------
    folder : Path
        Folder that `prepare_band` wrote.
    size : int
        Height and width of the images in pixels.
    output : Path
        Folder of the file, which takes the name of `folder`.

    Raises
    ------
    DataError
        If the folder holds no image of that size, or a file that is no image.
    """
    found = []
    for path in folder.glob("*.jpg"):
        match = _PREPARED.fullmatch(path.name)
        if match and int(match[2]) == size:
            found.append((int(match[1]), label_code(match[3]), path))
    if not found:
        raise DataError(
            f"{folder}: holds no file such as pgc44182_{size}x{size}_61.g.jpg; run `prep` with this size first"
        )
    found.sort()
    output.mkdir(parents=True, exist_ok=True)
    target = output / f"{folder.name}.npz"
    labels = np.array([[pgc for pgc, _, _ in found], [code for _, code, _ in found]], dtype=">i4")
    pixels = (small_image(path, size, colour=True) for _, _, path in found)
    write_npz(target, pixels, shape=(len(found), size, size, 3), dtype=">i4", arrays={"labels": labels})
    return target
