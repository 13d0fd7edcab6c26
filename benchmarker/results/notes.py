"""Notes below a leaderboard: what its numbers are means of, and what must not be compared."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarker.contracts.folds import listed_seed
from benchmarker.printing import counted
from benchmarker.results.environments import Fingerprints, describe, differences
from benchmarker.results.grouping import Group, n_parameters
from benchmarker.results.study import Study
from benchmarker.study.fingerprint import Fingerprint

_LONGEST_LIST = 12


def notes_of(study: Study, planned: Sequence[Group], checkpoints: Sequence[str]) -> tuple[str, ...]:
    """Return the notes of a study's leaderboard.

    Parameters
    ----------
    study : Study
        The study.
    planned : sequence of Group
        Its cells, one group for each planned row.
    checkpoints : sequence of str
        The checkpoints that are shown.
    """
    return (
        *study.notes,
        *_fold_notes(study),
        *study.dataset.caveats,
        *_environment_notes(planned),
        *_size_notes(planned),
        *_untrained_notes(study),
        *_program_notes(study),
        *_collapse_notes(study, checkpoints),
    )


def _fold_notes(study: Study) -> list[str]:
    """Say what rows of a cross-validation are means of."""
    found: dict[int, set[int]] = {}
    for cell in study.cells:
        if cell.entry.folds is not None:
            found.setdefault(cell.entry.folds, set()).add(listed_seed(cell.seed, cell.entry.folds))
    return [
        f"Cross-validation: each row is a mean over {folds} folds x {counted(len(seeds), 'seed')}."
        for folds, seeds in sorted(found.items())
    ]


def _untrained_notes(study: Study) -> list[str]:
    """Name the cells that only tested saved weights, whose training is unknown."""
    names = [cell.name for cell in study.cells if cell.status == "ok" and not cell.trained]
    if not names:
        return []
    more = f"; {len(names) - _LONGEST_LIST} more" if len(names) > _LONGEST_LIST else ""
    shown = "; ".join(names[:_LONGEST_LIST]) + more
    return [f"saved weights were tested (-o), so these results say nothing about the settings of the cells: {shown}"]


def _program_notes(study: Study) -> list[str]:
    """Say that the seeds of a program share its time and memory."""
    prints = [cell.fingerprint for cell in study.cells if cell.status == "ok" and cell.trained]
    most = max((found.seeds_at_once or 1 for found in prints if found is not None), default=1)
    if most == 1:
        return []
    what = "times and rates of training, and memory, are those of the program for all its seeds"
    return [f"up to {most} seeds were trained in one program: {what}"]


def _collapse_notes(study: Study, checkpoints: Sequence[str]) -> list[str]:
    """Name the cells whose network assigns every validation image to one class, which makes their scores worthless."""
    found: dict[str, list[str]] = {}
    for cell in study.cells:
        for checkpoint in checkpoints if cell.collapsed else ():
            if checkpoint in cell.collapsed:
                found.setdefault(f"{cell.name} ({cell.collapsed[checkpoint]})", []).append(checkpoint)
    if not found:
        return []
    names = [
        name if len(those) == len(checkpoints) else f"{name}, {' and '.join(those)} weights only"
        for name, those in found.items()
    ]
    return [f"collapsed: the network assigns every validation image to one class: {'; '.join(names)}"]


def _size_notes(planned: Sequence[Group]) -> list[str]:
    """Say which rows were split because the networks of a cell's seeds have different numbers of parameters."""
    names = []
    for group in planned:
        sizes = sorted({n_parameters(cells[0]) for _, cells in group.environments})
        if len(sizes) > 1:
            counts = " / ".join(f"{size:,.0f}" for size in sizes)
            names.append(f"{group.cells[0].model} in arm {group.cells[0].arm} ({counts} parameters)")
    if not names:
        return []
    rows = "; ".join(names)
    return [f"networks of different sizes are never averaged; each size has its own row: {rows}. Their code changed"]


def _environment_notes(planned: Sequence[Group]) -> list[str]:
    """Say which rows were split, and how their environments differ; rows that differ alike share one note."""
    rows: dict[tuple[int, str], list[str]] = {}
    machines: dict[bytes, Fingerprint] = {}
    prints = Fingerprints()
    for group in planned:
        found = list({prints.key(fingerprint): fingerprint for fingerprint, _ in group.environments}.values())
        for fingerprint in found:
            machines.setdefault(prints.key(fingerprint, plugins=False), fingerprint)
        if len(found) > 1:
            name = f"{group.cells[0].model} in arm {group.cells[0].arm}"
            rows.setdefault((len(found), describe(differences(found))), []).append(name)
    notes = [
        f"runs from {count} environments are never averaged; each environment has its own row: "
        f"{', '.join(names)}. They differ in: {what}"
        for (count, what), names in rows.items()
    ]
    if notes or len(machines) < 2:
        return notes
    # Plugins that only some rows use make no difference between rows.
    what = describe(differences([machines[key] for key in sorted(machines)], plugins=False))
    return [f"rows come from {len(machines)} environments, so their times and rates cannot be compared: {what}"]
