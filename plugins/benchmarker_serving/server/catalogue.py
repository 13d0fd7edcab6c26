"""The models that a server offers: versions in folders, or finished runs of a study that are exported first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarker import CellRecord, ConfigurationError, StorageError, StudyResults, cache_folder, digest_file
from benchmarker_serving.models.bundle import DESCRIPTION_FILE, FILES, Bundle, valid_name
from benchmarker_serving.models.running import ExportSettings, Place, Run, export_run

_CACHE = "exported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One version of a model.

    Parameters
    ----------
    name : str
        Name in addresses.
    version : int
        Number of the version.
    file : Path
        ONNX file.
    bundle : Bundle
        What is to know about it.
    """

    name: str
    version: int
    file: Path
    bundle: Bundle

    @property
    def key(self) -> str:
        """Name and version in one."""
        return f"{self.name}/{self.version}"


Catalogue = Mapping[str, Mapping[int, Served]]
"""Versions by number, by the name of the model."""


def read_folder(folder: Path) -> Catalogue:
    """Return the models in a folder that `benchmarker model export` wrote.

    Parameters
    ----------
    folder : Path
        Folder with NAME/VERSION/model.onnx.

    Raises
    ------
    ConfigurationError
        If there is none.
    StorageError
        If a file is not the one that its description names.
    """
    found: dict[str, dict[int, Served]] = {}
    for description in sorted(folder.glob(f"*/*/{DESCRIPTION_FILE}")):
        version = description.parent
        name = version.parent.name
        if version.name.isdigit() and int(version.name) > 0 and valid_name(name):
            served = _served(name, int(version.name), version)
            if served is not None:
                found.setdefault(name, {})[served.version] = served
    if not found:
        raise ConfigurationError(
            f"{folder}: holds neither a study nor models for this server; write some with "
            f"`benchmarker model export STUDY --model ... --to onnx --out {folder}`"
        )
    return found


def _served(name: str, version: int, folder: Path) -> Served | None:
    bundle = Bundle.read(folder)
    file = folder / FILES["onnx"]
    if FILES["onnx"] not in bundle.files:
        return None
    if not file.is_file() or digest_file(file) != bundle.files[FILES["onnx"]]:
        raise StorageError(f"{file}: is not the file that {DESCRIPTION_FILE} describes; export the model again")
    return Served(name=name, version=version, file=file, bundle=bundle)


def export_study(results: StudyResults, runs: list[Run], announce: Callable[[str], None]) -> Catalogue:
    """Export runs of a study into this machine's cache, where they are not there yet, and return them.

    Networks get the preparation of the study inside where the plan gives the size of its images. Runs that differ in
    their seed only are versions of one model, numbered in the order of the plan.

    Parameters
    ----------
    results : StudyResults
        The study.
    runs : list of CellRecord or GeneratorRecord
        Finished runs to export.
    announce : callable
        Called with a line for each run that is exported.
    """
    found: dict[str, dict[int, Served]] = {}
    for run in runs:
        folder = cache_folder() / _CACHE / run.key[:32]
        place = next(_exported(folder), None)
        if place is None:
            announce(f"exporting {run.name} ...")
            place = Place.of(folder, run, version=1)
            export_run(results, run, place, _settings(results, run))
        served = _served(place.name, 1, place.path)
        if served is not None:
            versions = found.setdefault(served.name, {})
            versions[len(versions) + 1] = Served(
                name=served.name, version=len(versions) + 1, file=served.file, bundle=served.bundle
            )
    return found


def _exported(folder: Path) -> Iterator[Place]:
    for description in folder.glob(f"*/1/{DESCRIPTION_FILE}"):
        yield Place(folder=folder, name=description.parent.parent.name, version=1)


def _settings(results: StudyResults, run: Run) -> ExportSettings:
    source = results.study.plan.source
    if not isinstance(run, CellRecord) or source is None:
        return ExportSettings(formats=("onnx",), preparation=False)
    # No graph cuts squares out of the sky, whose coordinates a request does not hold.
    inside = source.preparation.size is None and source.preparation.sky is None
    return ExportSettings(formats=("onnx",), preparation=inside)
