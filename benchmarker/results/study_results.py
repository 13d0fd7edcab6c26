"""Everything that a report may show of a study; whatever takes time is read when it is first asked for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.folds import listed_seed
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import read_ordinary_text
from benchmarker.plain_figures import Stretch
from benchmarker.results.clusters import CLUSTERS_FILE, read_clusters
from benchmarker.results.environments import Environment, environments
from benchmarker.results.leaderboard import Leaderboard, LeaderboardRow, build_leaderboard
from benchmarker.results.study import CellRecord, GeneratorRecord, Study, read_study, uncollected
from benchmarker.results.tables import HISTORY_FILE, History, Predictions, read_history, read_predictions
from benchmarker.study.layout import CHECKPOINTS, predictions_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.contracts.images import LabelledImages

_UNKNOWN_VERSION = "of an unknown version"
_DESCRIPTION_START = 200  # bytes of prepared.json that hold the digest, which is written first
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Choices of the user for a report.

    Parameters
    ----------
    checkpoints : tuple of {"best", "final"}
        Checkpoints that get rows in a leaderboard.
    sort : str, optional
        Metric or cost to rank by; the task's primary metric by default.
    include_incomplete : bool
        Also rank rows whose seeds have not all finished.
    reference : str
        Arm that other arms are compared with.
    confidence : float
        Level of intervals, between 0 and 1.
    equivalence : float, optional
        Half-width of the region of practical equivalence, in the unit of the primary metric (percentage points for
        mean per-class accuracy). By default each comparison uses the default of its statistics.
    stretch : {"auto", "linear", "sqrt", "log", "asinh", "zscale"}
        How the pixels of pictures become shades; ``"auto"`` is the square root for one channel and linear for colours.
    refresh_seconds : int, optional
        Interval at which the report is rewritten while runs go on; None for a final report.
    """

    checkpoints: tuple[str, ...] = CHECKPOINTS
    sort: str | None = None
    include_incomplete: bool = False
    reference: str = "real"
    confidence: float = 0.95
    equivalence: float | None = None
    stretch: Stretch = "auto"
    refresh_seconds: int | None = None

    @property
    def checkpoint(self) -> str:
        """Checkpoint of everything but the leaderboard: the first one."""
        return self.checkpoints[0]


