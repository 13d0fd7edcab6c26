"""Trains, tests and writes down one cell; runs inside a worker process."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Classification
from benchmarker.digests import digest_file, digest_json
from benchmarker.disk import reserve
from benchmarker.errors import StorageError
from benchmarker.files import write_csv, write_json
from benchmarker.generation.samples import generator_link, with_generated
from benchmarker.randomness import Stream
from benchmarker.run.context import Emit, Workplace
from benchmarker.run.scoring import test_checkpoints, write_costs
from benchmarker.study.layout import CHECKPOINTS, weights_file
from benchmarker.trail import TRAIL_FILE, Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches, balanced_weights
from benchmarker.training.fit import Fitted, compile_model, digest_weights, fit
from benchmarker.training.sets import digest_set, expand, transforms
from benchmarker.training.snapshots import Progress, Snapshots

_STEP_INTERVAL_SECONDS = 0.25
_WEIGHTS_OVERHEAD_BYTES = 1 << 19  # names and groups of an HDF5 file


def train_cell(place: Workplace, folder: Path, emit: Emit) -> None:
    """Train a cell's network, and write its history, weights, predictions, metrics, costs and trail.

    Goes on from the newest snapshot in the folder, if there is one of this environment.
    """
    train = expand(_training_part(place), place.applied, place.seed, "train")
    validation: TrainingSet = place.part("validation")
    if place.spec["arm"]["augment_validation"]:
        validation = expand(validation, place.applied, place.seed, "validation")
    fitted = _fit(place, train, validation, folder, emit)
    progress = fitted.progress
    _write_history(folder, progress)
    reserve(folder, len(CHECKPOINTS) * (sum(array.nbytes for array in fitted.final) + _WEIGHTS_OVERHEAD_BYTES))
    for checkpoint in CHECKPOINTS:
        place.model.set_weights(getattr(fitted, checkpoint))
        place.model.save_weights(folder / weights_file(checkpoint))
        place.digests[f"{checkpoint}_weights"] = digest_weights(place.model)
    tested = {"best": progress.best_epoch, "final": len(progress.history)}
    for checkpoint, epoch in tested.items():
        link = {"digest": place.digests[f"{checkpoint}_weights"], "epoch": epoch}
        place.trail.add(f"{checkpoint} weights", link)

    def load(checkpoint: str) -> None:
        place.model.set_weights(getattr(fitted, checkpoint))

    test_checkpoints(place, folder, emit, tested, load)
    place.trail.add("predictions", {checkpoint: place.digests[f"predictions_{checkpoint}"] for checkpoint in tested})
    place.trail.add("metrics", {"digest": digest_file(folder / "metrics.json")})
    write_json(folder / TRAIL_FILE, {"format": 1, "links": place.trail.to_json()})
    seconds = math.fsum(progress.seconds)
    rate = len(train) * len(progress.history) / seconds if seconds > 0 else 0.0
    write_costs(place, folder, {"training_seconds": seconds, "training_images_per_second": rate})


def _training_part(place: Workplace) -> TrainingSet:
    """Return the images that augmentations begin with: the real ones, and those of the arm's generator."""
    if place.generator is None:
        return place.part("train")
    return with_generated(
        place.part("train"),
        place.spec["arm"]["generated"],
        Path(place.generator["folder"]),
        seed=place.seed,
        fingerprint=place.fingerprint,
        root=Path(place.generator["samples"]) if place.generator["samples"] else None,
    )


def test_cell(place: Workplace, folder: Path, weights: Mapping[str, str], emit: Emit) -> None:
    """Test saved weights without training, and write predictions, metrics and costs."""

    def load(checkpoint: str) -> None:
        try:
            place.model.load_weights(weights[checkpoint])
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{weights[checkpoint]}: holds no weights for {place.spec['model']['architecture']}: {error}"
            ) from error
        place.digests[f"{checkpoint}_weights"] = digest_weights(place.model)

    test_checkpoints(place, folder, emit, dict.fromkeys(weights, 0), load)
    write_costs(place, folder, {})


def _fit(place: Workplace, train: TrainingSet, validation: TrainingSet, folder: Path, emit: Emit) -> Fitted:
    epochs = int(place.spec["model"]["epochs"])
    compile_model(place.model, place.data.task, place.training, float(place.spec["model"]["learning_rate"]))
    snapshots = Snapshots(folder, digest_json(place.fingerprint))
    resumed = snapshots.restore(place.model)
    if resumed is None:
        _begin_trail(place, train)
    else:
        place.trail = Trail(resumed[1].trail)
        emit({"event": "resumed", "epoch": resumed[1].epoch, "epochs": epochs})

    def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
        rate = len(train) / values["seconds"] if values["seconds"] > 0 else 0.0
        emit({"event": "epoch", "epoch": epoch, "epochs": epochs, "values": {**values, "images_per_second": rate}})

    return fit(
        place.model,
        place.training,
        epochs=epochs,
        train=_ordered(place, train, epochs=epochs, first_epoch=resumed[1].epoch if resumed else 0, emit=emit),
        validation=FixedBatches(validation, batch_size=place.training.batch_size, targets=True),
        on_epoch=on_epoch,
        trail=place.trail,
        snapshots=snapshots,
        resumed=resumed,
    )


def _ordered(place: Workplace, train: TrainingSet, *, epochs: int, first_epoch: int, emit: Emit) -> OrderedBatches:
    """Return the batches of all epochs, in the order of the seed; tells how far each epoch is."""
    weights = None
    if place.training.class_weights == "balanced" and isinstance(place.data.task, Classification):
        weights = balanced_weights(train.targets, place.data.task.n_outputs)
    ticker = _Ticker(emit)
    batches = OrderedBatches(
        train,
        batch_size=place.training.batch_size,
        epochs=epochs,
        order=Stream("order", seed=place.seed),
        transforms=transforms(place.applied, place.seed),
        weights=weights,
        first_epoch=first_epoch,
        on_batch=ticker.tick,
    )
    ticker.steps = batches.steps_per_epoch
    return batches


def _begin_trail(place: Workplace, train: TrainingSet) -> None:
    place.trail.add("cell", {"key": digest_json(place.spec), "spec": place.spec})
    place.trail.add("fingerprint", place.fingerprint)
    place.trail.add("data", {"digest": place.digests["data"]})
    place.trail.add("split", {"digest": place.digests["split"]})
    if place.generator is not None:
        place.trail.add("generator", generator_link(Path(place.generator["folder"])))
    place.trail.add("training set", {"digest": digest_set(train), "images": len(train)})
    place.trail.add("initial weights", {"digest": place.digests["initial_weights"]})


class _Ticker:
    """Tells how far an epoch is, a few times each second."""

    def __init__(self, emit: Emit) -> None:
        self.steps = 0
        self._emit = emit
        self._last = 0.0

    def tick(self, epoch: int, step: int) -> None:
        now = time.monotonic()
        if now - self._last >= _STEP_INTERVAL_SECONDS:
            self._last = now
            self._emit({"event": "step", "epoch": epoch + 1, "done": step + 1, "total": self.steps})


def _write_history(folder: Path, progress: Progress) -> None:
    columns = list(progress.history[0])
    rows = [
        [repr(row[column]) if column != "epoch" else str(int(row["epoch"])) for column in columns]
        for row in progress.history
    ]
    write_csv(folder / "history.csv", columns, rows)
