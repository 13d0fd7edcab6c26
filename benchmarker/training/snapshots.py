"""Snapshots of a training: everything that the next epoch depends on, written atomically after each epoch.

Dropout and augmentation keep their random state in variables that are neither in ``.keras`` files nor among the
weights, and callbacks of Keras lose their patience between two calls of ``fit``. So a snapshot holds the raw values of
all variables, the state of the callbacks, the history and the best weights so far.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from benchmarker.data.npz import open_npz
from benchmarker.errors import DataError
from benchmarker.files import PARTIAL_SUFFIX, atomic_write, open_ordinary
from benchmarker.trail import Link

DISCARDED = (
    "its snapshots come from another environment, or the code of its plugins has changed since, so it is trained from "
    "the start"
)
"""Sentence about snapshots that are not used."""

KEPT = 2
"""Number of snapshots that are kept."""

_FILE = re.compile(r"snapshot-(\d{6})\.npz")

Weights = list[NDArray[Any]]
CallbackStates = dict[str, dict[str, int | float]]
_Progress = TypeVar("_Progress")


@dataclass(slots=True, kw_only=True)
class Progress:
    """Progress of a training.

    Parameters
    ----------
    epoch : int
        Number of completed epochs.
    best_epoch : int
        Epoch with the lowest validation loss, counted from 1; 0 before the first.
    stopped : bool
        Whether early stopping has ended the training.
    history : list of dict of str to float
        One row for each epoch.
    seconds : list of float
        Duration of each epoch without validation, in seconds.
    callbacks : dict of str to dict of str to number
        State of the callbacks, by the names of their classes.
    trail : list of Link
        Links recorded so far.
    """

    epoch: int = 0
    best_epoch: int = 0
    stopped: bool = False
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    callbacks: CallbackStates = field(default_factory=dict)
    trail: list[Link] = field(default_factory=list)


class SnapshotFiles(Generic[_Progress]):
    """Numbered snapshots in a folder: named groups of arrays, and the progress of a training.

    Parameters
    ----------
    folder : Path
        Folder of the snapshots.
    fingerprint : str
        Digest of the environment. Snapshots of another environment are not used, since the training would continue
        with other bits.
    progress : type
        Dataclass of the progress, written as JSON.
    kept : int, optional
        Number of snapshots that are kept, the newest ones; None keeps all.

    Attributes
    ----------
    discarded : bool
        Whether `newest` passed over a snapshot of another environment or of other code.
    """

    def __init__(self, folder: Path, fingerprint: str, progress: type[_Progress], *, kept: int | None = KEPT) -> None:
        self._folder = folder
        self._kept = kept
        self._fingerprint = fingerprint
        self._progress = TypeAdapter(progress)
        self.discarded = False

    def write(self, number: int, groups: Mapping[str, Sequence[NDArray[Any]]], progress: _Progress) -> None:
        """Write a snapshot atomically, and remove those that are too many."""
        for left in self._folder.glob(f".snapshot-*{PARTIAL_SUFFIX}"):  # of a process that was killed
            left.unlink()
        arrays = {f"{group}/{k:05d}": array for group, some in groups.items() for k, array in enumerate(some)}
        described = self._progress.dump_python(progress, mode="json")
        about = json.dumps({"fingerprint": self._fingerprint, "progress": described}).encode()
        arrays["about"] = np.frombuffer(about, dtype=np.uint8)
        with atomic_write(self._folder / f"snapshot-{number:06d}.npz") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        for old in self.paths()[self._kept :] if self._kept else ():
            old.unlink()

    def newest(self, *groups: str, below: int | None = None) -> tuple[dict[str, Weights], _Progress] | None:
        """Return the named groups and the progress of the newest snapshot; None if this environment has none.

        Parameters
        ----------
        *groups : str
            Names of groups of arrays.
        below : int, optional
            Number that the snapshot's must be smaller than; by default any will do.
        """
        self.discarded = False
        for path in self.paths(below):
            try:
                with open_ordinary(path) as stream, open_npz(stream, most_bytes=path.stat().st_size) as file:
                    about = json.loads(file["about"].tobytes())
                    if about["fingerprint"] != self._fingerprint:
                        self.discarded = True
                        continue
                    found = {
                        group: [file[name] for name in sorted(file) if name.startswith(f"{group}/")] for group in groups
                    }
                    return found, self._progress.validate_python(about["progress"])
            except (OSError, ValueError, KeyError, DataError):  # the disk lost its newest bytes
                continue
        return None

    def progress_in(self, path: Path) -> _Progress | None:
        """Return the progress in a snapshot of any environment; None if it cannot be read."""
        try:
            with open_ordinary(path) as stream, open_npz(stream, most_bytes=path.stat().st_size) as file:
                return self._progress.validate_python(json.loads(file["about"].tobytes())["progress"])
        except (OSError, ValueError, KeyError, DataError):
            return None

    def clear(self) -> None:
        """Remove all snapshots."""
        for pattern in ("snapshot-*", ".snapshot-*"):
            for path in self._folder.glob(pattern):
                path.unlink()

    def paths(self, below: int | None = None) -> list[Path]:
        """Return complete snapshots, the newest first; only those with a smaller number than the one given."""
        found = {path: int(match[1]) for path in self._folder.glob("*.npz") if (match := _FILE.fullmatch(path.name))}
        return sorted((path for path, number in found.items() if below is None or number < below), reverse=True)


class Snapshots(SnapshotFiles[Progress]):
    """The snapshots of the training of one compiled model.

    Parameters
    ----------
    folder, fingerprint
        As for `SnapshotFiles`.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        super().__init__(folder, fingerprint, Progress)

    def save(self, model: keras.Model, best: Weights, progress: Progress) -> None:
        """Write a snapshot, and remove all but the newest ones."""
        self.write(progress.epoch, {**_state(model), "best": best}, progress)

    def restore(self, model: keras.Model) -> tuple[Weights, Progress] | None:
        """Set all variables of a compiled model to the newest snapshot; return the best weights and the progress.

        If there is no snapshot of this environment, the model does not change and None is returned.
        """
        found = self.newest("model", "optimiser", "best")
        if found is None:
            return None
        groups, progress = found
        for variable, array in zip(_variables(model), [*groups["model"], *groups["optimiser"]], strict=True):
            variable.assign(array)
        return groups["best"], progress


