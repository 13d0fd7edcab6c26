"""Reads, prepares and predicts new images chunk by chunk, in the process of the networks' backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import (
    Classification,
    Member,
    StudyImages,
    Task,
    UnreadableImageError,
    trained_networks,
)
from benchmarker_serving.prediction.inputs import NewImage, find_images, position
from benchmarker_serving.prediction.job import CHUNK, Job, Part, PartialResults

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker_serving.prediction.ensemble import Ensemble, Predicted

Emit = Callable[[Any], None]


def predict_files(argument: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Predict all images of a job that have not been predicted yet; called by `benchmarker.call_in_process`.

    Parameters
    ----------
    argument : mapping
        ``job``, see `Job.to_json`, and ``output``, the path of the table.
    emit : callable
        Called with ``{"stage": text}`` and ``{"done": images, "total": images}``.

    Returns
    -------
    dict
        The calibration, or an empty one.
    """
    from benchmarker_serving.prediction.ensemble import Ensemble

    job = Job.from_json(argument["job"])
    partial = PartialResults(Path(argument["output"]))
    images = StudyImages(Path(job.study), None if job.study_data is None else Path(job.study_data))
    found = find_images(Path(job.data), None if job.images is None else Path(job.images))
    emit({"stage": "loading"})
    ensemble = Ensemble(trained_networks_of(job))
    calibration: dict[str, Any] = {}
    if job.calibrate:
        emit({"stage": "calibrating"})
        measured = ensemble.calibrate(images, coverage=job.coverage, per_class=job.per_class, level=job.unlike)
        calibration = asdict(measured)
    emit({"done": 0, "total": len(found.images)})
    rejected = [[image.name, image.reason] for image in found.skipped]
    for number, chunk in enumerate(_chunks(found.images)):
        if not partial.has(number):
            part = _predict(ensemble, images, chunk)
            # Rows of the catalogue without a file belong to the first part.
            partial.write(number, part if number else Part(rows=part.rows, skipped=[*rejected, *part.skipped]))
        emit({"done": min((number + 1) * CHUNK, len(found.images)), "total": len(found.images)})
    if not found.images:
        partial.write(0, Part(rows=[], skipped=rejected))
    return calibration


def trained_networks_of(job: Job) -> list[Any]:
    """Return the networks of a job, in the order of its seeds."""
    study = Path(job.study)
    return [trained_networks(study, job.selector, seed=seed, checkpoint=job.checkpoint)[0] for seed in job.seeds]


def _chunks(images: Sequence[NewImage]) -> Iterator[Sequence[NewImage]]:
    for start in range(0, len(images), CHUNK):
        yield images[start : start + CHUNK]


def _predict(ensemble: Ensemble, images: StudyImages, chunk: Sequence[NewImage]) -> Part:
    import numpy as np

    rows: list[list[Any]] = []
    skipped: list[list[str]] = []
    prepared: list[NDArray[np.float32]] = []
    with ThreadPoolExecutor(2) as pool:  # decompression and NumPy let another thread work
        for image, found in zip(chunk, pool.map(lambda each: _read(images, each), chunk), strict=True):
            if isinstance(found, str):
                skipped.append([image.member.name, found])
                continue
            pixels, ra, dec = found
            prepared.append(pixels)
            rows.append([image.identifier, image.member.name, ra, dec])
    if prepared:
        predicted = ensemble.predict(np.stack(prepared))
        for row, cells in zip(rows, _cells(ensemble.task, predicted), strict=True):
            row.extend(cells)
    return Part(rows=rows, skipped=skipped)


def _read(images: StudyImages, image: NewImage) -> tuple[NDArray[np.float32], float | None, float | None] | str:
    """Return the prepared pixels and the position of an image, or why it cannot be used."""
    try:
        content = image.member.read()
        ra, dec = image.ra, image.dec
        if not (math.isfinite(ra) and math.isfinite(dec)):
            ra, dec = position(content)
        pixels = images.read(Member(name=image.member.name, read=lambda: content))
    except UnreadableImageError as error:
        return error.reason
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return pixels, *((ra, dec) if math.isfinite(ra) and math.isfinite(dec) else (None, None))


def _cells(task: Task, predicted: Predicted) -> Iterator[list[Any]]:
    """Yield what follows the position in the row of each image: values, spread, set and score of unlikeness."""
    classes = task.classes if isinstance(task, Classification) else ()
    for k, values in enumerate(predicted.values.tolist()):
        spread = [None if math.isnan(each) else each for each in predicted.spread[k].tolist()]
        inside = None
        if predicted.sets is not None:
            inside = [name for name, member in zip(classes, predicted.sets[k].tolist(), strict=True) if member]
        unlike = None if predicted.unlike is None else float(predicted.unlike[k])
        yield [values, spread, inside, unlike]
