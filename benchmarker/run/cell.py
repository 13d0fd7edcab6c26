"""Trains or tests the network of a cell, and writes its run down; runs inside a worker process."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Classification
from benchmarker.data.hdf5 import load_weights_file
from benchmarker.digests import digest_file
from benchmarker.disk import reserve
from benchmarker.errors import DataError, StorageError
from benchmarker.files import write_csv
from benchmarker.generation.fresh import FreshSet
from benchmarker.generation.run_files import read_link, require_intact
from benchmarker.generation.synthetic import with_generated
from benchmarker.randomness import Stream
from benchmarker.run.cell_context import CellContext
from benchmarker.run.scoring import test_checkpoints, write_costs
from benchmarker.study.layout import CHECKPOINTS, HISTORY_FILE, METRICS_FILE, Checkpoint, weights_file
from benchmarker.study.links import CellLink, DigestLink, PredictionsLink, TrainingSetLink, WeightsLink, write_trail
from benchmarker.study.protocol import EpochDone, EventHandler, Note, Resumed, StepDone, waiting
from benchmarker.study.space import WEIGHTS_OVERHEAD_BYTES
from benchmarker.trail import Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches, balanced_weights, copies_together
from benchmarker.training.fit import Fitted, compile_model, digest_weights, fit
from benchmarker.training.sets import RenewedSet, digest_set, expand, transforms
from benchmarker.training.snapshots import DISCARDED, Progress, Snapshots

_STEP_INTERVAL_SECONDS = 0.25


def train_cell(context: CellContext, folder: Path, send: EventHandler) -> None:
    """Train a cell's network, and write its history, weights, predictions, metrics, costs and trail.

    Continues from the newest snapshot in the folder, if there is one of this environment.
    """
    validation: TrainingSet = context.part("validation")
    if context.spec.arm.augment_validation:
        validation = expand(validation, context.applied, context.seed, "validation")
    with ExitStack() as stack:
        if (fresh := _fresh(context, folder)) is not None:
            train: TrainingSet | RenewedSet = stack.enter_context(fresh)
        else:
            train = expand(_training_part(context, send), context.applied, context.seed, "train")
        fitted = _fit(context, train, validation, folder, send)
    progress = fitted.progress
    _write_history(folder, progress)
    tested: dict[Checkpoint, int] = {"best": progress.best_epoch, "final": len(progress.history)}
    _save_weights(context, fitted, folder, tested)

    def load(checkpoint: Checkpoint) -> None:
        context.model.set_weights(getattr(fitted, checkpoint))

    test_checkpoints(context, folder, send, tested, load)
    predictions = PredictionsLink(**{name: context.digests[f"predictions_{name}"] for name in CHECKPOINTS})
    context.trail.add("predictions", predictions.to_json())
    context.trail.add("metrics", DigestLink(digest=digest_file(folder / METRICS_FILE)).to_json())
    write_trail(folder, context.trail)
    seconds = math.fsum(progress.seconds)
    rate = len(train) * len(progress.history) / seconds if seconds > 0 else 0.0
    write_costs(context, folder, {"training_seconds": seconds, "training_images_per_second": rate})


def test_cell(context: CellContext, folder: Path, weights: Mapping[Checkpoint, Path], send: EventHandler) -> None:
    """Test saved weights without training, and write predictions, metrics and costs."""

    def load(checkpoint: Checkpoint) -> None:
        try:
            load_weights_file(context.model, weights[checkpoint])
        except DataError as error:
            raise StorageError(str(error)) from error
        except (OSError, KeyError, ValueError) as error:
            raise StorageError(
                f"{weights[checkpoint]}: holds no weights for {context.spec.model.architecture}: {error}"
            ) from error
        context.digests[f"{checkpoint}_weights"] = digest_weights(context.model)

    test_checkpoints(context, folder, send, dict.fromkeys(weights, 0), load)
    write_costs(context, folder, {})


def _training_part(context: CellContext, send: EventHandler) -> TrainingSet:
    """Return the images that augmentations begin with: the real ones, and those of the arm's generator."""
    generator, generated = context.generator, context.spec.arm.generated_images
    if generator is None or generated is None:
        return context.part("train")
    require_intact(generator.folder, generated.generator)
    return with_generated(
        context.part("train"),
        generated,
        generator.folder,
        seed=context.seed,
        fingerprint=context.fingerprint,
        root=generator.samples,
        waiting=lambda: waiting("the images of its generator, which another cell draws", send),
    )


def _fresh(context: CellContext, folder: Path) -> FreshSet | None:
    """Return the images of an arm that are new in every epoch; None of any other arm."""
    generator, generated = context.generator, context.spec.arm.generated_images
    if generator is None or generated is None or not generated.fresh:
        return None
    require_intact(generator.folder, generated.generator)
    return FreshSet(
        context.part("train"),
        generated,
        generator.folder,
        seed=context.seed,
        epochs=context.spec.model.epochs,
        folder=folder,
    )


