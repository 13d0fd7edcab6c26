"""Findings about images of one set that differ in unit, beam or pixel scale, as those of several surveys do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarker.data.audit.findings import Finding, Subject
from benchmarker.data.sky_differences import Difference, Quantity, sky_differences

_CHECKS: dict[Quantity, tuple[str, str]] = {
    "unit": (
        "units-differ",
        "Convert them to one unit; `normalise` hides a factor, but only if each image fills its own range",
    ),
    "beam": ("beams-differ", "Networks may tell them apart by their resolution; smooth them to one beam"),
    "pixel": ("scales-differ", "Resample them to one scale by `preparation: {sky: {size: ..., pixel: ...}}`"),
}


def survey_findings(subject: Subject) -> Iterator[Finding]:
    """Yield the quantities of FITS headers in which images differ, the images of smaller groups, and their parts.

    Parameters
    ----------
    subject : Subject
        The audited images.

    See Also
    --------
    benchmarker.data.sky_differences.sky_differences : When two values count as the same.
    """
    for difference in sky_differences(subject.data.sky):
        check, advice = _CHECKS[difference.quantity]
        others = np.sort(np.concatenate([group.indices for group in difference.groups[1:]]))
        yield Finding(
            check=check,
            severity="warning",
            text=". ".join([difference.text(), *_unseen(subject, difference), advice]),
            count=len(others),
            images=subject.names(others.tolist()),
        )


def _unseen(subject: Subject, difference: Difference) -> Iterator[str]:
    """Yield the values of test images that no training image has."""
    unseen = [
        group.label
        for group in difference.groups
        if "test" in subject.part[group.indices] and "train" not in subject.part[group.indices]
    ]
    if unseen:
        yield f"Only test images, and no training images, have {', '.join(unseen)}"
