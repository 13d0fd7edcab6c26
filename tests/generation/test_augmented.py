"""Generators learn from an augmented training part, in which every image keeps its conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError, PluginError
from benchmarker.generation.augmented import augmented
from benchmarker.generation.job import train_generator
from benchmarker.study.specs import PluginChoice
from benchmarker.training.sets import AppliedAugmentation, PartSet
from tests.generation.conftest import SEED, MakeJob, make_images

ROTATIONS = PluginChoice(name="rotations", options={"step": 90})
REPEATS = PluginChoice(name="repeats", options={"ratio": 0.5})
FLIPS = PluginChoice(name="flips", options={"horizontal": True, "vertical": False})


def applied(*choices: PluginChoice) -> list[AppliedAugmentation]:
    return [AppliedAugmentation.of(choice, installed()) for choice in choices]


@pytest.fixture
def part() -> PartSet:
    return PartSet(make_images(72), np.arange(0, 72, 6))


def test_conditions_follow_the_images_through_several_expansions(part: PartSet) -> None:
    learned, transforms = augmented(part, applied(ROTATIONS, FLIPS, REPEATS), ["class", "flux"], SEED)
    assert len(learned) == 6 * 12
    assert [transform.name for transform in transforms] == ["flips"]
    original = {image[..., 0].max(): row for row, image in enumerate(part.batch(np.arange(12)))}
    for index in range(len(learned)):
        brightest = learned.batch(np.array([index]))[0, ..., 0].max()
        row = original[brightest]  # quarter turns move pixels and change none
        assert learned.attributes["flux"][index] == part.attributes["flux"][row]
        assert learned.targets[index] == part.targets[row]


def test_without_expansions_the_training_part_stays_itself(part: PartSet) -> None:
    learned, transforms = augmented(part, applied(FLIPS), ["class"], SEED)
    assert learned is part
    assert transforms[0].stream.axes["part"] == "generator"


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        (None, ConfigurationError, "does not say which image each of its images is made of"),
        (np.zeros(5, int), PluginError, "must be 48 indices below 12. Received: int64 of shape (5,)"),
        (np.full(48, 12), PluginError, "must be 48 indices below 12"),
    ],
)
def test_expansion_without_rows_is_refused_only_for_conditions_that_need_them(
    part: PartSet, monkeypatch: pytest.MonkeyPatch, rows: Any, error: type[Exception], words: str
) -> None:
    from benchmarker_transforms.rotations import RotatedTrainingSet

    choices = applied(ROTATIONS)
    assert len(augmented(part, choices, ["flux"], SEED)[0]) == 48
    monkeypatch.setattr(RotatedTrainingSet, "rows", rows)
    assert len(augmented(part, choices, ["class"], SEED)[0]) == 48
    assert len(augmented(part, choices, [], SEED)[0]) == 48
    with pytest.raises(error) as caught:
        augmented(part, choices, ["class", "flux"], SEED)
    assert words in str(caught.value)


def test_generator_learns_from_the_augmented_part(job: MakeJob, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    about = train_generator(job(one, epochs=1, augmentations=(ROTATIONS, FLIPS)), lambda _event: None)
    links = {link["name"]: link["content"] for link in json.loads((one / "trail.json").read_text())["links"]}
    n = links["training part"]["images"]
    assert links["training set"]["images"] == 4 * n
    assert len((one / "losses.csv").read_text().splitlines()) == 1 + 4 * n // 16
    with np.load(one / "conditions.npz") as file:
        assert len(file["targets"]) == n  # samples are drawn for real images
    two.mkdir()
    flips_only = train_generator(job(two, epochs=1, augmentations=(FLIPS,)), lambda _event: None)
    assert flips_only.digests["initial_weights"] == about.digests["initial_weights"]
    assert flips_only.digests["weights"] != about.digests["weights"]
    contents = json.loads((two / "trail.json").read_text())["links"]
    assert "training set" not in [link["name"] for link in contents]
