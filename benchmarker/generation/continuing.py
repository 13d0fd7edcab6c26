"""Continue the training of a generator from the state that an earlier run of it kept, with another number of epochs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from benchmarker.files import copy_file
from benchmarker.generation.run_files import LOSSES_FILE, SAMPLES_FOLDER, STATE_FOLDER, epoch_weights_file, saved_epochs
from benchmarker.registry.models import Watch
from benchmarker.study.links import CellLink
from benchmarker.study.specs import GeneratorSpec
from benchmarker.trail import Link
from benchmarker.training.snapshots import SnapshotFiles

_GRID = re.compile(r"(?:fixed-)?(epoch|step)-(\d{4,})\.png")


@dataclass(slots=True, kw_only=True)
class GeneratorProgress:
    """How far the training of a generator has come, as its snapshots hold it.

    Parameters
    ----------
    epoch : int
        Epochs that are done.
    history : list of dict of str to float
        One row for each epoch.
    seconds : list of float
        Time of the steps of each epoch, in seconds.
    trail : list of Link
        Links recorded so far.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    trail: list[Link] = field(default_factory=list)


def kept_states(run: Path, fingerprint: str = "") -> SnapshotFiles[GeneratorProgress]:
    """Return the states that the run of a generator keeps: networks, optimisers and progress after some epochs.

    Parameters
    ----------
    run : Path
        Folder of the run.
    fingerprint : str
        Digest of the environment and of the generator's code; states of others are not restored.
    """
    return SnapshotFiles(run / STATE_FOLDER, fingerprint, GeneratorProgress, kept=None)


def earlier_run(runs: Path, spec: GeneratorSpec) -> Path | None:
    """Return the run of the same generator whose kept state is the furthest before the end; None without one.

    The run may have had fewer epochs or more, and may have failed after the state was kept.

    Parameters
    ----------
    runs : Path
        Folder of the runs of a study.
    spec : GeneratorSpec
        Specification of the generator to be trained.
    """
    found: dict[int, Path] = {}
    for folder in sorted(runs.glob(f"[!.]*/{STATE_FOLDER}")):
        states = kept_states(folder.parent)
        for path in states.paths(below=spec.generator.epochs):
            progress = states.progress_in(path)
            if progress is not None and _same_but_for_epochs(progress, spec):
                found.setdefault(progress.epoch, folder.parent)
                break
    return found[max(found)] if found else None


def _same_but_for_epochs(progress: GeneratorProgress, spec: GeneratorSpec) -> bool:
    try:
        other = CellLink.model_validate(progress.trail[0].content).spec if progress.trail else None
    except ValidationError:
        return False
    if not isinstance(other, GeneratorSpec) or other == spec:
        return False
    epochs = other.generator.epochs
    return other == spec.model_copy(update={"generator": spec.generator.model_copy(update={"epochs": epochs})})


def copy_progress(earlier: Path, folder: Path, *, epoch: int, step: int, epochs: int, watch: Watch) -> None:
    """Copy what a training has written up to an epoch from an earlier run: losses, grids, weights and kept states.

    Losses of later epochs are copied, too; `benchmarker.generation.watch.Losses` removes them.

    Parameters
    ----------
    earlier, folder : Path
        Folders of the earlier and of the new run.
    epoch, step : int
        Last epoch that is copied, and its last gradient step, counted from 1 through all epochs.
    epochs : int
        Epochs of the new run.
    watch : Watch
        What the new run keeps.
    """
    copy_file(earlier / LOSSES_FILE, folder / LOSSES_FILE)
    for saved in saved_epochs(earlier):
        if saved <= epoch:
            copy_file(earlier / epoch_weights_file(saved), folder / epoch_weights_file(saved))
    for path in _grids(earlier / SAMPLES_FOLDER, {"epoch": epoch, "step": step}):
        (folder / SAMPLES_FOLDER).mkdir(exist_ok=True)
        copy_file(path, folder / SAMPLES_FOLDER / path.name)
    states = kept_states(earlier)
    for path in states.paths(below=epoch + 1):
        progress = states.progress_in(path)
        if progress is not None and watch.keeps_state(progress.epoch, epochs):
            (folder / STATE_FOLDER).mkdir(exist_ok=True)
            copy_file(path, folder / STATE_FOLDER / path.name)


def _grids(samples: Path, last: dict[str, int]) -> Iterator[Path]:
    for path in sorted(samples.glob("*.png")):
        match = _GRID.fullmatch(path.name)
        if match is not None and int(match[2]) <= last[match[1]]:
            yield path
