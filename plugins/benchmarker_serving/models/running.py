"""Exports a run: chooses it, starts the process that writes and checks the files, and publishes them with a card."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from benchmarker import (
    CellRecord,
    ConfigurationError,
    GeneratorRecord,
    StorageError,
    StudyResults,
    call_in_process,
    select_runs,
    write_bytes,
)
from benchmarker_serving.models.bundle import CARD_FILE, Bundle, Format, name_of, next_version, valid_name
from benchmarker_serving.models.card import write_card
from benchmarker_serving.models.job import ExportJob

Run = CellRecord | GeneratorRecord

_NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """How a run is exported.

    Parameters
    ----------
    formats : tuple of str
        Formats to write.
    checkpoint : {"best", "final"}
        Weights of a network.
    epoch : int, optional
        Epoch of a generator's weights; the last one by default.
    preparation : bool
        Whether a network gets the preparation inside.
    input_size : int, optional
        Height and width of an image before the preparation.
    """

    formats: tuple[Format, ...]
    checkpoint: Literal["best", "final"] = "best"
    epoch: int | None = None
    preparation: bool = False
    input_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a version of a model lies: in the folder of all models, in one of its name, in one of its number.

    Parameters
    ----------
    folder : Path
        Folder of all models.
    name : str
        Name of the model.
    version : int
        Number of the version.
    """

    folder: Path
    name: str
    version: int

    @classmethod
    def of(cls, folder: Path, record: Run, name: str | None = None, version: int | None = None) -> Self:
        """Return the place of a run; by default its name is made of network and arm, and its number is the next one.

        Raises
        ------
        ConfigurationError
            If the name cannot be part of an address, or the version exists.
        """
        chosen = name or name_of(record.model, *([] if record.arm in {"real", "generator"} else [record.arm]))
        if not valid_name(chosen):
            raise ConfigurationError(f"--name: letters, digits, '.', '_' and '-' were expected. Received: {chosen!r}")
        place = cls(folder=folder, name=chosen, version=version or next_version(folder / chosen))
        if place.path.exists():
            raise ConfigurationError(f"{place.path}: exists already; choose another --version or --out")
        return place

    @property
    def path(self) -> Path:
        """Path of the version."""
        return self.folder / self.name / str(self.version)


def find_run(results: StudyResults, selector: str, seed: int | None) -> Run:
    """Return the one finished run that is meant.

    Raises
    ------
    ConfigurationError
        If none or several are meant.
    """
    records: list[Run] = [*results.cells, *results.generators]
    named = select_runs(records, selector, where=str(results.folder))
    found = [each for each in named if each.status == "ok" and seed in (None, each.seed)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.name for each in (found or named))
    if not found:
        raise ConfigurationError(f"{results.folder}: there is no finished run among: {names}")
    raise ConfigurationError(f"{results.folder}: one run is exported at a time; choose by --model or --seed: {names}")


def require_libraries(formats: Sequence[Format]) -> None:
    """Check that the libraries of formats are installed.

    Raises
    ------
    ConfigurationError
        If one is missing; the message names the extra that installs it.
    """
    missing = [name for form in formats for name in _NEEDS.get(form, ()) if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"this needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            "python -m pip install 'galaxy-benchmarker[serving]'"
        )


def export_run(results: StudyResults, record: Run, place: Place, settings: ExportSettings) -> Bundle:
    """Write a version of a model: files that give the outputs of the run, their description and a card.

    Parameters
    ----------
    results : StudyResults
        Study of the run.
    record : CellRecord or GeneratorRecord
        Run to export.
    place : Place
        Where to write; nothing is there until everything is checked.
    settings : ExportSettings
        How to export it.

    Raises
    ------
    PluginError
        If a file does not give the outputs of the run.
    """
    require_libraries(settings.formats)
    parent = place.path.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{place.version}.", suffix=".partial", dir=parent))
    except OSError as error:
        raise StorageError(f"{parent}: cannot be written: {error.strerror or error}") from error
    try:
        call_in_process(
            "benchmarker_serving.models.exporting:export",
            _job(results, record, place, settings, aside).to_json(),
            threads=record.spec.threads,
            seed=record.seed,
            backend=record.spec.backend,
        )
        bundle = Bundle.read(aside)
        write_bytes(aside / CARD_FILE, write_card(results, record, bundle, settings.checkpoint).encode())
        aside.chmod(0o755)
        os.replace(aside, place.path)  # noqa: PTH105 - over an empty folder, but never over a version
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return bundle


def _job(results: StudyResults, record: Run, place: Place, settings: ExportSettings, aside: Path) -> ExportJob:
    return ExportJob(
        study=str(results.folder.absolute()),
        selector=record.name,
        kind="network" if isinstance(record, CellRecord) else "generator",
        seed=record.seed,
        checkpoint=settings.checkpoint,
        epoch=settings.epoch,
        formats=settings.formats,
        folder=str(aside),
        name=place.name,
        version=place.version,
        preparation=settings.preparation,
        input_size=settings.input_size,
    )
