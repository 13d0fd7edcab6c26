"""How much disk a study will need, known as soon as its networks are.

The size of a network is not in the registry, and building one in the parent would cost the start of a backend. So a
worker measures its network right after it is built (`measure`), refuses to train what would not fit, and tells its
parent, which adds up the whole study from then on, and from the runs that earlier commands finished (`Forecast`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker.disk import format_size, require_free
from benchmarker.errors import StorageError
from benchmarker.files import read_json
from benchmarker.study.layout import RUNS_FOLDER
from benchmarker.study.plan import Cell

# Newest snapshots that are kept, and the one that is written beside them.
_SNAPSHOTS = 3
_CHECKPOINTS = 2
# Adam keeps two numbers for each weight that is trained.
_OPTIMISER_FACTOR = 2
_BYTES_OF_A_WEIGHT = 4
# Names and groups of an HDF5 file; logs, history and events of a run.
_WEIGHTS_OVERHEAD_BYTES = 1 << 19
_RUN_OVERHEAD_BYTES = 1 << 20
# A line of a prediction file: source, labels, and a number of up to 20 digits for each output.
_LINE_BYTES, _NUMBER_BYTES = 80, 21


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSpace:
    """Disk that a cell needs, in bytes.

    Parameters
    ----------
    kept : int
        By its finished run: best and final weights, predictions, logs.
    peak : int
        At most while it works: snapshots hold the network, its optimiser and the best weights so far.
    """

    kept: int
    peak: int

    def to_json(self) -> dict[str, int]:
        """Return what an event tells the parent."""
        return {"kept": self.kept, "peak": self.peak}


def cell_space(weights_bytes: int, optimiser_bytes: int, *, test_images: int, outputs: int) -> CellSpace:
    """Return the disk that a cell needs.

    Parameters
    ----------
    weights_bytes, optimiser_bytes : int
        Of all variables of the network, and of its optimiser.
    test_images, outputs : int
        Lines of a prediction file, and numbers in each.
    """
    predictions = _CHECKPOINTS * test_images * (_LINE_BYTES + _NUMBER_BYTES * outputs)
    kept = _CHECKPOINTS * (weights_bytes + _WEIGHTS_OVERHEAD_BYTES) + predictions + _RUN_OVERHEAD_BYTES
    snapshot = 2 * weights_bytes + optimiser_bytes
    peak = max(_SNAPSHOTS * snapshot + _RUN_OVERHEAD_BYTES, (_SNAPSHOTS - 1) * snapshot + kept)
    return CellSpace(kept=kept, peak=peak)


def measure(model: Any, *, test_images: int, outputs: int) -> CellSpace:
    """Return the disk that training a network needs.

    Parameters
    ----------
    model : keras.Model
        Built; its optimiser is counted as Adam where it is not built yet.
    test_images, outputs : int
        As for `cell_space`.
    """
    weights = sum(_nbytes(variable) for variable in model.variables)
    trainable = sum(_nbytes(variable) for variable in model.trainable_variables)
    optimiser = getattr(model, "optimizer", None)
    known = sum(_nbytes(variable) for variable in optimiser.variables) if optimiser is not None else 0
    return cell_space(weights, max(known, _OPTIMISER_FACTOR * trainable), test_images=test_images, outputs=outputs)


def _nbytes(variable: Any) -> int:
    count = 1
    for length in variable.shape:
        count *= int(length)
    # Computing in half precision does not make stored variables smaller.
    return count * (8 if "64" in str(variable.dtype) else _BYTES_OF_A_WEIGHT)


def require_cell_space(folder: Path, space: CellSpace, present: int = 0) -> None:
    """Refuse to train a network whose run would not fit.

    Parameters
    ----------
    folder : Path
        Of the run.
    space : CellSpace
        What it needs.
    present : int
        Bytes of it that are on the disk already: snapshots of a run that goes on.

    Raises
    ------
    StorageError
        Naming what is needed and what is free.
    """
    purpose = f"training this network ({format_size(space.kept)} of results, the rest for snapshots)"
    require_free(folder, max(0, space.peak - present), purpose)


class Forecast:
    """Adds up the disk that the cells of a study which have not finished will need.

    Parameters
    ----------
    study : Path
        Folder of the study; its finished runs tell the size of networks, and so do the workers' events.
    cells : iterable of Cell
        All that are going to be run.
    jobs : int
        How many work at once.
    """

    def __init__(self, study: Path, cells: Iterable[Cell], *, jobs: int = 1) -> None:
        self._study = study
        self._jobs = jobs
        self._waiting = {cell.key: _network(cell) for cell in cells}
        self._known: dict[str, CellSpace] = {}

    def learn_from_runs(self, finished: Iterable[Cell], *, outputs: int, test_images: int) -> None:
        """Take the size of networks from runs that are there; those that cannot be read tell nothing."""
        for cell in finished:
            try:
                costs = read_json(self._study / RUNS_FOLDER / cell.run_name / "costs.json")
                parameters = costs["parameters"]
                weights = _BYTES_OF_A_WEIGHT * int(parameters["total"])
                optimiser = _OPTIMISER_FACTOR * _BYTES_OF_A_WEIGHT * int(parameters["trainable"])
            except (StorageError, KeyError, TypeError, ValueError):
                continue
            self._known[_network(cell)] = cell_space(weights, optimiser, test_images=test_images, outputs=outputs)

    def built(self, cell: Cell, space: Mapping[str, int]) -> None:
        """Take the size of a network from its worker, and check the study anew if it was not known.

        Raises
        ------
        StorageError
            If the study does not fit.
        """
        network = _network(cell)
        fresh = network not in self._known
        self._known[network] = CellSpace(kept=int(space["kept"]), peak=int(space["peak"]))
        if fresh:
            self.check()

    def finished(self, cell: Cell) -> None:
        """Forget a cell: what it needed is on the disk, or was given back."""
        self._waiting.pop(cell.key, None)

    @property
    def n_bytes(self) -> int:
        """What is needed at most from now on, by networks whose size is known: a lower bound for the study."""
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


def _network(cell: Cell) -> str:
    """Return what decides the size of a cell's network, within one study."""
    generator = cell.spec.get("generator")
    model = generator or cell.spec.get("model", {})
    return repr((model.get("name" if generator else "architecture"), sorted((model.get("options") or {}).items())))
