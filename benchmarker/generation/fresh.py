"""Images that are new in every epoch of a network's training, drawn ahead by another process.

galaxyCGAN trains a classifier on images that are generated anew for each batch. Here, those of an epoch are a function
of the seed, the epoch and their place in the training set, so that a training that is resumed or audited sees the same
ones, whatever the size of its batches.

The process is ``python -m benchmarker.generation.fresh``. It takes a `FreshJob` and then epochs on standard input, a
line each, answers each of them with an `EpochDrawn`, and leaves standard error to libraries. While a network is trained
on the images of one epoch, the process draws those of the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Task
from benchmarker.errors import ConfigurationError
from benchmarker.files import PARTIAL_SUFFIX
from benchmarker.generation.drawing import Drawer, Request, StreamChoice, reported_error, reporting
from benchmarker.generation.run_files import GeneratorTrail
from benchmarker.generation.synthetic import MixedSet, Mixture, noise_of, open_samples, request_of
from benchmarker.randomness import Stream
from benchmarker.record import Record
from benchmarker.registry.generated import NO_LABEL
from benchmarker.study.specs import GeneratedSpec
from benchmarker.training.sets import PartSet

_PREFIX = ".generated-"
"""Beginning of the names of the files, which are removed with a run that was killed."""

_PATIENCE_SECONDS = 10.0


class FreshJob(Record):
    """What a process draws from; what the images are drawn for is in a file."""

    run: Path
    """Folder of the generator's run."""

    request: Path
    """File of the request."""

    shape: tuple[int, int, int]
    """Height, width and channels of an image, in pixels."""

    stream: StreamChoice
    """Stream of the latent points, whose further axis is the epoch of the network."""

    epoch: int | None
    """Epoch of the generator whose weights are used; the last one if null."""


class EpochDrawn(Record):
    """The answer to an epoch."""

    digest: str
    """SHA-256 of the file of its images."""


class FreshSet:
    """A training set whose generated images are new in every epoch; a context in which its process lives.

    Parameters
    ----------
    real : PartSet
        Training part that the generator was trained on.
    generated : GeneratedSpec
        Generated images that the arm asks for.
    run : Path
        Folder of the generator's finished run.
    seed : int
        Seed of the cell.
    epochs : int
        Largest number of epochs of the network.
    folder : Path
        Folder of the cell's run, which holds the images of at most three epochs.

    Raises
    ------
    ConfigurationError
        If the generator makes images without conditions, which have no label.

    Attributes
    ----------
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        Targets of all images, the real ones first where they stay.
    """

    def __init__(
        self, real: PartSet, generated: GeneratedSpec, run: Path, *, seed: int, epochs: int, folder: Path
    ) -> None:
        if not GeneratorTrail.read(run).spec.conditions:
            raise ConfigurationError(NO_LABEL)
        mixture = Mixture.of(generated)
        rows = mixture.rows(real.task, real.targets, Stream("generated", seed=seed), fresh=True)
        self._real: TrainingSet | None = real if mixture.real else None
        self._request = request_of(real, rows)
        self._folder = folder
        self._epochs = epochs
        self._job = FreshJob(
            run=run.absolute(),
            request=(folder / f"{_PREFIX}request{PARTIAL_SUFFIX}").absolute(),
            shape=real.image_shape,
            stream=noise_of(seed),
            epoch=generated.epoch,
        )
        self.task: Task = real.task
        self.image_shape: tuple[int, int, int] = real.image_shape
        targets = [real.targets] if mixture.real else []
        self.targets: NDArray[Any] = np.concatenate([*targets, self._request.targets])
        self._digests: dict[int, str] = {}
        self._asked: int | None = None
        self._current: tuple[int, TrainingSet] | None = None

    def __enter__(self) -> Self:
        self._remove()
        with self._job.request.open("wb") as file:
            self._request.save(file)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarker.generation.fresh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send(json.dumps(self._job.to_json()))
        return self

    def __exit__(self, *_exception: object) -> None:
        process = self._process
        with contextlib.suppress(OSError):  # what it has not read is lost with it
            if process.stdin is not None:
                process.stdin.close()
        process.kill()
        process.wait(_PATIENCE_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
        self._current = None
        self._remove()

    def __len__(self) -> int:
        return len(self.targets)

    def of_epoch(self, epoch: int) -> TrainingSet:
        """Return the images of an epoch, counted from 0; epochs are asked for in their order.

        Raises
        ------
        BenchmarkerError
            The error that the process ended with.
        """
        if self._current is None or self._current[0] != epoch:
            if self._asked != epoch:
                self._ask(epoch)
            self._digests[epoch] = self._answer()
            drawn = open_samples(self._file(epoch), self.task, self._request, self.image_shape)
            earlier = self._current
            self._current = (epoch, drawn if self._real is None else MixedSet(self._real, drawn))
            if earlier is not None:  # all its batches are made; its pages stay as long as they are mapped
                self._file(earlier[0]).unlink(missing_ok=True)
            if epoch + 1 < self._epochs:
                self._ask(epoch + 1)
        return self._current[1]

    def digest(self, epoch: int) -> str:
        """Return the SHA-256 of the generated images of an epoch whose images have been asked for."""
        return self._digests[epoch]

    def _ask(self, epoch: int) -> None:
        self._asked = epoch
        self._send(str(epoch))

    def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the process has ended; its answer says why
            if self._process.stdin is not None:
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def _answer(self) -> str:
        line = b"" if self._process.stdout is None else self._process.stdout.readline()
        try:
            return EpochDrawn.model_validate_json(line).digest
        except ValidationError:
            raise reported_error(line, self._process.wait()) from None

    def _file(self, epoch: int) -> Path:
        return images_file(self._folder, epoch)

    def _remove(self) -> None:
        for path in self._folder.glob(f"{_PREFIX}*{PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)


def images_file(folder: Path, epoch: int) -> Path:
    """Return the file of the images of an epoch."""
    return folder / f"{_PREFIX}{epoch}{PARTIAL_SUFFIX}"


def main() -> int:
    """Draw the epochs that standard input asks for until it ends, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not end up in what the parent reads
    job = FreshJob.model_validate_json(sys.stdin.readline())
    folder = job.request.parent

    def work() -> None:
        drawer = Drawer.open(job.run, Request.read(job.request), job.shape, job.epoch)
        for line in sys.stdin:
            epoch = int(line)
            digest = drawer.draw(job.stream.stream(epoch=epoch), images_file(folder, epoch))
            pipe.write(json.dumps(EpochDrawn(digest=digest).to_json()) + "\n")
            pipe.flush()

    return reporting(pipe, folder, work)


if __name__ == "__main__":
    sys.exit(main())
