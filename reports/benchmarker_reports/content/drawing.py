"""Test images of a study as they are drawn in reports: upright, with a bar that gives their scale."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarker import Stretch, StudyResults, north_is_known, pixel_side, upright
from benchmarker_reports.content.pictures import SMALLEST_SIDE, png


def draw_images(
    results: StudyResults, numbers: Sequence[int], stretch: Stretch = "auto", smallest_side: int = SMALLEST_SIDE
) -> list[bytes] | None:
    """Return prepared images of a study as PNG files; None where they are not in this machine's cache.

    Parameters
    ----------
    results : StudyResults
        The study.
    numbers : sequence of int
        Numbers of images, as in `Predictions.images`.
    stretch : {"auto", "linear", "sqrt", "log", "asinh", "zscale"}
        How pixels become shades.
    smallest_side : int
        Width that a picture has at least, in pixels.
    """
    data, pixels = results.prepared, results.images(numbers)
    if data is None or pixels is None:
        return None
    sky = data.sky
    return [
        png(upright(image, sky, number), smallest_side, stretch, arcsec=pixel_side(sky, number))
        for image, number in zip(pixels, numbers, strict=True)
    ]


def shows_north(results: StudyResults, numbers: Sequence[int]) -> bool:
    """Whether `draw_images` draws any of these images with north up."""
    data = results.prepared
    return data is not None and any(north_is_known(data.sky, number) for number in numbers)
