"""Dataset ``synthetic-spirals``: inclined spirals in g, r and i whose inclination is known.

`benchmarker_inclination.spirals` draws the galaxies, and `benchmarker_inclination.spiral_images` their images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from benchmarker import (
    ConfigurationError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Regression,
    RegressionTarget,
)

if TYPE_CHECKING:
    from benchmarker_inclination.spirals import Spiral

# Raise this number if the same options would give other pixels.
VERSION = 1

UNITS = {
    "inclination": "deg",
    "scale_length": "pix",
    "thickness": "",
    "bulge_share": "",
    "optical_depth": "",
    "signal": "",
}

Degrees = Annotated[float, Field(ge=0, le=90)]


class SyntheticSpiralsOptions(Options):
    """Number, size and inclinations of the synthetic spirals."""

    images: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 4000
    """Number of galaxies; a larger number adds galaxies and keeps the first ones."""

    size: Annotated[int, Field(strict=True, ge=16, le=512)] = 64
    """Height and width in pixels."""

    inclination: tuple[Degrees, Degrees] = (45.0, 90.0)
    """Lowest and highest inclination in degrees; galaxies are distributed uniformly between them."""

    stars: Annotated[float, Field(ge=0, le=50)] = 2.0
    """Mean number of stars in front of each galaxy."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 20200826
    """Seed of the galaxies; another seed draws other galaxies."""

    @model_validator(mode="after")
    def _range_rises(self) -> SyntheticSpiralsOptions:
        low, high = self.inclination
        if not low < high:
            raise ValueError(f"inclination should be a lower and an upper limit. Received: {[low, high]}")
        return self


def load(options: SyntheticSpiralsOptions, context: DatasetContext) -> DatasetContents:
    """Describe the data set; its images are drawn when they are first read.

    Parameters
    ----------
    options : SyntheticSpiralsOptions
        What to draw.
    context : DatasetContext
        Cache that the images are written to.

    Returns
    -------
    DatasetContents
        Images on the asinh scale of `benchmarker_inclination.spiral_images.stretch`, with the attributes of `UNITS`.

    Raises
    ------
    ConfigurationError
        If a path is given, because the data set reads no files of the user.
    """
    if context.path is not None:
        raise ConfigurationError(
            f"synthetic-spirals draws its own images and reads none. Received: path {context.path}; leave it out"
        )
    drawn = {"version": VERSION, **options.model_dump(mode="json")}

    def records() -> Iterator[ImageRecord]:
        import numpy as np

        from benchmarker_inclination.spiral_images import stretch

        folder = context.produce("synthetic-spirals", drawn, lambda empty: write(empty, options))
        images = np.load(folder / "brightness.npy", mmap_mode="r")
        with (folder / "galaxies.jsonl").open(encoding="utf-8") as lines:
            for image, line in zip(images, lines, strict=True):
                truth = json.loads(line)
                yield ImageRecord(
                    image=stretch(image),
                    target=(truth["inclination"],),
                    source_id=truth["name"],
                    attributes={name: truth[name] for name in UNITS},
                )

    low, high = options.inclination
    target = RegressionTarget(name="inclination", unit="deg", minimum=low, maximum=high)
    return DatasetContents(
        task=Regression(targets=(target,)),
        records=records,
        signature=drawn,
        count=options.images,
        attribute_units=UNITS,
    )


def write(folder: Path, options: SyntheticSpiralsOptions) -> None:
    """Write images and true properties, one galaxy at a time.

    Parameters
    ----------
    folder : Path
        Empty folder. Its new files are ``brightness.npy``, ndarray of shape (n, size, size, 3), float32, in standard
        deviations of the sky, and ``galaxies.jsonl``, one line per galaxy with its name and the attributes of `UNITS`.
    options : SyntheticSpiralsOptions
        What to draw. Galaxy k depends on the options and k, but not on the number of galaxies.
    """
    import numpy as np

    from benchmarker_inclination.spiral_images import observe
    from benchmarker_inclination.spirals import draw_spiral

    shape = (options.images, options.size, options.size, 3)
    images = np.lib.format.open_memmap(folder / "brightness.npy", mode="w+", dtype="<f4", shape=shape)
    with (folder / "galaxies.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
        for number in range(options.images):
            spiral, generator = draw_spiral(
                number, options.seed, size=options.size, inclinations=options.inclination, stars=options.stars
            )
            images[number] = observe(spiral, generator, options.size)
            lines.write(json.dumps({"name": f"spiral-{number:06d}", **truth_of(spiral)}) + "\n")
    images.flush()


def truth_of(spiral: Spiral) -> dict[str, float]:
    """Return the true properties of a spiral in the units of `UNITS`."""
    return {
        "inclination": spiral.inclination,
        "scale_length": spiral.scale_length,
        "thickness": spiral.height / spiral.scale_length,
        "bulge_share": spiral.bulge_share,
        "optical_depth": spiral.optical_depth,
        "signal": spiral.signal,
    }
