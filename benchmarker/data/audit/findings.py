"""What an audit finds, as it is written to ``audit.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.tasks import Classification
from benchmarker.data.overview import NO_PART, indices_by_part
from benchmarker.data.splits import Parts
from benchmarker.record import Record

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From the worst: an error makes scores wrong, a warning may, and a note is good to know."""


class Pair(Record):
    """Two images that belong together."""

    first: str
    """Source of the one image."""

    second: str
    """Source of the other image."""

    parts: tuple[str, str]
    """Their parts."""

    labels: tuple[str, str]
    """Their classes, or their targets."""

    why: str
    """What they have in common: ``equal``, ``turned``, ``near``, ``look-alike``, ``position`` or ``name``."""

    similarity: float | None = None
    """Correlation of their details; left out for pairs that were found by position or name."""

    separation: float | None = None
    """Distance on the sky in arcsec; left out where it is unknown."""


class Finding(Record):
    """One kind of fault, with everything that has it."""

    check: str
    """Name of the check, such as ``copies-across-parts``."""

    severity: Severity
    """How bad it is."""

    text: str
    """What was found, in one or two sentences."""

    count: int
    """Number of pairs or images concerned."""

    pairs: tuple[Pair, ...] = ()
    """Pairs concerned; left out if it is not about pairs."""

    images: tuple[str, ...] = ()
    """Sources of the images concerned; left out if it is about pairs."""

    picture: str | None = None
    """File with examples, beside ``audit.json``; left out if there is none."""


class Audit(Record):
    """``audit.json``: everything that was found in a dataset."""

    format: Literal[1] = 1
    """Format of the file."""

    dataset: str
    """Name of the dataset."""

    digest: str
    """SHA-256 of the prepared images."""

    images: int
    """Number of images."""

    seed: int | None
    """Seed of the parts; null if there are none."""

    radius: float
    """Neighbours on the sky within this radius were looked for, in arcsec."""

    positions: int
    """Number of images whose position is known."""

    recognisable: int | None = None
    """Number of images that a near copy would stand out for; left out in audits of older versions."""

    planted: int
    """Number of turned, mirrored, shifted and rescaled copies of recognisable images that were added for the search."""

    planted_found: int
    """How many of these the search found."""

    findings: tuple[Finding, ...]
    """What was found, the worst first."""

    def worst(self) -> Severity | None:
        """Return the severity of the worst finding; None if there is none."""
        return next((severity for severity in SEVERITIES for each in self.findings if each.severity == severity), None)

    def summary(self) -> str:
        """Return the audit in one sentence."""
        if not self.findings:
            return f"the audit of {self.images:,} images found nothing"
        counts = [(severity, sum(each.severity == severity for each in self.findings)) for severity in SEVERITIES]
        kinds = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts if count)
        return f"the audit of {self.images:,} images found {kinds}"


class Subject:
    """The images that are audited, with their parts and labels by index.

    Parameters
    ----------
    data : LabelledImages
        The images.
    parts : Parts, optional
        Their parts.
    """

    def __init__(self, data: LabelledImages, parts: Parts | None) -> None:
        self.data = data
        self.parts = parts
        self.part = np.full(len(data), NO_PART, dtype="<U10")
        for name, indices in indices_by_part(data, parts).items():
            self.part[indices] = name

    def label(self, index: int) -> str:
        """Return the class of an image, or its targets."""
        target = self.data.targets[index]
        if isinstance(self.data.task, Classification):
            return self.data.task.classes[int(target)]
        return ", ".join(f"{float(value):g}" for value in target)

    def differ(self, first: int, second: int) -> bool:
        """Return whether two images of one object have different classes; values of a regression may differ."""
        return isinstance(self.data.task, Classification) and self.label(first) != self.label(second)

    def apart(self, first: int, second: int) -> bool:
        """Return whether two images are in different parts."""
        one, two = self.part[first], self.part[second]
        return one != two and NO_PART not in {one, two}

    def pair(
        self, first: int, second: int, why: str, *, similarity: float | None = None, separation: float | None = None
    ) -> Pair:
        """Return the record of a pair."""
        known = {
            name: round(value, 4)
            for name, value in (("similarity", similarity), ("separation", separation))
            if value is not None
        }
        return Pair(
            first=self.data.source_ids[first],
            second=self.data.source_ids[second],
            parts=(str(self.part[first]), str(self.part[second])),
            labels=(self.label(first), self.label(second)),
            why=why,
            **known,
        )

    def names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """Return the sources of images."""
        return tuple(self.data.source_ids[index] for index in indices)
