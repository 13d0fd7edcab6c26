"""Synthetic training images: so many of each class, drawn once, kept in the cache, and mixed with the real ones.

They are drawn in a process of their own. Neither the bits of the network that is trained on them nor the memory that
it is said to need may depend on whether it was the first to ask for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import Attribute, LabelledImages, TrainingSet
from benchmarker.contracts.tasks import Task
from benchmarker.data.cache import held, produce
from benchmarker.digests import digest_arrays
from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.generation.code import digest_code
from benchmarker.generation.conditions import bootstrap
from benchmarker.generation.mixture import MixedSet, Mixture
from benchmarker.generation.request import IMAGES_FILE, Request, draw_in_process
from benchmarker.randomness import Stream
from benchmarker.registry.generated import unlabelled
from benchmarker.trail import TRAIL_FILE
from benchmarker.training.sets import PartSet

# Raise when the same request would be answered by other images.
VERSION = 1


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
