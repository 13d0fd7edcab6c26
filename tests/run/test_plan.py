"""Plans: what a cell's key depends on, and denominators that never shrink."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarker.discovery import installed
from benchmarker.errors import StorageError
from benchmarker.registry import load_registry
from benchmarker.run.planning import make_cells
from benchmarker.study.plan import PlannedCell, read_plan
from benchmarker.study.plan_growth import merge_cells
from tests.registries import model
from tests.study.material import write_plan


def cells_of(path: Path, **changes: Any) -> list[PlannedCell]:
    plugins = installed()
    loaded = load_registry(path)
    given: dict[str, Any] = {"data_digest": "0" * 64, "backend": "tensorflow", "lines": loaded.lines, **changes}
    dataset = plugins.dataset(loaded.registry.dataset.name)
    return [cell for cell, _ in make_cells(loaded.registry, plugins, dataset=dataset, **given)]


MODEL = model()


def test_every_model_arm_and_seed_is_a_cell(registry: Callable[..., Path]) -> None:
    models = [MODEL, {**MODEL, "architecture": "conv4"}]
    cells = cells_of(registry(models=models, arms=["real", "flips"], seeds=[1, 2, 3]))
    assert len({cell.key for cell in cells}) == len(cells) == 12
    assert len({cell.configuration for cell in cells}) == 4


def test_keys_depend_on_what_changes_results_only(registry: Callable[..., Path]) -> None:
    base = cells_of(registry())[0]
    same = registry("renamed.yaml", title="another title", models=[{**MODEL, "name": "my name"}])
    assert cells_of(same)[0].key == base.key
    different: list[dict[str, Any]] = [
        {"models": [{**MODEL, "learning_rate": 0.002}]},
        {"models": [{**MODEL, "epochs": 3}]},
        {"models": [{**MODEL, "options": {"dropout": 0.1}}]},
        {"seeds": [1]},
        {"arms": ["flips"]},
        {"training": {"batch_size": 4, "threads": 2}},
        {"training": {"batch_size": 4, "threads": 1, "precision": "mixed_bfloat16"}},
    ]
    keys = {cells_of(registry(**change))[0].key for change in different}
    assert len(keys | {base.key}) == len(different) + 1
    assert cells_of(registry(), data_digest="1" * 64)[0].key != base.key
    assert cells_of(registry(), backend="jax")[0].key != base.key


def test_an_option_written_out_is_the_default_left_out(registry: Callable[..., Path]) -> None:
    rotations = [{"name": "r", "augmentations": ["rotations"]}]
    written = [{"name": "r", "augmentations": [{"name": "rotations", "options": {"step": 15}}]}]
    assert cells_of(registry(arms=rotations))[0].key == cells_of(registry(arms=written))[0].key


def test_plan_is_read_as_it_was_written(registry: Callable[..., Path], tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    plan = write_plan(tmp_path, cells_of(registry(seeds=[1, 2])))
    assert read_plan(tmp_path) == plan


def test_merged_plan_grows_and_never_shrinks(registry: Callable[..., Path]) -> None:
    merged, superseded = merge_cells(cells_of(registry(seeds=[2, 3])), cells_of(registry(seeds=[1, 2])))
    assert sorted(cell.seed for cell in merged) == [1, 2, 3]
    assert superseded == []


def test_network_trained_differently_supersedes_its_name(registry: Callable[..., Path]) -> None:
    existing = cells_of(registry(seeds=[1, 2]))
    planned = cells_of(registry(seeds=[1], models=[{**MODEL, "epochs": 3}]))
    merged, superseded = merge_cells(planned, existing)
    assert merged == planned
    assert [cell.seed for cell in superseded] == [1, 2]


def test_scores_on_other_images_leave_the_plan(registry: Callable[..., Path]) -> None:
    existing = cells_of(registry(models=[{**MODEL, "name": "another"}]), data_digest="1" * 64)
    planned = cells_of(registry())
    assert merge_cells(planned, existing) == (planned, existing)
    other = cells_of(registry(models=[{**MODEL, "epochs": 5, "name": "another"}]))
    assert merge_cells(planned, other) == ([*planned, *other], [])


def test_plan_of_another_format_is_refused(registry: Callable[..., Path], tmp_path: Path) -> None:
    write_plan(tmp_path, cells_of(registry()))
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(StorageError, match="Received: 2"):
        read_plan(tmp_path)


@pytest.mark.parametrize("content", ['{"cells": [{"key": 1}]}', "[]", "{", '{"format": 1}'])
def test_file_that_is_not_a_plan_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(StorageError, match=r"plan\.json: .*not a plan"):
        read_plan(tmp_path)


def test_incomplete_cell_is_named(registry: Callable[..., Path], tmp_path: Path) -> None:
    plan = write_plan(tmp_path, cells_of(registry(seeds=[1, 2]))).to_json()
    del plan["cells"][1]["spec"]["model"]["epochs"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(StorageError, match=r"cells\.1\.spec\.model\.epochs"):
        read_plan(tmp_path)
