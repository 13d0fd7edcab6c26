"""What was measured of generators: losses, quality, fidelity to conditions and grids of samples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker import CellRecord, StudyResults
from benchmarker_reports.contents.model import Panel, Series, Value, as_floats

_EPOCH = re.compile(r"epoch-\d+\.png")
_LOSSES = ("d_loss_real", "d_loss_fake", "g_loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLine:
    """One measure of a generator's samples, beside the same between real images."""

    label: str
    unit: str
    value: Value
    floor: Value
    better: str
    n: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorPart:
    """One training of a generator.

    Parameters
    ----------
    name, seed, status : str
        Which one, and what became of it.
    grid, real : Path or None
        The last picture of samples, and one of real images under the same conditions.
    losses, fidelity : tuple of Panel
        By epoch, and measured properties against requested conditions.
    quality : tuple of QualityLine
    remarks : tuple of str
        Single figures with their names: of fidelity, and of memorisation.
    """

    name: str
    seed: str
    status: str
    grid: Path | None
    real: Path | None
    losses: tuple[Panel, ...]
    fidelity: tuple[Panel, ...]
    quality: tuple[QualityLine, ...]
    remarks: tuple[str, ...]


def generator_parts(results: StudyResults) -> tuple[GeneratorPart, ...]:
    """Return what is known of each training of a generator, in the order of the plan."""
    return tuple(_part(results, cell) for cell in results.generators)


def _part(results: StudyResults, cell: CellRecord) -> GeneratorPart:
    quality = results.quality(cell)
    pictures = results.sample_grids(cell)
    grids = [path for path in pictures if _EPOCH.fullmatch(path.name)]
    fidelity = [entry for entry in _list(quality.get("fidelity")) if _drawable(entry)]
    return GeneratorPart(
        name=cell.model,
        seed=str(cell.seed),
        status=cell.status if cell.status != "failed" else f"failed ({cell.kind}): {cell.message}",
        grid=grids[-1] if grids else None,
        real=next((path for path in pictures if path.name == "real.png"), None),
        losses=_losses(results, cell),
        fidelity=tuple(_fidelity(entry) for entry in fidelity),
        quality=tuple(_line(entry, quality) for entry in _list(quality.get("rows"))),
        remarks=(*map(_remark, fidelity), *_memorisation(quality)),
    )


def _losses(results: StudyResults, cell: CellRecord) -> tuple[Panel, ...]:
    history = results.losses(cell)
    if history is None:
        return ()
    names = [name for name in _LOSSES if name in history.columns]
    series = tuple(
        Series(name=name.replace("_", " "), x=as_floats(history.epochs), y=history.columns[name], colour=colour)
        for colour, name in enumerate(names)
    )
    return (Panel(title="Losses", series=series, x_label="epoch", y_label="loss"),) if series else ()


def _fidelity(entry: Mapping[str, Any]) -> Panel:
    condition, measured = str(entry.get("condition", "condition")), str(entry.get("property", "property"))
    series = Series(name=measured, x=as_floats(entry["requested"]), y=as_floats(entry["measured"]))
    return Panel(
        title=f"{measured} by {condition}",
        series=(series,),
        x_label=f"requested {condition}",
        y_label=f"measured {measured}",
    )


def _drawable(entry: Mapping[str, Any]) -> bool:
    requested, measured = entry.get("requested"), entry.get("measured")
    return isinstance(requested, list) and isinstance(measured, list) and len(requested) == len(measured) > 0


def _remark(entry: Mapping[str, Any]) -> str:
    parts = [
        f"{words} {value:.2f}"
        for words, value in (
            ("rank correlation", entry.get("rank_correlation")),
            ("share of latent points that rise monotonically", entry.get("monotonic_share")),
        )
        if isinstance(value, int | float)
    ]
    return f"{entry.get('property')} against requested {entry.get('condition')}: {', '.join(parts) or 'no figures'}"


def _memorisation(quality: Mapping[str, Any]) -> list[str]:
    found = quality.get("memorisation")
    if not isinstance(found, Mapping):
        return []
    figures = [
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else f'{value:.4g}'}"
        for name, value in found.items()
        if isinstance(value, int | float | str)
    ]
    return [f"memorisation: {', '.join(figures)}"] if figures else []


def _line(entry: Mapping[str, Any], quality: Mapping[str, Any]) -> QualityLine:
    n, reference = entry.get("n", quality.get("n_samples")), entry.get("n_reference", quality.get("n_held_out"))
    return QualityLine(
        label=str(entry.get("label") or entry.get("name", "")),
        unit=str(entry.get("unit") or ""),
        value=_value(entry.get("value")),
        floor=_value(entry.get("floor")),
        better=str(entry.get("better") or ""),
        n=f"{n or '?'} / {reference or '?'}",
    )


def _value(value: object) -> Value:
    if isinstance(value, int | float):
        return Value(text=f"{value:.4g}", sort=float(value))
    return Value(text="-")


def _list(value: object) -> Sequence[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []
