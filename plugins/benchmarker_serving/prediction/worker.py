"""Reads, prepares and predicts new images chunk by chunk, in the process of the networks' backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import (
    Classification,
    Member,
    SkippedImage,
    StudyImages,
    Task,
    UnreadableImageError,
    trained_networks,
)
from benchmarker_serving.prediction.inputs import NewImage, find_images, position
from benchmarker_serving.prediction.job import CHUNK, Job, Outcome, Part, PartialResults, Prediction, Progress, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker_serving.prediction.ensemble import Ensemble, Predicted

Emit = Callable[[Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Readable:
    """An image that can be used, with its prepared pixels and its position in degrees."""

    image: NewImage
    pixels: NDArray[np.float32]
    ra: float | None
    dec: float | None


def predict_files(argument: Any, emit: Emit) -> dict[str, Any]:
    """Predict all images of a job that have not been predicted yet; called by `benchmarker.call_in_process`.

    Parameters
    ----------
    argument : JSON value
        A `Request`.
    emit : callable
        Called with a `Progress` as JSON.

    Returns
    -------
    dict
        An `Outcome` as JSON.
    """
    from benchmarker_serving.prediction.ensemble import Ensemble

    request = Request.from_json(argument)
    job, partial = request.job, PartialResults(Path(request.output))
    images = StudyImages(Path(job.study), None if job.study_data is None else Path(job.study_data))
    found = find_images(Path(job.data), None if job.images is None else Path(job.images))
    emit(Progress(stage="loading").to_json())
    ensemble = Ensemble(trained_networks_of(job))
    calibration = None
    if job.calibrate:
        emit(Progress(stage="calibrating").to_json())
        calibration = ensemble.calibrate(images, coverage=job.coverage, per_class=job.per_class, level=job.unlike)
    total = len(found.images)
    # Rows of the catalogue without a file belong to the first part, which exists even if no image does.
    rejected = tuple(found.skipped)
    for number, start in enumerate(range(0, max(total, 1), CHUNK)):
        emit(Progress(stage="predicting", done=start, total=total).to_json())
        if not partial.has(number):
            part = _predict(ensemble, images, found.images[start : start + CHUNK])
            partial.write(number, part if number else Part(rows=part.rows, skipped=(*rejected, *part.skipped)))
    emit(Progress(stage="predicting", done=total, total=total).to_json())
    return Outcome(calibration=calibration).to_json()


def trained_networks_of(job: Job) -> list[Any]:
    """Return the networks of a job, in the order of its seeds."""
    study = Path(job.study)
    return [trained_networks(study, job.selector, seed=seed, checkpoint=job.checkpoint)[0] for seed in job.seeds]


def _predict(ensemble: Ensemble, images: StudyImages, chunk: Sequence[NewImage]) -> Part:
    import numpy as np

    usable: list[_Readable] = []
    skipped: list[SkippedImage] = []
    with ThreadPoolExecutor(2) as pool:  # decompression and NumPy let another thread work
        for found in pool.map(lambda each: _read(images, each), chunk):
            if isinstance(found, SkippedImage):
                skipped.append(found)
            else:
                usable.append(found)
    rows: list[Prediction] = []
    if usable:
        predicted = ensemble.predict(np.stack([each.pixels for each in usable]))
        rows = [_row(ensemble.task, image, predicted, k) for k, image in enumerate(usable)]
    return Part(rows=tuple(rows), skipped=tuple(skipped))


def _read(images: StudyImages, image: NewImage) -> _Readable | SkippedImage:
    """Return the prepared pixels and the position of an image, or why it cannot be used."""
    try:
        content = image.member.read()
        ra, dec = image.ra, image.dec
        listed = (ra, dec) if math.isfinite(ra) and math.isfinite(dec) else None
        if listed is None:
            ra, dec = position(content)
        pixels = images.read(Member(name=image.member.name, read=lambda: content), listed)
    except UnreadableImageError as error:
        return SkippedImage(name=image.member.name, reason=error.reason)
    except OSError as error:
        return SkippedImage(name=image.member.name, reason=f"cannot be read: {error.strerror or error}")
    known = math.isfinite(ra) and math.isfinite(dec)
    return _Readable(image=image, pixels=pixels, ra=ra if known else None, dec=dec if known else None)


def _row(task: Task, readable: _Readable, predicted: Predicted, k: int) -> Prediction:
    """Return what was predicted for the k-th image of a chunk."""
    members = None
    if predicted.sets is not None and isinstance(task, Classification):
        members = tuple(name for name, inside in zip(task.classes, predicted.sets[k].tolist(), strict=True) if inside)
    return Prediction(
        identifier=readable.image.identifier,
        file=readable.image.member.name,
        ra=readable.ra,
        dec=readable.dec,
        values=tuple(predicted.values[k].tolist()),
        spread=tuple(None if math.isnan(each) else each for each in predicted.spread[k].tolist()),
        members=members,
        unlike=None if predicted.unlike is None else float(predicted.unlike[k]),
    )
