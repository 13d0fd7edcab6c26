"""Dataset ``synthetic-optical``: discs with bulges in g, r and i, of known redshift and stellar mass.

`benchmarker_optical.relations` defines the appearance of a galaxy of given mass and redshift,
`benchmarker_optical.galaxies` the population, `benchmarker_optical.rendering` the noiseless image, and
`benchmarker_optical.observation` the noise and the scale of brightness.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from benchmarker import (
    Classification,
    ConfigurationError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Regression,
    RegressionTarget,
    Task,
)

if TYPE_CHECKING:
    from benchmarker_optical.galaxies import Galaxy

# Raise this number if the same options would give other pixels.
VERSION = 1

CLASSES = ("other", "dwarf")

UNITS = {
    "redshift": "",
    "log_stellar_mass": "dex(solMass)",
    "inclination": "deg",
    "bulge_share": "",
    "disc_radius": "arcsec",
    "flux_g": "nmgy",
    "flux_r": "nmgy",
    "flux_i": "nmgy",
}


class SyntheticOpticalOptions(Options):
    """Number, ranges and quality of the synthetic galaxies."""

    images: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 2000
    """Number of galaxies; a larger number adds galaxies and keeps the first ones."""

    size: Annotated[int, Field(strict=True, ge=16, le=512)] = 50
    """Height and width in pixels of 0.5 arcseconds."""

    redshift: tuple[Annotated[float, Field(gt=0.001)], Annotated[float, Field(lt=1.0)]] = (0.05, 0.30)
    """Lowest and highest redshift; galaxies are distributed uniformly between them, unlike on the sky."""

    log_stellar_mass: tuple[Annotated[float, Field(ge=6.0)], Annotated[float, Field(le=12.0)]] = (8.0, 11.0)
    """Lowest and highest decimal logarithm of the stellar mass in solar masses, with a uniform distribution."""

    exposure: Annotated[float, Field(ge=0.25, le=1000)] = 1.0
    """Exposure time relative to the default; the noise of the sky falls with its square root."""

    target: Literal["dwarf", "inclination", "log_stellar_mass", "redshift"] = "dwarf"
    """What networks predict: a class, dwarf (1e8 to 1e9 solar masses, redshift below 0.15) or other, or a number."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 20041203
    """Seed of the galaxies; another seed draws other galaxies."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> SyntheticOpticalOptions:
        for name in ("redshift", "log_stellar_mass"):
            low, high = getattr(self, name)
            if not low <= high:
                raise ValueError(f"{name} should be a lower and an upper limit. Received: {[low, high]}")
        return self


def load(options: SyntheticOpticalOptions, context: DatasetContext) -> DatasetContents:
    """Describe the data set; its images are drawn when they are first read.

    Parameters
    ----------
    options : SyntheticOpticalOptions
        What to draw, and what networks predict.
    context : DatasetContext
        Cache that the images are written to.

    Returns
    -------
    DatasetContents
        Images on the asinh scale of `benchmarker_optical.observation.stretch`, with the attributes of `UNITS`.

    Raises
    ------
    ConfigurationError
        If a path is given, because the data set reads no files of the user.
    """
    if context.path is not None:
        raise ConfigurationError(
            f"synthetic-optical draws its own images and reads none. Received: path {context.path}; leave it out"
        )
    # The target of the networks does not change the images.
    drawn = {"version": VERSION, **options.model_dump(mode="json", exclude={"target"})}

    def records() -> Iterator[ImageRecord]:
        import numpy as np

        from benchmarker_optical.observation import stretch

        folder = context.produce("synthetic-optical", drawn, lambda empty: write(empty, options))
        images = np.load(folder / "flux.npy", mmap_mode="r")
        with (folder / "galaxies.jsonl").open(encoding="utf-8") as lines:
            for image, line in zip(images, lines, strict=True):
                truth = json.loads(line)
                yield ImageRecord(
                    image=stretch(image),
                    target=target_of(truth, options.target),
                    source_id=truth["name"],
                    attributes={name: truth[name] for name in UNITS},
                )

    return DatasetContents(
        task=task_of(options),
        records=records,
        signature={**drawn, "target": options.target},
        count=options.images,
        attribute_units=UNITS,
    )


def task_of(options: SyntheticOpticalOptions) -> Task:
    """Return the task of the networks."""
    if options.target == "dwarf":
        return Classification(classes=CLASSES)
    low, high = {
        "inclination": (0.0, 90.0),
        "redshift": options.redshift,
        "log_stellar_mass": options.log_stellar_mass,
    }[options.target]
    target = RegressionTarget(name=options.target, unit=UNITS[options.target], minimum=low, maximum=high)
    return Regression(targets=(target,))


def target_of(truth: dict[str, Any], target: str) -> int | tuple[float, ...]:
    """Return the target of a galaxy: the class (1 for a dwarf), or the value of the target in its unit.

    >>> target_of({"log_stellar_mass": 8.5, "redshift": 0.1}, "dwarf")
    1
    """
    if target == "dwarf":
        return int(8.0 <= truth["log_stellar_mass"] <= 9.0 and truth["redshift"] < 0.15)
    return (float(truth[target]),)


def write(folder: Path, options: SyntheticOpticalOptions) -> None:
    """Write images and true properties, one galaxy at a time.

    Parameters
    ----------
    folder : Path
        Empty folder. Its new files are ``flux.npy``, ndarray of shape (n, size, size, 3), float32, with the flux in g,
        r and i in nanomaggies per pixel after subtraction of the sky, and ``galaxies.jsonl``, one line per galaxy with
        the attributes of `UNITS`.
    options : SyntheticOpticalOptions
        What to draw. Galaxy k depends on the options and k, but not on the number of galaxies.
    """
    import numpy as np

    from benchmarker_optical.galaxies import draw_galaxy
    from benchmarker_optical.observation import observe

    shape = (options.images, options.size, options.size, 3)
    images = np.lib.format.open_memmap(folder / "flux.npy", mode="w+", dtype="<f4", shape=shape)
    with (folder / "galaxies.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
        for number in range(options.images):
            galaxy, generator = draw_galaxy(
                number, options.seed, redshifts=options.redshift, log_masses=options.log_stellar_mass
            )
            images[number] = observe(galaxy, generator, options.size, options.exposure)
            lines.write(json.dumps({"name": source_name(number), **truth_of(galaxy)}) + "\n")
    images.flush()


def source_name(number: int) -> str:
    """Return the name of a galaxy.

    >>> source_name(17)
    'galaxy-000017'
    """
    return f"galaxy-{number:06d}"


def truth_of(galaxy: Galaxy) -> dict[str, float]:
    """Return the true properties of a galaxy in the units of `UNITS`."""
    disc, bulge = galaxy.components
    flux = disc.flux + bulge.flux
    return {
        "redshift": galaxy.redshift,
        "log_stellar_mass": galaxy.log_mass,
        "inclination": galaxy.inclination,
        "bulge_share": galaxy.bulge_share,
        "disc_radius": disc.radius,
        **{f"flux_{band}": float(value) for band, value in zip("gri", flux, strict=True)},
    }
