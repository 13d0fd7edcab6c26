"""Values that no study could be run with are refused by `validate`, each at its place and without an internal error."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker.cli import main
from benchmarker.discovery import installed
from tests import registries
from tests.registries import says

HEAD = "dataset: {name: synthetic-radio}\n"
MODELS = "models: [{architecture: mcrgnet, learning_rate: 1e-3, epochs: 2}]\n"


def problem(text: str) -> str:
    (found,) = registries.problems(text, plugins=installed())
    return found


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        (
            HEAD + MODELS + "arms: [{name: r, augmentations: [{name: rotations, options: {step: VALUE}}]}]\n",
            "mine.yaml:3:68",
            "'step'",
        ),
        (
            HEAD + "models: [{architecture: mcrgnet, learning_rate: 1, epochs: 2, options: {l2: VALUE}}]\n",
            "mine.yaml:2:77",
            "'l2'",
        ),
        (
            HEAD
            + MODELS
            + "generators: [{generator: cgan, epochs: 1, options: {class_loss_weight: VALUE}}]\n"
            + "arms: [{name: r, generated: {by: cgan, ratio: 1}}]\n",
            "mine.yaml:3:72",
            "'class_loss_weight'",
        ),
    ],
)
def test_options_that_are_not_finite_are_refused_at_their_place(text: str, place: str, name: str, value: str) -> None:
    assert says(problem(text.replace("VALUE", value)), place, name)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD + "models: [{architecture: mcrgnet, learning_rate: 1, epochs: 1000000000000}]\n", "mine.yaml:2:60"),
        (HEAD + MODELS + "training: {batch_size: 100000000000000000000}\n", "mine.yaml:3:24"),
        (HEAD + MODELS + "training: {threads: 100000}\n", "mine.yaml:3:21"),
        ("dataset: {name: synthetic-radio, preparation: {resize: 1000000}}\n" + MODELS, "mine.yaml:1:56"),
        ("dataset: {name: synthetic-radio, preparation: {crop: 1000000}}\n" + MODELS, "mine.yaml:1:54"),
    ],
)
def test_numbers_beyond_any_machine_are_refused(text: str, place: str) -> None:
    assert says(problem(text), place, "should be less than")


@pytest.mark.parametrize("name", ["a\\u202eb", "a\\u200bb", "   ", "--", "..", "\\u00a0"])
@pytest.mark.parametrize("part", ["arms", "models", "generators"])
def test_names_that_nobody_could_read_are_refused(name: str, part: str) -> None:
    entries = {
        "arms": f'arms: [{{name: "{name}"}}]\n{MODELS}',
        "models": f'models: [{{architecture: mcrgnet, name: "{name}", learning_rate: 1, epochs: 1}}]\n',
        "generators": f'generators: [{{generator: dcgan, name: "{name}", epochs: 1}}]\n{MODELS}',
    }
    found = problem(HEAD + entries[part])
    assert found.startswith("mine.yaml:2:")
    assert "a name" in found
    assert found.isprintable()


@pytest.mark.parametrize("name", ["resnet/18", "c:d", "a, b", "星雲", "ResNet 50 (wide)"])
def test_names_with_separators_stay_allowed(name: str) -> None:
    text = f'{HEAD}arms: [{{name: "{name}"}}]\n{MODELS}'
    assert registries.check(text, installed()) == ()


@pytest.mark.parametrize("name", ["generator", "Generator", "gener-ator"])
def test_arm_cannot_take_the_name_that_stands_for_generators(name: str) -> None:
    assert says(problem(f"{HEAD}{MODELS}arms: [{{name: {name}}}]\n"), "mine.yaml:3:15", "'name'", "generators")


def test_path_that_is_too_long_is_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    text = f"dataset: {{name: fits-manifest, path: {'p' * 5000}}}\n{MODELS}"
    assert main(["validate", str(registries.write_registry(Path("mine.yaml"), text))]) == 2
    said = capsys.readouterr().err
    assert "mine.yaml:1:38: " in said
    assert "File name too long" in said
    assert len(said) < 500
