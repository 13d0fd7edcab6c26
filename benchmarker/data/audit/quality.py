"""Findings about single images: left out, blank, saturated or off-centre."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.audit.findings import Finding, Subject

_BLANK = 0.9995
_SATURATED = 0.01
_CENTRAL = 0.25
_FAINT = 0.3
_LISTED = 3


def quality_findings(subject: Subject) -> Iterator[Finding]:
    """Yield images that cannot be used, and images that can but look wrong.

    Parameters
    ----------
    subject : Subject
        The audited images, after the preparation.

    Notes
    -----
    Blank: more than 99.95 % of the pixels have the lowest value. Saturated: more than 1 % of the pixels have the
    highest value, in an image with more than two values. Off-centre: nothing within a quarter of the side around the
    centre reaches 30 % of the range of the image.
    """
    skipped = subject.data.skipped
    if skipped:
        reasons = Counter(image.reason for image in skipped).most_common(_LISTED)
        named = "; ".join(f"{count:,}: {reason}" for reason, count in reasons)
        yield Finding(
            check="left-out",
            severity="warning",
            text=f"{len(skipped):,} image(s) cannot be used ({named})",
            count=len(skipped),
            images=tuple(image.name for image in skipped),
        )
    found: dict[str, list[int]] = {"blank": [], "saturated": [], "off-centre": []}
    for index, image in enumerate(subject.data.images):
        for name in _faults(image):
            found[name].append(index)
    texts = {
        "blank": "{} image(s) are blank but for a few pixels",
        "saturated": "{} image(s) have more than 1 % of their pixels at the highest value, so they may be saturated",
        "off-centre": "{} image(s) have their brightest part far from the centre, so they may show another source",
    }
    for name, indices in found.items():
        if indices:
            yield Finding(
                check=name,
                severity="note" if name == "off-centre" else "warning",
                text=texts[name].format(f"{len(indices):,}"),
                count=len(indices),
                images=subject.names(indices),
            )


def _faults(image: NDArray[np.float32]) -> Iterator[str]:
    lowest, highest = float(image.min()), float(image.max())
    if (image == lowest).mean() > _BLANK:
        yield "blank"
        return
    bright = (image == highest).mean()
    if bright > _SATURATED and not ((image == lowest) | (image == highest)).all():
        yield "saturated"
    height, width = image.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    radius = np.hypot((rows - (height - 1) / 2) / height, (columns - (width - 1) / 2) / width)
    if float(image[radius < _CENTRAL].max()) - lowest < _FAINT * (highest - lowest):
        yield "off-centre"
