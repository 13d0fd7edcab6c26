"""Synthetic training images: so many of each class, drawn once, kept in the cache, and mixed with the real ones.

They are drawn in a process of their own. Neither the bits of the network that is trained on them nor the memory that
it is said to need may depend on whether it was the first to ask for them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import errors
from benchmarker.contracts.images import Attribute, LabelledImages, TrainingSet
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.data.cache import held, produce
from benchmarker.digests import digest_arrays
from benchmarker.discovery import installed
from benchmarker.errors import BenchmarkerError, ConfigurationError, PluginError, StorageError
from benchmarker.generation.code import digest_code
from benchmarker.generation.conditions import bootstrap, class_sizes, shares
from benchmarker.randomness import Stream
from benchmarker.registry.generated import NOT_BALANCED, unlabelled
from benchmarker.trail import TRAIL_FILE
from benchmarker.training.sets import PartSet

# Raise when the same request would be answered by other images.
VERSION = 1
IMAGES_FILE = "images.f32"
REQUEST_FILE = "request.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How synthetic images are added to real ones.

    Parameters
    ----------
    ratio : float, optional
        Synthetic images for each real one; each class keeps its share.
    balance : bool
        Instead: as many as make every class as large as the largest one.
    real : bool
        Whether the real images stay.
    """

    ratio: float | None = None
    balance: bool = False
    real: bool = True

    @classmethod
    def from_spec(cls, generated: Mapping[str, Any]) -> Mixture:
        """Read what an arm's spec says."""
        return cls(
            ratio=generated.get("ratio"),
            balance=bool(generated.get("balance", False)),
            real=bool(generated.get("real", True)),
        )

    def counts(self, task: Task, targets: NDArray[Any]) -> list[int]:
        """Return how many synthetic images of each class there will be; of a regression one number.

        Raises
        ------
        ConfigurationError
            If the classes of a regression shall be balanced, or nothing would be left to train on.
        """
        sizes = class_sizes(task, targets)
        if self.balance:
            if not isinstance(task, Classification):
                raise ConfigurationError(NOT_BALANCED)
            counts = [max(sizes) - size if size else 0 for size in sizes]
        else:
            counts = shares(sizes, round((self.ratio or 0.0) * sum(sizes)))
        if not self.real and not sum(counts):
            raise ConfigurationError("an arm without real images needs synthetic ones; raise its ratio")
        return counts


