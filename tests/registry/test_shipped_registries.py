"""The registries that come with the benchmarker."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmarker
from benchmarker.discovery import installed
from benchmarker.paths import shipped_folder
from benchmarker.registry import canonical, check_registry, find_registry, load_registry, shipped_names

ROOT = Path(benchmarker.__file__).parent.parent
NAMES = (
    "becker2021",
    "conditional_fidelity",
    "convxpress",
    "first_radio_galaxies",
    "gan_first",
    "gan_first_tenth",
    "gan_vs_real",
    "quickstart",
)


def test_shipped_registries_are_found() -> None:
    assert set(NAMES) <= set(shipped_names())


@pytest.mark.parametrize("path", sorted(shipped_folder().glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_registry_is_valid(path: Path) -> None:
    assert check_registry(load_registry(path), installed()) == ()
    header = path.read_text(encoding="utf-8").split("\ntitle:")[0]
    for word in ("What it is", "What it costs", "How to run"):
        assert word in header


# Rates and epochs of the published list; those of maslej are ours.
PAPER = {
    "convxpress": (1e-4, 16),
    "conv4": (1e-6, 16),
    "conv8": (1e-4, 16),
    "simple_net": (1e-4, 16),
    "vgg16d": (1e-6, 16),
    "alexnet": (1e-5, 16),
    "alexnet_bn": (1e-5, 16),
    "toothless": (1e-6, 16),
    "mcrgnet": (1e-4, 16),
    "hosenie": (1e-4, 16),
    "atlas": (1e-4, 16),
    "fr_deep": (1e-4, 16),
    "first_classifier": (1e-4, 16),
    "radio_galaxy_zoo": (1e-5, 16),
    "maslej": (1e-4, 16),
}


def test_becker2021_has_the_settings_of_the_paper() -> None:
    registry = load_registry("becker2021").registry
    assert {entry.architecture: (entry.learning_rate, entry.epochs) for entry in registry.models} == PAPER
    assert registry.seeds == (8901, 1826, 4915)
    assert registry.dataset.preparation is not None
    assert registry.dataset.preparation.model_dump(exclude_unset=True) == {
        "normalise": True,
        "clip_sigma": 3.0,
        "crop": 300,
    }
    assert registry.dataset.split is not None
    assert (registry.dataset.split.train, registry.dataset.split.validation) == (250, 100)
    [arm] = registry.arms
    assert arm.augment_validation
    assert [(entry.name, entry.options) for entry in arm.augmentations] == [("rotations", {"step": 15})]
    assert registry.training.batch_size == 32
    plateau = registry.training.plateau
    assert plateau is not None
    assert (plateau.patience, plateau.minimum_delta, plateau.factor, plateau.floor) == (3, 0.01, 0.5, 1e-12)


def test_convxpress_is_becker2021_with_one_network() -> None:
    one, all_of_them = load_registry("convxpress").registry, load_registry("becker2021").registry
    assert one.model_copy(update={"title": "", "models": ()}) == all_of_them.model_copy(
        update={"title": "", "models": ()}
    )
    assert one.models == all_of_them.models[:1]


def test_old_text_list_has_the_same_networks() -> None:
    path = ROOT / "examples" / "lists" / "becker2021.txt"
    if not path.exists():
        pytest.skip("examples/ is not part of an installed package")
    registry = canonical(load_registry(path), installed()).registry
    assert {entry.label: (entry.learning_rate, entry.epochs) for entry in registry.models} == PAPER


@pytest.mark.parametrize("name", ["quickstart", "quickstart.yaml", "registries/quickstart.yaml", "quickstart.yml"])
def test_shipped_registry_is_found_by_name_in_every_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_registry(Path(name)) == shipped_folder() / "quickstart.yaml"
    assert load_registry(name).path == shipped_folder() / "quickstart.yaml"


@pytest.mark.parametrize("name", ["quickstart.txt", "elsewhere/quickstart.yaml", "/quickstart.yaml", "quickstar"])
def test_other_names_are_not_shipped_registries(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_registry(Path(name)) == Path(name)


def test_file_of_the_user_wins_over_a_shipped_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quickstart.yaml").write_text("dataset: mnist\n")
    assert find_registry(Path("quickstart.yaml")) == Path("quickstart.yaml")
