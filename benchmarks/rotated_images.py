"""Rotated training images per second, rendered on demand, against rotated copies on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarker import Stream
from benchmarker.training.sets import PartSet
from benchmarker_transforms.rotations import RotationOptions, expand
from benchmarks.inputs import prepared_noise
from benchmarks.measure import Figure, alternate, print_figures

SIZE = 300
STEP = 15
ORIGINALS = 16
BATCH = 32
REPEATS = 5


def main() -> None:
    """Measure."""
    from astropy.io import fits
    from skimage.transform import rotate

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = prepared_noise(folder, ORIGINALS, SIZE)
        images = PartSet(data, np.arange(ORIGINALS))
        rotated = expand(images, RotationOptions(step=STEP), Stream("benchmark"))
        order = Stream("benchmark").generator().permutation(len(rotated))
        in_memory = np.array(data.images)

        def render() -> None:
            for start in range(0, len(order), BATCH):
                rotated.batch(order[start : start + BATCH])

        def copy_to_disk() -> None:
            for index in order:
                copy, original = divmod(int(index), ORIGINALS)
                file = folder / f"{index}.fits"
                turned = rotate(in_memory[original, :, :, 0], STEP * copy, order=1).astype(np.float32)
                fits.writeto(file, turned, overwrite=True)
                np.asarray(fits.getdata(file, memmap=False), dtype=np.float32)

        rendering, copying = alternate(render, copy_to_disk, REPEATS)
    print_figures(
        Figure(
            name=f"rotated training images per second at {SIZE} px / through FITS copies",
            rival="skimage.transform.rotate, astropy.io.fits write and read",
            ratio=copying / rendering,
            bound="at least",
            limit=4,
            measured={"images_per_second": len(order) / rendering, "rival_images_per_second": len(order) / copying},
        )
    )


if __name__ == "__main__":
    main()
