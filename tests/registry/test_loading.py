"""Registries are read, and every problem is reported with its position."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker.discovery import installed
from benchmarker.errors import RegistryError
from benchmarker.registry import load_registry
from benchmarker.registry.loading import MAXIMUM_BYTES
from tests.registries import load, problems, says

GOOD = """\
dataset: mnist
seeds: [1826, 8901]
models:
  - architecture: mcrgnet
    learning_rate: 1e-4
    epochs: 16
"""


def changed(old: str, new: str) -> list[str]:
    """Return the problems of the good registry with one text replaced."""
    assert old in GOOD
    return problems(GOOD.replace(old, new))


def test_registry_is_read_with_defaults_and_lines() -> None:
    loaded = load(GOOD)
    assert loaded.registry.dataset.name == "mnist"
    assert [arm.name for arm in loaded.registry.arms] == ["real"]
    assert loaded.registry.seeds == (1826, 8901)
    [model] = loaded.registry.models
    assert (model.label, model.learning_rate, model.epochs) == ("mcrgnet", 1e-4, 16)
    assert loaded.lines == {0: 4}
    assert loaded.content.decode() == GOOD
    assert loaded.data_path is None
    assert not loaded.is_text_list


@pytest.mark.parametrize(
    ("old", "new", "position", "words"),
    [
        ("learning_rate", "learning_rat", "5:5", ("'learning_rat'", "did you mean 'learning_rate'?")),
        ("learning_rate", "learning-rate", "5:5", ("'learning-rate'", "did you mean 'learning_rate'?")),
        ("learning_rate", "lr", "5:5", ("'lr'", "did you mean 'learning_rate'?")),
        ("seeds:", "seed:", "2:1", ("'seed'", "did you mean 'seeds'?")),
        (
            "seeds:",
            "colour:",
            "2:1",
            ("'colour'", "title, dataset, generators, arms, seeds, until_decided, training, models"),
        ),
        ("epochs: 16", "epochs: 0", "6:13", ("'epochs'", "greater than 0", "Received: 0")),
        ("epochs: 16", "epochs: -3", "6:13", ("'epochs'", "Received: -3")),
        ("16", "16.0", "6:13", ("'epochs'", "Received: 16.0; write 16")),
        ("16", "'16'", "6:13", ("'epochs'", "Received: '16'; write it without quotes")),
        ("16", "true", "6:13", ("'epochs'", "a whole number", "Received: true")),
        ("16", "", "6:12", ("'epochs'", "Received: nothing")),
        ("16", "many", "6:13", ("'epochs'", "Received: 'many'")),
        ("1e-4", "-1e-4", "5:20", ("'learning_rate'", "Received: -0.0001")),
        ("1e-4", "0", "5:20", ("'learning_rate'", "Received: 0")),
        ("1e-4", ".nan", "5:20", ("'learning_rate'", "finite", "Received: nan")),
        ("1e-4", ".inf", "5:20", ("'learning_rate'", "finite", "Received: inf")),
        ("1e-4", "true", "5:20", ("'learning_rate'", "a number", "Received: true")),
        ("1e-4", '"1e-4"', "5:20", ("'learning_rate'", "write it without quotes")),
        ("mcrgnet", "8901", "4:19", ("'architecture'", "Received: 8901; put it in quotes")),
        ("mcrgnet", "''", "4:19", ("'architecture'", "at least 1 character")),
        ("    epochs: 16\n", "", "4:5", ("'epochs' is missing",)),
        ("dataset: mnist\n", "", "1:1", ("'dataset' is missing",)),
        ("[1826, 8901]", "8901", "2:8", ("'seeds'", "a list", "write [8901]")),
        ("[1826, 8901]", "[]", "2:8", ("'seeds'", "at least 1", "Received: []")),
        ("[1826, 8901]", "[8901, 8901]", "2:15", ("8901", "the first is at line 2, column 9")),
        ("8901]", "-1]", "2:15", ("entry 2 of 'seeds'", "Received: -1")),
        ("8901]", "4294967296]", "2:15", ("entry 2 of 'seeds'", "less than 4294967296")),
        ("8901]", "8901.0]", "2:15", ("entry 2 of 'seeds'", "write 8901")),
        ("mnist", "3", "1:10", ("'dataset'", "a mapping", "Received: 3")),
        ("mnist", "{name: mnist, path: 3}", "1:30", ("'path'", "put it in quotes")),
    ],
)
def test_one_mistake_is_one_problem_at_its_position(old: str, new: str, position: str, words: tuple[str, ...]) -> None:
    [problem] = changed(old, new)
    assert says(problem, f"mine.yaml:{position}", *words), problem


@pytest.mark.parametrize(
    ("setting", "column", "words"),
    [
        ("optimiser: adm", 14, ("'optimiser'", "'adam'", "'adamw'", "did you mean 'adam'?")),
        ("optimizer: adm", 14, ("'optimiser'", "did you mean 'adam'?")),
        ("precision: float64", 14, ("'precision'", "did you mean 'float32'?")),
        ("plateau: 3", 12, ("'plateau'", "a mapping", "Received: 3")),
        ("plateau: {factor: 1.5}", 21, ("'factor'", "less than 1", "Received: 1.5")),
        ("plateau: {patience: 0}", 23, ("'patience'", "Received: 0")),
        ("plateau: {floor: -1}", 20, ("'floor'", "Received: -1")),
        ("threads: 2.5", 12, ("'threads'", "a whole number", "Received: 2.5")),
    ],
)
def test_settings_of_the_training_are_checked(setting: str, column: int, words: tuple[str, ...]) -> None:
    [problem] = problems(f"{GOOD}training:\n  {setting}\n")
    assert says(problem, f"mine.yaml:8:{column}", *words), problem


@pytest.mark.parametrize("part", ["0", "1.0", "1.5", "-3", "'10'"])
def test_split_part_that_is_neither_count_nor_fraction_is_one_problem(part: str) -> None:
    [problem] = changed("mnist", f"{{name: mnist, split: {{train: {part}, validation: 10}}}}")
    assert says(problem, "mine.yaml:1:39", "'train'", f"Received: {part}"), problem


@pytest.mark.parametrize("word", ["no", "yes", "on", "off"])
def test_no_and_yes_are_text_and_never_booleans(word: str) -> None:
    assert load(f"title: {word}\n{GOOD}").registry.title == word
    [problem] = problems(f"arms: [{{name: real, augment_validation: {word}}}]\n{GOOD}")
    meant = "true" if word in {"yes", "on"} else "false"
    assert says(problem, "mine.yaml:1:41", "'augment_validation'", f"Received: '{word}'; did you mean {meant}?"), (
        problem
    )


def test_all_problems_are_reported_together_in_file_order() -> None:
    found = problems(
        "title: no\n"
        "dataset: {name: mnist, split: {train: 0}}\n"
        "arms: [real, rotations, rotations]\n"
        "training:\n"
        "  batch_size: '32'\n"
        "  thread: 3\n"
        "models:\n"
        "  - learning_rat: 1e-4\n"
        "    architecture: mcrgnet\n"
        "    epochs: 0\n"
        "    epochs: 1\n"
        "  - {architecture: conv4, learning_rate: 1e-4, epochs: 16, options: !!python/name:os.system }\n"
        "  - conv8\n"
    )
    expected = [
        ("2:39", "'train'"),
        ("3:25", "'rotations'", "line 3, column 14"),
        ("5:15", "'batch_size'", "write it without quotes"),
        ("6:3", "'thread'", "did you mean 'threads'?"),
        ("8:5", "'learning_rat'", "did you mean 'learning_rate'?"),
        ("10:13", "'epochs'", "Received: 0"),
        ("11:5", "the key 'epochs' is repeated", "line 10, column 5"),
        ("12:69", "tags are not allowed", "Received: !!python/name:os.system"),
        ("13:5", "entry 3 of 'models'", "Received: 'conv8'"),
    ]
    assert len(found) == len(expected)
    for problem, (position, *words) in zip(found, expected, strict=True):
        assert says(problem, f"mine.yaml:{position}", *words), problem


def test_unknown_plugins_are_reported_together_with_other_problems() -> None:
    text = GOOD.replace("mcrgnet", "mcrgnot").replace("16", "0").replace("mnist", "{name: mnits, options: {a: 1}}")
    first, second, third = problems(text, plugins=installed())
    assert says(first, "mine.yaml:1:17", "no dataset", "'mnits'", "did you mean 'mnist'?")
    assert says(second, "mine.yaml:4:19", "no architecture", "'mcrgnot'", "did you mean 'mcrgnet'?")
    assert says(third, "mine.yaml:6:13", "'epochs'")


SECOND = "  - {architecture: mcrgnet, learning_rate: 0.0001, epochs: 30}\n"


def test_models_of_one_name_are_refused() -> None:
    [problem] = problems(GOOD + SECOND)
    assert says(problem, "mine.yaml:7:5", "'mcrgnet'", "line 4, column 5", "'name'")
    [problem] = problems(GOOD + SECOND.replace("mcrgnet", "MCRG_Net"))
    assert says(problem, "mine.yaml:7:5", "'MCRG_Net'")
    assert len(load(GOOD + SECOND.replace("}", ", name: longer}")).registry.models) == 2


def test_arms_of_one_name_are_refused() -> None:
    arms = "arms:\n  - {name: a, augmentations: [flips]}\n  - {name: a, augmentations: [rotations]}\n"
    [problem] = problems(arms + GOOD)
    assert says(problem, "mine.yaml:3:5", "'a'", "line 2, column 5", "rename")


def test_short_forms_of_arms_are_expanded() -> None:
    registry = load(
        "arms:\n  - real\n  - rotations\n  - name: both\n    augmentations: [flips, {name: rotations}]\n" + GOOD
    ).registry
    assert [(arm.name, [entry.name for entry in arm.augmentations]) for arm in registry.arms] == [
        ("real", []),
        ("rotations", ["rotations"]),
        ("both", ["flips", "rotations"]),
    ]


def test_american_spelling_is_accepted_unless_both_are_given() -> None:
    assert load(f"{GOOD}training: {{optimizer: sgd}}\n").registry.training.optimiser == "sgd"
    [problem] = problems(f"{GOOD}training: {{optimiser: adam, optimizer: sgd}}\n")
    assert says(problem, "mine.yaml:7:29", "'optimizer'", "did you mean 'optimiser'?")


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"", "mine.yaml:1:1", "empty"),
        (b"- a\n", "mine.yaml:1:1", "a mapping"),
        (b"convxpress\n", "mine.yaml:1:1", "a mapping"),
        (b"a: 1\n---\nb: 1\n", "mine.yaml:2:1", "second document"),
        (b"title: a\nxx\xff: 1\n", "mine.yaml:2:3", "UTF-8"),
        (b"x" * (MAXIMUM_BYTES + 1), "mine.yaml", "1 MiB"),
        ("title: ä\n".encode("utf-16"), "mine.yaml:1:1", "UTF-8"),
    ],
)
def test_file_that_is_not_a_registry_is_refused(content: bytes, place: str, words: str) -> None:
    Path("mine.yaml").write_bytes(content)
    with pytest.raises(RegistryError) as caught:
        load_registry(Path("mine.yaml"))
    [problem] = caught.value.problems
    assert says(problem, place, words), problem


def test_byte_order_mark_is_ignored() -> None:
    assert load("\ufeff" + GOOD).registry.models[0].architecture == "mcrgnet"


@pytest.mark.parametrize(
    ("name", "hint"), [("quickstar.yaml", "did you mean 'quickstart'?"), ("xyz/mine.yaml", "becker2021, ")]
)
def test_missing_file_suggests_a_shipped_registry(name: str, hint: str) -> None:
    with pytest.raises(RegistryError) as caught:
        load_registry(Path(name))
    assert says(str(caught.value), name, "no such registry", hint)


def test_folder_and_unreadable_file_are_refused(folder: Path) -> None:
    with pytest.raises(RegistryError, match="is a folder"):
        load_registry(folder)
    locked = folder / "locked.yaml"
    locked.write_text(GOOD)
    locked.chmod(0)
    if not os.access(locked, os.R_OK):
        with pytest.raises(RegistryError, match=r"cannot be read: Permission denied"):
            load_registry(locked)


def test_tag_runs_no_code(folder: Path) -> None:
    tag = f'!!python/object/apply:os.system ["touch {folder}/owned"]'
    [problem] = changed("mcrgnet", tag)
    assert says(problem, "mine.yaml:4:19", "tags are not allowed")
    assert not (folder / "owned").exists()


def test_relative_path_starts_at_the_folder_of_the_registry() -> None:
    Path("lists").mkdir()
    loaded = load(GOOD.replace("mnist", "{name: mnist, path: ../images}"), "lists/mine.yaml")
    assert loaded.data_path == Path.cwd() / "images"


def test_reading_a_registry_imports_nothing_heavy() -> None:
    load(GOOD)
    code = (
        "import sys; from benchmarker.registry import load_registry; load_registry('mine.yaml');"
        "print(sorted({'keras', 'tensorflow', 'numpy', 'astropy', 'pandas', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
