"""The training of a generator: the harness owns order, random inputs and snapshots, and detects collapse."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.generation import Batches, ConditionedSet, ConditionSpace, GenerativeModel
from benchmarker.digests import digest_arrays, digest_json
from benchmarker.errors import DivergedError, PluginError
from benchmarker.generation.collapse import check_collapse
from benchmarker.generation.conditions import encode
from benchmarker.generation.continuing import GeneratorProgress, copy_progress, kept_states
from benchmarker.generation.grids import EpochSamples
from benchmarker.generation.model import Sampler, digest_variables, save_weights
from benchmarker.generation.run_files import SAMPLES_FOLDER, STATE_FOLDER, epoch_weights_file
from benchmarker.generation.watch import Losses, animate
from benchmarker.randomness import Stream
from benchmarker.registry.models import Watch
from benchmarker.study.links import DigestLink, GeneratorEpochLink
from benchmarker.study.protocol import EpochDone, EventHandler, Note, Resumed, StepDone
from benchmarker.trail import Trail
from benchmarker.training.sets import Transform
from benchmarker.training.snapshots import DISCARDED, SnapshotFiles, Weights, to_array

# Reading a loss waits for its step; reading many at once keeps a GPU busy.
_READ_STEPS = 50
_STEP_INTERVAL_SECONDS = 0.25
_FRESH_IMAGES = 150  # of either kind, as for the published colour GAN


@dataclass(slots=True, kw_only=True)
class Trainer:
    """Trains a generator.

    Parameters
    ----------
    model : GenerativeModel
        Model as its builder returned it.
    images : ConditionedSet
        Training part, with the expansions of the generator.
    transforms : sequence of Transform
        Transforms that are applied to each batch, in this order.
    conditions : ConditionSpace
        Conditions fitted on it.
    pixel_range : tuple of float
        Smallest and largest pixel value of it, which grids show as black and white.
    seed, epochs : int
        Seed of every stream, and passes over the training part.
    folder : Path
        Folder of the run.
    fingerprint : str
        Digest of the environment and of the generator's code; snapshots of others are ignored.
    send : callable
        Called with the events of the training.
    trail : Trail
        Trail so far; a link is added for each epoch.
    watch : Watch
        How the training is watched, and what of it is kept.
    earlier : Path, optional
        Run of the same generator with another number of epochs, which kept a state: the training continues from there.
    """

    model: GenerativeModel
    images: ConditionedSet
    transforms: Sequence[Transform] = ()
    conditions: ConditionSpace
    pixel_range: tuple[float, float]
    seed: int
    epochs: int
    folder: Path
    fingerprint: str
    send: EventHandler
    trail: Trail
    watch: Watch = field(default_factory=Watch)
    earlier: Path | None = None
    progress: GeneratorProgress = field(default_factory=GeneratorProgress)
    _sent: float = field(default=0.0, init=False)

    @property
    def batch_size(self) -> int:
        """Images of a gradient step; all of them where there are fewer than a batch."""
        return min(int(self.model.batch_size), len(self.images))

    @property
    def batches(self) -> Batches:
        """How the images are divided into batches."""
        found = getattr(self.model, "batches", None)
        return found if isinstance(found, Batches) else Batches()

    @property
    def steps_per_epoch(self) -> int:
        """Gradient steps in an epoch."""
        return math.ceil(self.images_per_epoch / self.batch_size)

    @property
    def images_per_epoch(self) -> int:
        """Images that are trained on in an epoch; the others wait for the next epoch's order."""
        n = len(self.images)
        all_of_them = self.batches.incomplete and self.batches.order != "drawn"
        return n if all_of_them else n // self.batch_size * self.batch_size

    def train(self) -> None:
        """Train to the last epoch, from the newest snapshot of this environment where there is one.

        Raises
        ------
        DivergedError
            If a loss or a pixel is not a finite number, or the generator collapsed.
        """
        snapshots = SnapshotFiles(self.folder, self.fingerprint, GeneratorProgress)
        self._restore(snapshots)
        progress = self.progress
        losses = Losses(self.folder, progress.epoch)
        encoded = encode(self.conditions, self.images)
        samples = EpochSamples(
            Sampler(self.model, self.images.image_shape),
            self.images,
            encoded,
            conditions=self.conditions,
            seed=self.seed,
            epochs=self.epochs,
            folder=self.folder / SAMPLES_FOLDER,
            watch=self.watch,
            pixel_range=self.pixel_range,
        )
        for epoch in range(progress.epoch + 1, self.epochs + 1):
            self._epoch(epoch, encoded, losses, samples)
            progress.epoch, progress.trail = epoch, list(self.trail.links)
            groups = {"model": [to_array(variable) for variable in self.model.variables]}
            if self.watch.keeps_state(epoch, self.epochs):
                (self.folder / STATE_FOLDER).mkdir(exist_ok=True)
                kept_states(self.folder, self.fingerprint).write(epoch, groups, progress)
            snapshots.write(epoch, groups, progress)
        animate(self.folder, self.watch.animations)
        self.trail.add("final weights", DigestLink(digest=digest_variables(self.model.sampling_variables)).to_json())

    def _restore(self, snapshots: SnapshotFiles[GeneratorProgress]) -> None:
        """Continue from the newest snapshot, or else from the state that an earlier run kept."""
        if (found := snapshots.newest("model")) is not None:
            self.trail = Trail(found[1].trail)
        elif self.earlier is not None:
            found = self._from_earlier(self.earlier)
        if found is None:
            if snapshots.discarded:
                self.send(Note(text=f"the generator, seed {self.seed}: {DISCARDED}"))
            return
        for variable, array in zip(self.model.variables, found[0]["model"], strict=True):
            variable.assign(array)
        self.progress = found[1]
        self.send(Resumed(epoch=self.progress.epoch, epochs=self.epochs))

    def _from_earlier(self, earlier: Path) -> tuple[dict[str, Weights], GeneratorProgress] | None:
        """Return the last state that an earlier run kept before this one ends, and copy what was written until then."""
        found = kept_states(earlier, self.fingerprint).newest("model", below=self.epochs)
        if found is None:
            return None
        # Its first links describe a generator with another number of epochs.
        for link in found[1].trail:
            if link.name.startswith("epoch "):
                self.trail.add(link.name, link.content)
        epoch = found[1].epoch
        step = epoch * self.steps_per_epoch
        copy_progress(earlier, self.folder, epoch=epoch, step=step, epochs=self.epochs, watch=self.watch)
        found[1].trail = list(self.trail.links)
        return found

    def _epoch(self, epoch: int, encoded: NDArray[np.float32], losses: Losses, samples: EpochSamples) -> None:
        order = self._order(epoch)
        started = time.perf_counter()
        rows, drawn = self._steps(epoch, order, encoded, losses, samples)
        seconds = time.perf_counter() - started
        means = {name: math.fsum(row[name] for row in rows) / len(rows) for name in rows[0]}
        ratio = samples.draw(epoch)
        if self.watch.keeps(epoch, self.epochs):
            save_weights(self.model, self.folder / epoch_weights_file(epoch))
        row = {"epoch": float(epoch), **means, **self._fresh_accuracy(epoch, encoded), "diversity": ratio}
        self.progress.history.append(row)
        self.progress.seconds.append(seconds)
        link = GeneratorEpochLink(
            order=digest_arrays({"order": order}),
            draws=digest_json(drawn),
            variables=digest_variables(self.model.variables),
            metrics=row,
        )
        self.trail.add(f"epoch {epoch}", link.to_json())
        rate = self.images_per_epoch / seconds if seconds > 0 else 0.0
        values = {**row, "seconds": seconds, "images_per_second": rate}
        self.send(EpochDone(epoch=epoch, epochs=self.epochs, values=values))
        ratios = [past["diversity"] for past in self.progress.history]
        check_collapse(ratios, self.steps_per_epoch, last=epoch == self.epochs)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return the rows of the training part in the order of an epoch."""
        rng = Stream("generator-order", seed=self.seed).child("epoch", epoch=epoch).generator()
        n = len(self.images)
        if self.batches.order == "drawn":
            return rng.integers(n, size=self.images_per_epoch)
        return np.arange(n) if self.batches.order == "fixed" else rng.permutation(n)

    def _fresh_accuracy(self, epoch: int, encoded: NDArray[np.float32]) -> dict[str, float]:
        """Return what the model measures on a fresh sample after an epoch, where it measures anything."""
        measure = getattr(self.model, "discriminator_accuracy", None)
        if measure is None:
            return {}
        rng = Stream("generator-accuracy", seed=self.seed).child("epoch", epoch=epoch).generator()
        chosen = rng.permutation(len(self.images))[:_FRESH_IMAGES]
        noise = self.model.noise(rng, len(chosen))
        measured = measure(self.images.batch(chosen), encoded[chosen], noise)
        return {name: float(value) for name, value in measured.items()}

    def _steps(
        self,
        epoch: int,
        order: NDArray[np.int64],
        encoded: NDArray[np.float32],
        losses: Losses,
        samples: EpochSamples,
    ) -> tuple[list[dict[str, float]], list[str]]:
        """Take the steps of an epoch; return their losses, and digests of their random inputs."""
        # A row for each place in the order, so that an image that occurs twice is transformed twice.
        changes = [(transform, transform.draws(epoch, self.images_per_epoch)) for transform in self.transforms]
        rows: list[dict[str, float]] = []
        drawn: list[str] = []
        waiting: list[Mapping[str, Any]] = []
        for step in range(1, self.steps_per_epoch + 1):
            places = slice((step - 1) * self.batch_size, step * self.batch_size)
            chosen = order[places]
            rng = Stream("generator-noise", seed=self.seed, epoch=epoch, step=step).generator()
            draws = self.model.draw(rng, len(chosen))
            drawn.append(digest_arrays(draws))
            images = self.images.batch(chosen)
            for transform, numbers in changes:
                images = transform.apply(images, numbers[places])
            waiting.append(self.model.train_step(images, encoded[chosen], draws))
            if len(waiting) == _READ_STEPS or step == self.steps_per_epoch:
                read = [_numbers(each) for each in waiting]
                losses.add(epoch, step - len(read) + 1, read)
                for k, row in enumerate(read):
                    _check_finite(row, epoch, step - len(read) + 1 + k)
                rows += read
                waiting = []
            self._tick(epoch, step)
            samples.draw_step((epoch - 1) * self.steps_per_epoch + step)
        return rows, [*drawn, *(digest_arrays({transform.name: numbers}) for transform, numbers in changes)]

    def _tick(self, epoch: int, step: int) -> None:
        now = time.monotonic()
        if now - self._sent >= _STEP_INTERVAL_SECONDS:
            self._sent = now
            self.send(StepDone(epoch=epoch, done=step, total=self.steps_per_epoch))


def _numbers(measured: Mapping[str, Any]) -> dict[str, float]:
    missing = {"d_loss_real", "d_loss_fake", "g_loss"} - measured.keys()
    if missing:
        raise PluginError(f"a generator's train_step must return {', '.join(sorted(missing))}. Received: {[*measured]}")
    # The losses that every generator has, then the model's own.
    first = ("d_loss_real", "d_loss_fake", "g_loss")
    names = [*first, *sorted(name for name in measured if name not in first)]
    return {name: float(keras.ops.convert_to_numpy(measured[name])) for name in names}


def _check_finite(row: Mapping[str, float], epoch: int, step: int) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise DivergedError(f"{name} is {value} in step {step} of epoch {epoch}; try a smaller learning rate")