class StudyResults:
    """A study with everything that a report may show of it.

    Parameters
    ----------
    study : Study
        Study, as it was read from its folder.

    Examples
    --------
    >>> from benchmarker import open_results
    >>> results = open_results("results/quickstart")  # doctest: +SKIP
    >>> [row.label for row in results.leaderboard("best").rows]  # doctest: +SKIP
    ['convxpress', 'mcrgnet', 'first_classifier']
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._boards: dict[tuple[tuple[str, ...], str | None, bool], Leaderboard] = {}

    @property
    def folder(self) -> Path:
        """Path of the study."""
        return self.study.folder

    @property
    def title(self) -> str:
        """Title of the registry, or the name of the folder."""
        return self.study.title

    @property
    def task(self) -> Task:
        """What networks predict."""
        return self.study.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty for a regression."""
        return self.task.classes if isinstance(self.task, Classification) else ()

    @property
    def cells(self) -> tuple[CellRecord, ...]:
        """Cells in the order of the plan."""
        return self.study.cells

    @property
    def generators(self) -> tuple[GeneratorRecord, ...]:
        """Trainings of generators in the order of the plan; empty where the study has none."""
        return self.study.generators

    def leaderboard(
        self,
        checkpoint: str | None = None,
        *,
        checkpoints: Sequence[str] = CHECKPOINTS,
        sort: str | None = None,
        include_incomplete: bool = False,
    ) -> Leaderboard:
        """Average metrics over seeds, and rank the rows that are complete.

        Parameters
        ----------
        checkpoint : {"best", "final"}, optional
            Single checkpoint to show instead of ``checkpoints``.
        checkpoints : sequence of {"best", "final"}
            Checkpoints that get rows.
        sort : str, optional
            Metric or cost to sort by; the task's primary metric by default.
        include_incomplete : bool
            Also rank rows whose seeds have not all finished.

        Raises
        ------
        ConfigurationError
            If no run has the metric to sort by.
        """
        chosen = tuple(checkpoints) if checkpoint is None else (checkpoint,)
        key = (chosen, sort, include_incomplete)
        if key not in self._boards:
            with uncollected():
                self._boards[key] = build_leaderboard(
                    self.study, sort=sort, checkpoints=chosen, include_incomplete=include_incomplete
                )
        return self._boards[key]

    def board(self, options: ReportOptions) -> Leaderboard:
        """Return the leaderboard that the options of a report ask for."""
        return self.leaderboard(
            checkpoints=options.checkpoints, sort=options.sort, include_incomplete=options.include_incomplete
        )

    def cells_of(self, row: LeaderboardRow) -> tuple[CellRecord, ...]:
        """Return the finished cells that a row of this study's leaderboard averages, in the order of their seeds."""
        return tuple(self._by_key[key] for key in row.keys if key in self._by_key)

    @cached_property
    def _by_key(self) -> Mapping[str, CellRecord]:
        return {cell.key: cell for cell in self.cells}

    def history(self, cell: CellRecord | GeneratorRecord) -> History | None:
        """Return what a run recorded after each epoch, or None where it has not been trained here.

        Raises
        ------
        StorageError
            If the file is damaged.
        """
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
        if cell.status != "ok" or cell.folder is None:
            return None
        path = cell.folder / predictions_file(checkpoint)
        return read_predictions(path, self.task) if path.is_file() else None

    def confusion(self, cells: Iterable[CellRecord], checkpoint: str = "best") -> NDArray[np.int64] | None:
        """Return the sum of the confusion matrices of cells.

        Returns
        -------
        ndarray of shape (n_classes, n_classes), int64, or None
            Numbers of test images: true class by predicted class. None where no cell has one, as in a regression.
        """
        import numpy as np

        total: NDArray[np.int64] | None = None
        n = len(self.classes)
        read = (cell.read_metrics() for cell in cells)
        tested = (metrics.checkpoints.items() for metrics in read if metrics is not None)
        for scores in (scores for found in tested for name, scores in found if name == checkpoint):
            counts = np.array(scores.confusion_matrix or (), dtype=np.int64)
            if counts.shape == (n, n):
                total = counts if total is None else total + counts
        return total

    @property
    def prepared(self) -> LabelledImages | None:
        """The prepared images of the dataset with their attributes; None where this machine's cache lacks them."""
        return find_prepared(self.study.dataset.digest)

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        """Cluster of each source that is not independent of others, from ``clusters.csv``; empty without that file.

        Raises
        ------
        StorageError
            If the file is damaged.
        """
        return read_clusters(self.folder / CLUSTERS_FILE)

    @cached_property
    def registry_text(self) -> str:
        """Text of the registry as it was run; empty where its copy is missing."""
        if self._registry_file is None:
            return ""
        return read_ordinary_text(self._registry_file, errors="replace").replace("\r\n", "\n")

    @property
    def _registry_file(self) -> Path | None:
        path = self.folder / self.study.plan.registry.copy_name
        return path if path.is_file() else None

    @cached_property
    def commands(self) -> tuple[str, ...]:
        """Commands that install the same packages, run the registry again and check the study, one a line."""
        return tuple(_commands(self))

    @cached_property
    def environments(self) -> tuple[Environment, ...]:
        """Environments of all finished runs, the most frequent one first."""
        return environments((*self.cells, *self.generators))

    def images(self, numbers: Sequence[int]) -> NDArray[np.float32] | None:
        """Return prepared images of the dataset by their numbers.

        Parameters
        ----------
        numbers : sequence of int
            Numbers of images, as in `Predictions.images`.

        Returns
        -------
        ndarray of shape (len(numbers), height, width, channels), float32, or None
            Images as networks see them, usually scaled to [0, 1]; None where the prepared data are not in this
            machine's cache.
        """
        import numpy as np

        data = self.prepared
        if data is None or any(not 0 <= number < len(data) for number in numbers):
            return None
        return np.array(data.images[np.asarray(numbers, dtype=np.int64)], dtype=np.float32)

    def attribute(self, name: str, numbers: Sequence[int]) -> NDArray[np.float64] | None:
        """Return a quantity of images of the dataset, such as a redshift.

        Parameters
        ----------
        name : str
            Name of the attribute.
        numbers : sequence of int
            Numbers of images, as in `Predictions.images`.

        Returns
        -------
        ndarray of shape (len(numbers),), float64, or None
            In the unit of the attribute, NaN where unknown; None where the dataset has no such attribute, or the
            prepared data are not in this machine's cache.
        """
        import numpy as np

        data = find_prepared(self.study.dataset.digest)
        if data is None or name not in data.attributes or any(not 0 <= number < len(data) for number in numbers):
            return None
        return np.array(data.attributes[name].values[np.asarray(numbers, dtype=np.int64)], dtype=np.float64)

    @staticmethod
    def sample_grids(generator: GeneratorRecord) -> tuple[Path, ...]:
        """Return the PNG files of samples that a generator drew while it was trained, by epoch."""
        if generator.folder is None:
            return ()
        found = [path for pattern in ("*.png", "*/*.png") for path in generator.folder.glob(pattern)]
        return tuple(sorted(found, key=lambda path: ([int(n) for n in _NUMBER.findall(path.name)], path.name)))

    def losses(self, generator: GeneratorRecord) -> History | None:
        """Return the losses of a generator's training by epoch, or None where there are none."""
        return self.history(generator)

    @staticmethod
    def quality(generator: GeneratorRecord) -> Mapping[str, Any]:
        """Return what its plugin measured on a generator's samples; empty where nothing was measured."""
        return (generator.metrics.quality or {}) if generator.metrics is not None else {}


