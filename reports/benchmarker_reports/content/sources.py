"""Test images that some network gets wrong, with what is known of their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import StudyResults
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.readable import predictions_of

if TYPE_CHECKING:
    from benchmarker import LabelledImages

_RA, _DEC = ("ra", "raj2000", "right_ascension"), ("dec", "dej2000", "declination")
POSITIONS = frozenset((*_RA, *_DEC))
"""Names, in lower case, of attributes that are coordinates in degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongImage:
    """A test image that at least one run classifies wrongly.

    Parameters
    ----------
    source : str
        Name of the source in the image.
    image : int
        Number of the image in the prepared dataset.
    label, predicted : str
        Published class, and the class that most runs predict.
    runs, correct : int
        Number of runs that were tested on the image, and of those that were right.
    probability : float
        Mean probability that runs give to the published class.
    label_doubt : bool
        Whether all runs of at least two lines, which are all of them, agree on one class that is not the published one.
    position : tuple of (float, float) or None
        Right ascension and declination in degrees; None where the dataset does not know them.
    attributes : mapping of str to float
        Further quantities, in the units of the dataset; NaN where unknown.
    """

    source: str
    image: int
    label: str
    predicted: str
    runs: int
    correct: int
    probability: float
    label_doubt: bool
    position: tuple[float, float] | None = None
    attributes: Mapping[str, float] = field(default_factory=dict)

    @property
    def aladin(self) -> str:
        """Address of the field in Aladin Lite; empty without a position."""
        if self.position is None:
            return ""
        ra, dec = self.position
        return f"https://aladin.cds.unistra.fr/AladinLite/?target={ra:.6f}%20{dec:+.6f}&fov=0.10"

    @property
    def ned(self) -> str:
        """Address of a search in NED within one arcminute; empty without a position."""
        if self.position is None:
            return ""
        ra, dec = self.position
        return (
            "https://ned.ipac.caltech.edu/cgi-bin/objsearch?search_type=Near+Position+Search&in_csys=Equatorial"
            f"&in_equinox=J2000.0&lon={ra:.6f}d&lat={dec:.6f}d&radius=1.0"
        )


def wrong_images(results: StudyResults, lines: Sequence[Line], checkpoint: str) -> tuple[WrongImage, ...]:
    """Return the test images that at least one run classifies wrongly, those that fewest runs get right first.

    Parameters
    ----------
    results : StudyResults
        The study that has the predictions.
    lines : sequence of Line
        Lines whose runs count.
    checkpoint : {"best", "final"}

    Returns
    -------
    tuple of WrongImage
        Empty for a regression, or without predictions.
    """
    if not results.classes:
        return ()
    tested: dict[int, _Tested] = {}
    for place, line in enumerate(lines):
        for run in line.runs:
            found = predictions_of(results, run, checkpoint)
            if found is None:
                continue
            chances = found.values[np.arange(len(found.truth)), found.truth].tolist()
            rows = zip(
                found.images.tolist(), found.source_ids, found.truth.tolist(), found.predicted.tolist(), chances,
                strict=True,
            )  # fmt: skip
            for number, name, truth, predicted, chance in rows:
                one = tested.setdefault(number, _Tested(name=name, label=truth))
                one.votes[predicted] += 1
                one.chances.append(chance)
                one.lines.add(place)
    data = results.prepared
    wrong = [
        _wrong_image(number, one, results.classes, data, several=1 < len(one.lines) == len(lines))
        for number, one in sorted(tested.items())
        if one.votes[one.label] < one.votes.total()
    ]
    return tuple(sorted(wrong, key=lambda each: (each.correct / each.runs, each.probability, each.image)))


@dataclass(slots=True)
class _Tested:
    """Predictions of one image by all runs, and the lines that they belong to."""

    name: str
    label: int
    votes: Counter[int] = field(default_factory=Counter)
    chances: list[float] = field(default_factory=list)
    lines: set[int] = field(default_factory=set)


def _wrong_image(
    number: int, one: _Tested, classes: Sequence[str], data: LabelledImages | None, *, several: bool
) -> WrongImage:
    most = max(one.votes.values())
    # The first class, where several are predicted equally often.
    predicted = min(k for k, count in one.votes.items() if count == most)
    known = {} if data is None or number >= len(data) else data.attributes
    values = {attribute: float(each.values[number]) for attribute, each in known.items()}
    return WrongImage(
        source=one.name,
        image=number,
        label=classes[one.label],
        predicted=classes[predicted],
        runs=one.votes.total(),
        correct=one.votes[one.label],
        probability=float(np.mean(one.chances)),
        label_doubt=several and most == one.votes.total() and predicted != one.label,
        position=_position(values),
        attributes=values,
    )


def _position(values: Mapping[str, float]) -> tuple[float, float] | None:
    lowered = {name.lower(): value for name, value in values.items()}
    ra = next((lowered[name] for name in _RA if name in lowered), np.nan)
    dec = next((lowered[name] for name in _DEC if name in lowered), np.nan)
    return (ra, dec) if np.isfinite(ra) and np.isfinite(dec) else None
