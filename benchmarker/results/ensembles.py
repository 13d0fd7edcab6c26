"""Ensembles of a study: the predictions of several of its runs combined, as rows beside the leaderboard.

Members must have been tested on the same images. All networks of a study share the test part of a seed, so that an
ensemble of networks has one value for each seed, like any network. An ensemble over seeds needs a test part that all
seeds share (``split.test_seed``, or a published split); it is one value without a spread over seeds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker.errors import BenchmarkerError
from benchmarker.results.leaderboard import LeaderboardRow
from benchmarker.results.metrics import Summary, flat_class_scores

if TYPE_CHECKING:
    from benchmarker.evaluation.ensembles import Over, Rule
    from benchmarker.results.study import CellRecord
    from benchmarker.results.study_results import StudyResults
    from benchmarker.results.tables import Predictions

_SMALLEST_NETWORK = 100
"""Number of parameters below which a network is a formula, such as the axis ratio, and not a member."""
_SUMMED = ("parameters", "trainable_parameters", "flops")
"""Costs that add up over members."""
_SECONDS = "training_seconds"
_RATE = "inference_images_per_second"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A finished run with its predictions of the test part.

    Parameters
    ----------
    row : LeaderboardRow
        Row of the run's network.
    cell : CellRecord
        The run.
    predictions : Predictions
        Its predictions at the row's checkpoint.
    """

    row: LeaderboardRow
    cell: CellRecord
    predictions: Predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """An ensemble with the runs that it combines.

    Parameters
    ----------
    row : LeaderboardRow
        Its metrics and costs. `Summary.values` has one entry for each seed of an ensemble of networks, and a single
        entry, of the lowest seed, for an ensemble over seeds.
    combined : mapping of int to Predictions
        Predictions of the ensemble, by the seeds of `Summary.values`.
    members : mapping of int to tuple of Member
        The runs behind each of them.
    """

    row: LeaderboardRow
    combined: Mapping[int, Predictions]
    members: Mapping[int, tuple[Member, ...]]

    @property
    def over_seeds(self) -> bool:
        """Whether seeds are combined, so that the value has no spread over seeds."""
        return self.row.ensemble is not None and self.row.ensemble.over != "networks"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """An ensemble before its rule is chosen."""

    over: Over
    network: str
    size: int
    planned: int
    groups: Mapping[int, tuple[Member, ...]]
    planned_values: int


def find_ensembles(results: StudyResults, checkpoint: str = "best") -> tuple[Ensemble, ...]:
    """Combine the runs of a study: the seeds of each network, the networks of each arm, and all runs of an arm.

    Parameters
    ----------
    results : StudyResults
        An open study.
    checkpoint : {"best", "final"}
        Weights that made the predictions.

    Returns
    -------
    tuple of Ensemble
        Two for each set of members, one for each rule of the task (`benchmarker.evaluation.ensembles.combine`): average
        and majority of a classification, median and mean of a regression. Arms, environments and tests of saved weights
        are kept apart. Networks of fewer than 100 parameters, which are formulas, are no members.

    Notes
    -----
    The values of an ensemble of networks under several seeds scatter like those of a network. An ensemble over seeds is
    a single number: `benchmarker.ensemble_interval` gives the chance that lies in its test sources, and nothing tells
    how another set of seeds would have done.
    """
    rows = [row for row in results.leaderboard(checkpoint).rows if row.n and _is_network(row)]
    if sum(row.n for row in rows) < 2:
        return ()
    arms: dict[tuple[str, ...], list[LeaderboardRow]] = {}
    for row in rows:
        key: tuple[str, ...] = (row.arm, row.environment, row.backend, row.precision, "-o" if row.untrained else "")
        arms.setdefault(key, []).append(row)
    planned = {key[0]: 0 for key in arms}
    for arm in planned:
        planned[arm] = len({(row.model, row.variant) for row in _planned_rows(results, checkpoint, arm)})
    found: list[Ensemble] = []
    for key, group in sorted(arms.items()):
        members = [_members(results, row, checkpoint) for row in sorted(group, key=lambda row: (row.model, row.label))]
        for plan in _plans([each for each in members if each], planned[key[0]]):
            found += _combined(results, plan)
    return tuple(found)


def _is_network(row: LeaderboardRow) -> bool:
    size = row.costs.get("parameters")
    return size is None or size.mean >= _SMALLEST_NETWORK


def _planned_rows(results: StudyResults, checkpoint: str, arm: str) -> Iterator[LeaderboardRow]:
    yield from (row for row in results.leaderboard(checkpoint).rows if row.arm == arm and _is_network(row))


def _members(results: StudyResults, row: LeaderboardRow, checkpoint: str) -> tuple[Member, ...]:
    found = []
    for cell in results.cells_of(row):
        try:
            predictions = results.predictions(cell, checkpoint)
        except BenchmarkerError as error:
            _logger.warning("%s: not a member of any ensemble: %s", cell.name, error)
            continue
        if predictions is not None and len(predictions.images):
            found.append(Member(row=row, cell=cell, predictions=predictions))
    return tuple(found)


