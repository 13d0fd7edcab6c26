from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker.errors import RegistryError
from benchmarker.registry import LoadedRegistry, Overrides, load_registry


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text: str, name: str = "list.txt", overrides: Overrides | None = None) -> LoadedRegistry:
    Path(name).write_text(text, encoding="utf-8")
    return load_registry(name, overrides)


def problems(text: str) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        load(text)
    return list(caught.value.problems)


LIST = """\
# the long list

convXpress,1e-4,16
  AlexNet , 1e-5 ,  16   # needs 195 pixels
#ConvNet8,1e-4,16
FR-Deep,0.0001,30#no blank before the comment
"""


def test_old_lists_are_read_unchanged() -> None:
    loaded = load(LIST)
    assert [(model.label, model.learning_rate, model.epochs) for model in loaded.registry.models] == [
        ("convXpress", 1e-4, 16),
        ("AlexNet", 1e-5, 16),
        ("FR-Deep", 1e-4, 30),
    ]
    assert loaded.lines == {0: 3, 1: 4, 2: 6}
    assert loaded.is_text_list
    assert loaded.text == LIST


def test_windows_line_ends_and_byte_order_marks() -> None:
    Path("list.txt").write_bytes(b"\xef\xbb\xbfconvXpress,1e-4,16\r\n\r\nAlexNet,1e-5,16\r\n")
    assert len(load_registry("list.txt").registry.models) == 2


def test_without_data_synthetic_images_are_used() -> None:
    registry = load(LIST).registry
    assert registry.dataset.name == "synthetic-radio"
    assert registry.dataset.split is None
    assert registry.seeds == (8901,)


def test_the_rest_is_as_in_the_radio_framework(folder: Path) -> None:
    registry = load(LIST, overrides=Overrides(data=folder)).registry
    assert registry.dataset.name == "fits-manifest"
    assert registry.dataset.path == str(folder)
    preparation, split = registry.dataset.preparation, registry.dataset.split
    assert preparation is not None
    assert (preparation.normalise, preparation.clip_sigma, preparation.size) == (True, 3.0, None)
    assert split is not None
    assert (split.published, split.train, split.validation) == (False, 250, 100)
    [arm] = registry.arms
    assert (arm.name, arm.augment_validation) == ("rotations", True)
    assert [(entry.name, entry.options) for entry in arm.augmentations] == [("rotations", {"step": 15})]
    plateau = registry.training.plateau
    assert plateau is not None
    assert (plateau.patience, plateau.minimum_delta, plateau.factor, plateau.floor) == (3, 0.01, 0.5, 1e-12)
    assert registry.training.early_stopping is None


def test_all_problems_come_at_once() -> None:
    assert problems("convXpress,1e-4\n\n  AlexNet,fast,16\nVGG,-1e-4,0\nconv4;1e-4;3\n,1e-4,16\nconv8,1e-4,1.5\n") == [
        (
            "list.txt:1:1: expected 'network,learning rate,epochs', for example convXpress,1e-4,16. "
            "Received: 'convXpress,1e-4'"
        ),
        "list.txt:3:11: 'learning_rate' must be a number greater than 0. Received: 'fast'",
        "list.txt:4:5: 'learning_rate' must be a number greater than 0. Received: -0.0001",
        "list.txt:4:11: 'epochs' must be a whole number greater than 0. Received: 0",
        (
            "list.txt:5:1: expected 'network,learning rate,epochs', for example convXpress,1e-4,16. "
            "Received: 'conv4;1e-4;3'"
        ),
        "list.txt:6:1: 'architecture' must be a text of 1 to 100 characters. Received: ''",
        "list.txt:7:12: 'epochs' must be a whole number greater than 0. Received: 1.5",
    ]


def test_a_list_of_wrong_lines_alone_has_no_further_problem() -> None:
    assert len(problems("convXpress,1e-4\n")) == 1


@pytest.mark.parametrize("text", ["# convXpress,1e-4,16\n", "\n# a\n\n"])
def test_lists_without_networks(text: str) -> None:
    assert problems(text) == [
        (
            "list.txt:1:1: the list names no network; each line is 'network,learning rate,epochs', "
            "for example convXpress,1e-4,16"
        )
    ]


def test_equal_lines_are_refused_with_both_places() -> None:
    assert problems("convXpress,1e-4,16\nAlexNet,1e-5,16\nConv_Xpress, 0.0001, 16\n") == [
        (
            "list.txt:3:1: this model is the same as one before it in architecture, rate, epochs and options; "
            "the first is at line 1, column 1"
        )
    ]


def test_one_network_at_several_rates_is_named_after_them() -> None:
    models = load("convXpress,1e-4,16\nAlexNet,1e-5,16\nconvXpress,1e-4,30\n").registry.models
    assert [model.label for model in models] == ["convXpress-0.0001-16", "AlexNet", "convXpress-0.0001-30"]


@pytest.mark.parametrize("name", ["list", "list.lst", "list.csv", "registry.conf"])
def test_what_a_file_holds_decides_where_its_name_does_not(name: str) -> None:
    assert load("convXpress,1e-4,16\n", name).is_text_list
    yaml = "# a registry\ndataset: mnist\nmodels:\n  - {architecture: a, learning_rate: 1, epochs: 1}\n"
    assert not load(yaml, name).is_text_list


def test_a_list_with_the_suffix_of_yaml_is_read_as_yaml() -> None:
    with pytest.raises(RegistryError, match="a registry is a mapping"):
        load("convXpress,1e-4,16\n", "list.yaml")
