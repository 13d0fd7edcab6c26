"""Which cells of a study are audited."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarker.errors import ConfigurationError
from benchmarker.randomness import Stream
from benchmarker.results.study import CellRecord, Study

# A run that cannot be read back claims results too.
_CLAIMED = ("ok", "unreadable")


def claimed(study: Study) -> list[CellRecord]:
    """Return the cells that the study shows results for, or that are damaged, in the order of the plan."""
    return [cell for cell in study.cells if cell.status in _CLAIMED]


def select(study: Study, names: Sequence[str], sample: int | None) -> tuple[list[CellRecord], str]:
    """Choose cells, and say how.

    Parameters
    ----------
    study : Study
        To choose from.
    names : sequence of str
        ``model/arm/seed``, ``model/arm`` or ``model``; empty for all finished cells.
    sample : int or None
        How many to draw of those.

    Raises
    ------
    ConfigurationError
        If there is no such cell, it has not finished, or the sample is larger than the study.
    """
    finished = claimed(study)
    if not finished:
        raise ConfigurationError(f"{study.folder}: no cell has finished, so there is nothing to audit")
    cells = _named(study, names) if names else finished
    told = f"{len(cells)} named" if names else "all finished cells"
    if sample is None or sample == len(cells):
        return cells, told
    if sample > len(cells):
        raise ConfigurationError(f"--sample {sample} is more than the {len(cells)} cell(s) there are to draw from")
    # The keys say which cells there are, and nothing else: anybody draws the same ones.
    stream = Stream("audit-sample", keys=sorted(cell.key for cell in cells))
    drawn = sorted(stream.generator().permutation(len(cells))[:sample].tolist())
    return [cells[k] for k in drawn], f"{sample} of {len(cells)} drawn by the stream audit-sample {stream.key()[:16]}"


def _named(study: Study, names: Sequence[str]) -> list[CellRecord]:
    chosen: set[str] = set()
    for wanted in names:
        found = [cell for cell in study.cells if wanted in {cell.name, f"{cell.model}/{cell.arm}", cell.model}]
        if not found:
            known = ", ".join(cell.name for cell in study.cells[:8])
            raise ConfigurationError(f"{study.folder} has no cell {wanted!r}; there are: {known}")
        pending = [cell for cell in found if cell.status not in _CLAIMED]
        if pending:
            raise ConfigurationError(f"{pending[0].name} is {pending[0].status}: only finished cells can be audited")
        chosen |= {cell.key for cell in found}
    return [cell for cell in study.cells if cell.key in chosen]
