"""Datasets and augmentations of third parties take options of the command line, as the shipped ones do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker import PluginError
from benchmarker.discovery import Plugins, discover
from benchmarker.errors import RegistryError
from benchmarker.registry import Overrides, check_registry, load_registry
from tests.fixture_plugins import plugin_source
from tests.foundations.conftest import Site
from tests.registries import load, problems, says

OPTIONS = """\
from typing import Annotated

from pydantic import Field

from benchmarker import Options

class Survey(Options):
    catalogue: str = "all.csv"
    pixels: Annotated[int, Field(le=512)] = 64

class Turns(Options):
    by: float = 45
    order: int = 3
"""
SURVEY = (
    "dataset(Dataset(name='sky-survey', loader='x:y', licence='CC0', citation='none', options='sky_options:Survey',"
    " shortcuts={'manifest': 'catalogue', 'image_size': 'pixels'}))"
)
TURNS = (
    "augmentation(Augmentation(name='sky-turns', kind='expansion', builder='x:y', options='sky_options:Turns',"
    " shortcuts={'rotation': 'by'}))"
)
REGISTRY = """\
dataset: Sky_Survey
arms:
  - {name: turned, augmentations: [{name: sky-turns, options: {order: 1}}]}
  - {name: both, augmentations: [rotations, sky-turns, flips]}
models:
  - {architecture: convxpress, learning_rate: 1e-4, epochs: 16}
"""


@pytest.fixture
def plugins(site: Site, monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.chdir(site.folder)
    (site.folder / "sky_options.py").write_text(OPTIONS)
    site.install("sky-survey", {"survey": plugin_source(SURVEY, TURNS)})
    return discover()


def test_command_line_sets_the_options_that_a_plugin_declares(plugins: Plugins) -> None:
    loaded = load(REGISTRY, plugins=plugins, manifest="few.csv", image_size=150, rotation=90.0)
    dataset = loaded.registry.dataset
    assert dataset.options == {"catalogue": "few.csv", "pixels": 150}
    assert dataset.preparation is not None
    assert dataset.preparation.crop == 150
    assert [[(entry.name, entry.options) for entry in arm.augmentations] for arm in loaded.registry.arms] == [
        [("sky-turns", {"order": 1, "by": 90})],
        [("rotations", {"step": 90}), ("sky-turns", {"by": 90}), ("flips", {})],
    ]
    assert check_registry(loaded, plugins) == ()


def test_no_rotation_removes_every_augmentation_that_declares_it(plugins: Plugins) -> None:
    arms = load(REGISTRY, plugins=plugins, rotation=0.0).registry.arms
    assert {arm.name: [entry.name for entry in arm.augmentations] for arm in arms} == {"real": [], "both": ["flips"]}


def test_option_that_no_plugin_takes_names_those_that_do(plugins: Plugins) -> None:
    text = REGISTRY.replace("Sky_Survey", "mirabest").replace("sky-turns", "shifts").replace("rotations, ", "")
    text = text.replace(", options: {order: 1}", "")
    manifest, rotation = problems(text, plugins=plugins, manifest="few.csv", rotation=15.0)
    assert says(manifest, "-f/--manifest", "'fits-manifest' or 'sky-survey'", "'mirabest'")
    assert says(rotation, "-r/--rotation", "'rotations' or 'sky-turns'")


def test_wrong_value_is_reported_under_the_name_of_the_option(plugins: Plugins) -> None:
    [problem] = problems(REGISTRY, plugins=plugins, image_size=600)
    assert says(problem, "-i/--image-size", "512", "Received: 600")


@pytest.mark.parametrize(
    ("kind", "role", "shipped"),
    [
        ("dataset", "mnist", "mnist"),
        ("dataset", "text-list", "synthetic-radio"),
        ("dataset", "text-list-with-data", "fits-manifest"),
        ("augmentation", "text-list", "rotations"),
    ],
)
def test_two_default_plugins_for_the_same_are_reported_with_both_names(
    kind: str, role: str, shipped: str, plugins: Plugins, site: Site
) -> None:
    assert plugins.default_for(kind, role).name == shipped
    assert not plugins.broken
    registration = {
        "dataset": f"Dataset(name='sky-rival', loader='x:y', licence='CC0', citation='none', default_for=({role!r},))",
        "augmentation": f"Augmentation(name='sky-rival', kind='transform', builder='x:y', default_for=({role!r},))",
    }[kind]
    site.install("sky-rival", {"rival": plugin_source(f"{kind}({registration})")}, version="0.2")
    crowded = discover()
    with pytest.raises(PluginError, match=rf"several {kind}s .* '{role}'.*'sky-rival' of sky-rival 0\.2"):
        crowded.default_for(kind, role)
    overrides = {"mnist": Overrides(mnist=True), "text-list-with-data": Overrides(data=Path())}
    Path("list.txt").write_text("convXpress,1e-4,16\n", encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        load_registry("list.txt", overrides.get(role), crowded)
    [problem] = caught.value.problems
    assert problem.startswith("-X/--mnist: several" if role == "mnist" else "list.txt: several")
    assert f"{shipped!r} of galaxy-benchmarker" in problem
    [listed] = [each.error for each in crowded.broken]
    assert listed in problem
    # Everything else still works.
    assert load(REGISTRY, plugins=crowded).registry.dataset.name == "Sky_Survey"


def test_missing_default_plugin_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("convXpress,1e-4,16\n", encoding="utf-8")
    with pytest.raises(RegistryError, match="no installed dataset is the default for 'text-list'"):
        load_registry(tmp_path / "list.txt", plugins=Plugins({}))
