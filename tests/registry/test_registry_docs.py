"""The documentation of registries describes every setting, and its examples are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import benchmarker
from benchmarker.contracts.settings import EarlyStopping, Plateau, Preparation, Settings, Split, Training
from benchmarker.discovery import installed
from benchmarker.registry import OPTION_NAMES, check_registry, load_registry
from benchmarker.registry.models import (
    ArmEntry,
    AugmentationEntry,
    DatasetEntry,
    GeneratedEntry,
    GeneratorEntry,
    ModelEntry,
    Registry,
)

PAGE = Path(benchmarker.__file__).parent.parent / "docs" / "reference" / "registry.md"
if not PAGE.exists():
    pytest.skip("docs/ is not part of an installed package", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_valid(number: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(EXAMPLES[number], encoding="utf-8")
    assert check_registry(load_registry(path), installed()) == ()


def test_the_short_and_the_long_form_are_the_same(tmp_path: Path) -> None:
    short, long = (example for example in EXAMPLES if "mnist" in example)
    for name, text in (("short.yaml", short), ("long.yaml", long)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert load_registry(tmp_path / "short.yaml").registry == load_registry(tmp_path / "long.yaml").registry


@pytest.mark.parametrize(
    "model",
    [
        Registry, DatasetEntry, ArmEntry, AugmentationEntry, GeneratorEntry, GeneratedEntry, ModelEntry,
        Training, Plateau, EarlyStopping, Split, Preparation,
    ],
)  # fmt: skip
def test_every_setting_is_described(model: type[Settings]) -> None:
    missing = [name for name in model.model_fields if f"{name}:" not in TEXT and f"`{name}`" not in TEXT]
    assert missing == []


def test_defaults_in_the_full_example_are_those_of_the_code(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(EXAMPLES[1], encoding="utf-8")
    assert load_registry(path).registry.training == Training()


def test_every_option_is_described() -> None:
    for names in OPTION_NAMES.values():
        for name in names.split("/"):
            assert f"`{name}`" in TEXT
