"""What a reader of a leaderboard must know before believing it: who was not trained, collapsed or ran elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarker.results.environments import describe, differences
from benchmarker.results.grouping import Fingerprints, Group
from benchmarker.results.study import Study


def board_notes(
    study: Study, planned: Sequence[Group], fingerprints: Fingerprints, checkpoints: Sequence[str]
) -> tuple[str, ...]:
    """Return the notes of a leaderboard, those of the study itself first.

    Parameters
    ----------
    study : Study
        Whose leaderboard it is.
    planned : sequence of Group
        Its groups, before they are split by environment.
    fingerprints : Fingerprints
        To tell environments apart by.
    checkpoints : sequence of {"best", "final"}
        Which checkpoints have rows.
    """
    environments = _environment_notes(planned, fingerprints)
    return (*study.notes, *environments, *_untrained_notes(study), *_collapse_notes(study, checkpoints))


def _untrained_notes(study: Study) -> list[str]:
    """Name the cells that only tested saved weights: nobody knows how those were trained."""
    names = [cell.name for cell in study.cells if cell.status == "ok" and not cell.trained]
    if not names:
        return []
    shown = "; ".join(names[:12]) + (f"; {len(names) - 12} more" if len(names) > 12 else "")
    return [f"not trained here, saved weights were tested (-o), which proves nothing of their settings: {shown}"]


def _collapse_notes(study: Study, checkpoints: Sequence[str]) -> list[str]:
    """Name the cells whose network calls all validation images the same class: their scores say nothing of it."""
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
    return [f"collapsed to one class, which every validation image is given: {'; '.join(names)}"]


def _environment_notes(planned: Sequence[Group], known: Fingerprints) -> list[str]:
    """Say which rows were split, and in what their environments differ; alike ones in one note."""
    rows: dict[tuple[int, str], list[str]] = {}
    for group in planned:
        prints = [cells[0].fingerprint for cells in known.environments(group)]
        if len(prints) > 1:
            rows.setdefault((len(prints), _differing(prints)), []).append(
                f"{group.cells[0].model} in arm {group.cells[0].arm}"
            )
    notes = [
        f"runs from {count} environments are never averaged together, each has a row of its own: "
        f"{', '.join(names)}. They differ in: {what}"
        for (count, what), names in rows.items()
    ]
    return notes or _note_between_rows(planned, known)


def _note_between_rows(planned: Iterable[Group], known: Fingerprints) -> list[str]:
    """Say that whole rows come from different environments; which plugins a row uses is no difference between them."""
    found: dict[bytes, Mapping[str, Any]] = {}
    for group in planned:
        for part in known.environments(group):
            found.setdefault(known.key(part[0].fingerprint, plugins=False), part[0].fingerprint)
    if len(found) < 2:
        return []
    common = [{name: value for name, value in found[key].items() if name != "plugins"} for key in sorted(found)]
    what = _differing(common)
    return [f"rows come from {len(found)} environments, so their times and rates cannot be compared: {what}"]


def _differing(prints: Sequence[Mapping[str, Any]]) -> str:
    known = [one for one in prints if one]
    unknown = "; of some nothing is known" if len(known) < len(prints) else ""
    return (describe(differences(known)) or "only some note theirs") + unknown
