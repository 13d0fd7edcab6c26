"""Train a compiled Keras model, and keep its best and its final weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras

from benchmarker.contracts.settings import Training
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.digests import digest_arrays
from benchmarker.errors import DivergedError
from benchmarker.study.links import EpochLink
from benchmarker.trail import Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches, failures_of
from benchmarker.training.snapshots import CallbackState, Progress, Snapshots, Weights, to_view

_OPTIMISERS = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop", "adamw": "AdamW"}

EpochListener = Callable[[int, Mapping[str, float]], None]


@dataclass(slots=True, kw_only=True)
class Fitted:
    """Result of a training.

    Parameters
    ----------
    best, final : list of ndarray
        Weights after the epoch with the lowest validation loss, and after the last epoch.
    progress : Progress
        History, durations and the best epoch.
    """

    best: Weights
    final: Weights
    progress: Progress


def compile_model(model: keras.Model, task: Task, training: Training, learning_rate: float) -> None:
    r"""Compile a model with the loss of its task.

    Over the :math:`n` images of a batch, a classification minimises the categorical cross-entropy
    :math:`-\frac{1}{n} \sum_i \ln p_i` of the probabilities :math:`p_i` of the true classes, and a regression the mean
    squared error of targets mapped to [-1, 1] (see `benchmarker.training.batches.encode_targets`).

    Parameters
    ----------
    model : keras.Model
        Model as its builder returned it.
    task : Task
        What the model predicts.
    training : Training
        Settings with the optimiser.
    learning_rate : float
        Learning rate at the start.
    """
    optimiser = getattr(keras.optimizers, _OPTIMISERS[training.optimiser])(learning_rate=learning_rate)
    if isinstance(task, Classification):
        loss, metric = keras.losses.CategoricalCrossentropy(), keras.metrics.CategoricalAccuracy(name="accuracy")
    else:
        loss, metric = keras.losses.MeanSquaredError(), keras.metrics.MeanAbsoluteError(name="absolute_error")
    # XLA and op determinism exclude each other in TensorFlow, where Keras would otherwise choose. JAX needs XLA.
    model.compile(optimizer=optimiser, loss=loss, metrics=[metric], jit_compile=keras.config.backend() == "jax")


def fit(
    model: keras.Model,
    training: Training,
    *,
    epochs: int,
    train: OrderedBatches,
    validation: FixedBatches,
    on_epoch: EpochListener = lambda _epoch, _values: None,
    trail: Trail | None = None,
    snapshots: Snapshots | None = None,
    resumed: tuple[Weights, Progress] | None = None,
) -> Fitted:
    """Train a compiled model, or continue a training that was interrupted.

    Parameters
    ----------
    model : keras.Model
        Compiled model; its weights change.
    training : Training
        Settings with plateau and early stopping.
    epochs : int
        Largest number of epochs.
    train, validation : OrderedBatches, FixedBatches
        Batches to train on, and batches whose loss selects the best epoch.
    on_epoch : callable
        Called after each epoch, counted from 1, with its row of the history and its duration ``seconds``.
    trail : Trail, optional
        Trail to which a link is added for each epoch.
    snapshots : Snapshots, optional
        Where a snapshot is written after each epoch.
    resumed : tuple of list of ndarray and Progress, optional
        Return value of `Snapshots.restore` for this model; ``train`` must begin after its epochs.

    Raises
    ------
    DivergedError
        If a loss is not a finite number.
    """
    best, progress = resumed or ([], Progress())
    schedule = _schedule(training)
    state = CallbackState(schedule, progress.callbacks)
    keeper = _Keeper(_Record(train=train, best=best, progress=progress, trail=trail or Trail()), on_epoch)
    writer = _Writer(keeper.record, state, snapshots)
    if progress.epoch < epochs and not progress.stopped:
        with failures_of(train, validation):
            model.fit(
                train,
                initial_epoch=progress.epoch,
                epochs=epochs,
                steps_per_epoch=train.steps_per_epoch,
                shuffle=False,
                validation_data=validation,
                callbacks=[*schedule, state, keeper, writer],
                verbose=0,
            )
    return Fitted(best=keeper.record.best, final=model.get_weights(), progress=progress)


def _schedule(training: Training) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = []
    if (plateau := training.plateau) is not None:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss",
                mode="min",
                factor=plateau.factor,
                patience=plateau.patience,
                min_delta=plateau.minimum_delta,
                min_lr=plateau.floor,
            )
        )
    if (stopping := training.early_stopping) is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss" if stopping.monitor == "validation_loss" else "loss",
                mode="min",
                patience=stopping.patience,
                min_delta=stopping.minimum_delta,
            )
        )
    return callbacks


@dataclass(slots=True, kw_only=True)
class _Record:
    """State of a training that both callbacks below share."""

    train: OrderedBatches
    best: Weights
    progress: Progress
    trail: Trail


class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps history, best weights and durations, and stops a training that diverges."""

    def __init__(self, record: _Record, on_epoch: EpochListener) -> None:
        super().__init__()
        self.record = record
        self._on_epoch = on_epoch
        self._started = 0.0
        self._learning_rate = 0.0
        self._trained = 0.0

    def on_epoch_begin(self, _epoch: int, _logs: Mapping[str, float] | None = None) -> None:
        self._learning_rate = float(self.model.optimizer.learning_rate)
        self._started = time.perf_counter()
        self._trained = 0.0

    def on_test_begin(self, _logs: Mapping[str, float] | None = None) -> None:
        int(self.model.optimizer.iterations)  # waits for steps that the backend has queued but not finished
        self._trained = time.perf_counter() - self._started

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        row = {"epoch": float(epoch + 1), "learning_rate": self._learning_rate, **row}
        for name in ("loss", "validation_loss"):
            if not math.isfinite(row[name]):
                raise DivergedError(
                    f"the {name.replace('_', ' ')} is {row[name]} in epoch {epoch + 1}; try a smaller learning rate"
                )
        progress = self.record.progress
        best = min((past["validation_loss"] for past in progress.history), default=math.inf)
        if row["validation_loss"] < best:
            self.record.best = self.model.get_weights()
            progress.best_epoch = epoch + 1
        progress.history.append(row)
        progress.seconds.append(self._trained)
        self._on_epoch(epoch + 1, {**row, "seconds": self._trained})


