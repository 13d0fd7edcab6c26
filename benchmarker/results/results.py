"""Everything that a report may show of a study, read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.study.layout import CHECKPOINTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.results.leaderboard import Leaderboard, LeaderboardRow
    from benchmarker.results.study import CellRecord, Study
    from benchmarker.results.tables import History, Predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What whoever asks for a report may choose.

    Parameters
    ----------
    checkpoints : tuple of {"best", "final"}
        Which checkpoints get rows in a leaderboard.
    sort : str, optional
        Metric or cost to rank by; the task's primary metric by default.
    include_incomplete : bool
        Rank rows whose seeds have not all finished, too.
    reference : str
        The arm that other arms are compared with.
    confidence : float
        Level of intervals, between 0 and 1.
    equivalence : float, optional
        Half the width of the region of practical equivalence, in the unit of the primary metric (percentage points for
        mean per-class accuracy); the statistics' own default where it is None.
    refresh_seconds : int, optional
        The report is written anew so often while runs go on; None for one that is final.
    """

    checkpoints: tuple[str, ...] = CHECKPOINTS
    sort: str | None = None
    include_incomplete: bool = False
    reference: str = "real"
    confidence: float = 0.95
    equivalence: float | None = None
    refresh_seconds: int | None = None

    @property
    def checkpoint(self) -> str:
        """The checkpoint that everything but a leaderboard is shown for: the first one."""
        return self.checkpoints[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What of the machine and its software may have changed the bits of some runs.

    Parameters
    ----------
    label : str
        In what it differs from the others of the study; empty where it is the only one.
    fingerprint : mapping
        As the runs noted it.
    cells : tuple of str
        Names of the cells (and generators) that were computed there.
    """

    label: str
    fingerprint: Mapping[str, Any]
    cells: tuple[str, ...]


class StudyResults:
    """A study and everything that a report may show of it; whatever costs time is read when it is asked for.

    Parameters
    ----------
    study : Study
        As it was read from its folder.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._boards: dict[tuple[Any, ...], Leaderboard] = {}

    @property
    def folder(self) -> Path:
        """Where the study lies."""
        return self.study.folder

    @property
    def title(self) -> str:
        """The registry's title, or the folder's name."""
        return self.study.title

    @property
    def task(self) -> Mapping[str, Any]:
        """The task's ``to_json``: its ``kind`` and classes or targets."""
        return self.study.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty for a regression."""
        return tuple(str(name) for name in self.task.get("classes", ()))

    @property
    def cells(self) -> tuple[CellRecord, ...]:
        """The cells in the order of the plan."""
        return self.study.cells

    @property
    def generators(self) -> tuple[CellRecord, ...]:
        """The trainings of generators in the order of the plan; empty where the study has none."""
        return tuple(getattr(self.study, "generators", ()))

    def leaderboard(
        self,
        checkpoint: str | None = None,
        *,
        checkpoints: Sequence[str] = CHECKPOINTS,
        sort: str | None = None,
        include_incomplete: bool = False,
    ) -> Leaderboard:
        """Average metrics over seeds, and rank what is complete.

        Parameters
        ----------
        checkpoint : {"best", "final"}, optional
            One checkpoint alone, instead of ``checkpoints``.
        checkpoints : sequence of {"best", "final"}
            Which checkpoints get rows.
        sort : str, optional
            Metric or cost to sort by; the task's primary metric by default.
        include_incomplete : bool
            Rank rows whose seeds have not all finished, too.

        Raises
        ------
        ConfigurationError
            If no run has the metric to sort by.
        """
        from benchmarker.results.lazy import uncollected
        from benchmarker.results.ranking import build_leaderboard

        chosen = tuple(checkpoints) if checkpoint is None else (checkpoint,)
        key = (chosen, sort, include_incomplete)
        if key not in self._boards:
            with uncollected():
                self._boards[key] = build_leaderboard(
                    self.study, sort=sort, checkpoints=chosen, include_incomplete=include_incomplete
                )
        return self._boards[key]

    def board(self, options: ReportOptions) -> Leaderboard:
        """Return the leaderboard that a report was asked for."""
        return self.leaderboard(
            checkpoints=options.checkpoints, sort=options.sort, include_incomplete=options.include_incomplete
        )

    def cells_of(self, row: LeaderboardRow) -> tuple[CellRecord, ...]:
        """Return the finished cells that a row of this study's leaderboard averages, in the order of their seeds."""
        return tuple(self._by_key[key] for key in row.keys if key in self._by_key)

    @cached_property
    def _by_key(self) -> Mapping[str, CellRecord]:
        return {cell.key: cell for cell in self.cells}

    def history(self, cell: CellRecord) -> History | None:
        """Return what was noted after each epoch of a run, or None where it has not been trained here.

        Raises
        ------
        StorageError
            If the file is damaged.
        """
        from benchmarker.results.tables import HISTORY_FILE, read_history

        if cell.folder is None or not (cell.folder / HISTORY_FILE).is_file():
            return None
        return read_history(cell.folder / HISTORY_FILE)

    def predictions(self, cell: CellRecord, checkpoint: str = "best") -> Predictions | None:
        """Return a run's predictions of its test part, or None where there are none.

        Raises
        ------
        StorageError
            If the file is damaged.
        """
        from benchmarker.results.tables import read_predictions
        from benchmarker.study.layout import predictions_file

        if cell.status != "ok" or cell.folder is None or not (cell.folder / predictions_file(checkpoint)).is_file():
            return None
        return read_predictions(cell.folder, checkpoint, self.task)

    def confusion(self, cells: Iterable[CellRecord], checkpoint: str = "best") -> NDArray[np.int64] | None:
        """Return the confusion matrices of cells, added up.

        Returns
        -------
        ndarray of shape (n_classes, n_classes), int64, or None
            Numbers of test images: true class by predicted class. None where no cell has one, as in a regression.
        """
        import numpy as np

        total: NDArray[np.int64] | None = None
        n = len(self.classes)
        for cell in cells:
            evaluation = cell.metrics.get(checkpoint)
            matrix = evaluation.get("confusion_matrix") if isinstance(evaluation, Mapping) else None
            if not isinstance(matrix, list):
                continue
            counts = np.array(matrix, dtype=np.int64)
            if counts.shape == (n, n):
                total = counts if total is None else total + counts
        return total

    @cached_property
    def registry_text(self) -> str:
        """The registry as it was run; empty where its copy is gone."""
        return self._registry_file.read_text(encoding="utf-8", errors="replace") if self._registry_file else ""

    @property
    def registry_name(self) -> str:
        """How the registry's file was called."""
        registry = self.study.plan.get("registry")
        return str(registry.get("name", "")) if isinstance(registry, dict) else ""

    @property
    def _registry_file(self) -> Path | None:
        path = self.folder / f"registry{Path(self.registry_name or 'registry.yaml').suffix}"
        return path if path.is_file() else None

    @cached_property
    def commands(self) -> tuple[str, ...]:
        """What has to be typed to make this study again, and to check it, line by line."""
        from benchmarker.results.commands import commands

        return commands(self)

    @cached_property
    def environments(self) -> tuple[Environment, ...]:
        """The environments of all finished runs, the most frequent one first."""
        from benchmarker.results.commands import environments

        return environments((*self.cells, *self.generators))

    def images(self, numbers: Sequence[int]) -> NDArray[np.float32] | None:
        """Return prepared images of the dataset by their numbers.

        Parameters
        ----------
        numbers : sequence of int
            As in `Predictions.images`.

        Returns
        -------
        ndarray of shape (len(numbers), height, width, channels), float32, or None
            As networks saw them, usually scaled to [0, 1]; None where the prepared data are not in this machine's
            cache.
        """
        from benchmarker.results.pictures import prepared_images

        return prepared_images(self.study, numbers)

    def sample_grids(self, generator: CellRecord) -> tuple[Path, ...]:
        """Return the pictures (PNG) of samples that a generator drew while it was trained, by epoch; none without."""
        from benchmarker.results.pictures import sample_grids

        return sample_grids(generator)

    def losses(self, generator: CellRecord) -> History | None:
        """Return the losses of a generator's training by epoch, or None where there are none."""
        return self.history(generator)

    @staticmethod
    def quality(generator: CellRecord) -> Mapping[str, Any]:
        """Return what was measured of a generator's samples; empty where nothing was."""
        value = generator.metrics.get("quality")
        return value if isinstance(value, Mapping) else {}


def open_results(folder: str | Path) -> StudyResults:
    """Open a study's folder for a report.

    Parameters
    ----------
    folder : str or Path
        The folder that ``benchmarker run`` wrote.

    Raises
    ------
    StorageError
        If there is no readable plan. Damaged runs raise nothing; their cells are unreadable.
    """
    from benchmarker.results.study import read_study

    return StudyResults(read_study(Path(folder)))
