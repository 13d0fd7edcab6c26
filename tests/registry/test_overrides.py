from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarker.errors import RegistryError
from benchmarker.registry import LoadedRegistry, Overrides, load_registry

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


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text: str = REGISTRY, name: str = "mine.yaml", **overrides: Any) -> LoadedRegistry:
    Path(name).write_text(text, encoding="utf-8")
    return load_registry(name, Overrides(**overrides))


def problems(text: str = REGISTRY, name: str = "mine.yaml", **overrides: Any) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        load(text, name, **overrides)
    return list(caught.value.problems)


def test_nothing_given_changes_nothing() -> None:
    assert load() == load_registry("mine.yaml")


def test_seeds() -> None:
    assert load(seeds=(4915, 8901)).registry.seeds == (4915, 8901)
    assert problems(seeds=(8901, 8901)) == ["-s/--seed: the seed 8901 is given twice"]
    assert problems(seeds=(8901, -1)) == ["-s/--seed: must be a whole number from 0 to 4294967295. Received: -1"]


def test_data_path_starts_at_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "elsewhere" / "fits").mkdir(parents=True)
    monkeypatch.chdir(folder / "elsewhere")
    (folder / "mine.yaml").write_text(REGISTRY)
    loaded = load_registry(folder / "mine.yaml", Overrides(data=Path("fits")))
    assert loaded.data_path == folder / "elsewhere" / "fits"
    assert loaded.registry.dataset.name == "fits-manifest"


def test_missing_data() -> None:
    assert problems(data=Path("nowhere")) == ["-d/--data: no such file or folder: nowhere"]


def test_data_for_a_dataset_that_reads_none(folder: Path) -> None:
    text = REGISTRY.replace("fits-manifest", "synthetic-radio").replace("  path: images\n", "")
    assert problems(text, data=folder) == [
        "-d/--data: the registry's dataset 'synthetic-radio' draws its images itself and reads no files"
    ]


def test_manifest(folder: Path) -> None:
    assert load(manifest="m.csv").registry.dataset.options == {"manifest": "m.csv"}
    text = "convXpress,1e-4,16\n"
    assert load(text, "list.txt", data=folder, manifest="m.csv").registry.dataset.options == {"manifest": "m.csv"}
    assert problems(text, "list.txt", manifest="m.csv") == [
        (
            "-f/--manifest: only the dataset 'fits-manifest' reads a manifest, "
            "and the dataset here is 'synthetic-radio'; give your images with -d/--data too"
        )
    ]
    assert problems(REGISTRY.replace("fits-manifest", "mirabest"), manifest="m.csv") == [
        "-f/--manifest: only the dataset 'fits-manifest' reads a manifest, and the dataset here is 'mirabest'"
    ]


def test_image_size_keeps_the_rest_of_the_preparation() -> None:
    preparation = load(image_size=150).registry.dataset.preparation
    assert preparation is not None
    assert preparation.model_dump(exclude_unset=True) == {"clip_sigma": 3.0, "crop": 150}
    assert problems(image_size=0) == ["-i/--image-size: must be a whole number greater than 0. Received: 0"]


def test_synthetic_images_are_drawn_at_the_image_size() -> None:
    dataset = load("convXpress,1e-4,16\n", "list.txt", image_size=150).registry.dataset
    assert dataset.options == {"size": 150}
    assert dataset.preparation is not None
    assert dataset.preparation.size == 150


def test_split(folder: Path) -> None:
    split = load(train_size=10, validation_size=5).registry.dataset.split
    assert split is not None
    assert (split.train, split.validation, split.published) == (10, 5, False)
    one = load("convXpress,1e-4,16\n", "list.txt", data=folder, train_size=10).registry.dataset.split
    assert one is not None
    assert (one.train, one.validation) == (10, 100)
    published = REGISTRY.replace("  path", "  split: {published: true}\n  path")
    counted = load(published, train_size=10, validation_size=5).registry.dataset.split
    assert counted is not None
    assert counted.published is False


def test_wrong_counts_are_told_with_the_options_names_before_all_else() -> None:
    expected = "must be a whole number greater than 0 or a number between 0 and 1, both excluded. Received:"
    assert problems(train_size=0, validation_size=-5) == [
        f"-t/--train-size: {expected} 0",
        f"-v/--validation-size: {expected} -5",
    ]


def steps(loaded: LoadedRegistry) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    return {arm.name: [(entry.name, entry.options) for entry in arm.augmentations] for arm in loaded.registry.arms}


def test_rotation_sets_every_step() -> None:
    assert steps(load(rotation=90.0)) == {
        "real": [],
        "rotations": [("rotations", {"step": 90})],
        "both": [("rotations", {"step": 90}), ("flips", {})],
    }
    assert steps(load(rotation=22.5))["both"][0] == ("rotations", {"step": 22.5})


@pytest.mark.parametrize("full", [0, 360])
def test_no_rotation_leaves_rotations_out(full: float) -> None:
    loaded = load(rotation=full)
    assert steps(loaded) == {"real": [], "both": [("flips", {})]}
    assert loaded.places.position(("arms", 1)) == (8, 5)
    assert not loaded.registry.arms[0].augment_validation


def test_an_arm_without_its_rotations_is_real() -> None:
    loaded = load("convXpress,1e-4,16\n", "list.txt", rotation=0)
    assert steps(loaded) == {"real": []}
    assert not loaded.registry.arms[0].augment_validation


def test_rotation_that_nothing_uses_or_that_is_none() -> None:
    real = REGISTRY.split("arms:", maxsplit=1)[0] + "models:" + REGISTRY.split("models:")[1]
    assert problems(real, rotation=15) == ["-r/--rotation: no arm of the registry uses the augmentation 'rotations'"]
    assert steps(load(real, rotation=0)) == {"real": []}
    assert problems(rotation=-5) == ["-r/--rotation: must be a number of degrees from 0 to 360. Received: -5"]


def test_mnist_takes_the_place_of_the_dataset(folder: Path) -> None:
    dataset = load(mnist=True, train_size=10).registry.dataset
    assert dataset.name == "mnist"
    assert (dataset.path, dataset.preparation, dataset.options) == (None, None, {})
    assert dataset.split is not None
    assert dataset.split.train == 10
    assert load(mnist=True, data=folder).data_path == folder
    assert load("convXpress,1e-4,16\n", "list.txt", mnist=True).registry.dataset.name == "mnist"


def test_several_options_are_told_about_at_once() -> None:
    assert [told.split(":")[0] for told in problems(data=Path("nowhere"), train_size=0, rotation=-1)] == [
        "-d/--data",
        "-r/--rotation",
        "-t/--train-size",
    ]
