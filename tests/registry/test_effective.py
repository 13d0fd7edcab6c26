"""The registry that a study keeps makes the same study without options of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarker.registry import effective_registry, load_registry
from benchmarker.registry.effective import write_yaml
from benchmarker.registry.yaml_loader import load_yaml
from tests.registries import load

REGISTRY = """\
# Which network?
title: "1e-4"
dataset: {name: fits-manifest, path: images, preparation: {clip_sigma: 3}}
arms: [real, rotations]
models:
  - {architecture: convxpress, learning_rate: 1e-4, epochs: 16, name: "no"}
"""


@pytest.mark.parametrize(
    "text",
    ["no", "1e-4", "0o17", "1:30", "~", "", "<<", "=", "# x", "a: b", "é", "two\nlines", "\t", "\x07", "x" * 999],
)
def test_written_texts_are_read_back_as_texts(text: str) -> None:
    data = {"dataset": {"name": text}, "models": [text, 1e-05, 3, True, None]}
    assert load_yaml(write_yaml(data)).data == data


def test_a_registry_without_options_is_kept_with_its_comments() -> None:
    assert effective_registry(load(REGISTRY), "../images").decode() == REGISTRY


@pytest.mark.parametrize(
    ("name", "text", "overrides"),
    [
        ("mine.yaml", REGISTRY, {"seeds": (1, 2), "image_size": 20, "rotation": 30, "train_size": 6}),
        ("mine.yaml", REGISTRY, {"mnist": True}),
        ("list.txt", "convXpress,1e-4,16\n", {"data": Path("images"), "validation_size": 0.2, "manifest": "m.csv"}),
        ("list.txt", "convXpress,1e-4,16\nconvXpress,1e-3,16\n", {"seeds": (7,)}),
    ],
)
def test_options_are_part_of_the_registry_that_is_kept(
    name: str, text: str, overrides: dict[str, Any], folder: Path
) -> None:
    (folder / "images").mkdir(exist_ok=True)
    loaded = load(text, name, **overrides)
    study = folder / "studies" / "mine"
    study.mkdir(parents=True)
    path = None if loaded.data_path is None else "../../images"
    (study / "registry.yaml").write_bytes(effective_registry(loaded, path))
    again = load_registry(study / "registry.yaml")
    assert again.data_path == loaded.data_path
    entry = loaded.registry.dataset
    moved = again.registry.dataset.model_copy(update={"path": entry.path})
    assert again.registry.model_copy(update={"dataset": moved}) == loaded.registry


def test_a_registry_is_read_once(folder: Path) -> None:
    """Editing or removing the file while data are prepared changes neither what is kept nor its digest."""
    loaded = load(REGISTRY)
    (folder / "mine.yaml").unlink()
    assert effective_registry(loaded, None).decode() == REGISTRY
