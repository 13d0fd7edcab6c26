"""Test images that every network classifies correctly, and those that none does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarker import Stretch, StudyResults
from benchmarker_reports.content.drawing import draw_images, shows_north
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.readable import predictions_of

SHOWN = 12
MOST_RUNS = 1000
"""Runs whose predictions are read; of a larger study, only the first lines of the leaderboard take part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A test image with its caption.

    Parameters
    ----------
    png : bytes
    name : str
        Name of the source.
    truth, predicted : str
        Its class, and the one that is predicted most often.
    correct, runs : int
        Runs that classify it correctly, and runs that were tested on it.
    """

    png: bytes
    name: str
    truth: str
    predicted: str
    correct: int
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Test images by how many networks classify them correctly.

    Parameters
    ----------
    always, never : tuple of Picture
        A few of those that every run, or no run, classifies correctly.
    n_always, n_never, n_images : int
        How many there are, and how many images every line was tested on.
    n_lines : int
        Lines of the leaderboard whose predictions were read.
    north_up : bool
        Whether any of the pictures is drawn with north up.
    """

    always: tuple[Picture, ...]
    never: tuple[Picture, ...]
    n_always: int
    n_never: int
    n_images: int
    n_lines: int
    north_up: bool


@dataclass(slots=True)
class _Tally:
    """Predictions of one image, counted over all runs."""

    name: str
    truth: int
    correct: int = 0
    runs: int = 0
    certainty: float = 0.0
    lines: set[int] = field(default_factory=set)
    predicted: list[int] = field(default_factory=list)


def examples(
    results: StudyResults, lines: Sequence[Line], checkpoint: str, stretch: Stretch = "auto"
) -> Examples | None:
    """Return images that all runs, or none, classify correctly; None without predictions or prepared images.

    Parameters
    ----------
    results : StudyResults
        The study that has predictions and images.
    lines : sequence of Line
        Lines whose predictions count. Only images that each of them was tested on under some seed are considered.
    checkpoint : {"best", "final"}
    stretch : {"auto", "linear", "sqrt", "log", "asinh", "zscale"}
        How pixels become shades.
    """
    read = _affordable(lines)
    if not results.classes or not read:
        return None
    tallies = {
        number: tally for number, tally in _tallies(results, read, checkpoint).items() if len(tally.lines) == len(read)
    }
    if not tallies:
        return None
    always = [number for number, tally in tallies.items() if tally.correct == tally.runs]
    never = [number for number, tally in tallies.items() if not tally.correct]
    # Of each kind, those with the clearest probabilities are shown.
    first = _chosen(always, tallies, results.classes, highest=True)
    second = _chosen(never, tallies, results.classes, highest=False)
    shown = [*first, *second]
    drawn = draw_images(results, shown, stretch)
    if drawn is None:
        return None
    pictures = [
        _picture(content, tallies[number], results.classes) for content, number in zip(drawn, shown, strict=True)
    ]
    return Examples(
        always=tuple(pictures[: len(first)]),
        never=tuple(pictures[len(first) :]),
        n_always=len(always),
        n_never=len(never),
        n_images=len(tallies),
        n_lines=len(read),
        north_up=shows_north(results, shown),
    )


def _affordable(lines: Sequence[Line]) -> list[Line]:
    read: list[Line] = []
    total = 0
    for line in lines:
        total += len(line.runs)
        if total > MOST_RUNS:
            break
        if line.runs:
            read.append(line)
    return read


def _tallies(results: StudyResults, read: Sequence[Line], checkpoint: str) -> dict[int, _Tally]:
    tallies: dict[int, _Tally] = {}
    for k, line in enumerate(read):
        for run in line.runs:
            found = predictions_of(results, run, checkpoint)
            if found is None:
                continue
            certainty = found.values[np.arange(len(found.truth)), found.truth].tolist()
            rows = zip(
                found.images.tolist(), found.source_ids, found.truth.tolist(), found.predicted.tolist(), certainty,
                strict=True,
            )  # fmt: skip
            for number, name, truth, predicted, probability in rows:
                tally = tallies.setdefault(number, _Tally(name=name, truth=truth))
                tally.lines.add(k)
                tally.runs += 1
                tally.correct += predicted == truth
                tally.certainty += probability
                tally.predicted.append(predicted)
    return tallies


def _chosen(
    numbers: Iterable[int], tallies: Mapping[int, _Tally], classes: Sequence[str], *, highest: bool
) -> list[int]:
    """Return the most extreme images, from each class in turn."""
    sign = -1 if highest else 1
    ranked = sorted(numbers, key=lambda number: (sign * tallies[number].certainty / tallies[number].runs, number))
    queues = [[number for number in ranked if tallies[number].truth == c] for c in range(len(classes))]
    turns = [(place, c) for place in range(SHOWN) for c in range(len(classes)) if place < len(queues[c])]
    return [queues[c][place] for place, c in turns[:SHOWN]]


def _picture(content: bytes, tally: _Tally, classes: Sequence[str]) -> Picture:
    counts = np.bincount(tally.predicted, minlength=len(classes))
    return Picture(
        png=content,
        name=tally.name,
        truth=classes[tally.truth],
        predicted=classes[int(counts.argmax())],
        correct=tally.correct,
        runs=tally.runs,
    )
