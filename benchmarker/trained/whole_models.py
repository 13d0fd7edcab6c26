"""Writes trained networks as whole models in the HDF5 format of Keras, under the file names of the radio framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarker.backends.calls import call_in_process
from benchmarker.files import make_folder
from benchmarker.record import Json, Record
from benchmarker.results.study import CellRecord, read_study
from benchmarker.study.layout import CHECKPOINTS, Checkpoint, weights_file
from benchmarker.trained.networks import load_network, trained_networks

_SUFFIXES = {"best": "", "final": "_final"}


class WholeModel(Record):
    """A network to be written as a whole model."""

    study: Path
    """Folder of the study."""

    cell: str
    """Key of the cell."""

    checkpoint: Checkpoint
    """Which of its weights."""

    path: Path
    """Path of the file."""


def model_name(cell: CellRecord, checkpoint: str) -> str:
    """Return the name of a model's file: ``<network>_<seed>_<rate>_<epochs>.h5``, and ``_final.h5``."""
    spec = cell.spec.model
    stem = f"{cell.model}_{cell.seed}_{spec.learning_rate:g}_{spec.epochs}".replace("/", "_").replace("\\", "_")
    return f"{stem}{_SUFFIXES[checkpoint]}.h5"


def save_whole_models(study: Path, folder: Path) -> int:
    """Write the networks of all finished runs that have their weights, and return their number.

    Networks of each backend are loaded in a process of their own, one after the other.

    Parameters
    ----------
    study : Path
        Folder of the study.
    folder : Path
        Folder of the files; with several arms each has a folder in it. Files that exist are kept.

    Raises
    ------
    StorageError
        If the weights of a run are not those that it wrote, or a file cannot be written.
    """
    cells = [cell for cell in read_study(study).cells if cell.status == "ok" and _has_weights(cell)]
    several = len({cell.arm for cell in cells}) > 1
    calls: dict[tuple[str, int], list[Json]] = {}
    for cell in cells:
        target = folder / cell.arm.replace("/", "_") if several else folder
        for checkpoint in CHECKPOINTS:
            path = target / model_name(cell, checkpoint)
            if not path.exists():
                wanted = WholeModel(study=study.absolute(), cell=cell.key, checkpoint=checkpoint, path=path.absolute())
                calls.setdefault((cell.spec.backend, cell.spec.threads), []).append(wanted.to_json())
    for (backend, threads), models in calls.items():
        call_in_process(f"{__name__}:write_models", models, threads=threads, seed=0, backend=backend)
    return len(CHECKPOINTS) * len(cells)


def _has_weights(cell: CellRecord) -> bool:
    return cell.folder is not None and all((cell.folder / weights_file(each)).is_file() for each in CHECKPOINTS)


def write_models(models: list[Json], emit: Any) -> int:  # noqa: ARG001 - part of the contract
    """Load networks and write them as whole models; runs in a process of their backend."""
    import keras

    for wanted in map(WholeModel.model_validate, models):
        (network,) = trained_networks(wanted.study, wanted.cell, checkpoint=wanted.checkpoint)
        make_folder(wanted.path.parent)
        aside = wanted.path.with_name(f".partial-{wanted.path.name}")
        load_network(network).save(aside)
        aside.replace(wanted.path)
        keras.utils.clear_session(free_memory=True)
    return len(models)
