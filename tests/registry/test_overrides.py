"""Options of the command line change a registry, and are named in problems that they cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarker.registry import LoadedRegistry, Overrides, load_registry
from tests.registries import load, problems, says, write_registry

REGISTRY = """\
dataset:
  name: fits-manifest
  path: images
  preparation: {clip_sigma: 3}
arms:
  - real
  - {name: rotations, augmentations: [{name: rotations, options: {step: 15}}], augment_validation: true}
  - {name: both, augmentations: [rotations, flips]}
seeds: [1, 2]
models:
  - {architecture: convxpress, learning_rate: 1e-4, epochs: 16}
"""
LIST = "convXpress,1e-4,16\n"


def test_no_override_changes_nothing() -> None:
    assert load(REGISTRY) == load_registry("mine.yaml")


def test_seeds_are_replaced() -> None:
    assert load(REGISTRY, seeds=(4915, 8901)).registry.seeds == (4915, 8901)
    [problem] = problems(REGISTRY, seeds=(8901, 8901))
    assert says(problem, "-s/--seed", "8901")
    [problem] = problems(REGISTRY, seeds=(8901, -1))
    assert says(problem, "-s/--seed", "Received: -1")


def test_data_path_starts_at_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "elsewhere" / "fits").mkdir(parents=True)
    monkeypatch.chdir(folder / "elsewhere")
    write_registry(folder / "mine.yaml", REGISTRY)
    loaded = load_registry(folder / "mine.yaml", Overrides(data=Path("fits")))
    assert loaded.data_path == folder / "elsewhere" / "fits"
    assert loaded.registry.dataset.name == "fits-manifest"


def test_missing_data_are_refused() -> None:
    [problem] = problems(REGISTRY, data=Path("nowhere"))
    assert says(problem, "-d/--data", "nowhere")


def test_data_for_a_simulated_dataset_are_refused(folder: Path) -> None:
    text = REGISTRY.replace("fits-manifest", "synthetic-radio").replace("  path: images\n", "")
    [problem] = problems(text, data=folder)
    assert says(problem, "-d/--data", "'synthetic-radio'", "simulates")


def test_manifest_sets_the_option_of_the_dataset(folder: Path) -> None:
    assert load(REGISTRY, manifest="m.csv").registry.dataset.options == {"manifest": "m.csv"}
    assert load(LIST, "list.txt", data=folder, manifest="m.csv").registry.dataset.options == {"manifest": "m.csv"}


def test_manifest_for_a_dataset_without_one_names_those_that_take_it() -> None:
    [problem] = problems(LIST, "list.txt", manifest="m.csv")
    assert says(problem, "-f/--manifest", "'fits-manifest'", "'synthetic-radio'", "-d/--data")
    [problem] = problems(REGISTRY.replace("fits-manifest", "mirabest"), manifest="m.csv")
    assert says(problem, "-f/--manifest", "'fits-manifest'", "'mirabest'")
    assert "-d/--data" not in problem


def test_image_size_keeps_the_rest_of_the_preparation() -> None:
    preparation = load(REGISTRY, image_size=150).registry.dataset.preparation
    assert preparation is not None
    assert preparation.model_dump(exclude_unset=True) == {"clip_sigma": 3.0, "crop": 150}
    [problem] = problems(REGISTRY, image_size=0)
    assert says(problem, "-i/--image-size", "Received: 0")


def test_image_size_is_also_that_of_simulated_images() -> None:
    dataset = load(LIST, "list.txt", image_size=150).registry.dataset
    assert dataset.options == {"size": 150}
    assert dataset.preparation is not None
    assert dataset.preparation.size == 150


def test_counts_replace_those_of_the_split_and_a_published_split(folder: Path) -> None:
    split = load(REGISTRY, train_size=10, validation_size=5).registry.dataset.split
    assert split is not None
    assert (split.train, split.validation, split.published) == (10, 5, False)
    one = load(LIST, "list.txt", data=folder, train_size=10).registry.dataset.split
    assert one is not None
    assert (one.train, one.validation) == (10, 100)
    published = REGISTRY.replace("  path", "  split: {published: true}\n  path")
    counted = load(published, train_size=10, validation_size=5).registry.dataset.split
    assert counted is not None
    assert counted.published is False


def test_wrong_counts_are_reported_under_the_names_of_the_options() -> None:
    first, second = problems(REGISTRY, train_size=0, validation_size=-5)
    assert says(first, "-t/--train-size", "Received: 0")
    assert says(second, "-v/--validation-size", "Received: -5")


def steps(loaded: LoadedRegistry) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    return {arm.name: [(entry.name, entry.options) for entry in arm.augmentations] for arm in loaded.registry.arms}


def test_rotation_sets_every_step() -> None:
    assert steps(load(REGISTRY, rotation=90.0)) == {
        "real": [],
        "rotations": [("rotations", {"step": 90})],
        "both": [("rotations", {"step": 90}), ("flips", {})],
    }
    assert steps(load(REGISTRY, rotation=22.5))["both"][0] == ("rotations", {"step": 22.5})


@pytest.mark.parametrize("full", [0, 360])
def test_full_turn_removes_rotations_and_keeps_positions(full: float) -> None:
    loaded = load(REGISTRY, rotation=full)
    assert steps(loaded) == {"real": [], "both": [("flips", {})]}
    assert loaded.positions.position(("arms", 1)) == (8, 5)
    assert not loaded.registry.arms[0].augment_validation


def test_arm_without_its_rotations_is_real() -> None:
    loaded = load(LIST, "list.txt", rotation=0)
    assert steps(loaded) == {"real": []}
    assert not loaded.registry.arms[0].augment_validation


def test_rotation_that_no_arm_uses_or_that_is_out_of_range_is_refused() -> None:
    real = REGISTRY.split("arms:", maxsplit=1)[0] + "models:" + REGISTRY.split("models:")[1]
    [problem] = problems(real, rotation=15)
    assert says(problem, "-r/--rotation", "'rotations'")
    assert steps(load(real, rotation=0)) == {"real": []}
    [problem] = problems(REGISTRY, rotation=-5)
    assert says(problem, "-r/--rotation", "Received: -5")


def test_mnist_replaces_the_dataset(folder: Path) -> None:
    dataset = load(REGISTRY, mnist=True, train_size=10).registry.dataset
    assert dataset.name == "mnist"
    assert (dataset.path, dataset.preparation, dataset.options) == (None, None, {"validation": 3000})
    assert dataset.split is not None
    assert dataset.split.train == 10
    assert load(REGISTRY, mnist=True, data=folder).data_path == folder
    assert load(LIST, "list.txt", mnist=True).registry.dataset.name == "mnist"


def test_mnist_lowers_the_rate_below_an_improvement_of_a_thousandth_as_in_the_radio_framework() -> None:
    given, changed = (load(LIST, "list.txt", mnist=mnist).registry.training.plateau for mnist in (False, True))
    assert given is not None
    assert changed is not None
    assert (given.minimum_delta, changed.minimum_delta) == (0.01, 0.001)


def test_early_stopping_needs_an_improvement_of_a_hundredth_as_in_the_radio_framework() -> None:
    stopping = load(LIST, "list.txt", early_stopping=7).registry.training.early_stopping
    assert stopping is not None
    assert (stopping.patience, stopping.minimum_delta) == (7, 0.01)
    assert load(LIST, "list.txt", early_stopping=-1).registry.training.early_stopping is None
    [problem] = problems(LIST, "list.txt", early_stopping=0)
    assert says(problem, "--early-stopping", "Received: 0")


def test_binary_threshold_replaces_the_clip_as_in_the_radio_framework() -> None:
    preparation = load(LIST, "list.txt", binary_threshold=0.8).registry.dataset.preparation
    assert preparation is not None
    assert (preparation.binary_threshold, preparation.binary_others) == (0.8, "keep")


def test_problems_of_several_options_are_reported_together() -> None:
    found = problems(REGISTRY, data=Path("nowhere"), train_size=0, rotation=-1)
    assert [problem.split(":")[0] for problem in found] == ["-d/--data", "-r/--rotation", "-t/--train-size"]