class _Writer(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds a link to the trail and writes a snapshot, after all other callbacks have been called."""

    def __init__(self, record: _Record, state: CallbackState, snapshots: Snapshots | None) -> None:
        super().__init__()
        self._record = record
        self._state = state
        self._snapshots = snapshots

    def on_epoch_end(self, epoch: int, _logs: Mapping[str, float] | None = None) -> None:
        record = self._record
        digests = {**record.train.digests(epoch), **digest_state(self.model)}
        link = EpochLink(**digests, metrics=record.progress.history[-1])
        record.trail.add(f"epoch {epoch + 1}", link.to_json())
        if self._snapshots is None:
            return
        progress = record.progress
        progress.epoch = epoch + 1
        progress.stopped = bool(self.model.stop_training)
        progress.callbacks = self._state.read()
        progress.trail = list(record.trail.links)
        self._snapshots.save(self.model, record.best, progress)


def digest_state(model: keras.Model) -> dict[str, str]:
    """Return the SHA-256 of the weights, the random state and the optimiser of a compiled model."""
    weights = {id(weight) for weight in model.weights}
    state = [variable for variable in model.variables if id(variable) not in weights]
    groups = {"weights": model.weights, "random_state": state, "optimiser": model.optimizer.variables}
    # hashlib lets other threads work, and a link is made between two epochs, when all processors are idle.
    with ThreadPoolExecutor(len(groups)) as pool:
        return dict(zip(groups, pool.map(_digest, groups.values()), strict=True))


def digest_weights(model: keras.Model) -> str:
    """Return the SHA-256 of the weights of a model, in the order of its layers."""
    return _digest(model.weights)


def _digest(variables: Sequence[Any]) -> str:
    # Named by position, since the paths of Keras depend on what else this process has built.
    return digest_arrays((str(k), to_view(variable)) for k, variable in enumerate(variables))
