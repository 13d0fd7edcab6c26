"""Test images that all networks get right, and those that none does."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarker import StudyResults
from benchmarker_reports.contents.model import Entry, Examples, Picture

SHOWN = 12
MOST_RUNS = 1000
"""Whose predictions are read; a larger study is asked for the first entries of its leaderboard only."""
_SMALLEST_SIDE = 96


@dataclass(slots=True)
class _Tally:
    """What was said of one image."""

    name: str
    truth: int
    right: int = 0
    runs: int = 0
    certainty: float = 0.0
    entries: set[int] = field(default_factory=set)
    called: list[int] = field(default_factory=list)


def examples(results: StudyResults, lines: Sequence[Entry], checkpoint: str) -> Examples | None:
    """Return some images that all runs, or none, get right; None without predictions or prepared images.

    Parameters
    ----------
    results : StudyResults
        That has predictions and images.
    lines : sequence of Entry
        Who is asked. Only images count that every one of them was tested on under at least one seed.
    checkpoint : {"best", "final"}
        Of which weights.
    """
    asked = _affordable(lines)
    if not results.classes or not asked:
        return None
    tallies = _tallies(results, asked, checkpoint)
    common = {number: tally for number, tally in tallies.items() if len(tally.entries) == len(asked)}
    everyone = [number for number, tally in common.items() if tally.right == tally.runs]
    nobody = [number for number, tally in common.items() if not tally.right]
    if not common:
        return None
    # The most certain ones are shown: of what all get right, and of what none does.
    first = _chosen(everyone, common, results.classes, highest=True)
    second = _chosen(nobody, common, results.classes, highest=False)
    pixels = results.images([*first, *second])
    if pixels is None:
        return None
    pictures = [
        _picture(image, common[number], results.classes)
        for image, number in zip(pixels, [*first, *second], strict=True)
    ]
    return Examples(
        everyone=tuple(pictures[: len(first)]),
        nobody=tuple(pictures[len(first) :]),
        n_everyone=len(everyone),
        n_nobody=len(nobody),
        n_images=len(common),
        entries=len(asked),
    )


def png(image: NDArray[np.float32], smallest_side: int = _SMALLEST_SIDE) -> bytes:
    """Return an image as PNG, its own range stretched to black and white; the same pixels give the same bytes.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels), float32
        One channel is grey, three or more are shown as red, green and blue.
    smallest_side : int
        Pixels are doubled until the image is at least so wide.
    """
    from PIL import Image

    known = image[np.isfinite(image)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    scaled = np.nan_to_num((image - low) / (high - low) if high > low else np.zeros_like(image))
    # Faint structure of radio sources is lost on a linear scale.
    stretched = np.sqrt(scaled) if image.shape[-1] == 1 else scaled
    values = (stretched[..., :3] * 255).round().astype(np.uint8)
    values = values[..., 0] if values.shape[-1] < 3 else values
    factor = max(1, -(-smallest_side // values.shape[1]))
    picture = Image.fromarray(values.repeat(factor, axis=0).repeat(factor, axis=1))
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _affordable(lines: Sequence[Entry]) -> list[Entry]:
    asked: list[Entry] = []
    total = 0
    for entry in lines:
        total += len(entry.runs)
        if total > MOST_RUNS:
            break
        if entry.runs:
            asked.append(entry)
    return asked


def _tallies(results: StudyResults, asked: Sequence[Entry], checkpoint: str) -> dict[int, _Tally]:
    tallies: dict[int, _Tally] = {}
    for k, entry in enumerate(asked):
        for run in entry.runs:
            found = results.predictions(run, checkpoint)
            if found is None:
                continue
            predicted = found.predicted.tolist()
            sure = found.values[np.arange(len(found.truth)), found.truth].tolist()
            rows = zip(found.images.tolist(), found.source_ids, found.truth.tolist(), predicted, sure, strict=True)
            for number, name, truth, called, probability in rows:
                tally = tallies.setdefault(number, _Tally(name=name, truth=truth))
                tally.entries.add(k)
                tally.runs += 1
                tally.right += called == truth
                tally.certainty += probability
                tally.called.append(called)
    return tallies


def _chosen(numbers: Iterable[int], tallies: dict[int, _Tally], classes: Sequence[str], *, highest: bool) -> list[int]:
    """Take the most extreme images, each class in turn."""
    sign = -1 if highest else 1
    ranked = sorted(numbers, key=lambda number: (sign * tallies[number].certainty / tallies[number].runs, number))
    queues = [[number for number in ranked if tallies[number].truth == c] for c in range(len(classes))]
    turns = [(place, c) for place in range(SHOWN) for c in range(len(classes)) if place < len(queues[c])]
    return [queues[c][place] for place, c in turns[:SHOWN]]


def _picture(image: NDArray[np.float32], tally: _Tally, classes: Sequence[str]) -> Picture:
    counts = np.bincount(tally.called, minlength=len(classes))
    return Picture(
        png=png(image),
        name=tally.name,
        truth=classes[tally.truth],
        called=classes[int(counts.argmax())],
        right=tally.right,
        runs=tally.runs,
    )
