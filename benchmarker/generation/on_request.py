"""Draws images from a trained generator on request, and writes them as FITS or PNG files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarker._version import __version__
from benchmarker.backends import worker_environment
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import atomic_write, write_csv
from benchmarker.generation.choosing import require_kept
from benchmarker.generation.drawing import IMAGES_FILE, Request, StreamChoice, draw_in_process
from benchmarker.generation.run_files import CONDITIONS_FILE, TRAINING_FILE, GeneratorTrail, saved_epochs
from benchmarker.hooks import spelling
from benchmarker.randomness import Stream
from benchmarker.registry.generated import CLASS
from benchmarker.study.layout import RunPaths
from benchmarker.study.plan import PlanEntry, read_outline
from benchmarker.study.runs import FinishedManifest, GeneratorTrainingRecord, read_manifest
from benchmarker.study.selectors import select_runs
from benchmarker.study.specs import GeneratorSpec

if TYPE_CHECKING:
    from astropy.io.fits import Header


def find_run(folder: Path, selector: str | None, seed: int | None) -> Path:
    """Return the folder of the one finished run of a generator that is meant.

    Parameters
    ----------
    folder : Path
        Folder of a study, or of the run itself.
    selector : str, optional
        Selector of the generator, such as its name in the registry.
    seed : int, optional
        Seed that it was trained under.

    Raises
    ------
    ConfigurationError
        If none or several are meant.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: there is no such folder; give a study, or the run of a generator in it")
    plan = read_outline(folder)
    if plan is None:
        return folder
    named = plan.generators if selector is None else select_runs(plan.generators, selector, where=str(folder))
    statuses = {generator.key: _status(folder, generator) for generator in plan.generators}
    finished = [
        generator for generator in named if (seed is None or generator.seed == seed) and statuses[generator.key] == "ok"
    ]
    if len(finished) == 1:
        return RunPaths.of(folder, finished[0].key).finished
    known = (f"{each.model} (seed {each.seed}, {statuses[each.key]})" for each in plan.generators)
    names = ", ".join(known) or "none"
    if not finished:
        raise ConfigurationError(f"{folder} has no such trained generator; it has: {names}")
    raise ConfigurationError(f"{folder} has several: {names}; choose one by --generator and --seed")


def _status(study: Path, generator: PlanEntry) -> Literal["ok", "failed", "unreadable", "pending"]:
    paths = RunPaths.of(study, generator.key)
    if not paths.finished.is_dir():
        return "failed" if paths.failed.is_dir() else "pending"
    try:
        return "ok" if isinstance(read_manifest(paths.finished), FinishedManifest) else "unreadable"
    except StorageError:
        return "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedGenerator:
    """The finished run of a generator.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    key : str
        Key of the generator.
    spec : GeneratorSpec
        Specification of the generator.
    conditions : ConditionSpace
        What its images are generated for.
    weights : str
        SHA-256 of its last weights.
    epochs : tuple of int
        Epochs whose weights were kept; the last one is the end of the training.
    pixel_range : tuple of float
        Smallest and largest pixel value of the training part.
    """

    folder: Path
    key: str
    spec: GeneratorSpec
    conditions: ConditionSpace
    weights: str
    epochs: tuple[int, ...]
    pixel_range: tuple[float, float]

    @property
    def name(self) -> str:
        """Name of the generator's plugin."""
        return self.spec.generator.name


def open_generator(run: Path) -> TrainedGenerator:
    """Read what the finished run of a generator says about it.

    Raises
    ------
    StorageError
        If it is not such a run.
    """
    trail = GeneratorTrail.read(run)
    epochs = tuple(saved_epochs(run))
    if not epochs:
        raise StorageError(f"{run}: holds no weights of a generator")
    return TrainedGenerator(
        folder=run,
        key=trail.key,
        spec=trail.spec,
        conditions=trail.conditions,
        weights=trail.weights,
        epochs=epochs,
        pixel_range=GeneratorTrainingRecord.read(run / TRAINING_FILE).pixel_range,
    )


