"""Test images behind the cells of a confusion matrix: of one class, predicted as another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarker import CellRecord, Stretch, StudyResults
from benchmarker_reports.content.drawing import draw_images
from benchmarker_reports.content.examples import Picture
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.readable import predictions_of

MOST_IN_CELL = 6
"""Pictures of one cell."""
MOST_CLASSES = 10
"""Classes of a study whose cells have pictures: forty classes have 1,560 cells of errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusedImage:
    """A test image that some seeds of a network predict as one class.

    Parameters
    ----------
    image : int
        Number of the image in the prepared dataset.
    source : str
        Name of the source in the image.
    seeds : tuple of int
        Seeds whose run predicts the class.
    tested : int
        Number of runs that were tested on the image.
    probability : float
        Mean probability that those seeds give to the predicted class.
    """

    image: int
    source: str
    seeds: tuple[int, ...]
    tested: int
    probability: float


def confused_images(
    results: StudyResults, runs: Sequence[CellRecord], checkpoint: str, *, truth: int, predicted: int
) -> tuple[ConfusedImage, ...]:
    """Return the test images of one class that at least one run predicts as another, or the same, class.

    Parameters
    ----------
    results : StudyResults
        The study that has the predictions.
    runs : sequence of CellRecord
        Runs of one network in one arm under several seeds.
    checkpoint : {"best", "final"}
    truth, predicted : int
        True and predicted class, as indices into the classes of the study.

    Returns
    -------
    tuple of ConfusedImage
        Those that most seeds, with the highest probability, predict so first.
    """
    names: dict[int, str] = {}
    tested: dict[int, int] = {}
    seeds: dict[int, list[int]] = {}
    chances: dict[int, list[float]] = {}
    for run in runs:
        found = predictions_of(results, run, checkpoint)
        if found is None:
            continue
        for row in np.flatnonzero(found.truth == truth).tolist():
            number = int(found.images[row])
            names[number] = found.source_ids[row]
            tested[number] = tested.get(number, 0) + 1
            if found.predicted[row] == predicted:
                seeds.setdefault(number, []).append(run.seed)
                chances.setdefault(number, []).append(float(found.values[row, predicted]))
    images = [
        ConfusedImage(
            image=number,
            source=names[number],
            seeds=tuple(each),
            tested=tested[number],
            probability=float(np.mean(chances[number])),
        )
        for number, each in seeds.items()
    ]
    return tuple(sorted(images, key=lambda each: (-len(each.seeds), -each.probability, each.image)))


def confused_pictures(
    results: StudyResults, lines: Sequence[Line], checkpoint: str, stretch: Stretch = "auto"
) -> dict[tuple[int, int], tuple[Picture, ...]]:
    """Return pictures of the errors behind each cell off the diagonal, by true and predicted class.

    Parameters
    ----------
    results : StudyResults
        The study that has predictions and images.
    lines : sequence of Line
        The first one counts.
    checkpoint : {"best", "final"}
    stretch : {"auto", "linear", "sqrt", "log", "asinh", "zscale"}
        How pixels become shades.

    Returns
    -------
    dict of (int, int) to tuple of Picture
        Up to `MOST_IN_CELL` for each cell that has errors; empty without the prepared images, or with many classes.
    """
    classes = results.classes
    if not lines or not 1 < len(classes) <= MOST_CLASSES:
        return {}
    runs = lines[0].runs
    found = {
        (truth, predicted): images[:MOST_IN_CELL]
        for truth in range(len(classes))
        for predicted in range(len(classes))
        if truth != predicted
        and (images := confused_images(results, runs, checkpoint, truth=truth, predicted=predicted))
    }
    numbers = sorted({each.image for images in found.values() for each in images})
    pictures = draw_images(results, numbers, stretch) if numbers else None
    if pictures is None:
        return {}
    drawn = dict(zip(numbers, pictures, strict=True))
    return {
        (truth, predicted): tuple(
            Picture(
                png=drawn[each.image],
                name=each.source,
                truth=classes[truth],
                predicted=classes[predicted],
                correct=each.tested - len(each.seeds),
                runs=each.tested,
            )
            for each in images
        )
        for (truth, predicted), images in found.items()
    }
