"""How the plan of a study grows when a registry plans more: its denominator never shrinks silently."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarker.study.plan import EarlierRegistry, PlanHeader, PlannedCell, PlannedGenerator


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
