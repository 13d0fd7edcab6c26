"""How much disk a study will need, known as soon as its networks are built.

The size of a network is not in the registry, and building one in the parent would cost the start of a backend. So a
worker measures its network right after it is built (`measure`), refuses to train what would not fit, and reports the
size to its parent. From then on the parent adds up the whole study, with the sizes that earlier commands recorded
(`Forecast`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarker.disk import format_size, require_free
from benchmarker.errors import StorageError
from benchmarker.record import Record
from benchmarker.study.layout import COSTS_FILE, RunPaths
from benchmarker.study.plan import Planned, PlannedCell, PlannedGenerator
from benchmarker.study.runs import CellCosts

WEIGHTS_OVERHEAD_BYTES = 1 << 19
"""Names and groups of an HDF5 file."""

RUN_OVERHEAD_BYTES = 1 << 20
"""Logs, history and events of a run."""

SNAPSHOTS = 3
"""Snapshots on the disk at once: the newest two, and the one that is being written."""

_CHECKPOINTS = 2
# Adam keeps two numbers for each weight that is trained.
_OPTIMISER_FACTOR = 2
_BYTES_OF_A_WEIGHT = 4
# A line of a prediction file: source, labels, and a number of up to 20 digits for each output.
_LINE_BYTES, _NUMBER_BYTES = 80, 21


class DiskSpace(Record):
    """Disk that a run needs, in bytes."""

    kept: int
    """Bytes of the finished run: weights, predictions, logs."""

    peak: int
    """Largest number of bytes while it works: snapshots hold the network, its optimiser and the best weights so far."""


def cell_space(weights_bytes: int, optimiser_bytes: int, *, test_images: int, outputs: int) -> DiskSpace:
    """Return the disk that a cell needs.

    Parameters
    ----------
    weights_bytes, optimiser_bytes : int
        Bytes of all variables of the network, and of its optimiser.
    test_images, outputs : int
        Lines of a prediction file, and numbers in each.
    """
    predictions = _CHECKPOINTS * test_images * (_LINE_BYTES + _NUMBER_BYTES * outputs)
    kept = _CHECKPOINTS * (weights_bytes + WEIGHTS_OVERHEAD_BYTES) + predictions + RUN_OVERHEAD_BYTES
    snapshot = 2 * weights_bytes + optimiser_bytes
    peak = max(SNAPSHOTS * snapshot + RUN_OVERHEAD_BYTES, (SNAPSHOTS - 1) * snapshot + kept)
    return DiskSpace(kept=kept, peak=peak)


def measure(model: Any, *, test_images: int, outputs: int) -> DiskSpace:
    """Return the disk that training a network needs.

    Parameters
    ----------
    model : keras.Model
        A network that is built. Its optimiser counts as Adam where it is not built yet.
    test_images, outputs : int
        As for `cell_space`.
    """
    weights = sum(_nbytes(variable) for variable in model.variables)
    trainable = sum(_nbytes(variable) for variable in model.trainable_variables)
    optimiser = getattr(model, "optimizer", None)
    known = sum(_nbytes(variable) for variable in optimiser.variables) if optimiser is not None else 0
    return cell_space(weights, max(known, _OPTIMISER_FACTOR * trainable), test_images=test_images, outputs=outputs)


def _nbytes(variable: Any) -> int:
    # Computing in half precision does not make stored variables smaller.
    width = 8 if "64" in str(variable.dtype) else _BYTES_OF_A_WEIGHT
    return width * math.prod(int(length) for length in variable.shape)


def require_run_space(folder: Path, space: DiskSpace) -> None:
    """Refuse to train a network or generator whose run would not fit.

    Parameters
    ----------
    folder : Path
        Folder of the run. Snapshots in it, of a training that is resumed, count as part of what it needs.
    space : DiskSpace
        Disk that the run needs.

    Raises
    ------
    StorageError
        Naming what is needed and what is free.
    """
    present = sum(path.stat().st_size for path in folder.glob("snapshot-*"))
    purpose = f"training this network ({format_size(space.kept)} of results, the rest for snapshots)"
    require_free(folder, max(0, space.peak - present), purpose)


class Forecast:
    """Adds up the disk that the runs of a study which have not finished will need.

    Parameters
    ----------
    study : Path
        Folder of the study.
    planned : iterable of PlannedCell or PlannedGenerator
        Everything that is going to be run.
    jobs : int
        Number of runs at once.
    """

    def __init__(self, study: Path, planned: Iterable[Planned], *, jobs: int = 1) -> None:
        self._study = study
        self._jobs = jobs
        self._waiting = {each.key: network_of(each) for each in planned}
        self._known: dict[str, DiskSpace] = {}

    def learn_from_runs(self, finished: Iterable[PlannedCell], *, outputs: int, test_images: int) -> None:
        """Take the size of networks from finished runs; those that cannot be read are passed over."""
        for cell in finished:
            try:
                costs = CellCosts.read(RunPaths.of(self._study, cell.key).finished / COSTS_FILE)
            except StorageError:
                continue
            weights = _BYTES_OF_A_WEIGHT * costs.parameters.total
            optimiser = _OPTIMISER_FACTOR * _BYTES_OF_A_WEIGHT * costs.parameters.trainable
            self._known[network_of(cell)] = cell_space(weights, optimiser, test_images=test_images, outputs=outputs)

    def built(self, planned: Planned, space: DiskSpace) -> None:
        """Take the size of a network from its worker, and check the study again if it was not known.

        Raises
        ------
        StorageError
            If the study does not fit.
        """
        network = network_of(planned)
        fresh = network not in self._known
        self._known[network] = space
        if fresh:
            self.check()

    def finished(self, planned: Planned) -> None:
        """Forget a run: what it needed is on the disk, or was given back."""
        self._waiting.pop(planned.key, None)

    @property
    def n_bytes(self) -> int:
        """Bytes that networks of known size will need at most from now on: a lower bound for the study."""
        spaces = [self._known[network] for network in self._waiting.values() if network in self._known]
        extra = sorted((space.peak - space.kept for space in spaces), reverse=True)
        return sum(space.kept for space in spaces) + sum(extra[: self._jobs])

    def check(self) -> None:
        """Compare with the disk.

        Raises
        ------
        StorageError
            If the study does not fit.
        """
        known = sum(network in self._known for network in self._waiting.values())
        if known:
            of = f"{known} of " if known < len(self._waiting) else ""
            require_free(self._study, self.n_bytes, f"{of}{len(self._waiting)} cell(s) that have not finished")


def network_of(planned: Planned) -> str:
    """Return what decides the size of a network or generator, within one study.

    Parameters
    ----------
    planned : PlannedCell or PlannedGenerator
        Cell or generator.
    """
    match planned:
        case PlannedCell():
            model = planned.spec.model
            return repr((model.architecture, sorted(model.options.items())))
        case PlannedGenerator():
            generator = planned.spec.generator
            return repr((generator.name, sorted(generator.options.items())))
