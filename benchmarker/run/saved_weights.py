"""Saved weights: where a cell's are, for testing without training, and copies in the user's folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from benchmarker.errors import ConfigurationError
from benchmarker.files import copy_file, make_folder
from benchmarker.study.layout import CHECKPOINTS, Checkpoint, RunPaths, weights_file
from benchmarker.study.plan import PlannedCell

_USUAL_LONGEST = 255


def _names(cell: PlannedCell) -> dict[Checkpoint, str]:
    stem = f"{cell.model}-{cell.arm}-{cell.seed}".replace("/", "_")
    return {checkpoint: f"{stem}-{checkpoint}.weights.h5" for checkpoint in CHECKPOINTS}


def check_names(cells: Iterable[PlannedCell], models_folder: Path) -> None:
    """Make sure that every cell has file names of its own in the user's folder, and that its file system allows them.

    Raises
    ------
    ConfigurationError
        If two cells have the same file names, or one has a name that is too long.
    """
    longest = _longest_name(models_folder)
    seen: dict[str, PlannedCell] = {}
    for cell in cells:
        for name in _names(cell).values():
            if len(os.fsencode(name)) > longest:
                raise ConfigurationError(
                    f"the weights of {cell.name} would be called {name}, but names in {models_folder} may have "
                    f"{longest} bytes: give the network or the arm a shorter name in the registry, or leave -m out"
                )
        name = _names(cell)["best"]
        first = seen.setdefault(name, cell)
        if first is not cell:
            raise ConfigurationError(
                f"the weights of {first.model!r} in the arm {first.arm!r} and those of {cell.model!r} in the arm "
                f"{cell.arm!r} would both be called {name}: rename one of them in the registry, or leave -m out"
            )


def _longest_name(folder: Path) -> int:
    """Return how many bytes a file name may have in a folder, which need not exist yet."""
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            with contextlib.suppress(OSError, ValueError):
                return os.pathconf(place, "PC_NAME_MAX")
    return _USUAL_LONGEST


def find_weights(study: Path, cell: PlannedCell, models_folder: Path | None) -> dict[Checkpoint, Path]:
    """Return the files of a cell's saved weights, by checkpoint.

    Parameters
    ----------
    study : Path
        Folder of the study, whose runs hold the weights without ``models_folder``.
    cell : PlannedCell
        Cell whose weights are wanted.
    models_folder : Path or None
        Folder where the user keeps copies.

    Raises
    ------
    ConfigurationError
        If there are none.
    """
    if models_folder is not None:
        found = {checkpoint: models_folder / name for checkpoint, name in _names(cell).items()}
    else:
        folder = RunPaths.of(study, cell.key).finished
        found = {checkpoint: folder / weights_file(checkpoint) for checkpoint in CHECKPOINTS}
    missing = [str(path) for path in found.values() if not path.is_file()]
    if missing:
        raise ConfigurationError(
            f"there are no saved weights to test, {' and '.join(missing)} missing: train first, or give their folder "
            "by -m"
        )
    return {checkpoint: path.absolute() for checkpoint, path in found.items()}


def copy_weights(study: Path, cell: PlannedCell, models_folder: Path) -> None:
    """Copy the weights of a finished run to the user's folder.

    Raises
    ------
    StorageError
        If that is not possible.
    """
    make_folder(models_folder)
    finished = RunPaths.of(study, cell.key).finished
    for checkpoint, name in _names(cell).items():
        copy_file(finished / weights_file(checkpoint), models_folder / name)
