"""Scale, orientation, unit and beam of prepared images: the optional file ``sky.npy`` beside their pixels.

The file is an array of records, which stays on disk until a picture or an audit needs it. No digest covers it, and a
folder without it is as valid as one with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarker.contracts.settings import Preparation
from benchmarker.contracts.sky import SkyColumns, SkyFacts
from benchmarker.data.sky_facts import sky_view

SKY_FILE = "sky.npy"
_UNKNOWN = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyRow:
    """The facts of one prepared image; see `SkyColumns`."""

    pixel: float = math.nan
    north: float = math.nan
    mirrored: bool = False
    unit: str = ""
    beam: tuple[float, float, float] = _UNKNOWN


def sky_rows(facts: SkyFacts | None, preparation: Preparation, copies: int) -> list[SkyRow | None]:
    """Return the facts of an image and of its copies after the preparation; None for each if none are known.

    Parameters
    ----------
    facts : SkyFacts, optional
        Facts of the image before it is cropped and resampled.
    preparation : Preparation
        Its further steps. A crop leaves the scale and, nearly, the orientation as they are.
    copies : int
        Number of prepared images; the first one is the image itself, the others are turned, mirrored or shifted, so
        that north is not known of them.
    """
    if facts is None:
        return [None] * copies
    view = sky_view(facts)
    beam = _UNKNOWN if facts.beam is None else (facts.beam.major, facts.beam.minor, facts.beam.angle)
    if view is None:
        return [SkyRow(unit=facts.unit, beam=beam)] * copies
    before = preparation.crop or min(facts.shape)
    pixel = view.pixel * (1.0 if preparation.resize is None else before / preparation.resize)
    first = SkyRow(pixel=pixel, north=view.north, mirrored=view.mirrored, unit=facts.unit, beam=beam)
    return [first, *[SkyRow(pixel=pixel, unit=facts.unit, beam=beam)] * (copies - 1)]


def write_sky(folder: Path, rows: Sequence[SkyRow | None]) -> None:
    """Write the facts of prepared images into their folder; nothing if none are known."""
    if not any(rows):
        return
    known = [row or SkyRow() for row in rows]
    width = max(1, *(len(row.unit) for row in known))
    kinds = np.dtype([
        ("from_fits", "?"), ("pixel", "<f8"), ("north", "<f8"), ("mirrored", "?"), ("unit", f"<U{width}"),
        ("beam", "<f8", (3,)),
    ])  # fmt: skip
    table = np.zeros(len(rows), kinds)
    table["from_fits"] = [row is not None for row in rows]
    for name in ("pixel", "north", "mirrored", "unit", "beam"):
        table[name] = [getattr(row, name) for row in known]
    np.save(folder / SKY_FILE, table)


def read_sky(folder: Path, images: int) -> SkyColumns | None:
    """Return the facts of the images in a prepared folder; None if it holds none.

    Raises
    ------
    OSError, ValueError
        If the file is damaged, or is that of other images.
    """
    path = folder / SKY_FILE
    if not path.exists():
        return None
    table = np.load(path, mmap_mode="r")
    if table.shape != (images,) or table.dtype.names != ("from_fits", "pixel", "north", "mirrored", "unit", "beam"):
        raise ValueError(f"{SKY_FILE} is not that of these {images:,} images")
    return SkyColumns(**{name: table[name] for name in table.dtype.names})
