"""Generators on their own: trained without the networks of their registry, and asked for images by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.backends import worker_environment
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.data.cache import held
from benchmarker.discovery import Plugins, spelling
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.generation.conditions import space_from_json
from benchmarker.generation.layout import CONDITIONS_FILE, saved_epochs
from benchmarker.generation.request import IMAGES_FILE, Request, draw_in_process
from benchmarker.generation.samples import generator_links
from benchmarker.randomness import Stream
from benchmarker.registry import LoadedRegistry
from benchmarker.registry.generated import CLASS
from benchmarker.results.layout import PLAN_FILE, RUNS_FOLDER
from benchmarker.results.study import read_study
from benchmarker.run.files import make_folder
from benchmarker.run.locks import joined
from benchmarker.run.observer import Observer
from benchmarker.run.policy import Policy
from benchmarker.run.ready import get_ready
from benchmarker.run.runner import Runner
from benchmarker.run.study import bring_to_end


def train_generators(
    loaded: LoadedRegistry,
    results: Path,
    *,
    observer: Observer,
    plugins: Plugins,
    policy: Policy,
    force: bool = False,
    offline: bool = False,
) -> int:
    """Train the generators that arms of a registry use, and none of its networks; return how many failed.

    Parameters
    ----------
    loaded, results, observer, plugins, policy, force, offline
        As `benchmarker.run.run_study` takes them.

    Raises
    ------
    ConfigurationError
        If no arm uses a generator.
    """
    make_folder(results / RUNS_FOLDER)
    with joined(results), contextlib.ExitStack() as stack:
        ready = get_ready(loaded, results, observer=observer, plugins=plugins, offline=offline)
        if not ready.generators:
            raise ConfigurationError(f"{loaded.path.name}: no arm uses a generator; docs/registry.md says how one does")
        stack.enter_context(held(ready.prepared))
        alone = replace(ready, cells=list(ready.generators.values()))
        runner = Runner(alone, observer, policy, force=force, test_only=False, models_folder=None)
        bring_to_end(runner, policy)
    return sum(outcome.status != "ok" for outcome in runner.outcomes.values())


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


def find_run(place: Path, generator: str | None, seed: int | None) -> Path:
    """Return the folder of the one run that is meant.

    Parameters
    ----------
    place : Path
        A study, or the run itself.
    generator : str, optional
        Its label in the registry.
    seed : int, optional
        That it was trained under.

    Raises
    ------
    ConfigurationError
        If none or several are.
    """
    if not place.is_dir():
        raise ConfigurationError(f"{place}: there is no such folder; give a study, or the run of a generator in it")
    if not (place / PLAN_FILE).exists():
        return place
    known = read_study(place).generators
    found = [
        cell
        for cell in known
        if (generator is None or spelling(cell.model) == spelling(generator)) and (seed is None or cell.seed == seed)
    ]
    finished = [cell for cell in found if cell.status == "ok" and cell.folder is not None]
    if len(finished) == 1 and finished[0].folder is not None:
        return finished[0].folder
    names = ", ".join(f"{cell.model} (seed {cell.seed}, {cell.status})" for cell in known) or "none"
    if not finished:
        raise ConfigurationError(f"{place} has no such trained generator; it has: {names}")
    raise ConfigurationError(f"{place} has several: {names}; choose one by --generator and --seed")


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
