"""Draws images from a trained generator in a separate process.

The process is ``python -m benchmarker.generation.drawing``. It takes a `DrawingJob` on standard input, reports an error
on standard output, and leaves standard error to libraries.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarker import backends, errors
from benchmarker.containment import describe
from benchmarker.data.npz import open_npz
from benchmarker.digests import digest_arrays
from benchmarker.discovery import installed
from benchmarker.disk import require_free
from benchmarker.errors import BenchmarkerError, DataError, PluginError, StorageError
from benchmarker.files import open_ordinary, storage_error
from benchmarker.generation.run_files import GeneratorTrail, epoch_weights_file
from benchmarker.randomness import Stream
from benchmarker.record import Record
from benchmarker.study.links import DigestLink, GeneratorLink, write_trail
from benchmarker.trail import Trail

if TYPE_CHECKING:
    from benchmarker.generation.model import Sampler

IMAGES_FILE = "images.f32"
REQUEST_FILE = "request.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What images are drawn for, row by row.

    Parameters
    ----------
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        Targets, as in the training part.
    attributes : mapping of str to ndarray of shape (n,), float64
        Attributes, in their units.
    """

    targets: NDArray[Any]
    attributes: Mapping[str, NDArray[np.float64]]

    @property
    def digest(self) -> str:
        """SHA-256 of the rows."""
        return digest_arrays({"targets": self.targets, **dict(sorted(self.attributes.items()))})

    def save(self, file: IO[bytes]) -> None:
        """Write the rows; the same rows always give the same bytes."""
        named: dict[str, Any] = {f"attribute/{name}": values for name, values in sorted(self.attributes.items())}
        np.savez(file, allow_pickle=False, targets=self.targets, **named)

    @classmethod
    def read(cls, path: Path) -> Request:
        """Read what `save` wrote.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        try:
            with open_ordinary(path) as stream, open_npz(stream, most_bytes=path.stat().st_size) as file:
                attributes = {name.removeprefix("attribute/"): file[name] for name in file if name != "targets"}
                return cls(targets=file["targets"], attributes=attributes)
        except (OSError, KeyError, DataError) as error:
            raise StorageError(f"{path}: conditions of images were expected there: {error}") from error


class StreamChoice(Record):
    """The stream that latent points are drawn from."""

    purpose: str
    """Purpose of the stream."""

    axes: dict[str, int | str]
    """Axes of the stream."""

    def stream(self, **axes: int) -> Stream:
        """Return the stream, with further axes."""
        return Stream(self.purpose, **self.axes, **axes)


class DrawingJob(Record):
    """What a drawing process is asked for; what the images are drawn for is in the folder."""

    run: Path
    """Folder of the generator's run."""

    folder: Path
    """Folder with the request, which the images are written to."""

    shape: tuple[int, int, int]
    """Height, width and channels of an image, in pixels."""

    stream: StreamChoice
    """Stream of the latent points."""

    epoch: int | None
    """Epoch whose weights are used; the last one if null."""


class DrawingError(Record):
    """Why a drawing process failed."""

    error: str
    """Name of a class of `benchmarker.errors`."""

    message: str
    """What went wrong."""


