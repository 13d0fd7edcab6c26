"""The training of a generator: the harness owns order, random inputs and snapshots, and judges; the model learns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.generation import ConditionedSet, ConditionSpace, GenerativeModel
from benchmarker.contracts.tasks import Classification
from benchmarker.digests import digest_arrays, digest_json
from benchmarker.errors import DivergedError, PluginError
from benchmarker.generation.collapse import check_collapse, diversity
from benchmarker.generation.conditions import encode
from benchmarker.generation.layout import REAL_GRID, SAMPLES_FOLDER, grid_file, weights_file
from benchmarker.generation.sampling import Sampler, digest_variables, save_weights
from benchmarker.generation.watch import GRIDS, SAVED_WEIGHTS, Losses, animate, due, grid_rows, save_grid
from benchmarker.randomness import Stream
from benchmarker.trail import Trail
from benchmarker.training.snapshots import SnapshotFiles, to_array

# Reading a loss waits for its step; doing so now and then leaves a GPU something to do.
_READ_STEPS = 50
_STEP_INTERVAL_SECONDS = 0.25
_REAL_IMAGES = 1024  # whose diversity is the yardstick

Emit = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far the training of a generator has come.

    Parameters
    ----------
    epoch : int
        Epochs that are done.
    history : list of mapping of str to float
        One row for each epoch.
    seconds : list of float
        What the steps of each epoch took.
    trail : list of mapping
        Links recorded so far.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    trail: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Trainer:
    """Everything that a training works on.

    Parameters
    ----------
    model : GenerativeModel
        As its builder returned it.
    images : ConditionedSet
        The training part.
    conditions : ConditionSpace
        Fitted on it.
    seed, epochs : int
        Of the run.
    folder : Path
        Where the run is written.
    fingerprint : str
        Digest of the environment and of the generator's code: a snapshot of others is not gone on with.
    emit : callable
        Told of resumed, step and epoch.
    trail : Trail
        Begun; gets a link for each epoch.
    """

    model: GenerativeModel
    images: ConditionedSet
    conditions: ConditionSpace
    seed: int
    epochs: int
    folder: Path
    fingerprint: str
    emit: Emit
    trail: Trail
    progress: Progress = field(default_factory=Progress)
    _told: float = field(default=0.0, init=False)

    @property
    def batch_size(self) -> int:
        """Images of a gradient step; all of them where there are fewer than a batch."""
        return min(int(self.model.batch_size), len(self.images))

    @property
    def steps_per_epoch(self) -> int:
        """Gradient steps in an epoch; what is left of the images waits for the next epoch's order."""
        return len(self.images) // self.batch_size

    def train(self) -> None:
        """Train to the last epoch, from the newest snapshot of this environment where there is one.

        Raises
        ------
        DivergedError
            If a loss or a pixel is not a finite number, or the generator collapsed.
        """
        snapshots = SnapshotFiles(self.folder, self.fingerprint)
        if (found := snapshots.newest("model")) is not None:
            for variable, array in zip(self.model.variables, found[0]["model"], strict=True):
                variable.assign(array)
            self.progress = Progress(**found[1])
            self.trail = Trail(self.progress.trail)
            self.emit({"event": "resumed", "epoch": self.progress.epoch, "epochs": self.epochs})
        progress = self.progress
        losses = Losses(self.folder, progress.epoch)
        encoded = encode(self.conditions, self.images)
        look = _Look(self, encoded)
        for epoch in range(progress.epoch + 1, self.epochs + 1):
            self._epoch(epoch, encoded, losses, look)
            progress.epoch, progress.trail = epoch, self.trail.to_json()
            groups = {"model": [to_array(variable) for variable in self.model.variables]}
            snapshots.write(epoch, groups, asdict(progress))
        animate(self.folder)
        self.trail.add("final weights", {"digest": digest_variables(self.model.sampling_variables)})

    def _epoch(self, epoch: int, encoded: NDArray[np.float32], losses: Losses, look: _Look) -> None:
        order = Stream("generator-order", seed=self.seed).child("epoch", epoch=epoch).generator()
        permutation = order.permutation(len(self.images))
        started = time.perf_counter()
        rows, drawn = self._steps(epoch, permutation, encoded, losses)
        seconds = time.perf_counter() - started
        means = {name: math.fsum(row[name] for row in rows) / len(rows) for name in rows[0]}
        ratio = look.at(epoch)
        row = {"epoch": float(epoch), **means, "diversity": ratio}
        self.progress.history.append(row)
        self.progress.seconds.append(seconds)
        content = {
            "order": digest_arrays({"order": permutation}),
            "draws": digest_json(drawn),
            "variables": digest_variables(self.model.variables),
            "metrics": row,
        }
        self.trail.add(f"epoch {epoch}", content)
        rate = self.steps_per_epoch * self.batch_size / seconds if seconds > 0 else 0.0
        values = {**row, "seconds": seconds, "images_per_second": rate}
        self.emit({"event": "epoch", "epoch": epoch, "epochs": self.epochs, "values": values})
        ratios = [past["diversity"] for past in self.progress.history]
        check_collapse(ratios, self.steps_per_epoch, last=epoch == self.epochs)

    def _steps(
        self, epoch: int, order: NDArray[np.int64], encoded: NDArray[np.float32], losses: Losses
    ) -> tuple[list[dict[str, float]], list[str]]:
        """Take the steps of an epoch; return their losses, and digests of what was drawn for them."""
        rows: list[dict[str, float]] = []
        drawn: list[str] = []
        waiting: list[Mapping[str, Any]] = []
        for step in range(1, self.steps_per_epoch + 1):
            chosen = order[(step - 1) * self.batch_size : step * self.batch_size]
            rng = Stream("generator-noise", seed=self.seed, epoch=epoch, step=step).generator()
            draws = self.model.draw(rng, len(chosen))
            drawn.append(digest_arrays(draws))
            waiting.append(self.model.train_step(self.images.batch(chosen), encoded[chosen], draws))
            if len(waiting) == _READ_STEPS or step == self.steps_per_epoch:
                read = [_numbers(each) for each in waiting]
                losses.add(epoch, step - len(read) + 1, read)
                for k, row in enumerate(read):
                    _check_finite(row, epoch, step - len(read) + 1 + k)
                rows += read
                waiting = []
            self._tick(epoch, step)
        return rows, drawn

    def _tick(self, epoch: int, step: int) -> None:
        now = time.monotonic()
        if now - self._told >= _STEP_INTERVAL_SECONDS:
            self._told = now
            self.emit({"event": "step", "epoch": epoch, "done": step, "total": self.steps_per_epoch})


