"""How the plan of a study grows when a registry plans more: its denominator never shrinks silently."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarker.errors import ConfigurationError
from benchmarker.registry.models import UntilDecided
from benchmarker.study.plan import EarlierRegistry, Plan, PlanHeader, PlannedCell, PlannedGenerator
from benchmarker.study.rounds import RoundsRecord, row_name


def merge_cells(
    planned: Iterable[PlannedCell], existing: Iterable[PlannedCell]
) -> tuple[list[PlannedCell], list[PlannedCell]]:
    """Join the cells of a registry with those of the plan that a study has, so that its denominator never shrinks.

    Parameters
    ----------
    planned, existing : iterable of PlannedCell
        Cells of the registry now, and of the study's plan so far.

    Returns
    -------
    merged, superseded : list of PlannedCell
        Existing cells stay, unless they were trained on other images or another split, or a model of the same name now
        means something else in the same arm on the same backend.
    """
    merged = list(planned)
    grounds = [(cell.spec.dataset, cell.spec.split) for cell in merged[:1]]
    keys = {cell.key for cell in merged}
    configurations = {_table_row(cell): cell.configuration for cell in merged}
    superseded = []
    for cell in existing:
        if cell.key in keys:
            continue
        same = configurations.get(_table_row(cell), cell.configuration) == cell.configuration
        if same and (cell.spec.dataset, cell.spec.split) in grounds:
            merged.append(cell)
        else:
            superseded.append(cell)
    return merged, superseded


def _table_row(cell: PlannedCell) -> tuple[str, str, str]:
    """Return what names a row of the tables; results of two backends are never averaged."""
    return cell.model, cell.arm, cell.spec.backend


def earlier_registries(existing: PlanHeader, cells: Iterable[PlannedCell], last: set[str]) -> list[EarlierRegistry]:
    """Return the registries that are still needed to make all cells of a study, beside the one that is run now.

    Parameters
    ----------
    existing : PlanHeader
        The study's plan so far.
    cells : iterable of PlannedCell
        Cells that are in the plan now.
    last : set of str
        Configurations that the registry makes which is run now.
    """
    left = dict.fromkeys(cell.configuration for cell in cells if cell.configuration not in last)
    found = []
    for record in existing.earlier:
        if configurations := [each for each in record.configurations if each in left]:
            found.append(EarlierRegistry.after(record, configurations))
            left = {each: None for each in left if each not in configurations}
    return [*found, EarlierRegistry.after(existing.registry, left)] if left else found


def merge_generators(
    planned: Iterable[PlannedGenerator],
    existing: Iterable[PlannedGenerator],
    cells: Iterable[PlannedCell],
    superseded: Iterable[PlannedCell] = (),
) -> list[PlannedGenerator]:
    """Join the generators of a registry with those of an existing plan.

    Parameters
    ----------
    planned, existing : iterable of PlannedGenerator
        Generators that are trained now, and those of the study's plan so far.
    cells, superseded : iterable of PlannedCell
        Cells that are in the plan now, and those that left it.

    Returns
    -------
    list of PlannedGenerator
        Existing generators stay if a cell needs them, or if they were trained without networks and no cell left the
        plan, unless a generator of the same name now means something else under the same seed and backend.
    """
    wanted = {cell.generator for cell in cells}
    left = list(superseded)
    merged = {generator.key: generator for generator in planned}
    names = {_generator_row(generator) for generator in merged.values()}
    for generator in existing:
        standalone = not left and _generator_row(generator) not in names
        if generator.key in wanted or standalone:
            merged.setdefault(generator.key, generator)
    return list(merged.values())


def _generator_row(generator: PlannedGenerator) -> tuple[str, int, str]:
    return generator.label, generator.seed, generator.spec.backend


def with_rounds(plan: Plan, asked: UntilDecided | None, before: RoundsRecord | None, *, where: str) -> Plan:
    """Return the plan of a registry with the cells of the rounds so far, where seeds are added until it is decided.

    Parameters
    ----------
    plan : Plan
        Plan of the registry under all seeds that it may use.
    asked : UntilDecided or None
        What the registry says about rounds.
    before : RoundsRecord or None
        Rounds of the study so far.
    where : str
        Name of the study, for messages.

    Raises
    ------
    ConfigurationError
        If the rounds were planned differently before. Choosing them after looking would make false verdicts.
    """
    if asked is None:
        return plan if before is None else plan.model_copy(update={"until_decided": before})
    rows = tuple(dict.fromkeys(row_of(cell) for cell in plan.cells))
    rounds = RoundsRecord.begin(dict.fromkeys(cell.seed for cell in plan.cells), asked.at_least, rows)
    if before is not None:
        if (before.seeds, before.at_least) != (rounds.seeds, rounds.at_least):
            raise ConfigurationError(
                f"{where}: until_decided: rounds of {before.at_least} to {len(before.seeds)} seeds were planned, "
                f"beginning with {before.seeds[0]}. Received: {rounds.at_least} to {len(rounds.seeds)}, beginning with "
                f"{rounds.seeds[0]}. Rounds cannot be changed once comparisons were looked at; keep the settings, or "
                "choose another results folder (-p)"
            )
        rounds = before.joined(rows)
    return in_rounds(plan, rounds)


def in_rounds(plan: Plan, rounds: RoundsRecord) -> Plan:
    """Return a plan with the cells of some rounds only, and the generators of these rounds."""
    cells = tuple(cell for cell in plan.cells if cell.seed in rounds.seeds_of(row_of(cell)))
    wanted, used = ({cell.generator for cell in some} for some in (cells, plan.cells))
    reached = rounds.seeds[: max(each.seeds for each in rounds.rounds)]
    generators = tuple(
        each for each in plan.generators if each.key in wanted or (each.key not in used and each.seed in reached)
    )
    return plan.model_copy(update={"cells": cells, "generators": generators, "until_decided": rounds})


def row_of(cell: PlannedCell) -> str:
    """Return the name of the row of the tables that a cell belongs to."""
    return row_name(cell.model, cell.arm)
