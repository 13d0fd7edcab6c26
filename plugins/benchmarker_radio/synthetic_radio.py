"""Dataset ``synthetic-radio``: compact, FRI, FRII and bent sources, drawn from named streams and kept as FITS files.

The classes follow Fanaroff & Riley 1974, MNRAS 167, 31P (brightest near the core: FRI; at the ends: FRII), with compact
and bent-tail sources in addition, as in Becker et al. 2021, MNRAS 503, 1828. Pixels, beam and noise are those of FIRST
(Becker, White & Helfand 1995, ApJ 450, 559). Sizes, flux ratios and widths were chosen to look like FIRST; they are not
fitted to any survey. `benchmarker_radio.synthetic_sources` describes the sources and
`benchmarker_radio.synthetic_observation` the telescope.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from benchmarker import (
    Classification,
    ConfigurationError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    Stream,
    read_fits,
)

if TYPE_CHECKING:
    from benchmarker_radio.synthetic_observation import Observation

# Raise this number if the same options would give other pixels.
VERSION = 1

_FITS_BLOCK = 2880


class SyntheticRadioOptions(Options):
    """Number and quality of the synthetic images."""

    images_per_class: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 300
    """Sources in each of the four classes; a larger number adds sources and keeps the first ones."""

    size: Annotated[int, Field(strict=True, ge=48, le=1024)] = 64
    """Height and width in pixels of 1.8 arcseconds."""

    signal_to_noise: Annotated[float, Field(ge=5, le=10_000)] = 40.0
    """Median ratio of peak to noise; individual images scatter around it by up to a factor of 3 either way."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 20210201
    """Seed of the sources; another seed draws other sources."""


def load(options: SyntheticRadioOptions, context: DatasetContext) -> DatasetContents:
    """Describe the data set; its FITS files are written when they are first read.

    Parameters
    ----------
    options : SyntheticRadioOptions
        What to draw.
    context : DatasetContext
        Cache that the files are written to.

    Returns
    -------
    DatasetContents
        The classes COMP, FRI, FRII and BENT, with one source per image.

    Raises
    ------
    ConfigurationError
        If a path is given, because the data set reads no files of the user.
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
                image = read_fits(folder / label / f"{name}.fits")
                yield ImageRecord(image=image.pixels, target=target, source_id=name, sky=image.sky)

    return DatasetContents(
        task=Classification(classes=CLASSES),
        records=records,
        signature=key,
        count=len(CLASSES) * options.images_per_class,
    )


def source_name(label: str, source: int) -> str:
    """Return the name of a source.

    >>> source_name("FRII", 17)
    'FRII-00017'
    """
    return f"{label}-{source:05d}"


def write(folder: Path, options: SyntheticRadioOptions) -> None:
    """Write one FITS file per source into one sub-folder per class.

    Parameters
    ----------
    folder : Path
        Empty folder.
    options : SyntheticRadioOptions
        What to draw. Source k of a class depends on the options and k, but not on the number of sources.
    """
    from benchmarker_radio.synthetic_sources import CLASSES

    for label in CLASSES:
        (folder / label).mkdir()
        for source in range(options.images_per_class):
            path = folder / label / f"{source_name(label, source)}.fits"
            path.write_bytes(draw_fits(label, source, options))


def draw_fits(label: str, source: int, options: SyntheticRadioOptions) -> bytes:
    """Draw one source, observe it, and return the FITS file.

    Parameters
    ----------
    label : {"COMP", "FRI", "FRII", "BENT"}
        Class of the source.
    source : int
        Number of the source within its class.
    options : SyntheticRadioOptions
        Size, noise and seed.

    Returns
    -------
    bytes
        FITS file with one image in Jy per beam, the same bytes on every machine.

    Examples
    --------
    >>> file = draw_fits("FRII", 0, SyntheticRadioOptions(size=64))
    >>> read_fits(file).pixels.shape
    (64, 64)
    """
    from benchmarker_radio.synthetic_observation import PIXEL, draw_beam, observe
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
    return encode_fits(observation, position, cards)


def encode_fits(observation: Observation, position: tuple[float, float], cards: Mapping[str, tuple[Any, str]]) -> bytes:
    """Return a FITS file with one image in its primary HDU.

    Astropy would add nothing but time here: this writes hundreds of files per second, always with the same bytes.

    Parameters
    ----------
    observation : Observation
        Image, beam and noise.
    position : tuple of float
        Right ascension and declination of the centre in degrees, J2000.
    cards : mapping of str to (value, comment)
        Additional keywords.

    Returns
    -------
    bytes
        A header with world coordinates, beam and unit, and big-endian float32 pixels. The header has no date, which
        would change the bytes.
    """
    from benchmarker_radio.synthetic_observation import PIXEL

    height, width = observation.image.shape
    header: dict[str, tuple[Any, str]] = {
        "SIMPLE": (True, "conforms to FITS"),
        "BITPIX": (-32, "IEEE single precision"),
        "NAXIS": (2, ""),
        "NAXIS1": (width, ""),
        "NAXIS2": (height, ""),
        "BUNIT": ("JY/BEAM", ""),
        "BMAJ": (observation.beam.major / 3600.0, "[deg] major axis of the beam (FWHM)"),
        "BMIN": (observation.beam.minor / 3600.0, "[deg] minor axis of the beam (FWHM)"),
        "BPA": (observation.beam.angle, "[deg] position angle of the beam"),
        "CTYPE1": ("RA---SIN", ""),
        "CRPIX1": (0.5 * (width + 1), ""),
        "CRVAL1": (position[0], ""),
        "CDELT1": (-PIXEL / 3600.0, ""),
        "CUNIT1": ("deg", ""),
        "CTYPE2": ("DEC--SIN", ""),
        "CRPIX2": (0.5 * (height + 1), ""),
        "CRVAL2": (position[1], ""),
        "CDELT2": (PIXEL / 3600.0, ""),
        "CUNIT2": ("deg", ""),
        "RADESYS": ("FK5", ""),
        "EQUINOX": (2000.0, ""),
        "TELESCOP": ("SYNTHETIC", ""),
        "ORIGIN": ("galaxy-benchmarker", ""),
        "NOISE": (observation.noise, "[Jy/beam] standard deviation"),
        **cards,
    }
    text = "".join(_card(keyword, value, comment) for keyword, (value, comment) in header.items()) + "END"
    return _padded(text.encode("ascii"), b" ") + _padded(observation.image.astype(">f4").tobytes(), b"\0")


def _card(keyword: str, value: Any, comment: str) -> str:
    """Return one header card in the fixed format of the FITS standard."""
    if isinstance(value, bool):
        formatted = f"{'T' if value else 'F':>20}"
    elif isinstance(value, float):
        formatted = f"{value:>20.12E}"
    elif isinstance(value, int):
        formatted = f"{value:>20d}"
    else:
        formatted = f"'{value:<8}'".ljust(20)
    return f"{keyword:<8}= {formatted}{f' / {comment}' if comment else ''}".ljust(80)


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % _FITS_BLOCK)
