"""Tests a cell's network: scores of every part, predictions of the test part, and what the network costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Classification
from benchmarker.digests import digest_file
from benchmarker.errors import DivergedError
from benchmarker.evaluation import costs, metrics
from benchmarker.evaluation.predictions import prediction_columns, prediction_rows
from benchmarker.files import copy_file, write_csv
from benchmarker.run.cell_context import CellContext
from benchmarker.study.layout import COSTS_FILE, METRICS_FILE, Checkpoint, predictions_file
from benchmarker.study.plan import PartSizes
from benchmarker.study.protocol import EventHandler, Scoring
from benchmarker.study.runs import CellCosts, CellMetrics, CheckpointMetrics
from benchmarker.training.batches import FixedBatches, decode_outputs, failures_of
from benchmarker.training.sets import PartSet

RATIOS = ("loss", "loss_with_penalties", "accuracy")
"""Scores of the training part that are divided by those of the validation part."""


def test_checkpoints(
    context: CellContext,
    folder: Path,
    send: EventHandler,
    epochs: Mapping[Checkpoint, int],
    load: Callable[[Checkpoint], None],
) -> None:
    """Test each checkpoint on every part, and write metrics and the predictions of the test part.

    Equal weights are tested once: after the last epoch, the best weights are often the final ones.

    Parameters
    ----------
    context : CellContext
        The cell, whose digests hold those of the weights once they are loaded; those of the predictions are added.
    folder : Path
        Folder of the run.
    send : callable
        Called with an event for each checkpoint.
    epochs : mapping of str to int
        Epoch after which each checkpoint was saved; 0 where it is unknown.
    load : callable
        Gives the network the weights of a checkpoint.

    Raises
    ------
    DivergedError
        If the network predicts NaN, or only one class where that is a failure.
    """
    found: dict[str, CheckpointMetrics] = {}
    tested: dict[str, Checkpoint] = {}  # by the digest of the weights
    for checkpoint, epoch in epochs.items():
        send(Scoring(checkpoint=checkpoint))
        load(checkpoint)
        equal = tested.setdefault(context.digests[f"{checkpoint}_weights"], checkpoint)
        if equal == checkpoint:
            found[checkpoint] = _test(context, folder, checkpoint, epoch)
        else:
            copy_file(folder / predictions_file(equal), folder / predictions_file(checkpoint))
            context.digests[f"predictions_{checkpoint}"] = context.digests[f"predictions_{equal}"]
            found[checkpoint] = found[equal].model_copy(update={"epoch": epoch})
    CellMetrics(
        primary=metrics.primary_metric(context.data.task),
        parts=PartSizes.of(context.parts),
        **found,
    ).write(folder / METRICS_FILE)


def _test(context: CellContext, folder: Path, checkpoint: Checkpoint, epoch: int) -> CheckpointMetrics:
    task = context.data.task
    train, validation = (context.part(name) for name in ("train", "validation"))
    train_scores = _scores(context, train, _predict(context, train))
    predictions = _predict(context, validation)
    validation_scores = _scores(context, validation, predictions)
    single = metrics.collapsed_to(task, validation.targets, predictions)
    if single is not None and checkpoint == "best" and context.training.collapse == "fail":
        raise DivergedError(
            f"the network collapsed to one class: its best weights call every validation image {single}; try "
            "a smaller learning rate or more epochs"
        )
    test = context.part("test")
    predictions = _predict(context, test)
    path = folder / predictions_file(checkpoint)
    _write_predictions(context, path, predictions)
    context.digests[f"predictions_{checkpoint}"] = digest_file(path)
    return CheckpointMetrics(
        train=train_scores,
        validation=validation_scores,
        **({} if single is None else {"collapsed": single}),
        test=_scores(context, test, predictions),
        **metrics.details(task, test.targets, predictions).given(),
        ratios={name: train_scores[name] / validation_scores[name] for name in RATIOS if validation_scores.get(name)},
        epoch=epoch,
    )


def _scores(context: CellContext, part: PartSet, predictions: NDArray[np.float64]) -> dict[str, float]:
    """Return the metrics of a part, and for classifications the loss with the penalties that training adds to it."""
    task = context.data.task
    found = metrics.scores(task, part.targets, predictions)
    if isinstance(task, Classification):  # a regression is trained on targets in other units than its scores
        found["loss_with_penalties"] = found["loss"] + costs.penalties(context.model)
    return found


def _predict(context: CellContext, images: TrainingSet) -> NDArray[np.float64]:
    return predict(context.model, images, context.training.batch_size)


def predict(model: keras.Model, images: TrainingSet, batch_size: int) -> NDArray[np.float64]:
    """Return a network's predictions in the meaning of the task, ndarray of shape (n, n_outputs), float64.

    Raises
    ------
    DivergedError
        If one of them is not a finite number.
    """
    batches = FixedBatches(images, batch_size=batch_size, targets=False)
    with failures_of(batches):
        outputs = np.asarray(model.predict(batches, verbose=0), dtype=np.float32)
    if not np.isfinite(outputs).all():
        raise DivergedError("the network predicts NaN or infinity; try a smaller learning rate")
    return decode_outputs(images.task, outputs)


def _write_predictions(context: CellContext, path: Path, predictions: NDArray[np.float64]) -> None:
    part = context.part("test")
    rows = prediction_rows(context.data.task, part.targets, predictions)
    write_csv(
        path,
        ["source_id", "image", *prediction_columns(context.data.task)],
        [
            [context.data.source_ids[index], str(index), *row]
            for index, row in zip(context.parts.test.tolist(), rows, strict=True)
        ],
    )


def write_costs(context: CellContext, folder: Path, training: Mapping[str, float]) -> None:
    """Write what the network costs; ``training`` holds the times of its training, where it was trained."""
    timed = context.part("test")
    with context.measuring():
        taken = costs.inference_seconds(context.model, timed, context.training.batch_size)
    CellCosts(
        parameters=costs.parameters(context.model),
        flops=costs.flops(context.model),
        **costs.peak_memory(),
        **training,
        inference_seconds=tuple(taken),
        inference_images=len(timed),
        inference_images_per_second=len(timed) * len(taken) / math.fsum(taken),
    ).write(folder / COSTS_FILE)
