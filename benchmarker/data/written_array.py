"""Write the prepared images of a dataset as one array that other programs read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarker.contracts.images import LabelledImages
from benchmarker.disk import require_free
from benchmarker.errors import DataError
from benchmarker.files import atomic_write, make_folder

_CHUNK = 256


def write_array(data: LabelledImages, path: Path, *, normalised: bool) -> tuple[int, ...]:
    r"""Write prepared images into an npy file, a chunk at a time, in the order of the sources.

    Parameters
    ----------
    data : LabelledImages
        The images.
    path : Path
        File to write; its name ends in ``.npy``. An existing file is replaced.
    normalised : bool
        Whether the images are scaled to [0, 1]. Then the array is uint8, :math:`\lfloor 255 x + 1/2 \rfloor`; otherwise
        it is float32 in the unit of the images.

    Returns
    -------
    tuple of int
        Shape of the array: images, height and width, and channels if there is more than one.

    Raises
    ------
    DataError
        If the name does not end in ``.npy``.

    Notes
    -----
    8 bits keep 256 levels: the faint parts of a bright source are rounded, and two images that differ by less than
    1/510 of their range become equal.
    """
    if path.suffix != ".npy":
        raise DataError(f"{path}: an array is written into a file whose name ends in .npy")
    images = data.images
    shape = images.shape[:3] if images.shape[3] == 1 else images.shape
    kind = np.dtype(np.uint8 if normalised else np.float32)
    make_folder(path.parent)
    require_free(path.parent, int(np.prod(shape)) * kind.itemsize, f"an array of {shape[0]:,} images")
    with atomic_write(path) as stream:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(images), _CHUNK):
            chunk = np.asarray(images[start : start + _CHUNK])
            stream.write((np.floor(255 * chunk + 0.5) if normalised else chunk).astype(kind).tobytes())
    return shape