def draw_in_process(
    run: Path,
    folder: Path,
    request: Request,
    image_shape: tuple[int, int, int],
    *,
    stream: StreamChoice,
    epoch: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Draw images into ``images.f32`` of a folder, in a separate process.

    Parameters
    ----------
    run : Path
        Folder of the generator's run.
    folder : Path
        Folder for the images, and for what they are drawn for.
    request : Request
        What they are drawn for.
    image_shape : tuple of int
        Height, width and channels of an image, in pixels.
    stream : StreamChoice
        Stream of the latent points.
    epoch : int, optional
        Epoch whose weights are used; the last one by default.
    environment : mapping of str to str, optional
        Environment of the process; by default this one's, which is that of a worker.

    Raises
    ------
    BenchmarkerError
        The error that the process ended with.
    """
    with (folder / REQUEST_FILE).open("wb") as file:
        request.save(file)
    job = DrawingJob(run=run.absolute(), folder=folder.absolute(), shape=image_shape, stream=stream, epoch=epoch)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarker.generation.drawing"],
        input=json.dumps(job.to_json()).encode(),
        stdout=subprocess.PIPE,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise reported_error(done.stdout, done.returncode)


def reported_error(output: bytes, code: int) -> BenchmarkerError:
    """Return the error that a drawing process ended with, from what it wrote last."""
    try:
        reported = DrawingError.model_validate_json(output)
        error: BenchmarkerError = getattr(errors, reported.error)(reported.message)
    except (ValidationError, TypeError, AttributeError):  # it was killed, or a plugin failed; see its output
        return PluginError(f"drawing samples ended with exit code {code}; the output above says why")
    return error


def main() -> int:
    """Do the job on standard input, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not end up in what the parent reads
    job = DrawingJob.model_validate_json(sys.stdin.buffer.read())
    return reporting(pipe, job.folder, lambda: draw(job))


def reporting(pipe: IO[str], folder: Path, work: Callable[[], None]) -> int:
    """Do the work of a drawing process, report an error that ends it, and return the exit code.

    Parameters
    ----------
    pipe : text file
        Where the parent reads.
    folder : Path
        Folder that is written to, which errors of the operating system name.
    work : callable
        What is done.
    """
    try:
        try:
            work()
        except (SystemExit, GeneratorExit) as error:  # of a plugin, which must not end this process as if it were done
            raise PluginError(f"drawing samples failed: {describe(error)}") from error
    except (BenchmarkerError, OSError) as error:
        known = storage_error(error, folder) if isinstance(error, OSError) else error
        with pipe:
            json.dump(DrawingError(error=type(known).__name__, message=str(known)).to_json(), pipe)
        return 1
    return 0


def draw(job: DrawingJob) -> None:
    """Write the images of a job into its folder, in constant memory, with a trail that covers them."""
    request = Request.read(job.folder / REQUEST_FILE)
    drawer = Drawer.open(job.run, request, job.shape, job.epoch)
    digest = drawer.draw(job.stream.stream(), job.folder / IMAGES_FILE)
    write_trail(job.folder, samples_trail(drawer.link, request, job.stream, digest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawer:
    """A generator that is ready to draw the images of a request.

    Parameters
    ----------
    sampler : Sampler
        Draws from the weights of the epoch.
    conditions : ndarray of shape (n, size), float32
        Encoded conditions of the request.
    link : GeneratorLink
        The generator and the weights, as the trail of a cell names them.
    bytes : int
        Size of all images.
    """

    sampler: Sampler
    conditions: NDArray[np.float32]
    link: GeneratorLink
    bytes: int

    @classmethod
    def open(cls, run: Path, request: Request, shape: tuple[int, int, int], epoch: int | None) -> Drawer:
        """Configure the backend and load a generator.

        Parameters
        ----------
        run : Path
            Folder of the generator's run.
        request : Request
            What images are drawn for.
        shape : tuple of int
            Height, width and channels of an image, in pixels.
        epoch : int or None
            Epoch whose weights are used; None for the last one.

        Raises
        ------
        StorageError
            If the weights cannot be read, or those of the last epoch are not what the trail covers.
        """
        trail = GeneratorTrail.read(run)
        spec = trail.spec
        conditions = trail.conditions.encode(request.targets, request.attributes)
        backends.configure_worker(spec.backend, spec.threads, Stream("backend", seed=spec.seed).seed())

        # Keras starts slowly: errors that can be found without it are found before.
        from benchmarker.generation.model import Sampler, build_generator, digest_variables, load_weights

        model = build_generator(installed(), spec, trail.conditions, shape)
        used = epoch or spec.generator.epochs
        file = run / epoch_weights_file(used)
        load_weights(model, file)
        weights = digest_variables(model.sampling_variables)
        if used == spec.generator.epochs and weights != trail.weights:
            raise StorageError(f"{file}: holds weights that its trail does not cover; run its study again with --force")
        return cls(
            sampler=Sampler(model, shape),
            conditions=conditions,
            link=trail.link_of(epoch, lambda: weights),
            bytes=4 * len(conditions) * math.prod(shape),
        )

    def draw(self, noise: Stream, path: Path) -> str:
        """Write the images for one stream of latent points, in constant memory; return the SHA-256 of the file."""
        require_free(path.parent, self.bytes, f"{len(self.conditions):,} synthetic images")
        written = hashlib.sha256()
        with path.open("wb") as stream:
            for images in self.sampler(self.conditions, noise):
                pixels = np.ascontiguousarray(images, dtype="<f4").data.cast("B")
                written.update(pixels)
                stream.write(pixels)
        return written.hexdigest()


def samples_trail(generator: GeneratorLink, request: Request, stream: StreamChoice, images: str) -> Trail:
    """Return the trail of drawn images: what they were drawn with and for, and the SHA-256 of their file."""
    trail = Trail()
    trail.add("generator", generator.to_json())
    trail.add("conditions", DigestLink(digest=request.digest).to_json())
    trail.add("noise", stream.to_json())
    trail.add("images", DigestLink(digest=images).to_json())
    return trail


if __name__ == "__main__":
    sys.exit(main())