class MixedSet:
    """Two training sets, one after the other.

    Parameters
    ----------
    first, second : TrainingSet
        For example the real images and the synthetic ones.
    """

    def __init__(self, first: TrainingSet, second: TrainingSet) -> None:
        self._first = first
        self._second = second
        self.task: Task = first.task
        self.image_shape: tuple[int, int, int] = first.image_shape
        self.targets: NDArray[Any] = np.concatenate([first.targets, second.targets])

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels)."""
        images = np.empty((len(indices), *self.image_shape), dtype=np.float32)
        later = indices >= len(self._first)
        for part, chosen, start in ((self._first, ~later, 0), (self._second, later, len(self._first))):
            if chosen.any():
                images[chosen] = part.batch(indices[chosen] - start)
        return images


def generator_links(run: Path) -> dict[str, Any]:
    """Return the contents of the trail of a generator's run by the name of their link.

    Raises
    ------
    StorageError
        If the run is not that of a generator, or cannot be read.
    """
    try:
        links = json.loads((run / TRAIL_FILE).read_text(encoding="utf-8"))["links"]
        found = {link["name"]: link["content"] for link in links}
        if found["cell"]["spec"].get("kind") != "generator":
            raise StorageError(f"{run}: is not the run of a generator")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{run}: the trail of a generator was expected there: {error!r}") from error
    return found


def generator_link(run: Path) -> dict[str, str]:
    """Return what the trail of a cell says of the generator that its images come from."""
    links = generator_links(run)
    return {"key": links["cell"]["key"], "weights": links["final weights"]["digest"]}


def with_generated(
    real: PartSet,
    generated: Mapping[str, Any],
    run: Path,
    *,
    seed: int,
    fingerprint: Mapping[str, Any],
    root: Path | None = None,
) -> TrainingSet:
    """Return a training set of real and synthetic images.

    Parameters
    ----------
    real : PartSet
        The training part that the generator was trained on.
    generated : mapping
        What the arm's spec says: ``ratio`` or ``balance``, and ``real``.
    run : Path
        Folder of the generator's finished run.
    seed : int
        The cell's.
    fingerprint : mapping
        Of this process: samples of another environment may have other bits.
    root : Path, optional
        Where the samples are kept instead of the cache; an audit draws its own.

    Raises
    ------
    ConfigurationError
        If the generator makes images without the targets that networks are trained on.
    """
    mixture = Mixture.from_spec(generated)
    counts = mixture.counts(real.task, real.targets)
    if not sum(counts):
        return real
    spec = generator_links(run)["cell"]["spec"]
    if reason := unlabelled(real.task, spec["conditions"]):
        raise ConfigurationError(reason)
    rows = bootstrap(real.task, real.targets, counts, Stream("generated", seed=seed))
    # What else the cell uses does not touch the samples, which all its networks share.
    environment = {name: value for name, value in fingerprint.items() if name != "plugins"}
    code = digest_code(installed().generator(spec["generator"]["name"]).builder)
    about = {"version": VERSION, "fingerprint": environment, "code": code, **generator_link(run)}
    synthetic = _drawn(real, rows, run, about, seed=seed, root=root)
    return MixedSet(real, synthetic) if mixture.real else synthetic


def _drawn(
    real: PartSet, rows: NDArray[np.int64], run: Path, about: Mapping[str, Any], *, seed: int, root: Path | None
) -> PartSet:
    attributes = {name: np.asarray(values[rows]) for name, values in sorted(real.attributes.items())}
    request = Request(targets=np.asarray(real.targets[rows]), attributes=attributes)
    conditions = digest_arrays({"targets": request.targets, **attributes})
    noise = ("generated-noise", {"seed": seed})

    def write(folder: Path) -> None:
        draw_in_process(run, folder, request, real.image_shape, stream=noise)

    folder = produce("samples", {**about, "conditions": conditions, "noise": noise}, write, root=root)
    with held(folder):
        return _open_samples(folder, real.task, request, real.image_shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What images are drawn for, row by row.

    Parameters
    ----------
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        As of the training part.
    attributes : mapping of str to ndarray of shape (n,), float64
        In their units.
    """

    targets: NDArray[Any]
    attributes: Mapping[str, NDArray[np.float64]]

    def save(self, file: IO[bytes]) -> None:
        """Write the rows, always into the same bytes."""
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
            with np.load(path, allow_pickle=False) as file:
                attributes = {name.removeprefix("attribute/"): file[name] for name in file.files if name != "targets"}
                return cls(targets=file["targets"], attributes=attributes)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StorageError(f"{path}: conditions of images were expected there: {error}") from error


def draw_in_process(
    run: Path,
    folder: Path,
    request: Request,
    image_shape: tuple[int, int, int],
    *,
    stream: tuple[str, Mapping[str, Any]],
    epoch: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Draw images into ``images.f32`` of a folder, in a process of its own.

    Parameters
    ----------
    run : Path
        Of the generator.
    folder : Path
        Where the images are written, and what they are drawn for.
    request : Request
        What they are drawn for.
    image_shape : tuple of int
        Height, width and channels.
    stream : tuple of str and mapping
        Purpose and axes of the stream of latent points.
    epoch : int, optional
        Whose weights are used instead of the last one's.
    environment : mapping of str to str, optional
        Of the process, instead of this one's, which is that of a worker.

    Raises
    ------
    BenchmarkerError
        That the process ended with.
    """
    with (folder / REQUEST_FILE).open("wb") as file:
        request.save(file)
    job = {"run": str(run.absolute()), "folder": str(folder.absolute()), "shape": image_shape, "stream": stream}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarker.generation.drawing"],
        input=json.dumps({**job, "epoch": epoch}).encode(),
        stdout=subprocess.PIPE,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise _told(done.stdout, done.returncode)


def _told(output: bytes, code: int) -> BenchmarkerError:
    """Return the error that the other process ended with."""
    try:
        told = json.loads(output)
        error: BenchmarkerError = getattr(errors, told["error"])(told["message"])
    except (ValueError, KeyError, TypeError, AttributeError):  # it was killed, or a plugin failed; see its output
        return PluginError(f"drawing samples ended with exit code {code}; the output above says why")
    return error


def _open_samples(folder: Path, task: Task, request: Request, image_shape: tuple[int, int, int]) -> PartSet:
    n = len(request.targets)
    try:
        images = np.memmap(folder / IMAGES_FILE, dtype="<f4", mode="r", shape=(n, *image_shape))
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder}: these samples are damaged ({error}); remove the folder and run again") from error
    labelled = LabelledImages(
        task=task,
        images=images,
        targets=request.targets,
        source_ids=("",) * n,
        parts=(None,) * n,
        attributes={name: Attribute(values=values, unit="") for name, values in request.attributes.items()},
        skipped=(),
        digest="",
    )
    return PartSet(labelled, np.arange(n))
