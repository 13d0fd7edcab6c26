"""Selections of ``benchmarker compare``: a study, a network, a network in an arm, or a single run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker import ConfigurationError, NetworkResults, comparison_settings, open_results, read_network_results

if TYPE_CHECKING:
    from benchmarker import ComparisonSettings, StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One side of a comparison.

    Parameters
    ----------
    text : str
        The argument as typed.
    results : StudyResults
        The study.
    network, arm : str or None
        The network and the arm selected; None for all.
    seed : int or None
        The seed selected; None for all.
    settings : ComparisonSettings
        Primary metric of the study, with level and margin.
    rows : tuple of NetworkResults
        Results selected, in the order of the plan.
    """

    text: str
    results: StudyResults
    network: str | None
    arm: str | None
    seed: int | None
    settings: ComparisonSettings
    rows: tuple[NetworkResults, ...]


def select(text: str, *, checkpoint: str = "best", level: float = 0.95) -> Selection:
    """Open ``STUDY``, ``STUDY:network``, ``STUDY:network/arm`` or ``STUDY:network/arm/seed``.

    Raises
    ------
    ConfigurationError
        If the study has no such network, arm or seed.
    StorageError
        If there is no such study.
    """
    folder, chosen = (text, "") if Path(text).is_dir() else _divided(text)
    results = open_results(folder)
    parts = chosen.split("/") if chosen else []
    if len(parts) > 3:
        raise ConfigurationError(
            f"{text}: STUDY:network/arm/seed was expected. Received: {len(parts)} parts after the colon."
        )
    network, arm = (parts[0] if parts else None), (parts[1] if len(parts) > 1 else None)
    seed = _seed(text, parts[2]) if len(parts) > 2 else None
    settings = comparison_settings(results, level=level, checkpoint=checkpoint)
    rows = [
        row
        for row in read_network_results(results, settings.metric, checkpoint)
        if network in {None, row.network, row.model} and arm in {None, row.arm}
    ]
    if seed is not None:
        rows = [row.only(seed) for row in rows if seed in row.seeds]
    if not rows:
        known = ", ".join(sorted({f"{cell.model}/{cell.arm}" for cell in results.cells}))
        raise ConfigurationError(f"{text}: the study has no finished run of this name. It has: {known}.")
    return Selection(
        text=text, results=results, network=network, arm=arm, seed=seed, settings=settings, rows=tuple(rows)
    )


def pairs(first: Selection, second: Selection) -> list[tuple[NetworkResults, NetworkResults]]:
    """Return the rows to compare: those of the same network and arm, unless each side selects a single row."""
    if len(first.rows) == len(second.rows) == 1:
        return [(first.rows[0], second.rows[0])]
    same_network = first.network is None or second.network is None
    same_arm = first.arm is None or second.arm is None
    return [
        (one, other)
        for one in first.rows
        for other in second.rows
        if (not same_network or one.network == other.network) and (not same_arm or one.arm == other.arm)
    ]


def _divided(text: str) -> tuple[str, str]:
    folder, _, chosen = text.rpartition(":")
    return (folder, chosen) if folder else (text, "")


def _seed(text: str, written: str) -> int:
    try:
        return int(written)
    except ValueError as error:
        raise ConfigurationError(f"{text}: a seed (a whole number) was expected. Received: {written!r}.") from error
