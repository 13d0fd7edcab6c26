"""Trains, tests and writes down one cell; runs inside a worker process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker import backends
from benchmarker.contracts.images import LabelledImages, TrainingSet
from benchmarker.contracts.settings import Split, Training
from benchmarker.contracts.tasks import Classification
from benchmarker.data.prepared import open_prepared
from benchmarker.data.splits import Parts, split_sources
from benchmarker.digests import digest_file, digest_json
from benchmarker.discovery import Plugins, installed
from benchmarker.errors import DivergedError, StorageError
from benchmarker.evaluation import costs, memory, metrics
from benchmarker.evaluation.primary import primary_metric
from benchmarker.generation.samples import generator_link, with_generated
from benchmarker.randomness import Stream
from benchmarker.registry import validated_options
from benchmarker.results.layout import CHECKPOINTS, COSTS_FILE, METRICS_FILE, predictions_file, weights_file
from benchmarker.run.files import reserve, write_csv, write_json
from benchmarker.run.fingerprint import fingerprint
from benchmarker.trail import TRAIL_FILE, Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches, balanced_weights, decode_outputs
from benchmarker.training.build import build_model
from benchmarker.training.fit import Fitted, compile_model, digest_weights, fit
from benchmarker.training.sets import AppliedAugmentation, PartSet, digest_set, expand, transforms
from benchmarker.training.snapshots import Progress, Snapshots

# Inference is timed on at most this many test images, so that a slow network spends no more on it than on training.
TIMED_IMAGES = 256
_STEP_INTERVAL_SECONDS = 0.25
_WEIGHTS_OVERHEAD_BYTES = 1 << 19  # names and groups of an HDF5 file

Emit = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class Workplace:
    """Everything that a cell's spec resolves to."""

    spec: Mapping[str, Any]
    data: LabelledImages
    parts: Parts
    training: Training
    applied: list[AppliedAugmentation]
    model: keras.Model
    digests: dict[str, str]
    fingerprint: dict[str, Any]
    trail: Trail
    generator: Mapping[str, Any] | None = None

    @property
    def seed(self) -> int:
        """The cell's seed."""
        return int(self.spec["seed"])

    def part(self, name: str) -> PartSet:
        """Return the real images of a part."""
        return PartSet(self.data, getattr(self.parts, name))


def set_up(spec: Mapping[str, Any], prepared: Path, generator: Mapping[str, Any] | None = None) -> Workplace:
    """Configure the backend, open the data and build the network.

    Parameters
    ----------
    spec : mapping
        Of the cell.
    prepared : Path
        Folder of the prepared data.
    generator : mapping, optional
        Spec and folder of the run of the generator whose images the cell is trained on.
    """
    training = Training.model_validate(spec["training"])
    seed = int(spec["seed"])
    backends.load(spec["backend"]).configure(training.threads, Stream("backend", seed=seed).seed())
    data = open_prepared(prepared)
    if data.digest != spec["dataset"]["digest"]:
        raise StorageError(f"{prepared}: holds other data than the plan; remove the folder and run again")
    plugins = installed()
    parts = split_sources(data, Split.model_validate(spec["split"]), seed)
    architecture = plugins.architecture(spec["model"]["architecture"])
    height, width, channels = data.images.shape[1:]
    model = build_model(
        architecture,
        validated_options(architecture, spec["model"]["options"]),
        (height, width, channels),
        data.task,
        seed=seed,
        precision=training.precision,
    )
    return Workplace(
        spec=spec,
        data=data,
        parts=parts,
        training=training,
        applied=[_applied(entry, plugins) for entry in spec["arm"]["augmentations"]],
        model=model,
        digests={"data": data.digest, "split": parts.digest, "initial_weights": digest_weights(model)},
        fingerprint=fingerprint(
            spec["backend"], training.threads, training.precision, _distributions(spec, plugins, generator)
        ),
        trail=Trail(),
        generator=generator,
    )


