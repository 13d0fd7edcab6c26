"""Draws the same latent points again and again while a generator is trained: for its diversity, and for grids."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.generation import ConditionedSet, ConditionSpace
from benchmarker.contracts.tasks import Classification
from benchmarker.generation.collapse import diversity
from benchmarker.generation.conditions import fixed_condition
from benchmarker.generation.model import Sampler
from benchmarker.generation.run_files import FIXED, REAL_GRID, grid_file, step_grid_file
from benchmarker.generation.watch import GRID_SIDE, Display, grid_rows, has_grid, save_grid
from benchmarker.randomness import Stream
from benchmarker.registry.models import Watch

_REAL_IMAGES = 1024  # whose diversity that of generated images is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Fixed latent points with their conditions."""

    conditions: NDArray[np.float32]
    stream: Stream
    prefix: str = ""


class EpochSamples:
    """Draws fixed latent points: 64 after every epoch for their diversity, and those of grids when they are due.

    What is drawn for grids changes neither the diversity nor anything else that the training depends on.

    Parameters
    ----------
    sampler : Sampler
        Draws images with the weights that the generator has at the time.
    images : ConditionedSet
        What the generator learns from.
    encoded : ndarray of shape (n, size), float32
        Conditions of these images.
    conditions : ConditionSpace
        What images are generated for.
    seed, epochs : int
        Seed of the latent points, and length of the training.
    folder : Path
        Folder of the grids.
    watch : Watch
        Which grids are drawn, and how.
    pixel_range : tuple of float
        Smallest and largest pixel value of the training part.
    """

    def __init__(
        self,
        sampler: Sampler,
        images: ConditionedSet,
        encoded: NDArray[np.float32],
        *,
        conditions: ConditionSpace,
        seed: int,
        epochs: int,
        folder: Path,
        watch: Watch,
        pixel_range: tuple[float, float],
    ) -> None:
        self._sampler, self._epochs, self._folder, self._watch = sampler, epochs, folder, watch
        self._display = Display.of(watch, pixel_range)
        self._side = math.ceil(math.sqrt(watch.points))
        stream = Stream("generator-grid", seed=seed)
        rows = grid_rows(images, stream)
        by_class = bool(conditions.classes)
        self._measured = _Points(conditions=encoded[rows], stream=stream)
        self._groups = _groups(images, rows, by_class=by_class)
        shown = rows
        self._grids = [self._measured]
        if watch.points != GRID_SIDE**2:
            own = stream.child("watch")
            shown = grid_rows(images, own, watch.points)
            self._grids = [_Points(conditions=encoded[shown], stream=own)]
        if watch.condition is not None:
            row = fixed_condition(conditions, watch.condition)
            repeated = np.repeat(row[None], watch.points, axis=0)
            self._grids.append(_Points(conditions=repeated, stream=stream.child("fixed"), prefix=FIXED))
        save_grid(images.batch(shown), folder / REAL_GRID, self._display, self._side)
        chosen = stream.child("real").generator().permutation(len(images))[:_REAL_IMAGES]
        batches = (images.batch(chosen[k : k + 64]) for k in range(0, len(chosen), 64))
        self._real = diversity(batches, _groups(images, chosen, by_class=by_class))

    def draw(self, epoch: int) -> float:
        """Draw the samples of an epoch, write the grids that are due, and return the ratio of diversities."""
        drawn = self._drawn(self._measured)
        if has_grid(epoch, self._epochs, self._watch):
            for points in self._grids:
                self._save(points, drawn if points is self._measured else self._drawn(points), grid_file(epoch))
        # Generated images cannot be less diverse than real images that are all alike.
        return diversity([drawn], self._groups) / self._real if self._real > 0 else 1.0

    def draw_step(self, step: int) -> None:
        """Write the grids that are due after a step, counted from 1 through all epochs."""
        if self._watch.every_steps is not None and step % self._watch.every_steps == 0:
            for points in self._grids:
                self._save(points, self._drawn(points), step_grid_file(step))

    def _drawn(self, points: _Points) -> NDArray[np.float32]:
        return np.concatenate(list(self._sampler(points.conditions, points.stream)))

    def _save(self, points: _Points, images: NDArray[np.float32], name: str) -> None:
        save_grid(images, self._folder / f"{points.prefix}{name}", self._display, self._side)


def _groups(images: ConditionedSet, rows: NDArray[np.int64], *, by_class: bool) -> NDArray[np.int64]:
    """Return the group that each image is compared in: its class, if images are generated for classes."""
    if by_class and isinstance(images.task, Classification):
        return np.asarray(images.targets[rows], dtype=np.int64)
    return np.zeros(len(rows), dtype=np.int64)
