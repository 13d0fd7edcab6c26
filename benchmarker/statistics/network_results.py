"""Results of one network in one arm under each seed, and its metrics without one test source each.

Every metric here is a function of sums over test sources, so leaving a source out is a subtraction. That makes the
jackknife over sources cheap. The values equal those in the run's metrics file; a test compares them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Regression, task_from_json
from benchmarker.errors import BenchmarkerError
from benchmarker.registry.models import GeneratedEntry
from benchmarker.statistics import caveats

if TYPE_CHECKING:
    from benchmarker.results.leaderboard import LeaderboardRow
    from benchmarker.results.study import CellRecord
    from benchmarker.results.study_results import StudyResults
    from benchmarker.study.fingerprint import Fingerprint
    from benchmarker.study.specs import ArmSpec, CellSpec

Array = NDArray[np.float64]
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric of one run on its test part.

    Parameters
    ----------
    value : float
        Value in the unit of the metric.
    left_out : ndarray of shape (n_sources,), float64
        The metric without each of the sources, in the order of the sources.
    """

    value: float
    left_out: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSums:
    """Sums over the images of each test source, from which a run's metrics are computed.

    Parameters
    ----------
    sources : tuple of str
        Names of the n_sources sources, ascending; several images may show one source.
    strata : ndarray of shape (n_sources,), int64
        True class of each source; all zero for a regression.
    values : ndarray of shape (n_sources, n_classes or n_targets, 3), float64
        For each class, the number of its images, of images that are called so, and of those that are both. For each
        target of a regression, the number of images, sum of absolute errors and of squared errors.
    classes : int
        Number of classes; 0 for a regression.
    scales : tuple of float
        What errors of each target are divided by before they are averaged over targets; empty for 1.
    independent : tuple of int
        Number of independent sources, or of clusters of sources, that show each class; empty for a regression.
    """

    sources: tuple[str, ...]
    strata: NDArray[np.int64]
    values: Array
    classes: int
    scales: tuple[float, ...] = ()
    independent: tuple[int, ...] = ()

    def clustered(self, clusters: Mapping[str, str]) -> SourceSums:
        """Return the sums over clusters of sources instead, which a jackknife then leaves out one by one.

        Sources of one pointing or mosaic share what makes them hard, so they are drawn together. A cluster may hold
        sources of several classes; then nothing is drawn within a class.

        Parameters
        ----------
        clusters : mapping of str to str
            Cluster of each source; a source without one is a cluster of its own.
        """
        members: dict[str, list[int]] = {}
        for place, source in enumerate(self.sources):
            members.setdefault(clusters.get(source, source), []).append(place)
        values = np.stack([self.values[places].sum(axis=0) for places in members.values()])
        return replace(
            self,
            # Named after their members: the same fields with other sources are another test part.
            sources=tuple(" ".join(self.sources[place] for place in places) for places in members.values()),
            strata=np.zeros(len(members), dtype=np.int64),
            values=values,
            independent=tuple((values[:, :, 0] > 0).sum(axis=0).tolist()) if self.classes else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """Result of one finished run.

    Parameters
    ----------
    value : float
        The metric as the run wrote it.
    sums : SourceSums or None
        None where the predictions could not be read.
    correct : ndarray of shape (n_images,), bool, or None
        Whether each test image was classified correctly; None for a regression, or without predictions.
    image_sources : tuple of str
        Source of each test image.
    fingerprint : Fingerprint or None
        Environment of the run; None where the run that the value belongs to is not known.
    spec : CellSpec or None
        Specification that the key of the run is the digest of.
    """

    value: float
    sums: SourceSums | None = None
    correct: NDArray[np.bool_] | None = None
    image_sources: tuple[str, ...] = ()
    fingerprint: Fingerprint | None = None
    spec: CellSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkResults:
    """Results of one network in one arm, with everything that comparisons need.

    Parameters
    ----------
    network, arm, model : str
        Network as the leaderboard calls it, its arm, and its name without variant.
    planned : int
        Number of seeds in the plan.
    seeds : mapping of int to SeedResult
        Result of each finished seed.
    n_train : int
        Number of images in the training part; 0 if unknown.
    held_out : int
        Number of images in the validation part where the cells are folds with a test part in common; otherwise 0.
    published_folds : int
        Number of published folds that the cells leave out of training in turn; otherwise 0.
    costs : mapping of str to float
        Mean costs over finished seeds, by flat name.
    seeds_at_once : int
        Number of seeds that are trained in one program, whose time is that of each of them.
    generator : str
        Name of the generator whose images the arm trains on; empty without.
    ratio : float or None
        Generated images per real one, where the arm differs from real images alone in nothing else.
    """

    network: str
    arm: str
    model: str
    planned: int
    seeds: Mapping[int, SeedResult]
    n_train: int = 0
    held_out: int = 0
    published_folds: int = 0
    costs: Mapping[str, float] = field(default_factory=dict)
    seeds_at_once: int = 1
    generator: str = ""
    ratio: float | None = None
    _scores: dict[tuple[int, str, int | None], Score | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def label(self) -> str:
        """Network and arm."""
        return f"{self.network}/{self.arm}"

    @property
    def values(self) -> dict[int, float]:
        """The metric of each finished seed."""
        return {seed: result.value for seed, result in self.seeds.items()}

    def training_seconds(self, seeds: int) -> float | None:
        """Return how long training further seeds takes, one program after the other; None where that was not measured.

        Parameters
        ----------
        seeds : int
            Number of seeds, which fill their programs.
        """
        seconds = self.costs.get("training_seconds")
        return None if seconds is None else math.ceil(seeds / self.seeds_at_once) * seconds

    @property
    def overlap(self) -> float:
        """What is added to 1 / n for folds with a test part in common, because they share training sources."""
        return self.held_out / self.n_train if self.n_train else 0.0

    @property
    def unfinished(self) -> str | None:
        """Caveat where seeds are missing."""
        return caveats.unfinished(len(self.seeds), self.planned)

    def sums(self, seed: int) -> SourceSums | None:
        """Return the sums over test sources of one seed, or None without predictions."""
        return self.seeds[seed].sums if seed in self.seeds else None

    def score(self, seed: int, metric: str, index: int | None = None) -> Score | None:
        """Return a metric of one seed with its jackknife, or None where predictions cannot give it."""
        if seed not in self.seeds:
            return None
        key = (seed, metric, index)
        if key not in self._scores:
            sums = self.sums(seed)
            self._scores[key] = None if sums is None else score(sums, metric, index)
        return self._scores[key]

    def value(self, seed: int, metric: str, index: int | None) -> float | None:
        """Return a metric of one seed: the overall one as the run wrote it, that of a class from its predictions."""
        if index is None:
            return self.seeds[seed].value if seed in self.seeds else None
        found = self.score(seed, metric, index)
        return None if found is None else found.value

    def only(self, *seeds: int) -> NetworkResults:
        """Return the same results as if only these seeds had been planned."""
        kept = {seed: result for seed, result in self.seeds.items() if seed in seeds}
        return replace(self, planned=len(seeds), seeds=kept)  # what is known of the scores of a seed stays true


def read_network_results(
    results: StudyResults, metric: str, checkpoint: str, *, predictions: bool = True
) -> list[NetworkResults]:
    """Read the results of every network in every arm of a study, in the order of the plan.

    Parameters
    ----------
    results : StudyResults
        An open study.
    metric : str
        Flat name of the metric.
    checkpoint : {"best", "final"}
        Weights that made the predictions.
    predictions : bool
        Read predictions; without them test sources are taken as fixed.
    """
    cells: dict[tuple[str, str], list[CellRecord]] = {}
    for cell in results.cells:
        cells.setdefault((cell.model, cell.arm), []).append(cell)
    order = {name: k for k, name in enumerate(cells)}
    rows = [
        _read_row(results, row, cells.get((row.model, row.arm), []), metric, checkpoint, predictions=predictions)
        for row in results.leaderboard(checkpoint).rows
    ]
    return sorted(rows, key=lambda row: (order.get((row.model, row.arm), 0), row.network))


def _read_row(
    results: StudyResults,
    row: LeaderboardRow,
    cells: Sequence[CellRecord],
    metric: str,
    checkpoint: str,
    *,
    predictions: bool,
) -> NetworkResults:
    summary = row.summary(metric)
    seeds = {} if summary is None else {seed: SeedResult(value=value) for seed, value in summary.values.items()}
    n_train = held_out = 0
    for cell in cells:
        value = {**cell.evaluations.get(checkpoint, {}), **cell.cost_values}.get(metric)
        known = seeds.get(cell.seed)
        # Two variants of a network may share a name, an arm and a seed; their results tell them apart.
        if cell.status != "ok" or known is None or known.value != value or known.fingerprint is not None:
            continue
        found = replace(known, fingerprint=cell.fingerprint, spec=cell.spec)
        seeds[cell.seed] = _with_predictions(results, cell, checkpoint, found) if predictions else found
        metrics = cell.read_metrics()
        n_train = metrics.parts.train if metrics is not None else 0
        held_out = metrics.parts.validation if metrics is not None and cell.entry.published_folds else 0
    generator, ratio = _generated(results, cells[-1].spec.arm) if cells else ("", None)
    return NetworkResults(
        network=row.label,
        arm=row.arm,
        model=row.model,
        planned=row.planned,
        seeds=seeds,
        n_train=n_train,
        held_out=held_out,
        published_folds=cells[-1].entry.published_folds if cells else 0,
        costs={name: each.mean for name, each in row.costs.items()},
        seeds_at_once=cells[-1].spec.training.seeds_at_once if cells else 1,
        generator=generator,
        ratio=ratio,
    )


def _generated(results: StudyResults, arm: ArmSpec) -> tuple[str, float | None]:
    """Return the name of an arm's generator, and the ratio of its images if the arm only adds them to the real ones."""
    generated = arm.generated
    if generated is None:
        return "", None
    if isinstance(generated, GeneratedEntry):  # an arm that cannot be used, as the registry has it
        name = generated.by
    else:
        known = (one.label for one in results.generators if one.key == generated.generator)
        name = next(known, generated.generator)
    as_usual = not generated.fresh and generated.epoch is None
    only_adds = as_usual and generated.real is not False and not generated.balance and not arm.augmentations
    return name, generated.ratio if only_adds else None


def _with_predictions(results: StudyResults, cell: CellRecord, checkpoint: str, found: SeedResult) -> SeedResult:
    try:
        table = results.predictions(cell, checkpoint)
    except BenchmarkerError as error:
        _logger.warning("%s: comparing without its predictions: %s", cell.name, error)
        return found
    if table is None or not table.source_ids:
        return found
    if not table.classes:
        sums = regression_sums(table.source_ids, table.truth, table.values, _error_scales(results))
        sums = sums.clustered(results.clusters) if results.clusters else sums
        return replace(found, sums=sums, image_sources=table.source_ids)
    sums = classification_sums(table.source_ids, table.truth, table.predicted, len(table.classes))
    sums = sums.clustered(results.clusters) if results.clusters else sums
    return replace(found, sums=sums, correct=table.correct, image_sources=table.source_ids)


def _error_scales(results: StudyResults) -> tuple[float, ...]:
    """Return what errors of each target of a study are divided by before they are averaged."""
    try:
        task = task_from_json(results.task)
    except ValueError:  # a plan of another version, or edited by hand
        return ()
    return task.error_scales if isinstance(task, Regression) else ()


def classification_sums(
    source_ids: Sequence[str], truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> SourceSums:
    """Count images of each source by class: those that are of it, those that are called so, and those that are both.

    Parameters
    ----------
    source_ids : sequence of str
        Source of each of the n images.
    truth, predicted : ndarray of shape (n,), int64
        Indices of classes.
    classes : int
        Number of classes.
    """
    names, position = np.unique(np.asarray(source_ids), return_inverse=True)
    # Not a confusion matrix of each source: with hundreds of classes those would take gigabytes.
    values = np.zeros((names.size, classes, 3))
    right = truth == predicted
    np.add.at(values[:, :, 0], (position, truth), 1.0)
    np.add.at(values[:, :, 1], (position, predicted), 1.0)
    np.add.at(values[:, :, 2], (position[right], truth[right]), 1.0)
    strata = values[:, :, 0].argmax(axis=1)
    return SourceSums(
        sources=tuple(names.tolist()),
        strata=strata,
        values=values,
        classes=classes,
        independent=tuple((values[:, :, 0] > 0).sum(axis=0).tolist()),
    )


def regression_sums(
    source_ids: Sequence[str], truth: Array, predicted: Array, scales: tuple[float, ...] = ()
) -> SourceSums:
    """Add up errors by source and target.

    Parameters
    ----------
    source_ids : sequence of str
        Source of each of the n images.
    truth, predicted : ndarray of shape (n, n_targets), float64
        Targets in the units of the task.
    scales : tuple of float
        What errors of each target are divided by before they are averaged over targets; empty for 1.
    """
    names, position = np.unique(np.asarray(source_ids), return_inverse=True)
    errors = predicted - truth
    values = np.zeros((names.size, errors.shape[1], 3))
    np.add.at(values, position, np.stack([np.ones_like(errors), np.abs(errors), errors**2], axis=2))
    strata = np.zeros(names.size, dtype=np.int64)
    return SourceSums(sources=tuple(names.tolist()), strata=strata, values=values, classes=0, scales=scales)


def score(sums: SourceSums, metric: str, index: int | None = None) -> Score | None:
    """Return a metric with and without each source, or None where it is no function of these sums.

    Parameters
    ----------
    sums : SourceSums
        Sums of one run.
    metric : str
        ``"mean_per_class_accuracy"`` (percent), ``"accuracy"``, ``"macro_precision"``, ``"macro_recall"``,
        ``"macro_f1"``, ``"recall"`` (percent, of class `index`); ``"mean_absolute_error"`` or
        ``"root_mean_squared_error"``, averaged over targets (after a division by their `scales`) or of target `index`.
    index : int, optional
        Number of a class or target.

    Examples
    --------
    >>> sums = classification_sums(["a", "b", "c", "d"], np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), classes=2)
    >>> found = score(sums, "mean_per_class_accuracy")
    >>> found.value, found.left_out.tolist()
    (75.0, [50.0, 100.0, 75.0, 75.0])
    """
    functions = _CLASSIFICATION if sums.classes else _REGRESSION
    if metric not in functions:
        return None
    values = sums.values
    if sums.scales and index is None:
        scales = np.array(sums.scales)
        values = values / np.stack([np.ones_like(scales), scales, scales**2], axis=1)
    if index is not None:
        values = values[:, index : index + 1]
    total = values.sum(axis=0)
    present = total[:, 0] > 0 if sums.classes else np.ones(len(total), dtype=bool)
    if not present.any():
        return None
    function = functions[metric]
    value = float(function(total[None], present)[0])
    left_out = function(total[None] - values, present)
    # Without its only image a metric is undefined; that source then contributes nothing to the variance.
    return Score(value=value, left_out=np.where(np.isfinite(left_out), left_out, value))


def _recall(counts: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        recall: Array = counts[:, :, 2] / counts[:, :, 0]
    return recall


def _precision(counts: Array) -> Array:
    predicted = counts[:, :, 1]
    precision: Array = counts[:, :, 2] / np.where(predicted > 0, predicted, 1)
    return precision


def _f1(counts: Array) -> Array:
    both = counts[:, :, 0] + counts[:, :, 1]
    f1: Array = 2 * counts[:, :, 2] / np.where(both > 0, both, 1)
    return f1


def _accuracy(counts: Array, _: NDArray[np.bool_]) -> Array:
    with np.errstate(invalid="ignore"):
        accuracy: Array = counts[:, :, 2].sum(axis=1) / counts[:, :, 0].sum(axis=1)
    return accuracy


def _mean_error(sums: Array, chosen: NDArray[np.bool_]) -> Array:
    with np.errstate(invalid="ignore"):
        error: Array = (sums[:, chosen, 1] / sums[:, chosen, 0]).mean(axis=1)
    return error


def _root_mean_square(sums: Array, chosen: NDArray[np.bool_]) -> Array:
    with np.errstate(invalid="ignore"):
        error: Array = np.sqrt(np.maximum(sums[:, chosen, 2] / sums[:, chosen, 0], 0)).mean(axis=1)
    return error


_Function = Callable[[Array, NDArray[np.bool_]], Array]
_CLASSIFICATION: dict[str, _Function] = {
    "mean_per_class_accuracy": lambda counts, present: 100 * _recall(counts)[:, present].mean(axis=1),
    "recall": lambda counts, present: 100 * _recall(counts)[:, present].mean(axis=1),
    "accuracy": _accuracy,
    "macro_precision": lambda counts, present: _precision(counts)[:, present].mean(axis=1),
    "macro_recall": lambda counts, present: _recall(counts)[:, present].mean(axis=1),
    "macro_f1": lambda counts, present: _f1(counts)[:, present].mean(axis=1),
}
_REGRESSION: dict[str, _Function] = {
    "mean_absolute_error": _mean_error,
    "root_mean_squared_error": _root_mean_square,
}


def percentage_scale(metric: str) -> float | None:
    """Return the value of a metric that is a mean over classes where everything is right: 100 or 1; None for others."""
    if metric in {"mean_per_class_accuracy", "recall"}:
        return 100.0
    return 1.0 if metric in {"macro_precision", "macro_recall", "macro_f1"} else None
