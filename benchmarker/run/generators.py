"""Generators of a study: trained before the cells that need their images, once under each seed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.tasks import Task
from benchmarker.data.splits import Parts
from benchmarker.discovery import Plugins, spelling
from benchmarker.errors import ConfigurationError, DataError, RegistryError
from benchmarker.generation.conditions import fit_conditions
from benchmarker.generation.mixture import Mixture
from benchmarker.registry import CellProblem, GeneratorEntry, LoadedRegistry, Registry, plain_options
from benchmarker.registry.generated import conditions_of, generated_problems, used_generators
from benchmarker.registry.positions import Problem
from benchmarker.run.launcher import run_paths
from benchmarker.study.observer import CellOutcome
from benchmarker.study.plan import Cell, generator_key, is_generator
from benchmarker.study.specs import SPEC_FORMAT
from benchmarker.training.sets import PartSet, digest_part

ARM = "generator"
"""What tables show where a cell has its arm."""


def check_generated(
    loaded: LoadedRegistry, data: LabelledImages, splits: Sequence[Parts], unusable: Iterable[CellProblem] = ()
) -> list[str]:
    """Refuse what these images cannot be generated for, and say which arms no image would be generated for.

    Parameters
    ----------
    loaded : LoadedRegistry
        Valid.
    data : LabelledImages
        All prepared images.
    splits : sequence of Parts
        For each seed of the registry.
    unusable : iterable of CellProblem
        Arms that a broken plugin keeps from working.

    Raises
    ------
    RegistryError
        With every problem found.
    """
    lost = _lost(unusable)
    if not used_generators(loaded.registry, lost):
        return []
    problems = generated_problems(loaded.registry, data.task, tuple(data.attributes), lost)
    trained = [PartSet(data, parts.train) for parts in splits]
    notes: list[Problem] = []
    if not problems:
        problems, notes = _too_few(loaded.registry, trained, lost)
        problems += _unknown_values(loaded.registry, trained, lost)
    if problems:
        raise RegistryError(loaded.positions.messages(problems))
    return [loaded.positions.message(note) for note in notes]


def _too_few(
    registry: Registry, trained: Sequence[PartSet], lost: Collection[int]
) -> tuple[list[Problem], list[Problem]]:
    """Return the arms that would have nothing to train on, and those that no image would be generated for."""
    problems, notes = [], []
    for index, arm in enumerate(registry.arms):
        if arm.generated is None or index in lost:
            continue
        path = ("arms", index, "generated")
        mixture = Mixture(ratio=arm.generated.ratio, balance=arm.generated.balance, real=arm.generated.real)
        try:
            images = max(sum(mixture.counts(part.task, part.targets)) for part in trained)
        except ConfigurationError as error:
            problems.append(Problem(path=path, text=str(error)))
            continue
        if not images:
            why = "all classes of the training part are equally large" if mixture.balance else "the ratio is too small"
            text = f"no image is generated for the arm {arm.name!r}, which trains on the real ones alone: {why}"
            notes.append(Problem(path=path, text=text))
    return problems, notes


def _lost(unusable: Iterable[CellProblem]) -> set[int]:
    return {problem.index for problem in unusable if problem.part == "arm"}


def _unknown_values(registry: Registry, trained: Sequence[PartSet], lost: Collection[int]) -> list[Problem]:
    """Return the generators whose conditions are not known of every image that they would be trained on."""
    problems = []
    for index, entry in used_generators(registry, lost):
        for part in trained:
            try:
                fit_conditions(conditions_of(entry, part.task), part, {})
            except DataError as error:
                problems.append(Problem(path=("generators", index, "conditions"), text=str(error)))
    return problems


def make_generators(
    loaded: LoadedRegistry,
    plugins: Plugins,
    *,
    data: LabelledImages,
    splits: Sequence[Parts],
    backend: str,
    unusable: Iterable[CellProblem] = (),
) -> dict[tuple[str, int], Cell]:
    """Return the generators that arms of a registry use, each as a cell for each seed.

    Parameters
    ----------
    loaded : LoadedRegistry
        Valid, with names as plugins spell them.
    plugins : Plugins
        To look names up in.
    data : LabelledImages
        All prepared images; a generator's key depends on those of its training part alone.
    splits : sequence of Parts
        For each seed of the registry.
    backend : str
        Part of what a result depends on.
    unusable : iterable of CellProblem
        Arms that a broken plugin keeps from working.

    Returns
    -------
    dict of (str, int) to Cell
        By the label as names are compared, and the seed.
    """
    entries = used_generators(loaded.registry, _lost(unusable))
    if not entries:
        return {}
    found = {}
    for seed, parts in zip(loaded.registry.seeds, splits, strict=True):
        common = _common_spec(loaded.registry, PartSet(data, parts.train), seed, backend)
        for index, entry in entries:
            spec = {**common, **_own_spec(entry, plugins, data.task)}
            line = loaded.positions.position(("generators", index)).line
            found[spelling(entry.label), seed] = Cell.of(
                spec, model=entry.label, architecture=spec["generator"]["name"], arm=ARM, line=line
            )
    return found


def _common_spec(registry: Registry, part: PartSet, seed: int, backend: str) -> dict[str, Any]:
    """Return what the specs of all generators under a seed share; ``part`` is what they are trained on."""
    return {
        "format": SPEC_FORMAT,
        "kind": "generator",
        "backend": backend,
        "seed": seed,
        "training": {"threads": registry.training.threads, "precision": registry.training.precision},
        "data": {
            "digest": digest_part(part),
            "images": len(part),
            "shape": list(part.image_shape),
            "task": part.task.to_json(),
        },
    }


def _own_spec(entry: GeneratorEntry, plugins: Plugins, task: Task) -> dict[str, Any]:
    """Return what the spec of a generator holds beside what all share."""
    plugin = plugins.generator(entry.generator)
    options = plain_options(plugin, entry.options)
    return {
        "generator": {"name": plugin.name, "options": options, "epochs": entry.epochs},
        "conditions": conditions_of(entry, task),
    }


def merge_generators(planned: Iterable[Cell], earlier: Iterable[Cell], cells: Iterable[Cell]) -> list[Cell]:
    """Join the generators of a new plan with those of an earlier one that its cells still need."""
    wanted = {generator_key(cell) for cell in cells}
    merged = {cell.key: cell for cell in planned}
    for cell in earlier:
        if cell.key in wanted:
            merged.setdefault(cell.key, cell)
    return list(merged.values())


def job_entries(
    study: Path, cell: Cell, generators: Mapping[str, Cell], split: Mapping[str, Any], *, clean: bool = False
) -> dict[str, Any]:
    """Return what a worker is told beside the cell itself.

    Parameters
    ----------
    study : Path
        Whose runs are looked in.
    cell : Cell
        What is run.
    generators : mapping of str to Cell
        By key.
    split : mapping
        By which the training part is found: a generator's key depends on what is in it, not on how it was drawn.
    clean : bool
        Whether nothing may come from the cache, as in an audit.
    """
    if is_generator(cell):
        return {"split": dict(split)} | ({"cache": False} if clean else {})
    key = generator_key(cell)
    if key is None:
        return {}
    generator = generators[key]
    folder = run_paths(study, generator).finished.absolute()
    samples = str(study.absolute()) if clean else None
    return {"generator": {"spec": generator.spec, "folder": str(folder), "samples": samples}}


def failed_with(generator: Cell, outcome: CellOutcome) -> CellOutcome:
    """Return how the cells end whose generator failed."""
    message = f"its generator {generator.name} failed: {outcome.message}"
    return CellOutcome(status="failed", kind=outcome.kind, message=message)