def _numbers(measured: Mapping[str, Any]) -> dict[str, float]:
    missing = {"d_loss_real", "d_loss_fake", "g_loss"} - measured.keys()
    if missing:
        raise PluginError(f"a generator's train_step must return {', '.join(sorted(missing))}. Received: {[*measured]}")
    # The losses that everybody looks for first, then the model's own.
    first = ("d_loss_real", "d_loss_fake", "g_loss")
    names = [*first, *sorted(name for name in measured if name not in first)]
    return {name: float(keras.ops.convert_to_numpy(measured[name])) for name in names}


def _check_finite(row: Mapping[str, float], epoch: int, step: int) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise DivergedError(f"{name} is {value} in step {step} of epoch {epoch}; try a smaller learning rate")


class _Look:
    """Looks at the same latent points after every epoch: how diverse their images are, and at times a grid of them."""

    def __init__(self, trainer: Trainer, encoded: NDArray[np.float32]) -> None:
        images = trainer.images
        self._trainer = trainer
        self._stream = Stream("generator-grid", seed=trainer.seed)
        rows = grid_rows(images, self._stream)
        self._conditions = encoded[rows]
        self._sampler = Sampler(trainer.model, images.image_shape)
        self._groups = _groups(images, rows)
        save_grid(images.batch(rows), trainer.folder / SAMPLES_FOLDER / REAL_GRID)
        chosen = self._stream.child("real").generator().permutation(len(images))[:_REAL_IMAGES]
        batches = (images.batch(chosen[k : k + 64]) for k in range(0, len(chosen), 64))
        self._real = diversity(batches, _groups(images, chosen))

    def at(self, epoch: int) -> float:
        """Draw and judge the samples of an epoch; write what is due."""
        trainer = self._trainer
        drawn = np.concatenate(list(self._sampler(self._conditions, self._stream)))
        if due(epoch, trainer.epochs, GRIDS, first=True):
            save_grid(drawn, trainer.folder / SAMPLES_FOLDER / grid_file(epoch))
        if due(epoch, trainer.epochs, SAVED_WEIGHTS):
            save_weights(trainer.model, trainer.folder / weights_file(epoch))
        # Real images that are all alike leave nothing to fall short of.
        return diversity([drawn], self._groups) / self._real if self._real > 0 else 1.0


def _groups(images: ConditionedSet, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    if isinstance(images.task, Classification):
        return np.asarray(images.targets[rows], dtype=np.int64)
    return np.zeros(len(rows), dtype=np.int64)