def _fit(
    context: CellContext,
    train: TrainingSet | RenewedSet,
    validation: TrainingSet,
    folder: Path,
    send: EventHandler,
) -> Fitted:
    epochs = context.spec.model.epochs
    compile_model(context.model, context.data.task, context.training, context.spec.model.learning_rate)
    snapshots = Snapshots(folder, context.fingerprint.digest)
    resumed = snapshots.restore(context.model)
    if resumed is None:
        if snapshots.discarded:
            send(Note(text=f"{context.spec.model.architecture}, seed {context.seed}: {DISCARDED}"))
        _begin_trail(context, train)
    else:
        context.trail = Trail(resumed[1].trail)
        send(Resumed(epoch=resumed[1].epoch, epochs=epochs))

    def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
        rate = len(train) / values["seconds"] if values["seconds"] > 0 else 0.0
        send(EpochDone(epoch=epoch, epochs=epochs, values={**values, "images_per_second": rate}))

    with context.together(context.model):
        return fit(
            context.model,
            context.training,
            epochs=epochs,
            train=_ordered(context, train, epochs=epochs, first_epoch=resumed[1].epoch if resumed else 0, send=send),
            validation=FixedBatches(validation, batch_size=context.training.batch_size, targets=True),
            on_epoch=on_epoch,
            trail=context.trail,
            snapshots=snapshots,
            resumed=resumed,
        )


def _ordered(
    context: CellContext, train: TrainingSet | RenewedSet, *, epochs: int, first_epoch: int, send: EventHandler
) -> OrderedBatches:
    """Return the batches of all epochs, in the order of the seed; sends how far each epoch is."""
    weights = None
    if context.training.class_weights == "balanced" and isinstance(context.data.task, Classification):
        weights = balanced_weights(train.targets, context.data.task.n_outputs)
    neighbours = None
    if context.training.batches == "neighbours":
        expanded = not isinstance(train, RenewedSet)
        neighbours = copies_together(len(_training_part(context, send)) if expanded else len(train), len(train))
    progress = _EpochProgress(send)
    batches = OrderedBatches(
        train,
        batch_size=context.training.batch_size,
        epochs=epochs,
        order=Stream("order", seed=context.seed),
        transforms=transforms(context.applied, context.seed),
        weights=weights,
        first_epoch=first_epoch,
        neighbours=neighbours,
        on_batch=progress.on_batch,
    )
    progress.steps = batches.steps_per_epoch
    return batches


def _begin_trail(context: CellContext, train: TrainingSet | RenewedSet) -> None:
    trail, digests = context.trail, context.digests
    trail.add("cell", CellLink(key=context.spec.key, spec=context.spec).to_json())
    trail.add("fingerprint", context.fingerprint.to_json())
    trail.add("data", DigestLink(digest=digests["data"]).to_json())
    trail.add("split", DigestLink(digest=digests["split"]).to_json())
    if context.generator is not None and (generated := context.spec.arm.generated_images) is not None:
        trail.add("generator", read_link(context.generator.folder, generated.epoch).to_json())
    first = train.of_epoch(0) if isinstance(train, RenewedSet) else train
    trail.add("training set", TrainingSetLink(digest=digest_set(first), images=len(train)).to_json())
    trail.add("initial weights", DigestLink(digest=digests["initial_weights"]).to_json())


class _EpochProgress:
    """Sends how far an epoch is, a few times each second."""

    def __init__(self, send: EventHandler) -> None:
        self.steps = 0
        self._send = send
        self._last = 0.0

    def on_batch(self, epoch: int, step: int) -> None:
        now = time.monotonic()
        if now - self._last >= _STEP_INTERVAL_SECONDS:
            self._last = now
            self._send(StepDone(epoch=epoch + 1, done=step + 1, total=self.steps))


def _write_history(folder: Path, progress: Progress) -> None:
    columns = list(progress.history[0])
    rows = [
        [repr(row[column]) if column != "epoch" else str(int(row["epoch"])) for column in columns]
        for row in progress.history
    ]
    write_csv(folder / HISTORY_FILE, columns, rows)


def _save_weights(context: CellContext, fitted: Fitted, folder: Path, epochs: Mapping[Checkpoint, int]) -> None:
    """Write the weights of both checkpoints, which are of the given epochs, and record them in the trail."""
    reserve(folder, len(CHECKPOINTS) * (sum(array.nbytes for array in fitted.final) + WEIGHTS_OVERHEAD_BYTES))
    for checkpoint, epoch in epochs.items():
        context.model.set_weights(getattr(fitted, checkpoint))
        context.model.save_weights(folder / weights_file(checkpoint))
        digest = context.digests[f"{checkpoint}_weights"] = digest_weights(context.model)
        context.trail.add(f"{checkpoint} weights", WeightsLink(digest=digest, epoch=epoch).to_json())