def open_results(folder: str | Path) -> StudyResults:
    """Open the folder of a study for a report.

    Parameters
    ----------
    folder : str or Path
        Folder that ``benchmarker run`` wrote.

    Raises
    ------
    StorageError
        If there is no readable plan. Damaged runs raise nothing; their cells are ``"unreadable"``.
    """
    return StudyResults(read_study(Path(folder)))


def find_prepared(digest: str) -> LabelledImages | None:
    """Return prepared data with a digest from this machine's cache, or None."""
    from benchmarker.data.prepared import open_prepared
    from benchmarker.paths import cache_folder

    try:
        prepared = cache_folder() / "prepared"
    except ConfigurationError:  # there is no home folder, so nothing was prepared in it
        return None
    for described in sorted(prepared.glob("*/prepared.json")):
        try:
            with described.open("rb") as stream:
                start = stream.read(_DESCRIPTION_START)
            if f'"digest": "{digest}"'.encode() in start:
                return open_prepared(described.parent)
        except (OSError, StorageError):  # damaged, or just being freed: reports do without pictures
            continue
    return None


def _requirements(packages: Mapping[str, str]) -> Iterator[str]:
    """Yield the requirements of packages, without those whose name or version could be anything else to pip."""
    from packaging.utils import InvalidName, canonicalize_name

    for name, version in packages.items():
        try:
            canonicalize_name(name, validate=True)
        except InvalidName:
            continue
        if (valid := _version(version)) != _UNKNOWN_VERSION:
            yield f"{name}=={valid}"


def _version(text: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text))
    except InvalidVersion:
        return _UNKNOWN_VERSION


def _commands(results: StudyResults) -> Iterator[str]:
    plan = results.study.plan
    if results.environments:
        fingerprint = results.environments[0].fingerprint
        # No index of packages has it, so that whoever registered the name there would be installed instead.
        yield f"# galaxy-benchmarker {_version(fingerprint.benchmarker)}: `make install` in a checkout of that version"
        if wanted := [*_requirements(fingerprint.packages)]:
            yield shlex.join(["python", "-m", "pip", "install", *wanted])
    makers = {each: record for record in plan.earlier for each in record.configurations}
    for record in (*plan.earlier, plan.registry):
        mine = (cell for cell in results.cells if makers.get(cell.configuration, plan.registry) is record)
        seeds = dict.fromkeys(listed_seed(cell.seed, cell.entry.folds) for cell in mine)
        run = ["benchmarker", "run", record.copy_name]
        run += ["-s", ",".join(map(str, seeds))] if seeds else []
        run += ["-d", plan.source.path] if plan.source is not None and plan.source.path is not None else []
        run += ["-p", "again"]
        yield f"KERAS_BACKEND={shlex.quote(plan.backend)} {shlex.join(run)}"
    yield "benchmarker audit ."
    yield "benchmarker compare . again"
