"""Selections of ``benchmarker compare``: a study, or those of its networks, arms and runs that a selector names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import (
    NetworkResults,
    RunName,
    choose_runs,
    comparison_settings,
    means_of_folds,
    open_results,
    read_network_results,
    split_study,
)

if TYPE_CHECKING:
    from benchmarker import Comparison, ComparisonSettings, StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One side of a comparison.

    Parameters
    ----------
    text : str
        The argument as typed.
    results : StudyResults
        The study.
    parts : int
        Number of parts that every choice of the selector names: 0 without a selector, 1 for networks, 2 for networks in
        an arm, 3 for single runs.
    settings : ComparisonSettings
        Primary metric of the study, with level and margin.
    rows : tuple of NetworkResults
        Results selected, in the order of the plan.
    checkpoint : {"best", "final"}
        Weights that made the predictions.
    """

    text: str
    results: StudyResults
    parts: int
    settings: ComparisonSettings
    rows: tuple[NetworkResults, ...]
    checkpoint: str = "best"

    def names_one_network(self) -> bool:
        """Whether the selector names a single network, which may be compared with another one."""
        return self.parts > 0 and len({row.network for row in self.rows}) == 1

    def names_one_arm(self) -> bool:
        """Whether the selector names a single arm, which may be compared with another one."""
        return self.parts > 1 and len({row.arm for row in self.rows}) == 1


def select(text: str, *, checkpoint: str = "best", level: float = 0.95) -> Selection:
    """Open ``STUDY`` or ``STUDY:SELECTOR``.

    Raises
    ------
    ConfigurationError
        If the study has no such network, arm or seed.
    StorageError
        If there is no such study.
    """
    folder, selector = split_study(text)
    results = open_results(folder)
    settings = comparison_settings(results, level=level, checkpoint=checkpoint)
    rows: Sequence[NetworkResults] = read_network_results(results, settings.metric, checkpoint)
    parts = 0
    if selector:
        rows, parts = _selected(rows, selector, text)
    return Selection(
        text=text,
        results=results,
        parts=parts,
        settings=settings,
        rows=tuple(map(means_of_folds, rows)),
        checkpoint=checkpoint,
    )


def _selected(rows: Sequence[NetworkResults], selector: str, text: str) -> tuple[list[NetworkResults], int]:
    """Return the rows that a selector names, each with the seeds that it names."""
    names = [(row, name) for row in rows for name in _names(row)]
    seeds: dict[int, list[int | None]] = {}
    choices = choose_runs([name for _, name in names], selector, where=f"{text}: the study")
    for position in sorted({position for choice in choices for position in choice.positions}):
        row, name = names[position]
        seeds.setdefault(id(row), []).append(name.seed)
    chosen = [
        row if None in seeds[id(row)] else row.only(*(seed for seed in seeds[id(row)] if seed is not None))
        for row in rows
        if id(row) in seeds
    ]
    return chosen, min(choice.parts for choice in choices)


def _names(row: NetworkResults) -> list[RunName]:
    """Return the names of a row as a whole, and of its finished runs."""
    networks = tuple(dict.fromkeys((row.model, row.network)))
    runs = [(seed, result.spec.key if result.spec else "") for seed, result in row.seeds.items()]
    singles = [RunName(networks=networks, arm=row.arm, seed=seed, key=key) for seed, key in runs]
    return [RunName(networks=networks, arm=row.arm), *singles]


def pairs(first: Selection, second: Selection) -> list[tuple[NetworkResults, NetworkResults]]:
    """Return the rows to compare: those of the same network and arm, unless each side selects a single row.

    Where both sides name networks, and one of them a single one, different networks are compared; the same holds for
    arms.
    """
    if len(first.rows) == len(second.rows) == 1:
        return [(first.rows[0], second.rows[0])]
    same_network = not (first.parts and second.parts and (first.names_one_network() or second.names_one_network()))
    same_arm = not (first.parts > 1 and second.parts > 1 and (first.names_one_arm() or second.names_one_arm()))
    return [
        (one, other)
        for one in first.rows
        for other in second.rows
        if (not same_network or one.network == other.network) and (not same_arm or one.arm == other.arm)
    ]


def reported(
    paired: Sequence[tuple[NetworkResults, NetworkResults]], first: Selection, second: Selection
) -> list[Comparison | None]:
    """Return the comparisons that reports of the study show, with None for each pair that they do not compare.

    A pair has one verdict, wherever it is shown, so that nobody can choose the table in which it is significant.

    Parameters
    ----------
    paired : sequence of (NetworkResults, NetworkResults)
        Rows to compare.
    first, second : Selection
        Sides A and B.
    """
    from benchmarker import compare_study

    whole = max(first.parts, second.parts) < 3 and first.results.folder.resolve() == second.results.folder.resolve()
    if not whole or not paired:
        return [None] * len(paired)
    study = compare_study(first.results, checkpoint=first.checkpoint, level=first.settings.level)
    return [study.pair((one.network, one.arm), (other.network, other.arm)) for one, other in paired]
