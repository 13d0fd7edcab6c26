"""Saved weights: where a cell's are, for testing without training, and copies for the user."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from benchmarker.errors import ConfigurationError
from benchmarker.files import make_folder, storage_error
from benchmarker.run.launcher import run_paths
from benchmarker.study.layout import CHECKPOINTS, weights_file
from benchmarker.study.plan import Cell


def _names(cell: Cell) -> dict[str, str]:
    stem = f"{cell.model}-{cell.arm}-{cell.seed}".replace("/", "_")
    return {checkpoint: f"{stem}-{checkpoint}.weights.h5" for checkpoint in CHECKPOINTS}


def check_names(cells: Iterable[Cell]) -> None:
    """Make sure that each cell has file names of its own in the user's folder.

    Raises
    ------
    ConfigurationError
        If two cells share them.
    """
    seen: dict[str, Cell] = {}
    for cell in cells:
        name = _names(cell)["best"]
        first = seen.setdefault(name, cell)
        if first is not cell:
            raise ConfigurationError(
                f"the weights of {first.model!r} in the arm {first.arm!r} and those of {cell.model!r} in the arm "
                f"{cell.arm!r} would both be called {name}: rename one of them in the registry, or leave -m out"
            )


def find_weights(study: Path, cell: Cell, models_folder: Path | None) -> dict[str, str]:
    """Return the files of a cell's saved weights, by checkpoint.

    Parameters
    ----------
    study : Path
        Whose run folders are looked in without ``models_folder``.
    cell : Cell
        Whose weights are wanted.
    models_folder : Path or None
        Where the user keeps copies.

    Raises
    ------
    ConfigurationError
        If there are none.
    """
    if models_folder is not None:
        found = {checkpoint: models_folder / name for checkpoint, name in _names(cell).items()}
    else:
        folder = run_paths(study, cell).finished
        found = {checkpoint: folder / weights_file(checkpoint) for checkpoint in CHECKPOINTS}
    missing = [str(path) for path in found.values() if not path.is_file()]
    if missing:
        raise ConfigurationError(
            f"there are no saved weights to test, {' and '.join(missing)} missing: train first, or give their folder "
            "by -m"
        )
    return {checkpoint: str(path.absolute()) for checkpoint, path in found.items()}


def copy_weights(study: Path, cell: Cell, models_folder: Path) -> None:
    """Copy the weights of a finished run to the user's folder.

    Raises
    ------
    StorageError
        If that is not possible.
    """
    make_folder(models_folder)
    finished = run_paths(study, cell).finished
    for checkpoint, name in _names(cell).items():
        aside = models_folder / f".{name}.partial"  # the user's earlier weights stay whole until the new ones are
        try:
            shutil.copyfile(finished / weights_file(checkpoint), aside)
            aside.replace(models_folder / name)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise storage_error(error, models_folder / name) from error
