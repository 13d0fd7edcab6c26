from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarker import Architecture, Augmentation, ConfigurationError, Dataset, PluginError
from benchmarker.discovery import BrokenPlugin, Plugins, Registered
from benchmarker.errors import RegistryError
from benchmarker.registry import (
    CellProblem,
    Overrides,
    canonical,
    check_registry,
    load_registry,
    validated_options,
)

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


def plugins(
    *,
    twice: Iterable[Architecture | Augmentation | Dataset] = (),
    broken: Iterable[BrokenPlugin] = (),
) -> Plugins:
    registered: dict[str, dict[str, list[Registered]]] = {
        kind: {} for kind in ("architecture", "dataset", "augmentation", "report")
    }
    for plugin in (ALEXNET, CONVXPRESS, PLAIN, LATE, ODD, ROTATIONS, FLIPS, DATASET, *twice):
        owners = registered[type(plugin).__name__.lower()].setdefault(plugin.name, [])
        owners.append(Registered(plugin=plugin, distribution=f"owner-{len(owners) + 1} 1.0"))
    return Plugins(registered, broken)


BROKEN = BrokenPlugin(name="nets", distribution="my-nets 0.3", error="ImportError: no torch", traceback="Traceback ...")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{MODULE}.py").write_text(OPTIONS)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(
    models: str,
    *,
    head: str = "dataset: my-images\n",
    installed: Plugins | None = None,
    overrides: Overrides | None = None,
) -> tuple[CellProblem, ...]:
    Path("mine.yaml").write_text(f"{head}models:\n{models}", encoding="utf-8")
    return check_registry(load_registry("mine.yaml", overrides), installed or plugins())


def problems(models: str, *, head: str = "dataset: my-images\n", installed: Plugins | None = None) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        check(models, head=head, installed=installed)
    return list(caught.value.problems)


def model(name: str = "convxpress", more: str = "") -> str:
    return f"  - {{architecture: {name}, learning_rate: 1e-4, epochs: 16{more}}}\n"


def test_a_registry_that_fits() -> None:
    assert (
        check(model(more=", options: {dropout: 0, widths: [4]}"), head="dataset: my-images\narms: [real, flips]\n")
        == ()
    )


def test_unknown_names_come_with_suggestions_and_all_at_once() -> None:
    head = "dataset: my-image\narms: [rotationz, {name: x, augmentations: [flips, {name: flisp}]}]\n"
    assert problems(model("convexpress") + model("zzz"), head=head) == [
        "mine.yaml:1:10: no dataset is called 'my-image': did you mean 'my-images'?",
        "mine.yaml:2:8: no augmentation is called 'rotationz': did you mean 'rotations'?",
        "mine.yaml:2:59: no augmentation is called 'flisp': did you mean 'flips'?",
        "mine.yaml:4:20: no architecture is called 'convexpress': did you mean 'convxpress'?",
        "mine.yaml:5:20: no architecture is called 'zzz': known are: alexnet, convxpress, late, odd, plain.",
    ]


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
    what = "of the architecture 'convxpress'"
    assert problems(text) == [
        f"mine.yaml:7:7: unknown option 'dropot' {what}; did you mean 'dropout'?",
        f"mine.yaml:8:19: 'activation' {what} must be one of 'relu', 'elu'. Received: 'rely'; did you mean 'relu'?",
        f"mine.yaml:9:19: entry 2 of 'widths' {what} must be a whole number. Received: 'x'",
        f"mine.yaml:10:13: 'deep' {what} must be true or false. Received: 'yes'; did you mean true?",
    ]


def test_options_where_there_are_none() -> None:
    arms = "arms: [{name: a, augmentations: [{name: flips, options: {p: 1}}]}]\n"
    head = "dataset: {name: my-images, options: {size: 3}}\n" + arms
    assert problems(model("plain", ", options: {dropout: 0.5}"), head=head) == [
        "mine.yaml:1:37: the dataset 'my-images' takes no options. Received: 'size'",
        "mine.yaml:2:57: the augmentation 'flips' takes no options. Received: 'p'",
        "mine.yaml:4:69: the architecture 'plain' takes no options. Received: 'dropout'",
    ]


def test_too_small_images_are_refused_before_training() -> None:
    assert problems(model("alexnet") + model()) == [
        "mine.yaml:3:20: alexnet needs images of at least 195 pixels; the preparation makes them 150"
    ]
    assert check(model("alexnet"), head="dataset: {name: my-images, preparation: {crop: 195}}\n") == ()
    resized = "dataset: {name: my-images, preparation: {resize: 16}}\n"
    assert problems(model(), head=resized) == [
        "mine.yaml:3:20: convxpress needs images of at least 17 pixels; the preparation makes them 16"
    ]


