"""Specifications: their keys never change, and what is written is read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from benchmarker.contracts.settings import EarlyStopping, Split, Training
from benchmarker.digests import digest_json
from benchmarker.registry.models import GeneratedEntry
from benchmarker.study.specs import ArmSpec, CellSpec, GeneratedSpec, GeneratorSpec, Spec
from tests.study.material import cell_spec

SPEC: TypeAdapter[CellSpec | GeneratorSpec] = TypeAdapter(Spec)
# Keys and configurations were computed when specifications were dictionaries.
PINS = json.loads((Path(__file__).parent / "pinned_specs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pin", PINS, ids=[pin["name"] for pin in PINS])
def test_specification_keeps_its_key_and_configuration(pin: dict[str, Any]) -> None:
    spec = SPEC.validate_python(pin["spec"])
    assert isinstance(spec, GeneratorSpec) is ("kind" in pin["spec"])
    assert spec.to_json() == pin["spec"]
    assert (spec.key, spec.configuration) == (pin["key"], pin["configuration"])


@pytest.mark.parametrize("part", ["training", "generator", "data", "model", "arm", "dataset", "split", None])
def test_specification_refuses_unknown_names(part: str | None) -> None:
    spec = next(pin["spec"] for pin in PINS if part is None or part in pin["spec"])
    changed = json.loads(json.dumps(spec))
    (changed if part is None else changed[part])["learning_rat"] = 1
    with pytest.raises(ValidationError, match="learning_rat"):
        SPEC.validate_python(changed)


def test_specification_writes_out_the_defaults_of_settings() -> None:
    training = Training(batch_size=4, early_stopping=EarlyStopping())
    written = cell_spec(training=training).to_json()
    assert written["training"] == training.model_dump(mode="json")
    assert written["split"] == {"published": None, "train": 6, "validation": 3, "bagging": None}
    assert list(written["arm"]) == ["augmentations", "augment_validation"]


def test_test_seed_is_written_only_where_it_is_used() -> None:
    plain, shared = (cell_spec(split=Split(train=6, validation=3, test_seed=seed)) for seed in (None, 7))
    assert "test_seed" not in plain.to_json()["split"]
    assert shared.to_json()["split"]["test_seed"] == 7
    assert plain.key == cell_spec().key != shared.key
    assert CellSpec.model_validate(json.loads(json.dumps(shared.to_json()))) == shared


def test_key_of_a_written_specification_is_that_of_the_one_read() -> None:
    spec = cell_spec()
    read = CellSpec.model_validate(json.loads(json.dumps(spec.to_json())))
    assert read == spec
    assert read.key == spec.key == digest_json(spec.to_json())


def test_configuration_is_shared_by_seeds_and_their_generators() -> None:
    arms = [
        ArmSpec(
            augmentations=(),
            augment_validation=False,
            generated=GeneratedSpec(generator=key * 64, configuration=configuration * 64, ratio=0.5),
        )
        for key, configuration in (("a", "c"), ("b", "c"), ("a", "d"))
    ]
    first, second, other = (cell_spec(arm=arm, seed=seed) for seed, arm in enumerate(arms))
    assert first.key != second.key
    assert first.configuration == second.configuration != other.configuration
    assert first.arm.generator == "a" * 64


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ({"ratio": 0.5, "balance": False, "real": True}, {"ratio": 0.5}),
        ({"ratio": None, "balance": True, "real": True}, {"balance": True}),
        ({"ratio": 2.0, "balance": False, "real": False}, {"ratio": 2.0, "real": False}),
        ({"ratio": 1.0, "fresh": True}, {"ratio": 1.0, "fresh": True}),
        ({"ratio": 1.0, "epoch": 3}, {"ratio": 1.0, "epoch": 3}),
        ({"ratio": 1.0, "epoch": "chosen"}, {"ratio": 1.0, "epoch": 3, "chosen": True}),
    ],
)
def test_generated_images_are_written_as_they_are_asked_for(asked: dict[str, Any], written: dict[str, Any]) -> None:
    entry = GeneratedEntry(by="cgan", **asked)
    generated = GeneratedSpec.of("a" * 64, "c" * 64, entry, 3 if entry.epoch else None)
    assert generated.to_json() == {"generator": "a" * 64, "configuration": "c" * 64, **written}


def test_specification_cannot_be_changed() -> None:
    spec = cell_spec()
    with pytest.raises(ValidationError, match="frozen"):
        spec.seed = 1  # type: ignore[misc]


def test_settings_that_came_later_are_written_only_where_they_are_used() -> None:
    assert "batches" not in Training().model_dump()
    assert Training(batches="neighbours").model_dump()["batches"] == "neighbours"
    assert "draw" not in Split(train=2).model_dump()
    assert Split(train=2, draw="manifest").model_dump()["draw"] == "manifest"
