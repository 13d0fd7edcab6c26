"""Folds in a registry: each fold of each seed is a cell, and the cells of a row may be averaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarker.discovery import installed
from benchmarker.registry import Registry, load_registry
from benchmarker.run.planning import make_cells
from benchmarker.study.plan import PlannedCell


def content(**parts: Any) -> dict[str, Any]:
    models = [{"architecture": "a", "learning_rate": 0.1, "epochs": 1}]
    return {"dataset": {"name": "mnist", "split": {"folds": 3}}, "models": models} | parts


def cells_of(path: Path) -> list[PlannedCell]:
    plugins, loaded = installed(), load_registry(path)
    dataset = plugins.dataset(loaded.registry.dataset.name)
    found = make_cells(
        loaded.registry, plugins, dataset=dataset, data_digest="0" * 64, backend="tensorflow", lines=loaded.lines
    )
    return [cell for cell, _ in found]


def test_every_fold_of_every_seed_is_a_cell_of_one_row(registry: Callable[..., Path]) -> None:
    split = {"folds": 3}
    cells = cells_of(registry(dataset={"name": "fits-manifest", "path": "x", "split": split}, seeds=[8901, 7]))
    assert [cell.seed for cell in cells] == [890101, 890102, 890103, 701, 702, 703]
    assert len({cell.configuration for cell in cells}) == 1
    assert len({cell.key for cell in cells}) == 6


def test_published_folds_are_cells_like_drawn_ones_with_another_specification(registry: Callable[..., Path]) -> None:
    drawn, published = (
        cells_of(registry(dataset={"name": "fits-manifest", "path": "x", "split": {"folds": 3} | more}, seeds=[8901]))
        for more in ({}, {"published": True})
    )
    assert [cell.seed for cell in published] == [890101, 890102, 890103]
    assert published[0].spec.to_json()["split"]["published"] is True
    assert not {cell.key for cell in drawn} & {cell.key for cell in published}


def test_splits_without_folds_keep_their_specification(registry: Callable[..., Path]) -> None:
    assert "folds" not in cells_of(registry())[0].spec.to_json()["split"]


@pytest.mark.parametrize(
    ("parts", "message"), [({"until_decided": {}}, "until_decided"), ({"seeds": [42949672]}, "seeds may be at most")]
)
def test_what_folds_exclude_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Registry.model_validate(content(**parts))
    assert Registry.model_validate(content(seeds=[42949671])).all_seeds[-1] < 2**32
