"""Dataset ``synthetic-radio``: compact, FRI, FRII and bent sources, drawn from named streams and kept as FITS files.

The classes follow Fanaroff & Riley 1974, MNRAS 167, 31P (brightest near the core: FRI; at the ends: FRII), with compact
sources and bent-tail sources beside them as in Becker et al. 2021, MNRAS 503, 1828. Pixels, beam and noise are those of
FIRST: Becker, White & Helfand 1995, ApJ 450, 559. Sizes, flux ratios and widths are chosen to look like FIRST and are
not fitted to any survey.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from benchmarker import (
    Classification,
    ConfigurationError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Stream,
    read_fits_image,
)

# Raise when the same options would give other pixels.
VERSION = 1


class SyntheticRadioOptions(Options):
    """How many synthetic sources there are, and how well they are seen."""

    images_per_class: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 300
    """Sources of each of the four classes; the first ones stay the same when there are more."""

    size: Annotated[int, Field(strict=True, ge=48, le=1024)] = 64
    """Height and width in pixels of 1.8 arcseconds."""

    signal_to_noise: Annotated[float, Field(ge=5, le=10_000)] = 40.0
    """Median ratio of peak to noise; single images scatter about it by a factor of 3 either way."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 20210201
    """Another seed draws other sources."""


def load(options: SyntheticRadioOptions, context: DatasetContext) -> DatasetContents:
    """Describe the set; its FITS files are written when they are first read.

    Raises
    ------
    ConfigurationError
        If a path is given: there is nothing to read.
    """
    if context.path is not None:
        raise ConfigurationError(
            f"synthetic-radio draws its own images and reads none. Received: path {context.path}; "
            "leave it out, or use the dataset fits-manifest for a folder of your own"
        )
    from benchmarker_radio.synthetic_sources import CLASSES

    key = {"version": VERSION, **options.model_dump(mode="json")}

    def records() -> Iterator[ImageRecord]:
        folder = context.produce("synthetic-radio", key, lambda empty: write(empty, options))
        for target, label in enumerate(CLASSES):
            for source in range(options.images_per_class):
                name = source_name(label, source)
                image = read_fits_image(folder / label / f"{name}.fits")
                yield ImageRecord(image=image, target=target, source_id=name)

    return DatasetContents(
        task=Classification(classes=CLASSES),
        records=records,
        signature=key,
        count=len(CLASSES) * options.images_per_class,
    )


def source_name(label: str, source: int) -> str:
    """Return the name of a source, for example ``"FRII-00017"``."""
    return f"{label}-{source:05d}"


def write(folder: Path, options: SyntheticRadioOptions) -> None:
    """Write one FITS file for each source into a sub-folder for each class.

    Parameters
    ----------
    folder : Path
        An empty folder.
    options : SyntheticRadioOptions
        What to draw. Source k of a class depends on the options and k, but not on how many sources there are.
    """
    from benchmarker_radio.synthetic_sources import CLASSES

    for label in CLASSES:
        (folder / label).mkdir()
        for source in range(options.images_per_class):
            path = folder / label / f"{source_name(label, source)}.fits"
            path.write_bytes(draw_fits(label, source, options))


def draw_fits(label: str, source: int, options: SyntheticRadioOptions) -> bytes:
    """Return the FITS file of one source."""
    from benchmarker_radio.synthetic_fits import encode
    from benchmarker_radio.synthetic_image import PIXEL, draw_beam, observe
    from benchmarker_radio.synthetic_sources import FWHM_PER_SIGMA, draw_source

    stream = Stream("synthetic-radio", seed=options.seed, label=label, source=source)
    generator = stream.generator()
    beam = draw_beam(generator)
    components = draw_source(label, generator, options.size * PIXEL, beam.minor / FWHM_PER_SIGMA)
    observation = observe(components, generator, options.size, options.signal_to_noise, beam)
    cards: dict[str, tuple[Any, str]] = {
        "OBJECT": (source_name(label, source), "not on any sky"),
        "CLASS": (label, "morphology that was drawn"),
        "STREAM": (stream.key(), ""),
        "GENVERS": (VERSION, "version of the generator"),
        "SEED": (options.seed, "option seed"),
    }
    position = (float(generator.uniform(120.0, 250.0)), float(generator.uniform(0.0, 60.0)))
    return encode(observation, position, cards)
