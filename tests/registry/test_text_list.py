"""Text lists of the radio framework."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker.errors import RegistryError
from benchmarker.registry import load_registry
from tests.registries import load, problems, says

LIST = """\
# the long list

convXpress,1e-4,16
  AlexNet , 1e-5 ,  16   # needs 195 pixels
#ConvNet8,1e-4,16
FR-Deep,0.0001,30#no blank before the comment
"""


def test_list_is_read_with_comments_and_blanks() -> None:
    loaded = load(LIST, "list.txt")
    assert [(model.label, model.learning_rate, model.epochs) for model in loaded.registry.models] == [
        ("convXpress", 1e-4, 16),
        ("AlexNet", 1e-5, 16),
        ("FR-Deep", 1e-4, 30),
    ]
    assert loaded.lines == {0: 3, 1: 4, 2: 6}
    assert loaded.is_text_list
    assert loaded.content.decode() == LIST


def test_windows_line_ends_and_byte_order_mark_are_accepted() -> None:
    Path("list.txt").write_bytes(b"\xef\xbb\xbfconvXpress,1e-4,16\r\n\r\nAlexNet,1e-5,16\r\n")
    assert len(load_registry("list.txt").registry.models) == 2


def test_list_without_data_uses_synthetic_images() -> None:
    registry = load(LIST, "list.txt").registry
    assert registry.dataset.name == "synthetic-radio"
    assert registry.dataset.split is None
    assert registry.seeds == (8901,)


def test_list_with_data_has_the_settings_of_the_radio_framework(folder: Path) -> None:
    registry = load(LIST, "list.txt", data=folder).registry
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


def test_all_problems_of_a_list_are_reported_together() -> None:
    found = problems(
        "convXpress,1e-4\n\n  AlexNet,fast,16\nVGG,-1e-4,0\nconv4;1e-4;3\n,1e-4,16\nconv8,1e-4,1.5\n", "list.txt"
    )
    expected = [
        ("1:1", "network,learning rate,epochs", "Received: 'convXpress,1e-4'"),
        ("3:11", "'learning_rate'", "Received: 'fast'"),
        ("4:5", "'learning_rate'", "Received: -0.0001"),
        ("4:11", "'epochs'", "Received: 0"),
        ("5:1", "network,learning rate,epochs", "Received: 'conv4;1e-4;3'"),
        ("6:1", "'architecture'", "Received: ''"),
        ("7:12", "'epochs'", "Received: 1.5"),
    ]
    assert len(found) == len(expected)
    for problem, (position, *words) in zip(found, expected, strict=True):
        assert says(problem, f"list.txt:{position}", *words), problem


def test_list_with_only_a_wrong_line_has_one_problem() -> None:
    assert len(problems("convXpress,1e-4\n", "list.txt")) == 1


@pytest.mark.parametrize("text", ["# convXpress,1e-4,16\n", "\n# a\n\n"])
def test_list_without_networks_is_refused(text: str) -> None:
    [problem] = problems(text, "list.txt")
    assert says(problem, "list.txt:1:1", "no network", "convXpress,1e-4,16")


def test_repeated_line_is_refused_with_both_positions() -> None:
    [problem] = problems("convXpress,1e-4,16\nAlexNet,1e-5,16\nConv_Xpress, 0.0001, 16\n", "list.txt")
    assert says(problem, "list.txt:3:1", "'Conv_Xpress-0.0001-16'", "line 1, column 1")


def test_network_with_several_settings_is_named_after_them() -> None:
    models = load("convXpress,1e-4,16\nAlexNet,1e-5,16\nconvXpress,1e-4,30\n", "list.txt").registry.models
    assert [model.label for model in models] == ["convXpress-0.0001-16", "AlexNet", "convXpress-0.0001-30"]


@pytest.mark.parametrize("name", ["list", "list.lst", "list.csv", "registry.conf"])
def test_content_decides_if_the_suffix_does_not(name: str) -> None:
    assert load("convXpress,1e-4,16\n", name).is_text_list
    yaml = "# a registry\ndataset: mnist\nmodels:\n  - {architecture: a, learning_rate: 1, epochs: 1}\n"
    assert not load(yaml, name).is_text_list


def test_list_with_the_suffix_of_yaml_is_read_as_yaml() -> None:
    with pytest.raises(RegistryError, match="a registry is a mapping"):
        load("convXpress,1e-4,16\n", "list.yaml")


def test_a_list_without_measure_is_refused_at_once() -> None:
    Path("list.txt").write_text("convXpress,1e-4,16\n" * 50_000)
    with pytest.raises(RegistryError, match="more than 5,000 networks"):
        load_registry("list.txt")


def test_repeated_networks_of_a_long_list_take_no_longer_than_others() -> None:
    Path("list.txt").write_text("".join(f"convXpress,{rate}e-9,16\n" for rate in range(1, 5_001)))
    assert len(load_registry("list.txt").registry.models) == 5_000
