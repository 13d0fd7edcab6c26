"""Draw images from a trained generator on request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.backends import worker_environment
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.discovery import spelling
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.generation.conditions import space_from_json
from benchmarker.generation.layout import CONDITIONS_FILE, saved_epochs
from benchmarker.generation.request import IMAGES_FILE, Request, draw_in_process
from benchmarker.generation.samples import generator_links
from benchmarker.randomness import Stream
from benchmarker.registry.generated import CLASS


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedGenerator:
    """The finished run of a generator.

    Parameters
    ----------
    folder : Path
        Of the run.
    key, name : str
        Of its cell, and of its plugin.
    seed : int
        That it was trained under.
    space : ConditionSpace
        What its images are generated for.
    shape : tuple of int
        Height, width and channels of an image.
    epochs : tuple of int
        Whose weights are there; the last one is the end of the training.
    weights : str
        SHA-256 of the last ones.
    spec : mapping
        Of its cell.
    """

    folder: Path
    key: str
    name: str
    seed: int
    space: ConditionSpace
    shape: tuple[int, int, int]
    epochs: tuple[int, ...]
    weights: str
    spec: Mapping[str, Any]


def open_generator(run: Path) -> TrainedGenerator:
    """Read what the finished run of a generator says of itself.

    Raises
    ------
    StorageError
        If it is none.
    """
    links = generator_links(run)
    epochs = saved_epochs(run)
    try:
        spec = links["cell"]["spec"]
        height, width, channels = spec["data"]["shape"]
        found = TrainedGenerator(
            folder=run,
            key=links["cell"]["key"],
            name=spec["generator"]["name"],
            seed=int(spec["seed"]),
            space=space_from_json(links["conditions"]),
            shape=(height, width, channels),
            epochs=tuple(epochs),
            weights=links["final weights"]["digest"],
            spec=spec,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{run}: the trail of a generator was expected there: {error!r}") from error
    if not epochs:
        raise StorageError(f"{run}: holds no weights of a generator")
    return found


def make_request(generator: TrainedGenerator, n: int, given: Mapping[str, str], draw: int) -> Request:
    """Return conditions for ``n`` images: those that are given, and of real images of the training part otherwise.

    Parameters
    ----------
    generator : TrainedGenerator
        What it can be asked for.
    n : int
        Images.
    given : mapping of str to str
        ``{"class": "FRII"}``, ``{"redshift": "0.5"}``, or from one value to another in even steps:
        ``{"redshift": "0.1:0.9"}``.
    draw : int
        Another number draws other real images.

    Raises
    ------
    ConfigurationError
        If a condition is unknown, or its value none.
    """
    space = generator.space
    known = [*([CLASS] if space.classes else []), *space.attributes]
    for name in given:
        if name not in known:
            raise ConfigurationError(
                f"there is no condition {name!r}; this generator knows: {', '.join(known) or 'none'}"
            )
    real = Request.read(generator.folder / CONDITIONS_FILE)
    targets, attributes = real.targets, real.attributes
    rows = np.arange(len(targets))
    if CLASS in given:
        index = _class_index(space.classes, given[CLASS])
        rows = np.flatnonzero(targets == index)
        if not len(rows):
            raise ConfigurationError(f"no image of the training part is {space.classes[index]!r}")
    stream = Stream("samples-on-request", seed=generator.seed, draw=draw)
    rows = stream.child("rows").generator().choice(rows, size=n, replace=True)
    chosen = {name: np.asarray(values[rows], dtype=np.float64) for name, values in attributes.items()}
    for name, text in given.items():
        if name != CLASS:
            chosen[name] = _values(name, text, n)
    return Request(targets=targets[rows], attributes=chosen)


def _class_index(classes: tuple[str, ...], wanted: str) -> int:
    for index, name in enumerate(classes):
        if spelling(name) == spelling(wanted):
            return index
    raise ConfigurationError(f"there is no class {wanted!r}; known are: {', '.join(classes)}")


def _values(name: str, text: str, n: int) -> NDArray[np.float64]:
    first, colon, last = text.partition(":")
    try:
        ends = float(first), float(last if colon else first)
    except ValueError:
        ends = (np.nan, np.nan)
    if not np.isfinite(ends).all():
        raise ConfigurationError(
            f"{name}: a number, or two with a colon between them, was expected. Received: {text!r}"
        )
    return np.linspace(*ends, n)


def draw_images(
    generator: TrainedGenerator, request: Request, scratch: Path, *, epoch: int | None, draw: int
) -> NDArray[np.float32]:
    """Draw images in a process with the backend and threads of the generator's training.

    Parameters
    ----------
    generator, request
        Who draws, and what for.
    scratch : Path
        Folder for a file with all images, which the returned array maps.
    epoch : int, optional
        Whose weights are used; the last one's by default.
    draw : int
        Another number draws other latent points.

    Raises
    ------
    ConfigurationError
        If no weights of that epoch were kept.
    """
    if epoch is not None and epoch not in generator.epochs:
        kept = ", ".join(map(str, generator.epochs))
        raise ConfigurationError(f"the weights of epoch {epoch} were not kept; there are those of: {kept}")
    draw_in_process(
        generator.folder,
        scratch,
        request,
        generator.shape,
        stream=("samples-on-request/noise", {"seed": generator.seed, "draw": draw}),
        epoch=epoch,
        environment=worker_environment(generator.spec["backend"], int(generator.spec["training"]["threads"])),
    )
    shape = (len(request.targets), *generator.shape)
    return np.memmap(scratch / IMAGES_FILE, dtype="<f4", mode="r", shape=shape)