def make_request(generator: TrainedGenerator, n: int, given: Mapping[str, str], draw: int) -> Request:
    """Return conditions for ``n`` images: the given ones, and otherwise those of real images of the training part.

    Parameters
    ----------
    generator : TrainedGenerator
        Generator that draws the images.
    n : int
        Number of images.
    given : mapping of str to str
        ``{"class": "FRII"}``, ``{"redshift": "0.5"}``, or from one value to another in even steps:
        ``{"redshift": "0.1:0.9"}``.
    draw : int
        Another number draws other real images.

    Raises
    ------
    ConfigurationError
        If a condition is unknown, or its value is not a number or class.
    """
    space = generator.conditions
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
    stream = Stream("samples-on-request", seed=generator.spec.seed, draw=draw)
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
    generator : TrainedGenerator
        Generator that draws the images.
    request : Request
        What they are drawn for.
    scratch : Path
        Folder for a file with all images, which the returned array maps.
    epoch : int, optional
        Epoch whose weights are used; the last one by default.
    draw : int
        Number of the draw: another one gives other latent points.

    Raises
    ------
    ConfigurationError
        If no weights of that epoch were kept.
    """
    if epoch is not None:
        require_kept(epoch, generator.epochs)
    spec = generator.spec
    draw_in_process(
        generator.folder,
        scratch,
        request,
        spec.data.shape,
        stream=StreamChoice(purpose="samples-on-request/noise", axes={"seed": spec.seed, "draw": draw}),
        epoch=epoch,
        environment=worker_environment(spec.backend, spec.threads),
    )
    return np.memmap(scratch / IMAGES_FILE, dtype="<f4", mode="r", shape=(len(request.targets), *spec.data.shape))


TABLE_FILE = "conditions.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Generated images that are to be written to files.

    Parameters
    ----------
    generator : TrainedGenerator
        Generator that made them.
    request : Request
        What they were made for.
    images : ndarray of shape (n, height, width, channels), float32
        Images, in the units of the prepared ones.
    epoch, draw : int
        Epoch of the weights, and number of the draw of latent points.
    """

    generator: TrainedGenerator
    request: Request
    images: NDArray[np.float32]
    epoch: int
    draw: int

    def names(self, suffix: str) -> list[str]:
        """Return the names of the files, one for each image."""
        stem = f"{self.generator.name}-{self.generator.spec.seed}-epoch{self.epoch:04d}-draw{self.draw}"
        return [f"{stem}-{k:06d}{suffix}" for k in range(len(self.images))]

    def conditions(self, k: int) -> list[tuple[str, Any, str]]:
        """Return name, value and unit of each condition of an image."""
        space = self.generator.conditions
        found: list[tuple[str, Any, str]] = []
        if space.classes:
            found.append(("class", space.classes[int(self.request.targets[k])], ""))
        for name, unit in zip(space.attributes, space.units, strict=True):
            found.append((name, float(self.request.attributes[name][k]), unit))
        return found


def write_fits(export: Export, folder: Path, done: Callable[[], None]) -> None:
    """Write each image as a FITS file: height x width, or channels x height x width."""
    from astropy.io import fits

    for k, name in enumerate(export.names(".fits")):
        planes = np.moveaxis(export.images[k], -1, 0).astype(">f4")
        hdu = fits.PrimaryHDU(planes[0] if len(planes) == 1 else planes)
        _describe(hdu.header, export, k)
        with atomic_write(folder / name) as stream:
            hdu.writeto(stream)
        done()


def _describe(header: Header, export: Export, k: int) -> None:
    generator = export.generator
    header["ORIGIN"] = (f"galaxy-benchmarker {__version__}", "program that made the image")
    header["SYNTHET"] = (True, "generated, not observed")
    header["GENERATR"] = (generator.name, "generator")
    header["GENSEED"] = (generator.spec.seed, "seed of its training")
    header["GENEPOCH"] = (export.epoch, "epoch of its weights")
    header["GENDRAW"] = (export.draw, "draw of latent points")
    header["GENINDEX"] = (k, "number of the image in the draw")
    header["GENKEY"] = generator.key  # a digest leaves no room for a comment in the card
    if export.epoch == generator.epochs[-1]:
        header["GENWGHTS"] = generator.weights
    for name, value, unit in export.conditions(k):
        header[f"HIERARCH CONDITION {name}"] = (value, f"[{unit}]" if unit else "")


def write_png(export: Export, folder: Path, done: Callable[[], None]) -> None:
    """Write each image as a PNG file of 8 bits over the range of the training part, and all conditions as CSV."""
    from benchmarker.generation.watch import Display, to_image

    display = Display(*export.generator.pixel_range)
    names = export.names(".png")
    for k, name in enumerate(names):
        with atomic_write(folder / name) as stream:
            to_image(display.pixels(export.images[k])).save(stream, format="PNG")
        done()
    columns = [f"{name} [{unit}]" if unit else name for name, _, unit in export.conditions(0)]
    rows = [[name, *(str(value) for _, value, _ in export.conditions(k))] for k, name in enumerate(names)]
    write_csv(folder / TABLE_FILE, ["file", *columns], rows)


def require_empty(folder: Path, *, force: bool) -> None:
    """Refuse to write into a folder that is not empty.

    Raises
    ------
    ConfigurationError
        Unless ``force``, if the folder is not empty.
    """
    if not force and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder}: there is something already; choose another --out, or --force to overwrite")
