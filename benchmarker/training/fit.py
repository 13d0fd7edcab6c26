"""Trains a compiled Keras model and keeps its best and its final weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from numpy.typing import NDArray

from benchmarker.contracts.settings import Training
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.digests import digest_arrays
from benchmarker.errors import DivergedError
from benchmarker.training.batches import FixedBatches, OrderedBatches

_OPTIMISERS = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop", "adamw": "AdamW"}

Weights = list[NDArray[Any]]
EpochListener = Callable[[int, Mapping[str, float]], None]


@dataclass(slots=True, kw_only=True)
class Fitted:
    """What training leaves behind.

    Parameters
    ----------
    best, final : list of ndarray
        Weights of the epoch with the lowest validation loss, and of the last epoch.
    best_epoch : int
        Counted from 1.
    history : list of mapping of str to float
        One row for each epoch; the same on every run.
    seconds : list of float
        What each epoch took, without validation.
    """

    best: Weights = field(default_factory=list)
    final: Weights = field(default_factory=list)
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def compile_model(model: keras.Model, task: Task, training: Training, learning_rate: float) -> None:
    """Compile a model with the loss of its task.

    Parameters
    ----------
    model : keras.Model
        As its builder returned it.
    task : Task
        Classification is trained on the categorical cross-entropy of probabilities, regression on the mean squared
        error of targets mapped to [-1, 1].
    training : Training
        Names the optimiser.
    learning_rate : float
        At the start.
    """
    optimiser = getattr(keras.optimizers, _OPTIMISERS[training.optimiser])(learning_rate=learning_rate)
    if isinstance(task, Classification):
        loss, metric = keras.losses.CategoricalCrossentropy(), keras.metrics.CategoricalAccuracy(name="accuracy")
    else:
        loss, metric = keras.losses.MeanSquaredError(), keras.metrics.MeanAbsoluteError(name="absolute_error")
    # XLA and op determinism exclude each other in TensorFlow; saying so avoids a silent fallback.
    model.compile(optimizer=optimiser, loss=loss, metrics=[metric], jit_compile=False)


def fit(
    model: keras.Model,
    training: Training,
    *,
    epochs: int,
    train: OrderedBatches,
    validation: FixedBatches,
    on_epoch: EpochListener = lambda _epoch, _values: None,
) -> Fitted:
    """Train a compiled model.

    Parameters
    ----------
    model : keras.Model
        Compiled; its weights change.
    training : Training
        Plateau and early stopping.
    epochs : int
        At most this many.
    train, validation : OrderedBatches, FixedBatches
        What to train on, and what picks the best epoch.
    on_epoch : callable
        Called after each epoch, counted from 1, with its row of the history and ``seconds``.

    Raises
    ------
    DivergedError
        If a loss is not a finite number.
    """
    keeper = _Keeper(on_epoch)
    model.fit(
        train,
        epochs=epochs,
        steps_per_epoch=train.steps_per_epoch,
        shuffle=False,
        validation_data=validation,
        callbacks=[*_schedule(training), keeper],
        verbose=0,
    )
    keeper.fitted.final = model.get_weights()
    return keeper.fitted


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


class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps history, best weights and time, and stops a training that diverged."""

    def __init__(self, on_epoch: EpochListener) -> None:
        super().__init__()
        self.fitted = Fitted()
        self._on_epoch = on_epoch
        self._started = 0.0
        self._learning_rate = 0.0
        self._trained = 0.0

    def on_epoch_begin(self, _epoch: int, _logs: Mapping[str, float] | None = None) -> None:
        self._learning_rate = float(self.model.optimizer.learning_rate)
        self._started = time.perf_counter()
        self._trained = 0.0

    def on_test_begin(self, _logs: Mapping[str, float] | None = None) -> None:
        self._trained = time.perf_counter() - self._started

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        row = {"epoch": float(epoch + 1), "learning_rate": self._learning_rate, **row}
        losses = {name: row[name] for name in ("loss", "validation_loss")}
        for name, value in losses.items():
            if not math.isfinite(value):
                raise DivergedError(
                    f"the {name.replace('_', ' ')} is {value} in epoch {epoch + 1}; try a smaller learning rate"
                )
        best = min((past["validation_loss"] for past in self.fitted.history), default=math.inf)
        if row["validation_loss"] < best:
            self.fitted.best = self.model.get_weights()
            self.fitted.best_epoch = epoch + 1
        self.fitted.history.append(row)
        self.fitted.seconds.append(self._trained)
        self._on_epoch(epoch + 1, {**row, "seconds": self._trained})


def digest_weights(model: keras.Model) -> str:
    """Return the SHA-256 of a model's weights, in the order of its layers."""
    # Named by position: Keras numbers the paths by what else this process has built.
    return digest_arrays([(str(k), weight) for k, weight in enumerate(model.get_weights())])