def _plans(networks: Sequence[tuple[Member, ...]], planned: int) -> Iterator[_Plan]:
    """Yield the ensembles of the networks of one arm."""
    for runs in networks:
        if len(runs) > 1 and _same_images(runs):
            row = runs[0].row
            yield _Plan(
                over="seeds", network=_network(row), size=len(runs), planned=row.planned,
                groups={runs[0].cell.seed: runs}, planned_values=1,
            )  # fmt: skip
    if len(networks) < 2:
        return
    by_seed: dict[int, list[Member]] = {}
    for run in (run for runs in networks for run in runs):
        by_seed.setdefault(run.cell.seed, []).append(run)
    complete = {
        seed: tuple(runs) for seed, runs in sorted(by_seed.items()) if len(runs) == len(networks) and _same_images(runs)
    }
    most = max(runs[0].row.planned for runs in networks)
    if complete:
        yield _Plan(
            over="networks", network="", size=len(networks), planned=planned, groups=complete, planned_values=most
        )
    every = tuple(run for runs in networks for run in runs)
    if len(every) > len(networks) and _same_images(every):
        yield _Plan(
            over="networks and seeds", network="", size=len(every), planned=planned * most,
            groups={every[0].cell.seed: every}, planned_values=1,
        )  # fmt: skip


def _network(row: LeaderboardRow) -> str:
    """Return the name of a row's network without its environment, which the ensemble's label adds itself."""
    return f"{row.model} ({row.variant})" if row.variant else row.model


def _same_images(members: Sequence[Member]) -> bool:
    import numpy as np

    first = members[0].predictions
    return all(np.array_equal(first.images, other.predictions.images) for other in members[1:])


def _combined(results: StudyResults, plan: _Plan) -> Iterator[Ensemble]:
    from benchmarker.evaluation.ensembles import rules

    for rule in rules(results.task):
        # Two members have a majority only where they agree, and their median is their mean.
        if plan.size > 2 or rule in {"average", "mean"}:
            yield _ensemble(results, plan, rule)


def _ensemble(results: StudyResults, plan: _Plan, rule: Rule) -> Ensemble:
    from benchmarker.evaluation.ensembles import Combination, combine, ensemble_scores
    from benchmarker.results.tables import Predictions

    combined: dict[int, Predictions] = {}
    metrics: dict[str, dict[int, float]] = {}
    for seed, members in plan.groups.items():
        first = members[0].predictions
        values = combine([member.predictions.values for member in members], rule)
        combined[seed] = Predictions(
            source_ids=first.source_ids, images=first.images, classes=first.classes, truth=first.truth, values=values
        )
        found, beside = ensemble_scores(results.task, first.truth, values, rule)
        found |= flat_class_scores(beside.per_class or {}, beside.per_class_normalised or {})
        for name, value in found.items():
            metrics.setdefault(name, {})[seed] = value
    costs = _costs(plan.groups)
    row = next(iter(plan.groups.values()))[0].row
    alone = plan.over == "seeds"
    return Ensemble(
        row=LeaderboardRow(
            rank=None,
            model=row.model if alone else "ensemble",
            architecture=row.architecture if alone else "ensemble",
            arm=row.arm,
            checkpoint=row.checkpoint,
            variant=row.variant if alone else "",
            environment=row.environment,
            backend=row.backend,
            precision=row.precision,
            n=len(plan.groups),
            planned=plan.planned_values,
            keys=tuple(member.cell.key for members in plan.groups.values() for member in members),
            untrained=len(plan.groups) if row.untrained else 0,
            metrics={name: Summary.of(values, planned=plan.planned_values) for name, values in metrics.items()},
            costs={name: Summary.of(values, planned=plan.planned_values) for name, values in costs.items()},
            ensemble=Combination(rule=rule, over=plan.over, size=plan.size, planned=plan.planned, network=plan.network),
        ),
        combined=combined,
        members=plan.groups,
    )


def _costs(groups: Mapping[int, Sequence[Member]]) -> dict[str, dict[int, float]]:
    """Return what all members cost together; what was not measured for every member is left out."""
    found: dict[str, dict[int, float]] = {}
    for seed, members in groups.items():
        costs = [member.cell.cost_values for member in members]
        for name in _SUMMED:
            if all(name in each for each in costs):
                found.setdefault(name, {})[seed] = sum(each[name] for each in costs)
        if all(_SECONDS in each for each in costs):
            found.setdefault(_SECONDS, {})[seed] = _training_seconds(members)
        if all(each.get(_RATE) for each in costs):
            found.setdefault(_RATE, {})[seed] = 1 / sum(1 / each[_RATE] for each in costs)
    return found


def _training_seconds(members: Sequence[Member]) -> float:
    """Return how long the training of all members took; seeds of a program have its time, which counts once."""
    programs: dict[tuple[str, int], float] = {}
    met: dict[tuple[str, int], int] = {}
    for cell in (member.cell for member in members):
        lane = (cell.configuration, cell.spec.lane)
        met[lane] = met.get(lane, 0) + 1
        program = (cell.configuration, met[lane])
        programs[program] = max(programs.get(program, 0.0), cell.cost_values[_SECONDS])
    return math.fsum(programs.values())
