"""Generators: the quality of their samples averaged over seeds, and the losses and pictures of each training.

What a generator's plugin measures is data of that plugin: entries that lack what is needed here are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker import GeneratorRecord, StudyResults
from benchmarker_reports.content.charts import Panel, Series, as_floats
from benchmarker_reports.content.readable import history_of
from benchmarker_reports.content.values import Value

_EPOCH = re.compile(r"epoch-\d+\.png")
_LOSSES = ("d_loss_real", "d_loss_fake", "g_loss")

Entry = Mapping[str, Any]
"""One entry of what a plugin measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One measure of a generator's samples, averaged over seeds.

    Parameters
    ----------
    generator : str
        Label of the generator in the registry.
    name, label, unit : str
        Name of the measure, its words and its unit.
    value, standard_deviation : float or None
        Mean over seeds and sample deviation; the deviation is None for one seed, both where nothing was measured.
    floor : float or None
        What real images reach when they are compared with other real images: the best that samples can reach.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure of the samples of one training, beside the same measure between real images."""

    label: str
    unit: str
    value: Value
    floor: Value
    better: str
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTraining:
    """One training of a generator.

    Parameters
    ----------
    name, seed, status : str
        Label, seed, and ``"ok"`` or what went wrong.
    pictures : tuple of (str, Path)
        Title and file of real images, and of the last samples under the same conditions.
    losses, fidelity : tuple of Panel
        Losses by epoch, and measured properties against requested conditions.
    measures : tuple of Measure
    remarks : tuple of str
        Single figures in words: fidelity to conditions, and memorisation.
    """

    name: str
    seed: str
    status: str
    pictures: tuple[tuple[str, Path], ...]
    losses: tuple[Panel, ...]
    fidelity: tuple[Panel, ...]
    measures: tuple[Measure, ...]
    remarks: tuple[str, ...]


def quality(generators: Iterable[GeneratorRecord]) -> tuple[Quality, ...]:
    """Average what was measured of generators over their seeds, in the order of the plan."""
    groups: dict[str, list[GeneratorRecord]] = {}
    for generator in generators:
        groups.setdefault(generator.label, []).append(generator)
    return tuple(each for label, seeds in groups.items() for each in _averaged(label, seeds))


def trainings(results: StudyResults) -> tuple[GeneratorTraining, ...]:
    """Return what is known of each training of a generator, in the order of the plan."""
    return tuple(_training(results, generator) for generator in results.generators)


def _averaged(label: str, seeds: Sequence[GeneratorRecord]) -> Iterator[Quality]:
    measured: dict[str, list[Entry]] = {}
    for seed in seeds:
        found = StudyResults.quality(seed)
        rows = [row for row in _entries(found.get("rows")) if "name" in row]
        for row in (*rows, *_memorisation(found.get("memorisation")), *_flux_fidelity(found.get("fidelity"))):
            measured.setdefault(str(row["name"]), []).append(row)
    for name, several in measured.items():
        values = [value for row in several if (value := _number(row.get("value"))) is not None]
        floors = [floor for row in several if (floor := _number(row.get("floor"))) is not None]
        counts = [row["n"] for row in several if isinstance(row.get("n"), int)]
        yield Quality(
            generator=label,
            name=name,
            label=str(several[0].get("label") or name.replace("_", " ")),
            unit=str(several[0].get("unit") or ""),
            value=_mean(values),
            standard_deviation=_deviation(values),
            floor=_mean(floors),
            better=str(several[0].get("better") or ""),
            n=len(values),
            planned=len(seeds),
            n_samples=min(counts, default=None),
        )


def _memorisation(found: object) -> Iterator[Entry]:
    """Yield how close samples are to training images; the floor is the value expected without copying."""
    if not isinstance(found, Mapping):
        return
    for name, label, floor in (
        ("share_below", "memorisation: share below the threshold", found.get("expected_share")),
        ("probability_nearer", "memorisation: probability nearer", 0.5),
    ):
        if name in found:
            row = {"name": f"memorisation_{name}", "label": label, "value": found[name], "floor": floor}
            yield {**row, "better": "lower", "n": found.get("n")}


def _flux_fidelity(found: object) -> Iterator[Entry]:
    """Yield how closely the flux of the source follows each condition, in the direction in which real images go."""
    for entry in _entries(found):
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


def _training(results: StudyResults, generator: GeneratorRecord) -> GeneratorTraining:
    found = results.quality(generator)
    fidelity = [entry for entry in _entries(found.get("fidelity")) if _drawable(entry)]
    return GeneratorTraining(
        name=generator.label,
        seed=str(generator.seed),
        status=generator.status if generator.status != "failed" else f"failed ({generator.kind}): {generator.message}",
        pictures=tuple(_pictures(results, generator)),
        losses=tuple(_losses(results, generator)),
        fidelity=tuple(map(_fidelity_panel, fidelity)),
        measures=tuple(_measure(entry, found) for entry in _entries(found.get("rows"))),
        remarks=(*map(_fidelity_remark, fidelity), *_memorisation_remark(found.get("memorisation"))),
    )


def _pictures(results: StudyResults, generator: GeneratorRecord) -> Iterator[tuple[str, Path]]:
    found = results.sample_grids(generator)
    grids = [path for path in found if _EPOCH.fullmatch(path.name)]
    yield from (("Real images", path) for path in found if path.name == "real.png")
    yield from (("Samples of the last epoch", path) for path in grids[-1:])


def _losses(results: StudyResults, generator: GeneratorRecord) -> Iterator[Panel]:
    history = history_of(results, generator)
    if history is None:
        return
    names = [name for name in _LOSSES if name in history.columns]
    series = tuple(
        Series(name=name.replace("_", " "), x=as_floats(history.epochs), y=history.columns[name], colour=colour)
        for colour, name in enumerate(names)
    )
    if series:
        yield Panel(title="Losses", series=series, x_label="epoch", y_label="loss", whole=True)


def _fidelity_panel(entry: Entry) -> Panel:
    condition, measured = str(entry.get("condition", "condition")), str(entry.get("property", "property"))
    series = Series(name=measured, x=as_floats(entry["requested"]), y=as_floats(entry["measured"]))
    return Panel(
        title=f"{measured} by {condition}",
        series=(series,),
        x_label=f"requested {condition}",
        y_label=f"measured {measured}",
    )


def _drawable(entry: Entry) -> bool:
    requested, measured = entry.get("requested"), entry.get("measured")
    return isinstance(requested, list) and isinstance(measured, list) and len(requested) == len(measured) > 0


def _fidelity_remark(entry: Entry) -> str:
    figures = [
        f"{words} {value:.2f}"
        for words, value in (
            ("rank correlation", entry.get("rank_correlation")),
            ("share of latent points for which it rises at every step", entry.get("monotonic_share")),
        )
        if isinstance(value, int | float)
    ]
    return f"{entry.get('property')} against requested {entry.get('condition')}: {', '.join(figures) or 'no figures'}"


def _memorisation_remark(found: object) -> Iterator[str]:
    if not isinstance(found, Mapping):
        return
    figures = [
        f"{name.replace('_', ' ')} {value if isinstance(value, str) else f'{value:.4g}'}"
        for name, value in found.items()
        if isinstance(value, int | float | str)
    ]
    if figures:
        yield f"memorisation: {', '.join(figures)}"


def _measure(entry: Entry, found: Entry) -> Measure:
    n, reference = entry.get("n", found.get("n_samples")), entry.get("n_reference", found.get("n_held_out"))
    return Measure(
        label=str(entry.get("label") or entry.get("name", "")),
        unit=str(entry.get("unit") or ""),
        value=_value(entry.get("value")),
        floor=_value(entry.get("floor")),
        better=str(entry.get("better") or ""),
        counts=f"{n or '?'} / {reference or '?'}",
    )


def _value(found: object) -> Value:
    number = _number(found)
    return Value(text="-") if number is None else Value(text=f"{number:.4g}", sort=number)


def _entries(found: object) -> list[Entry]:
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _deviation(values: Sequence[float]) -> float | None:
    mean = _mean(values)
    if mean is None or len(values) < 2:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