def test_too_small_images_can_fail_their_own_cells_alone() -> None:
    Path("mine.yaml").write_text(f"dataset: my-images\nmodels:\n{model('alexnet')}{model()}")
    [problem] = check_registry(load_registry("mine.yaml"), plugins(), too_small="fail")
    assert (problem.part, problem.index, problem.kind) == ("model", 0, "configuration")
    assert problem.message.startswith("mine.yaml:3:20: alexnet needs images of at least 195 pixels")


def test_size_from_the_command_line() -> None:
    with pytest.raises(RegistryError, match=r"mine\.yaml:3:20: convxpress needs .*; the preparation makes them 16"):
        check(model(), overrides=Overrides(image_size=16))


def test_a_size_that_depends_on_the_images_is_left_to_the_data() -> None:
    anything = Dataset(name="anything", loader="x:y", licence="l", citation="c")
    assert check(model("alexnet"), head="dataset: anything\n", installed=plugins(twice=[anything])) == ()


def test_a_conflict_fails_only_the_cells_that_need_it() -> None:
    installed = plugins(twice=[PLAIN, FLIPS])
    cells = check(model() + model("plain"), head="dataset: my-images\narms: [real, flips]\n", installed=installed)
    assert [(cell.part, cell.index, cell.kind) for cell in cells] == [("arm", 1, "plugin"), ("model", 1, "plugin")]
    assert cells[1].message == (
        "mine.yaml:5:20: the architecture 'plain' is registered by owner-1 1.0 and owner-2 1.0: uninstall one of them"
    )


@pytest.mark.parametrize("name", ["late", "odd"])
def test_options_that_cannot_be_loaded_fail_only_their_cells(name: str) -> None:
    [problem] = check(model() + model(name))
    assert (problem.part, problem.index, problem.kind) == ("model", 1, "plugin")
    assert problem.message.startswith("mine.yaml:4:20: ")


def test_a_name_of_a_broken_plugin_fails_only_its_cells_and_names_the_plugin() -> None:
    [problem] = check(model() + model("resnet_mine"), installed=plugins(broken=[BROKEN]))
    assert (problem.part, problem.index, problem.kind) == ("model", 1, "plugin")
    assert "It may belong to a broken plugin: nets of my-nets 0.3 (ImportError: no torch)" in problem.message


def test_a_slip_is_refused_even_beside_a_broken_plugin() -> None:
    [told] = problems(model("convexpress"), installed=plugins(broken=[BROKEN]))
    assert "did you mean 'convxpress'?" in told
    assert "nets of my-nets 0.3" in told


def test_a_dataset_that_two_plugins_register_stops_everything() -> None:
    [told] = problems(model(), installed=plugins(twice=[DATASET]))
    assert told.startswith("mine.yaml:1:10: the dataset 'my-images' is registered by owner-1 1.0 and owner-2 1.0")


@pytest.mark.parametrize("other", ["cx", "Conv-Xpress, name: b, options: {dropout: null, deep: false}"])
def test_equal_models_are_seen_through_aliases_and_defaults(other: str) -> None:
    assert problems(model() + model(other)) == [
        "mine.yaml:4:5: this model is the same as the one at line 3, column 5, only written otherwise"
    ]


def test_equal_arms_are_seen_through_defaults() -> None:
    head = (
        "dataset: my-images\narms: [rotations, {name: b, augmentations: [{name: rotations, options: {deep: false}}]}]\n"
    )
    assert problems(model(), head=head) == [
        "mine.yaml:2:19: this arm is the same as the one at line 2, column 8, only written otherwise"
    ]


def test_splits_that_cannot_be() -> None:
    both = "dataset: {name: my-images, split: {published: true, train: 5}}\n"
    assert problems(model(), head=both) == [
        "mine.yaml:1:47: 'published' cannot be true while 'train' is given: leave one of them out"
    ]
    full = "dataset: {name: my-images, split: {train: 0.8, validation: 0.2}}\n"
    assert problems(model(), head=full) == ["mine.yaml:1:35: 'train' and 'validation' leave nothing for the test part"]


def test_missing_data(folder: Path) -> None:
    assert problems(model(), head="dataset: {name: my-images, path: nowhere}\n") == [
        f"mine.yaml:1:34: no such file or folder: {folder}/nowhere"
    ]


def test_names_in_the_spelling_of_their_plugins() -> None:
    Path("list.txt").write_text("Conv-Xpress,1e-4,16\nnobody,1e-4,16\n")
    registry = canonical(load_registry("list.txt"), plugins()).registry
    assert [entry.label for entry in registry.models] == ["convxpress", "nobody"]
    assert registry.dataset.name == "synthetic-radio"


def test_options_of_one_plugin() -> None:
    options = validated_options(CONVXPRESS, {"widths": [1, 2]})
    assert options is not None
    assert options.model_dump() == {"dropout": None, "activation": "relu", "widths": (1, 2), "deep": False}
    assert validated_options(PLAIN, {}) is None
    with pytest.raises(ConfigurationError, match=r"^'deep' of the architecture 'convxpress' must be true or false"):
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
