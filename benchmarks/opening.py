"""Opening prepared data, against decoding the FITS files again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarker import (
    Dataset,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Preparation,
    Stream,
    path_signature,
    read_fits_image,
)
from benchmarker.data.loading import Context
from benchmarker.data.preparation import prepare_image
from benchmarker.data.prepared import prepare
from benchmarks.inputs import TASK
from benchmarks.measure import Figure, alternate, print_figures

SIZE = 150
IMAGES = 400
REPEATS = 9
OPENINGS_IN_A_TURN = 20
BATCH = 32
PREPARATION = Preparation(clip_sigma=3)
FITS_FOLDER = Dataset(name="benchmark", loader="benchmarks.opening:load", licence="", citation="")


def load(_options: None, context: DatasetContext) -> DatasetContents:
    """Read a folder of FITS files; like the shipped datasets, list it once, and read files when they are needed."""
    folder = context.path or Path()
    signature = path_signature(folder, (".fits",))

    def records() -> Iterator[ImageRecord]:
        for k, (name, *_) in enumerate(signature):
            yield ImageRecord(image=read_fits_image(folder / name), target=k % len(TASK.classes), source_id=name)

    return DatasetContents(task=TASK, records=records, signature=signature, count=len(signature))


def write_fits(folder: Path) -> None:
    """Write images of noise in the format of surveys: big-endian float32."""
    from astropy.io import fits

    generator = Stream("benchmark images").generator()
    for k in range(IMAGES):
        fits.writeto(folder / f"{k:04}.fits", generator.standard_normal((SIZE, SIZE)).astype(">f4"))


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "fits"
        folder.mkdir()
        os.environ["BENCHMARKER_CACHE"] = str(Path(name) / "cache")
        write_fits(folder)
        context = Context(dataset=FITS_FOLDER.name, path=folder)

        def open_prepared() -> None:
            data, _ = prepare(FITS_FOLDER, None, PREPARATION, context)
            for start in range(0, IMAGES, BATCH):  # every pixel, in batches as for training
                np.array(data.images[start : start + BATCH])

        def decode() -> None:
            for file in sorted(folder.glob("*.fits")):
                prepare_image(read_fits_image(file), PREPARATION)

        opening, decoding = alternate(open_prepared, decode, REPEATS, ours_in_a_turn=OPENINGS_IN_A_TURN)
    print_figures(
        Figure(
            name=f"opening prepared data and reading every pixel, {IMAGES} images of {SIZE} px / decoding",
            rival="decoding and preparing the same FITS files with astropy",
            ratio=decoding / opening,
            bound="at least",
            limit=20,
            measured={"opening_seconds": opening, "decoding_seconds": decoding},
        )
    )


if __name__ == "__main__":
    main()