def _applied(entry: Mapping[str, Any], plugins: Plugins) -> AppliedAugmentation:
    augmentation = plugins.augmentation(entry["name"])
    return AppliedAugmentation(augmentation=augmentation, options=validated_options(augmentation, entry["options"]))


def _distributions(spec: Mapping[str, Any], plugins: Plugins, generator: Mapping[str, Any] | None) -> dict[str, str]:
    names = [("architecture", spec["model"]["architecture"]), ("dataset", spec["dataset"]["name"])]
    names += [("augmentation", entry["name"]) for entry in spec["arm"]["augmentations"]]
    names += [("generator", generator["spec"]["generator"]["name"])] if generator else []
    return {f"{kind} {name}": plugins.distribution(kind, name) for kind, name in names}


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

    _test(place, folder, emit, tested, load)
    place.trail.add("predictions", {checkpoint: place.digests[f"predictions_{checkpoint}"] for checkpoint in tested})
    place.trail.add("metrics", {"digest": digest_file(folder / "metrics.json")})
    write_json(folder / TRAIL_FILE, {"format": 1, "links": place.trail.to_json()})
    seconds = math.fsum(progress.seconds)
    rate = len(train) * len(progress.history) / seconds if seconds > 0 else 0.0
    _write_costs(place, folder, {"training_seconds": seconds, "training_images_per_second": rate})


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

    _test(place, folder, emit, dict.fromkeys(weights, 0), load)
    _write_costs(place, folder, {})


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
    batch_size = place.training.batch_size
    weights = None
    if place.training.class_weights == "balanced" and isinstance(place.data.task, Classification):
        weights = balanced_weights(train.targets, place.data.task.n_outputs)
    ticker = _Ticker(emit)
    batches = OrderedBatches(
        train,
        batch_size=batch_size,
        epochs=epochs,
        order=Stream("order", seed=place.seed),
        transforms=transforms(place.applied, place.seed),
        weights=weights,
        first_epoch=resumed[1].epoch if resumed else 0,
        on_batch=ticker.tick,
    )
    ticker.steps = batches.steps_per_epoch

    def on_epoch(epoch: int, values: Mapping[str, float]) -> None:
        rate = len(train) / values["seconds"] if values["seconds"] > 0 else 0.0
        emit({"event": "epoch", "epoch": epoch, "epochs": epochs, "values": {**values, "images_per_second": rate}})

    return fit(
        place.model,
        place.training,
        epochs=epochs,
        train=batches,
        validation=FixedBatches(validation, batch_size=batch_size, targets=True),
        on_epoch=on_epoch,
        trail=place.trail,
        snapshots=snapshots,
        resumed=resumed,
    )


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


def _test(place: Workplace, folder: Path, emit: Emit, epochs: Mapping[str, int], load: Callable[[str], None]) -> None:
    """Test each checkpoint on every part, and write predictions of the test part."""
    primary = primary_metric(place.data.task)
    found: dict[str, Any] = {
        "primary": {"name": primary.name, "higher_is_better": primary.higher_is_better},
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
            found |= metrics.details(task, part.targets, predictions)
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
    rows = metrics.prediction_rows(place.data.task, part.targets, predictions)
    write_csv(
        path,
        ["source_id", "image", *metrics.prediction_columns(place.data.task)],
        [
            [place.data.source_ids[index], str(index), *row]
            for index, row in zip(place.parts.test.tolist(), rows, strict=True)
        ],
    )


def _write_costs(place: Workplace, folder: Path, training: Mapping[str, float]) -> None:
    timed = PartSet(place.data, place.parts.test[:TIMED_IMAGES])
    taken = costs.inference_seconds(place.model, timed, place.training.batch_size)
    write_json(
        folder / COSTS_FILE,
        {
            "parameters": costs.parameters(place.model),
            "flops": costs.flops(place.model),
            "peak_memory_bytes": memory.peak_memory_bytes(),
            **training,
            "inference_seconds": taken,
            "inference_images": len(timed),
            "inference_images_per_second": len(timed) * len(taken) / math.fsum(taken),
        },
    )
