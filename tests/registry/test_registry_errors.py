from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker.errors import RegistryError
from benchmarker.registry import LoadedRegistry, load_registry
from benchmarker.registry.loading import MAXIMUM_BYTES

GOOD = """\
dataset: mnist
seeds: [1826, 8901]
models:
  - architecture: mcrgnet
    learning_rate: 1e-4
    epochs: 16
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text: str, name: str = "mine.yaml") -> LoadedRegistry:
    Path(name).write_text(text, encoding="utf-8")
    return load_registry(Path(name))


def problems(text: str, name: str = "mine.yaml") -> list[str]:
    with pytest.raises(RegistryError) as caught:
        load(text, name)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def changed(old: str, new: str) -> list[str]:
    assert old in GOOD
    return problems(GOOD.replace(old, new))


def test_a_good_registry() -> None:
    loaded = load(GOOD)
    assert loaded.registry.dataset.name == "mnist"
    assert [arm.name for arm in loaded.registry.arms] == ["real"]
    assert loaded.registry.seeds == (1826, 8901)
    [model] = loaded.registry.models
    assert (model.label, model.learning_rate, model.epochs) == ("mcrgnet", 1e-4, 16)
    assert loaded.lines == {0: 4}
    assert loaded.text == GOOD
    assert loaded.data_path is None
    assert not loaded.is_text_list


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("learning_rate", "learning_rat", "5:5: unknown key 'learning_rat'; did you mean 'learning_rate'?"),
        ("learning_rate", "learning-rate", "5:5: unknown key 'learning-rate'; did you mean 'learning_rate'?"),
        ("learning_rate", "lr", "5:5: unknown key 'lr'; did you mean 'learning_rate'?"),
        ("seeds:", "seed:", "2:1: unknown key 'seed'; did you mean 'seeds'?"),
        (
            "seeds:",
            "colour:",
            "2:1: unknown key 'colour'; known are: title, dataset, generators, arms, seeds, training, models",
        ),
        ("epochs: 16", "epochs: 0", "6:13: 'epochs' must be a whole number greater than 0. Received: 0"),
        ("epochs: 16", "epochs: -3", "6:13: 'epochs' must be a whole number greater than 0. Received: -3"),
        ("16", "16.0", "6:13: 'epochs' must be a whole number greater than 0. Received: 16.0; write 16"),
        ("16", "'16'", "6:13: 'epochs' must be a whole number greater than 0. Received: '16'; write it without quotes"),
        ("16", "true", "6:13: 'epochs' must be a whole number greater than 0. Received: true"),
        ("16", "", "6:12: 'epochs' must be a whole number greater than 0. Received: nothing"),
        ("16", "many", "6:13: 'epochs' must be a whole number greater than 0. Received: 'many'"),
        ("1e-4", "-1e-4", "5:20: 'learning_rate' must be a number greater than 0. Received: -0.0001"),
        ("1e-4", "0", "5:20: 'learning_rate' must be a number greater than 0. Received: 0"),
        ("1e-4", ".nan", "5:20: 'learning_rate' must be a number greater than 0. Received: nan"),
        ("1e-4", ".inf", "5:20: 'learning_rate' must be a number greater than 0. Received: inf"),
        ("1e-4", "true", "5:20: 'learning_rate' must be a number greater than 0. Received: true"),
        (
            "1e-4",
            '"1e-4"',
            "5:20: 'learning_rate' must be a number greater than 0. Received: '1e-4'; write it without quotes",
        ),
        (
            "mcrgnet",
            "8901",
            "4:19: 'architecture' must be a text of 1 to 100 characters. Received: 8901; put it in quotes",
        ),
        ("mcrgnet", "''", "4:19: 'architecture' must be a text of 1 to 100 characters. Received: ''"),
        ("    epochs: 16\n", "", "4:5: 'epochs' is missing; it must be a whole number greater than 0"),
        ("dataset: mnist\n", "", "1:1: 'dataset' is missing; it must be a mapping of keys and values"),
        ("[1826, 8901]", "8901",
         "2:8: 'seeds' must be a list of whole numbers that is not empty. Received: 8901; write [8901]"),
        ("[1826, 8901]", "[]", "2:8: 'seeds' must be a list of whole numbers that is not empty. Received: []"),
        ("[1826, 8901]", "[8901, 8901]", "2:15: the seed 8901 is given twice; the first is at line 2, column 9"),
        ("8901]", "-1]", "2:15: entry 2 of 'seeds' must be a whole number from 0 to 4294967295. Received: -1"),
        ("8901]", "4294967296]",
         "2:15: entry 2 of 'seeds' must be a whole number from 0 to 4294967295. Received: 4294967296"),
        ("8901]", "8901.0]",
         "2:15: entry 2 of 'seeds' must be a whole number from 0 to 4294967295. Received: 8901.0; write 8901"),
        ("mnist", "3", "1:10: 'dataset' must be a mapping of keys and values. Received: 3"),
        ("mnist", "{name: mnist, path: 3}", "1:30: 'path' must be a text. Received: 3; put it in quotes"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_line(old: str, new: str, expected: str) -> None:
    assert changed(old, new) == [f"mine.yaml:{expected}"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("optimiser: adm",
         "14: 'optimiser' must be one of 'adam', 'sgd', 'rmsprop', 'adamw'. Received: 'adm'; did you mean 'adam'?"),
        ("optimizer: adm",
         "14: 'optimiser' must be one of 'adam', 'sgd', 'rmsprop', 'adamw'. Received: 'adm'; did you mean 'adam'?"),
        ("precision: float64",
         "14: 'precision' must be one of 'float32', 'mixed_bfloat16'. Received: 'float64'; did you mean 'float32'?"),
        ("plateau: 3", "12: 'plateau' must be a mapping of keys and values or null. Received: 3"),
        ("plateau: {factor: 1.5}", "21: 'factor' must be a number between 0 and 1, both excluded. Received: 1.5"),
        ("plateau: {patience: 0}", "23: 'patience' must be a whole number greater than 0. Received: 0"),
        ("plateau: {floor: -1}", "20: 'floor' must be a number of at least 0. Received: -1"),
        ("threads: 2.5", "12: 'threads' must be a whole number greater than 0. Received: 2.5"),
    ],
)  # fmt: skip
def test_training(setting: str, expected: str) -> None:
    assert problems(f"{GOOD}training:\n  {setting}\n") == [f"mine.yaml:8:{expected}"]


@pytest.mark.parametrize("part", ["0", "1.0", "1.5", "-3", "'10'"])
def test_a_part_is_a_number_or_a_fraction_and_told_about_once(part: str) -> None:
    told = changed("mnist", f"{{name: mnist, split: {{train: {part}, validation: 10}}}}")
    assert len(told) == 1
    assert told[0].startswith(
        "mine.yaml:1:39: 'train' must be a whole number greater than 0 or a number between 0 and 1, both excluded. "
        f"Received: {part}"
    )


@pytest.mark.parametrize("word", ["no", "yes", "on", "off"])
def test_no_is_a_text_where_a_text_is_meant_and_no_boolean_where_one_is(word: str) -> None:
    assert load(f"title: {word}\n{GOOD}").registry.title == word
    arm = f"arms: [{{name: real, augment_validation: {word}}}]\n"
    meant = "true" if word in {"yes", "on"} else "false"
    assert problems(arm + GOOD) == [
        f"mine.yaml:1:41: 'augment_validation' must be true or false. Received: '{word}'; did you mean {meant}?"
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    told = problems(
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
    assert told == [
        (
            "mine.yaml:2:39: 'train' must be a whole number greater than 0 or a number between 0 and 1, both excluded. "
            "Received: 0"
        ),
        (
            "mine.yaml:3:25: the arm 'rotations' augments as an arm before it does: leave one of them out; "
            "the first is at line 3, column 14"
        ),
        "mine.yaml:5:15: 'batch_size' must be a whole number greater than 0. Received: '32'; write it without quotes",
        "mine.yaml:6:3: unknown key 'thread'; did you mean 'threads'?",
        "mine.yaml:8:5: unknown key 'learning_rat'; did you mean 'learning_rate'?",
        "mine.yaml:10:13: 'epochs' must be a whole number greater than 0. Received: 0",
        "mine.yaml:11:5: the key 'epochs' stands here a second time; the first is at line 10, column 5",
        (
            "mine.yaml:12:69: tags are not allowed: a registry holds texts, numbers, lists and mappings. "
            "Received: !!python/name:os.system"
        ),
        "mine.yaml:13:5: entry 3 of 'models' must be a mapping of keys and values. Received: 'conv8'",
    ]


SECOND = "  - {architecture: mcrgnet, learning_rate: 0.0001, epochs: 16}\n"


def test_equal_models_are_refused_with_both_places() -> None:
    assert problems(GOOD + SECOND.replace("}", ", name: other}")) == [
        (
            "mine.yaml:7:5: this model is the same as one before it in architecture, rate, epochs and options; "
            "the first is at line 4, column 5"
        )
    ]


def test_equal_models_are_seen_through_spelling() -> None:
    [told] = problems(GOOD + SECOND.replace("mcrgnet", "MCRG_Net"))
    assert told.startswith("mine.yaml:7:5: this model is the same as one before it")


def test_equal_labels_are_refused() -> None:
    assert problems(GOOD + SECOND.replace("16", "30")) == [
        (
            "mine.yaml:7:5: two models are called 'mcrgnet': give one of them a 'name' of its own; "
            "the first is at line 4, column 5"
        )
    ]
    assert len(load(GOOD + SECOND.replace("16", "30, name: longer")).registry.models) == 2


def test_equal_names_of_arms_are_refused() -> None:
    arms = "arms:\n  - {name: a, augmentations: [flips]}\n  - {name: a, augmentations: [rotations]}\n"
    assert problems(arms + GOOD) == [
        "mine.yaml:3:5: two arms are called 'a': rename one of them; the first is at line 2, column 5"
    ]


def test_short_forms() -> None:
    registry = load(
        "arms:\n  - real\n  - rotations\n  - name: both\n    augmentations: [flips, {name: rotations}]\n" + GOOD
    ).registry
    assert [(arm.name, [entry.name for entry in arm.augmentations]) for arm in registry.arms] == [
        ("real", []),
        ("rotations", ["rotations"]),
        ("both", ["flips", "rotations"]),
    ]


def test_american_spelling_is_read() -> None:
    assert load(f"{GOOD}training: {{optimizer: sgd}}\n").registry.training.optimiser == "sgd"


def test_both_spellings_at_once_are_refused() -> None:
    assert problems(f"{GOOD}training: {{optimiser: adam, optimizer: sgd}}\n") == [
        "mine.yaml:7:29: unknown key 'optimizer'; did you mean 'optimiser'?"
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "mine.yaml:1:1: the file is empty; a registry needs at least the keys 'dataset' and 'models'"),
        (b"- a\n", "mine.yaml:1:1: a registry is a mapping with at least the keys 'dataset' and 'models'"),
        (b"convxpress\n", "mine.yaml:1:1: a registry is a mapping with at least the keys 'dataset' and 'models'"),
        (b"a: 1\n---\nb: 1\n", "mine.yaml:2:1: a second document begins here; a registry is one document"),
        (b"title: a\nxx\xff: 1\n", "mine.yaml:2:3: not UTF-8 text; save the file in the encoding UTF-8"),
        (b"x" * (MAXIMUM_BYTES + 1), "mine.yaml: larger than 1 MiB; that is no registry"),
        ("title: ä\n".encode("utf-16"), "mine.yaml:1:1: not UTF-8 text; save the file in the encoding UTF-8"),
    ],
)
def test_files_that_are_no_registry(content: bytes, expected: str) -> None:
    Path("mine.yaml").write_bytes(content)
    with pytest.raises(RegistryError) as caught:
        load_registry(Path("mine.yaml"))
    assert caught.value.problems == (expected,)


def test_byte_order_marks_are_skipped() -> None:
    assert load("\ufeff" + GOOD).registry.models[0].architecture == "mcrgnet"


def test_files_that_do_not_exist() -> None:
    for name, hint in (
        ("quickstar.yaml", "did you mean 'quickstart'?"),
        ("xyz/mine.yaml", "shipped are: becker2021, "),
    ):
        with pytest.raises(RegistryError) as caught:
            load_registry(Path(name))
        assert str(caught.value).startswith(f"{name}: no such registry; {hint}")


def test_folders_and_unreadable_files(folder: Path) -> None:
    with pytest.raises(RegistryError, match="is a folder; name the registry's file in it"):
        load_registry(folder)
    locked = folder / "locked.yaml"
    locked.write_text(GOOD)
    locked.chmod(0)
    if not os.access(locked, os.R_OK):
        with pytest.raises(RegistryError, match=r"cannot be read: Permission denied"):
            load_registry(locked)


def test_no_tag_runs_code(folder: Path) -> None:
    tag = f'!!python/object/apply:os.system ["touch {folder}/owned"]'
    [told] = changed("mcrgnet", tag)
    assert told.startswith("mine.yaml:4:19: tags are not allowed")
    assert not (folder / "owned").exists()


def test_relative_paths_start_at_the_registry() -> None:
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
