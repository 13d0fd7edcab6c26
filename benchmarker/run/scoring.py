"""Tests a cell's network: scores of every part, predictions of the test part, and what the network costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import TrainingSet
from benchmarker.digests import digest_file
from benchmarker.errors import DivergedError
from benchmarker.evaluation import costs, metrics
from benchmarker.evaluation.predictions import prediction_columns, prediction_rows
from benchmarker.files import write_csv, write_json
from benchmarker.run.context import Emit, Workplace
from benchmarker.study.layout import COSTS_FILE, METRICS_FILE, predictions_file
from benchmarker.training.batches import FixedBatches, decode_outputs
from benchmarker.training.sets import PartSet

# Inference is timed on at most this many test images, so that a slow network spends no more on it than on training.
TIMED_IMAGES = 256


def test_checkpoints(
    place: Workplace, folder: Path, emit: Emit, epochs: Mapping[str, int], load: Callable[[str], None]
) -> None:
    """Test each checkpoint on every part, and write metrics and the predictions of the test part.

    Parameters
    ----------
    place : Workplace
        Of the cell; gets the digests of the predictions.
    folder : Path
        Of the run.
    emit : callable
        Told which checkpoint is tested.
    epochs : mapping of str to int
        After which epoch each checkpoint was saved; 0 where that is not known.
    load : callable
        Gives the network the weights of a checkpoint.

    Raises
    ------
    DivergedError
        If the network predicts NaN, or one class alone where that is a failure.
    """
    found: dict[str, Any] = {
        "primary": metrics.primary_metric(place.data.task).to_json(),
        "parts": {name: len(place.part(name)) for name in ("train", "validation", "test")},
    }
    for checkpoint in epochs:
        emit({"event": "testing", "checkpoint": checkpoint})
        load(checkpoint)
        found[checkpoint] = _scores(place, folder, checkpoint) | {"epoch": epochs[checkpoint]}
    write_json(folder / METRICS_FILE, found)


def _scores(place: Workplace, folder: Path, checkpoint: str) -> dict[str, Any]:
    task = place.data.task
    found: dict[str, Any] = {}
    for name in ("train", "validation", "test"):
        part = place.part(name)
        predictions = predict(place.model, part, place.training.batch_size)
        found[name] = metrics.scores(task, part.targets, predictions)
        if name == "validation" and (single := metrics.collapsed_to(task, part.targets, predictions)) is not None:
            if checkpoint == "best" and place.training.collapse == "fail":
                raise DivergedError(
                    f"the network collapsed to one class: its best weights call every validation image {single}; try "
                    "a smaller learning rate or more epochs"
                )
            found["collapsed"] = single
        if name == "test":
            found |= metrics.details(task, part.targets, predictions).to_json()
            path = folder / predictions_file(checkpoint)
            _write_predictions(place, path, predictions)
            place.digests[f"predictions_{checkpoint}"] = digest_file(path)
    found["ratios"] = {
        name: found["validation"][name] / found["train"][name]
        for name in ("loss", "accuracy")
        if found["train"].get(name)
    }
    return found


def predict(model: keras.Model, images: TrainingSet, batch_size: int) -> NDArray[np.float64]:
    """Return a network's predictions in the meaning of the task, ndarray of shape (n, n_outputs), float64.

    Raises
    ------
    DivergedError
        If one of them is not a finite number.
    """
    batches = FixedBatches(images, batch_size=batch_size, targets=False)
    outputs = np.asarray(model.predict(batches, verbose=0), dtype=np.float32)
    if not np.isfinite(outputs).all():
        raise DivergedError("the network predicts NaN or infinity; try a smaller learning rate")
    return decode_outputs(images.task, outputs)


def _write_predictions(place: Workplace, path: Path, predictions: NDArray[np.float64]) -> None:
    part = place.part("test")
    rows = prediction_rows(place.data.task, part.targets, predictions)
    write_csv(
        path,
        ["source_id", "image", *prediction_columns(place.data.task)],
        [
            [place.data.source_ids[index], str(index), *row]
            for index, row in zip(place.parts.test.tolist(), rows, strict=True)
        ],
    )


def write_costs(place: Workplace, folder: Path, training: Mapping[str, float]) -> None:
    """Write what the network costs; ``training`` holds the times of its training, where it was trained."""
    timed = PartSet(place.data, place.parts.test[:TIMED_IMAGES])
    taken = costs.inference_seconds(place.model, timed, place.training.batch_size)
    write_json(
        folder / COSTS_FILE,
        {
            "parameters": costs.parameters(place.model).to_json(),
            "flops": costs.flops(place.model),
            "peak_memory_bytes": costs.peak_memory_bytes(),
            **training,
            "inference_seconds": taken,
            "inference_images": len(timed),
            "inference_images_per_second": len(timed) * len(taken) / math.fsum(taken),
        },
    )
