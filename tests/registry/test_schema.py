"""The JSON Schema accepts what the loader accepts, and helps editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarker.discovery import installed
from benchmarker.paths import shipped_folder
from benchmarker.registry import registry_schema
from benchmarker.registry.yaml_loader import load_yaml
from tests.registries import model, plugins_of

REGISTRIES = sorted(shipped_folder().glob("*.yaml"))


@pytest.fixture(scope="module", params=["with plugins", "without"])
def validator(request: pytest.FixtureRequest) -> jsonschema.Draft202012Validator:
    schema = registry_schema(installed() if request.param == "with plugins" else None)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def registry(**changes: Any) -> dict[str, Any]:
    return {"dataset": "mnist", "models": [model("convxpress")], **changes}


@pytest.mark.parametrize("path", REGISTRIES, ids=lambda path: path.stem)
def test_schema_accepts_shipped_registries(path: Path, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(load_yaml(path.read_text(encoding="utf-8")).data)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"arms": ["real", "rotations", {"name": "both", "augmentations": ["flips", {"name": "rotations"}]}]},
        {"dataset": {"name": "a-plugin-of-others", "options": {"x": 1}, "split": {"train": 0.5, "validation": 10}}},
        {"training": {"optimizer": "sgd", "plateau": None}},
        {"models": [{"architecture": "a_plugin_of_others", "learning_rate": 1, "epochs": 1, "options": {"x": 1}}]},
    ],
)
def test_schema_accepts_what_the_loader_accepts(
    changes: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(registry(**changes))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"seed": [1]}, "$"),
        ({"seeds": [1, 1]}, "$.seeds"),
        ({"seeds": [1.5]}, "$.seeds[0]"),
        ({"seeds": []}, "$.seeds"),
        ({"models": []}, "$.models"),
        ({"models": [{"architecture": "convxpress", "learning_rate": -1, "epochs": 1}]}, "$.models[0].learning_rate"),
        ({"models": [{"architecture": "convxpress", "learning_rate": 1, "epochs": 0}]}, "$.models[0].epochs"),
        ({"models": [{"architecture": "convxpress", "learning_rate": 1}]}, "$.models[0]"),
        ({"training": {"optimiser": "adm"}}, "$.training.optimiser"),
        ({"dataset": 3}, "$.dataset"),
        ({"arms": [3]}, "$.arms[0]"),
    ],
)
def test_schema_refuses_wrong_values(
    changes: dict[str, Any], path: str, validator: jsonschema.Draft202012Validator
) -> None:
    errors = list(validator.iter_errors(registry(**changes)))
    assert path in [error.json_path for error in errors]


def test_schema_checks_the_options_of_known_plugins() -> None:
    validator = jsonschema.Draft202012Validator(registry_schema(installed()))
    entry = model("convxpress", options={"dropot": 0.1})
    [error] = validator.iter_errors(registry(models=[entry]))
    assert error.json_path == "$.models[0].options"
    assert "dropot" in error.message
    assert not list(validator.iter_errors(registry(models=[{**entry, "options": {"dropout": 0.1}}])))


def test_schema_describes_names_and_settings_for_editors() -> None:
    schema = registry_schema(installed())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:")
    architecture = schema["$defs"]["ModelEntry"]["properties"]["architecture"]
    assert "convxpress" in architecture["examples"]
    undescribed = [
        f"{name}.{key}"
        for name in ("DatasetEntry", "ArmEntry", "AugmentationEntry", "ModelEntry", "Training", "Split", "Preparation")
        for key, value in schema["$defs"][name]["properties"].items()
        if not value.get("description")
    ]
    assert undescribed == []
    assert all(value.get("description") for value in schema["properties"].values())


def test_schema_without_plugins_accepts_any_name() -> None:
    assert registry_schema(plugins_of()) == registry_schema()
