"""A registry is checked against the plugins that are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker import (
    Architecture,
    Augmentation,
    ConfigurationError,
    Dataset,
    PluginError,
    Regression,
    RegressionTarget,
)
from benchmarker.contracts.plugins import Plugin
from benchmarker.discovery import BrokenPlugin, Plugins
from benchmarker.errors import RegistryError
from benchmarker.registry import CellProblem, canonical, check_registry, validated_options
from tests import registries
from tests.registries import load, plugins_of, says

OPTIONS = '''
from typing import Literal

from benchmarker import Options


class Network(Options):
    """Options of a network."""

    dropout: float | None = None
    activation: Literal["relu", "elu"] = "relu"
    widths: tuple[int, ...] = (8, 16)
    deep: bool = False


NOT_OPTIONS = 3
'''

MODULE = "options_for_registry_tests"

ALEXNET = Architecture(name="alexnet", builder="x:y", citation="c", minimum_size=195, options=f"{MODULE}:Network")
CONVXPRESS = Architecture(
    name="convxpress", builder="x:y", citation="c", minimum_size=17, options=f"{MODULE}:Network", aliases=("cx",)
)
PLAIN = Architecture(name="plain", builder="x:y", citation="c")
LATE = Architecture(name="late", builder="x:y", citation="c", options="no_such_module_anywhere:Options")
ODD = Architecture(name="odd", builder="x:y", citation="c", options=f"{MODULE}:NOT_OPTIONS")
ROTATIONS = Augmentation(name="rotations", kind="expansion", builder="x:y", options=f"{MODULE}:Network")
FLIPS = Augmentation(name="flips", kind="transform", builder="x:y")
DATASET = Dataset(
    name="my-images", loader="x:y", licence="l", citation="c", default_preparation={"crop": 150, "clip_sigma": 3}
)


PLUGINS = (ALEXNET, CONVXPRESS, PLAIN, LATE, ODD, ROTATIONS, FLIPS, DATASET)
BROKEN = BrokenPlugin(name="nets", distribution="my-nets 0.3", error="ImportError: no torch", traceback="Traceback ...")


@pytest.fixture(autouse=True)
def options_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{MODULE}.py").write_text(OPTIONS)
    monkeypatch.syspath_prepend(tmp_path / "modules")


def installed(*more: Plugin, broken: tuple[BrokenPlugin, ...] = ()) -> Plugins:
    return plugins_of(*PLUGINS, *more, broken=broken)


def check(
    models: str, *, head: str = "dataset: my-images\n", plugins: Plugins | None = None, **overrides: object
) -> tuple[CellProblem, ...]:
    return registries.check(f"{head}models:\n{models}", plugins or installed(), **overrides)


def problems(models: str, *, head: str = "dataset: my-images\n", plugins: Plugins | None = None) -> list[str]:
    return registries.problems(f"{head}models:\n{models}", plugins=plugins or installed())


def model(name: str = "convxpress", more: str = "") -> str:
    return f"  - {{architecture: {name}, learning_rate: 1e-4, epochs: 16{more}}}\n"


def test_registry_that_fits_has_no_problem() -> None:
    head = "dataset: my-images\narms: [real, flips]\n"
    assert check(model(more=", options: {dropout: 0, widths: [4]}"), head=head) == ()


def test_more_cells_than_anybody_can_train_are_refused() -> None:
    models = "".join(f"  - {{architecture: plain, name: m{k}, learning_rate: 1e-4, epochs: 1}}\n" for k in range(400))
    loaded = load(f"dataset: my-images\nseeds: {list(range(300))}\nmodels:\n{models}")
    with pytest.raises(RegistryError, match="120,000 cells"):
        check_registry(loaded, plugins_of(*PLUGINS))


def test_class_weights_on_a_regression_are_refused() -> None:
    target = RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90)
    sky = Dataset(name="sky", loader="x:y", licence="l", citation="c", task=Regression(targets=(target,)))
    head = "dataset: sky\ntraining: {class_weights: balanced}\n"
    (problem,) = problems(model(), head=head, plugins=installed(sky))
    assert says(problem, "mine.yaml:2:27", "class_weights", "regression")
    assert check(model(), head="dataset: sky\n", plugins=installed(sky)) == ()


def test_unknown_names_are_reported_together_with_suggestions() -> None:
    head = "dataset: my-image\narms: [rotationz, {name: x, augmentations: [flips, {name: flisp}]}]\n"
    found = problems(model("convexpress") + model("zzz"), head=head)
    expected = [
        ("1:10", "no dataset", "'my-image'", "did you mean 'my-images'?"),
        ("2:8", "no augmentation", "'rotationz'", "did you mean 'rotations'?"),
        ("2:59", "no augmentation", "'flisp'", "did you mean 'flips'?"),
        ("4:20", "no architecture", "'convexpress'", "did you mean 'convxpress'?"),
        ("5:20", "no architecture", "'zzz'", "alexnet, convxpress, late, odd, plain."),
    ]
    assert len(found) == len(expected)
    for problem, (position, *words) in zip(found, expected, strict=True):
        assert says(problem, f"mine.yaml:{position}", *words), problem


def test_options_are_checked_with_positions() -> None:
    text = (
        "  - architecture: convxpress\n"
        "    learning_rate: 1e-4\n"
        "    epochs: 16\n"
        "    options:\n"
        "      dropot: 0.1\n"
        "      activation: rely\n"
        "      widths: [4, x]\n"
        "      deep: yes\n"
    )
    expected = [
        ("7:7", "'dropot'", "did you mean 'dropout'?"),
        ("8:19", "'activation'", "'relu' or 'elu'", "did you mean 'relu'?"),
        ("9:19", "entry 2 of 'widths'", "Received: 'x'"),
        ("10:13", "'deep'", "did you mean true?"),
    ]
    found = problems(text)
    assert len(found) == len(expected)
    for problem, (position, *words) in zip(found, expected, strict=True):
        assert says(problem, f"mine.yaml:{position}", "of the architecture 'convxpress'", *words), problem


def test_options_of_plugins_without_options_are_refused() -> None:
    arms = "arms: [{name: a, augmentations: [{name: flips, options: {p: 1}}]}]\n"
    head = "dataset: {name: my-images, options: {size: 3}}\n" + arms
    dataset, augmentation, architecture = problems(model("plain", ", options: {dropout: 0.5}"), head=head)
    assert says(dataset, "mine.yaml:1:37", "the dataset 'my-images' takes no options", "'size'")
    assert says(augmentation, "mine.yaml:2:57", "the augmentation 'flips' takes no options", "'p'")
    assert says(architecture, "mine.yaml:4:69", "the architecture 'plain' takes no options", "'dropout'")


def test_images_below_the_minimum_size_are_refused() -> None:
    [problem] = problems(model("alexnet") + model())
    assert says(problem, "mine.yaml:3:20", "alexnet", "195", "150")
    assert check(model("alexnet"), head="dataset: {name: my-images, preparation: {crop: 195}}\n") == ()
    [problem] = problems(model(), head="dataset: {name: my-images, preparation: {resize: 16}}\n")
    assert says(problem, "mine.yaml:3:20", "convxpress", "17", "16")


def test_images_below_the_minimum_size_can_fail_only_their_cells() -> None:
    loaded = load(f"dataset: my-images\nmodels:\n{model('alexnet')}{model()}")
    [problem] = check_registry(loaded, installed(), unsuited="fail")
    assert (problem.part, problem.index, problem.kind) == ("model", 0, "configuration")
    assert says(problem.message, "mine.yaml:3:20", "alexnet", "195")


def test_image_size_of_the_command_line_is_checked() -> None:
    text = f"dataset: my-images\nmodels:\n{model()}"
    [problem] = registries.problems(text, plugins=installed(), image_size=16)
    assert says(problem, "mine.yaml:3:20", "convxpress", "16")


def test_size_that_depends_on_the_images_is_not_checked() -> None:
    anything = Dataset(name="anything", loader="x:y", licence="l", citation="c")
    assert check(model("alexnet"), head="dataset: anything\n", plugins=installed(anything)) == ()


def test_name_of_two_plugins_fails_only_the_cells_that_need_it() -> None:
    head = "dataset: my-images\narms: [real, flips]\n"
    cells = check(model() + model("plain"), head=head, plugins=installed(PLAIN, FLIPS))
    assert [(cell.part, cell.index, cell.kind) for cell in cells] == [("arm", 1, "plugin"), ("model", 1, "plugin")]
    assert says(cells[1].message, "mine.yaml:5:20", "'plain'", "owner-1 1.0 and owner-2 1.0")


@pytest.mark.parametrize("name", ["late", "odd"])
def test_options_that_cannot_be_loaded_fail_only_their_cells(name: str) -> None:
    [problem] = check(model() + model(name))
    assert (problem.part, problem.index, problem.kind) == ("model", 1, "plugin")
    assert problem.message.startswith("mine.yaml:4:20: ")


def test_name_of_a_broken_plugin_fails_only_its_cells() -> None:
    [problem] = check(model() + model("resnet_mine"), plugins=installed(broken=(BROKEN,)))
    assert (problem.part, problem.index, problem.kind) == ("model", 1, "plugin")
    assert "nets of my-nets 0.3 (ImportError: no torch)" in problem.message


def test_misspelt_name_is_refused_even_if_a_plugin_is_broken() -> None:
    [problem] = problems(model("convexpress"), plugins=installed(broken=(BROKEN,)))
    assert says(problem, "mine.yaml:3:20", "did you mean 'convxpress'?", "nets of my-nets 0.3")


def test_dataset_of_two_plugins_is_refused() -> None:
    [problem] = problems(model(), plugins=installed(DATASET))
    assert says(problem, "mine.yaml:1:10", "'my-images'", "owner-1 1.0 and owner-2 1.0")


@pytest.mark.parametrize(
    "other", ["cx, name: b", "Conv-Xpress, name: b, options: {dropout: null, deep: false}", "convxpress, name: b"]
)
def test_equal_models_are_refused_through_aliases_and_defaults(other: str) -> None:
    [problem] = problems(model() + model(other))
    assert says(problem, "mine.yaml:4:5", "this model is the same", "line 3, column 5")


def test_equal_models_of_a_broken_plugin_are_refused() -> None:
    models = model("resnet_mine") + model("ResNet-mine, name: other")
    [problem] = problems(models, plugins=installed(broken=(BROKEN,)))
    assert says(problem, "mine.yaml:4:5", "this model is the same", "line 3, column 5")


def test_equal_arms_are_refused_through_defaults() -> None:
    other = "{name: b, augmentations: [{name: rotations, options: {deep: false}}]}"
    [problem] = problems(model(), head=f"dataset: my-images\narms: [rotations, {other}]\n")
    assert says(problem, "mine.yaml:2:19", "this arm is the same", "line 2, column 8")


def test_impossible_splits_are_refused() -> None:
    [problem] = problems(model(), head="dataset: {name: my-images, split: {published: true, train: 5}}\n")
    assert says(problem, "mine.yaml:1:47", "'published'", "'train'")
    [problem] = problems(model(), head="dataset: {name: my-images, split: {train: 0.8, validation: 0.2}}\n")
    assert says(problem, "mine.yaml:1:35", "'train'", "'validation'")


def test_missing_images_are_refused(folder: Path) -> None:
    [problem] = problems(model(), head="dataset: {name: my-images, path: nowhere}\n")
    assert says(problem, "mine.yaml:1:34", f"{folder}/nowhere")


def test_canonical_names_are_those_of_the_plugins() -> None:
    registry = canonical(load("Conv-Xpress,1e-4,16\nunheard,1e-4,16\n", "list.txt"), installed()).registry
    assert [entry.label for entry in registry.models] == ["convxpress", "unheard"]
    assert registry.dataset.name == "synthetic-radio"


def test_validated_options_are_the_model_of_the_plugin() -> None:
    options = validated_options(CONVXPRESS, {"widths": [1, 2]})
    assert options is not None
    assert options.model_dump() == {"dropout": None, "activation": "relu", "widths": (1, 2), "deep": False}
    assert validated_options(PLAIN, {}) is None
    with pytest.raises(ConfigurationError, match=r"^'deep' of the architecture 'convxpress'"):
        validated_options(CONVXPRESS, {"deep": 1})
    with pytest.raises(ConfigurationError, match=r"^the architecture 'plain' takes no options"):
        validated_options(PLAIN, {"deep": True})
    with pytest.raises(PluginError, match="no_such_module_anywhere"):
        validated_options(LATE, {})


def test_checking_against_installed_plugins_imports_nothing_heavy() -> None:
    Path("mine.yaml").write_text("dataset: mnist\narms: [rotations, flips]\nmodels:\n" + model() + model("alexnet"))
    code = (
        "import sys; from benchmarker.discovery import installed;"
        "from benchmarker.registry import check_registry, load_registry, registry_schema;"
        "loaded = load_registry('mine.yaml'); registry_schema(installed())\n"
        "try: check_registry(loaded, installed())\nexcept Exception as error: print(error, file=sys.stderr)\n"
        "print(sorted({'keras', 'tensorflow', 'astropy', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", done.stderr
