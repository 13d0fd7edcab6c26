"""Reads what comparisons need of a study: which cells stand side by side, and their predictions by source."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from benchmarker.errors import BenchmarkerError
from benchmarker.statistics.comparison import Side
from benchmarker.statistics.scores import Score, Sums, classification_sums, regression_sums, score
from benchmarker.statistics.summaries import mean, standard_deviation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarker.results.leaderboard import LeaderboardRow
    from benchmarker.results.study import CellRecord
    from benchmarker.results.study_results import StudyResults

_T = TypeVar("_T")
_logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class SeedResults:
    """One network in one arm, with everything that its comparisons need.

    Parameters
    ----------
    network, arm, model : str
        As the leaderboard calls the network, its arm, and its name without variant.
    planned : int
        Seeds in the plan.
    values : mapping of int to float
        The metric of each finished seed, as the run wrote it.
    sums : mapping of int to Sums
        Of each seed whose predictions could be read.
    right : mapping of int to ndarray of bool
        Whether each image (in the order of the file) got its class; empty for a regression.
    images : mapping of int to tuple of str
        Source of each of these images.
    parts : mapping of str to int
        Images in ``"train"`` and ``"test"``.
    fingerprints : mapping of int to mapping
        Of each finished seed.
    specs : mapping of int to mapping
        Of each finished seed: everything that its key is made from.
    costs : mapping of str to float
        Means over finished seeds.
    generated : mapping
        Where the arm's generated images come from, and how many; empty without.
    plain : bool
        Whether the arm has no augmentation beside them.
    """

    network: str
    arm: str
    model: str
    planned: int
    values: Mapping[int, float]
    sums: dict[int, Sums] = field(default_factory=dict)
    right: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    images: dict[int, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    fingerprints: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    specs: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    generated: Mapping[str, Any] = field(default_factory=dict)
    plain: bool = True
    _scores: dict[tuple[int, str, int | None], Score | None] = field(default_factory=dict)

    def score(self, seed: int, metric: str, index: int | None = None) -> Score | None:
        """Return a metric of one seed with its jackknife, or None where predictions cannot give it."""
        key = (seed, metric, index)
        if key not in self._scores:
            self._scores[key] = score(self.sums[seed], metric, index) if seed in self.sums else None
        return self._scores[key]

    def value(self, seed: int, metric: str, index: int | None) -> float | None:
        """Return a metric of one seed: overall as the run wrote it, of one class from its predictions."""
        if index is None:
            return self.values.get(seed)
        found = self.score(seed, metric, index)
        return None if found is None else found.value

    def only(self, seed: int) -> SeedResults:
        """Return the same row as if nothing but one seed had been planned."""
        return replace(
            self,
            planned=1,
            values=_one(self.values, seed),
            sums=_one(self.sums, seed),
            right=_one(self.right, seed),
            images=_one(self.images, seed),
            fingerprints=_one(self.fingerprints, seed),
            specs=_one(self.specs, seed),
            _scores={},
        )

    def side(self, seeds: tuple[int, ...], metric: str, index: int | None) -> Side:
        """Return what tables show of this row, over some seeds."""
        found = [value for seed in seeds if (value := self.value(seed, metric, index)) is not None]
        return Side(
            network=self.network,
            arm=self.arm,
            mean=mean(found) if found else None,
            standard_deviation=standard_deviation(found) if found else None,
            finished=len(self.values),
            planned=self.planned,
        )


def _one(values: Mapping[int, _T], seed: int) -> dict[int, _T]:
    return {seed: values[seed]} if seed in values else {}


def read_seed_results(
    results: StudyResults, metric: str, checkpoint: str, *, predictions: bool = True
) -> list[SeedResults]:
    """Return the rows of a study's leaderboard in the order of the plan, with predictions.

    Parameters
    ----------
    results : StudyResults
        A study.
    metric : str
        Flat name.
    checkpoint : {"best", "final"}
        Of which weights.
    predictions : bool
        Read them; without, test sources are taken as fixed.
    """
    cells: dict[tuple[str, str], list[CellRecord]] = {}
    for cell in results.cells:
        cells.setdefault((cell.model, cell.arm), []).append(cell)
    order = {name: k for k, name in enumerate(cells)}
    rows = []
    for line in results.leaderboard(checkpoint).rows:
        row = _row(line, metric)
        for cell in cells.get((row.model, row.arm), []):
            _add(results, row, cell, metric, checkpoint, predictions=predictions)
        rows.append(row)
    return sorted(rows, key=lambda row: (order.get((row.model, row.arm), 0), row.network))


def _row(line: LeaderboardRow, metric: str) -> SeedResults:
    summary = line.summary(metric)
    return SeedResults(
        network=line.label,
        arm=line.arm,
        model=line.model,
        planned=line.planned,
        values={} if summary is None else dict(summary.values),
        costs={name: each.mean for name, each in line.costs.items()},
    )


def _add(
    results: StudyResults, row: SeedResults, cell: CellRecord, metric: str, checkpoint: str, *, predictions: bool
) -> None:
    """Take over what a cell of the row's network and arm says, if the row's average contains it."""
    arm = cell.spec.get("arm")
    if isinstance(arm, Mapping):
        generated = arm.get("generated")
        row.generated = _named(results, generated) if isinstance(generated, Mapping) else {}
        row.plain = not arm.get("augmentations")
    value = {**cell.evaluations.get(checkpoint, {}), **cell.cost_values}.get(metric)
    # Two variants of a network may share a name, an arm and a seed; their results tell them apart.
    if cell.status != "ok" or value is None or row.values.get(cell.seed) != value or cell.seed in row.fingerprints:
        return
    row.fingerprints[cell.seed] = cell.fingerprint
    row.specs[cell.seed] = cell.spec
    parts = cell.metrics.get("parts") or results.study.dataset.get("parts")
    row.parts = parts if isinstance(parts, Mapping) else {}
    if predictions:
        _read_predictions(results, row, cell, checkpoint)


def _named(results: StudyResults, generated: Mapping[str, Any]) -> dict[str, Any]:
    """Add the generator's name, where the study knows who has the key that a spec holds."""
    names = (cell.model for cell in results.generators if cell.key == generated.get("generator"))
    return {**({"name": name} if (name := next(names, None)) else {}), **generated}


def _read_predictions(results: StudyResults, row: SeedResults, cell: CellRecord, checkpoint: str) -> None:
    try:
        table = results.predictions(cell, checkpoint)
    except BenchmarkerError as error:
        _logger.warning("%s: predictions are left out: %s", cell.name, error)
        return
    if table is None or not table.source_ids:
        return
    seed = cell.seed
    if table.classes:
        predicted = table.predicted
        row.sums[seed] = classification_sums(table.source_ids, table.truth, predicted, len(table.classes))
        row.right[seed] = table.correct
    else:
        row.sums[seed] = regression_sums(table.source_ids, table.truth, table.values)
    row.images[seed] = table.source_ids