def _variables(model: keras.Model) -> list[Any]:
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _state(model: keras.Model) -> dict[str, Weights]:
    return {
        "model": [to_array(variable) for variable in model.variables],
        "optimiser": [to_array(variable) for variable in model.optimizer.variables],
    }


def to_array(variable: Any) -> NDArray[Any]:
    """Return a copy of the value of a variable of any backend."""
    return np.array(keras.ops.convert_to_numpy(variable))


def to_view(variable: Any) -> NDArray[Any]:
    """Return the value of a variable of any backend, without a copy where that is possible: read it at once."""
    return np.asarray(variable.value)


class CallbackState(keras.callbacks.Callback):  # type: ignore[misc]
    """Reads and restores the state that callbacks of Keras lose between two calls of ``fit``.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
        Callbacks that are listed before this one, so that their ``on_train_begin`` is called earlier.
    restored : dict of str to dict of str to number
        State that `read` returned.
    """

    _ATTRIBUTES = ("best", "wait", "cooldown_counter", "stopped_epoch", "best_epoch")

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], restored: CallbackStates | None = None) -> None:
        super().__init__()
        self._callbacks = callbacks
        self._restored = restored or {}

    def on_train_begin(self, _logs: Any = None) -> None:
        """Restore the state."""
        for callback in self._callbacks:
            for name, value in self._restored.get(type(callback).__name__, {}).items():
                setattr(callback, name, value)

    def read(self) -> CallbackStates:
        """Return the state of all callbacks, without infinite values: callbacks start with them, and JSON has none."""
        return {
            type(callback).__name__: {
                name: value if isinstance(value, int) else float(value)
                for name in self._ATTRIBUTES
                if (value := getattr(callback, name, None)) is not None and np.isfinite(value)
            }
            for callback in self._callbacks
        }
