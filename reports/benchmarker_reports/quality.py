"""How good the samples of generators are, averaged over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarker import CellRecord, StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLine:
    """One measure of a generator's samples, averaged over seeds.

    Parameters
    ----------
    generator : str
        As the registry calls it.
    name, label, unit : str
        Of the measure.
    value, standard_deviation : float or None
        Over seeds; the deviation (n - 1 in the denominator) is None for one seed, both are where nothing was measured.
    floor : float or None
        What real images reach against real images: the best that can be hoped for.
    better : str
        ``"lower"`` or ``"higher"``.
    n, planned : int
        Seeds measured and planned.
    n_samples : int or None
        Generated images that were measured, the fewest of any seed.
    """

    generator: str
    name: str
    label: str
    unit: str
    value: float | None
    standard_deviation: float | None
    floor: float | None
    better: str
    n: int
    planned: int
    n_samples: int | None


def quality_lines(generators: Iterable[CellRecord]) -> tuple[QualityLine, ...]:
    """Average what was measured of generators over their seeds, in the order of the plan."""
    groups: dict[str, list[CellRecord]] = {}
    for cell in generators:
        groups.setdefault(cell.model, []).append(cell)
    return tuple(line for name, cells in groups.items() for line in _lines(name, cells))


def _lines(generator: str, cells: list[CellRecord]) -> Iterable[QualityLine]:
    measured: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        for row in _rows(cell):
            measured.setdefault(str(row["name"]), []).append(row)
    for name, rows in measured.items():
        values = [value for row in rows if (value := _number(row.get("value"))) is not None]
        floors = [floor for row in rows if (floor := _number(row.get("floor"))) is not None]
        counts = [row["n"] for row in rows if isinstance(row.get("n"), int)]
        yield QualityLine(
            generator=generator,
            name=name,
            label=str(rows[0].get("label") or name.replace("_", " ")),
            unit=str(rows[0].get("unit") or ""),
            value=_mean(values),
            standard_deviation=_deviation(values),
            floor=_mean(floors),
            better=str(rows[0].get("better") or ""),
            n=len(values),
            planned=len(cells),
            n_samples=min(counts, default=None),
        )


def _rows(cell: CellRecord) -> list[Mapping[str, Any]]:
    quality = StudyResults.quality(cell)
    rows = [row for row in _mappings(quality.get("rows")) if "name" in row]
    return [*rows, *_memorisation(quality.get("memorisation")), *_fidelity(quality.get("fidelity"))]


def _memorisation(found: object) -> Iterable[Mapping[str, Any]]:
    """Return how near samples are to training images; the floor is what it would be without copying."""
    if not isinstance(found, Mapping):
        return
    for name, label, floor in (
        ("share_below", "memorisation: share below the threshold", found.get("expected_share")),
        ("probability_nearer", "memorisation: probability nearer", 0.5),
    ):
        if name in found:
            row = {"name": f"memorisation_{name}", "label": label, "value": found[name], "floor": floor}
            yield {**row, "better": "lower", "n": found.get("n")}


def _fidelity(found: object) -> Iterable[Mapping[str, Any]]:
    """Return how closely the flux of the source follows each condition, in the direction in which real images go."""
    for entry in _mappings(found):
        if entry.get("property") != "aperture_flux":
            continue
        real = _number(entry.get("real_rank_correlation"))
        falls = real is not None and real < 0
        share, verb = ("falling_share", "falls") if falls else ("monotonic_share", "rises")
        about = f"flux against requested {entry.get('condition')}"
        for name, label in (
            ("rank_correlation", f"{about}: rank correlation"),
            (share, f"{about}: share of latent points for which it {verb} at every step"),
        ):
            better = "lower" if falls and name != share else "higher"
            row = {"name": f"fidelity_{entry.get('condition')}_{name}", "label": label, "value": entry.get(name)}
            yield {**row, "better": better, "n": entry.get("n")}


def _mappings(found: object) -> list[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _number(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and isinstance(value, int | float) else None


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _deviation(values: list[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
