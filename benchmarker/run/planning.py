"""Turns a registry into cells: every model x arm x seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Split
from benchmarker.discovery import Plugins, spelling
from benchmarker.registry import ArmEntry, CellProblem, ModelEntry, Registry, plain_options
from benchmarker.study.plan import Cell
from benchmarker.study.specs import SPEC_FORMAT


def make_cells(
    registry: Registry,
    plugins: Plugins,
    *,
    dataset: Dataset,
    data_digest: str,
    backend: str,
    lines: Mapping[int, int],
    unusable: Iterable[CellProblem] = (),
    generators: Mapping[tuple[str, int], Cell] | None = None,
) -> list[tuple[Cell, CellProblem | None]]:
    """Return the cells of a registry: seed by seed, arm by arm, model by model.

    Parameters
    ----------
    registry : Registry
        Validated.
    plugins : Plugins
        To look names up in.
    dataset : Dataset
        Brings the split where the registry has none.
    data_digest : str
        Of the prepared images.
    backend : str
        Part of what a result depends on.
    lines : mapping of int to int
        Line of each model in the registry.
    unusable : iterable of CellProblem
        Models and arms that a broken plugin keeps from working.
    generators : mapping of (str, int) to Cell
        Those that arms need, by their label as names are compared, and seed.

    Returns
    -------
    list of (Cell, CellProblem or None)
        Cells that cannot run stay in the plan, each with its problem.
    """
    problems = {(problem.part, problem.index): problem for problem in unusable}
    models = [_model_spec(entry, plugins, ("model", k) in problems) for k, entry in enumerate(registry.models)]
    arms = [_arm_spec(arm, plugins, ("arm", k) in problems) for k, arm in enumerate(registry.arms)]
    common = _common_spec(registry, dataset, data_digest, backend)
    cells = []
    for seed in registry.seeds:
        for a, arm in enumerate(registry.arms):
            arm_spec = _with_generated(arms[a], arm, seed, generators or {})
            for m, entry in enumerate(registry.models):
                cell = Cell.of(
                    {**common, "arm": arm_spec, "model": models[m], "seed": seed},
                    model=entry.label,
                    architecture=models[m]["architecture"],
                    arm=arm.name,
                    line=lines.get(m, 0),
                )
                cells.append((cell, problems.get(("model", m)) or problems.get(("arm", a))))
    return cells


def _common_spec(registry: Registry, dataset: Dataset, data_digest: str, backend: str) -> dict[str, Any]:
    """Return what the specs of all cells of a registry share."""
    split = registry.dataset.split or dataset.split or Split()
    return {
        "format": SPEC_FORMAT,
        "backend": backend,
        "dataset": {"name": dataset.name, "digest": data_digest},
        "split": split.model_dump(mode="json"),
        "training": registry.training.model_dump(mode="json"),
    }


def _model_spec(entry: ModelEntry, plugins: Plugins, unusable: bool) -> dict[str, Any]:
    if unusable:
        return {**entry.model_dump(mode="json", exclude={"name"}), "unusable": True}
    architecture = plugins.architecture(entry.architecture)
    return {
        "architecture": architecture.name,
        "options": plain_options(architecture, entry.options),
        "learning_rate": entry.learning_rate,
        "epochs": entry.epochs,
    }


def _arm_spec(arm: ArmEntry, plugins: Plugins, unusable: bool) -> dict[str, Any]:
    if unusable:
        left_out = {"name", "generated"} if arm.generated is None else {"name"}
        return {**arm.model_dump(mode="json", exclude=left_out), "unusable": True}
    augmentations = []
    for entry in arm.augmentations:
        augmentation = plugins.augmentation(entry.name)
        augmentations.append({"name": augmentation.name, "options": plain_options(augmentation, entry.options)})
    return {"augmentations": augmentations, "augment_validation": arm.augment_validation and bool(augmentations)}


def _with_generated(
    spec: Mapping[str, Any], arm: ArmEntry, seed: int, generators: Mapping[tuple[str, int], Cell]
) -> Mapping[str, Any]:
    """Return the spec of an arm under a seed: with the generator that it has then, where it has one."""
    generated = arm.generated
    if generated is None or "unusable" in spec:
        return spec
    generator = generators[spelling(generated.by), seed]
    amount: dict[str, Any] = {"balance": True} if generated.balance else {"ratio": generated.ratio}
    alone = {} if generated.real else {"real": False}
    own = {"generator": generator.key, "configuration": generator.configuration, **amount, **alone}
    return {**spec, "generated": own}
