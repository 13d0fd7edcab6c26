"""Generators and generated arms of a registry: read, checked, described."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from benchmarker import Augmentation, Classification, Dataset, Generator, Options, Regression, RegressionTarget
from benchmarker.discovery import BrokenPlugin, Plugins, Registered
from benchmarker.errors import RegistryError
from benchmarker.registry import (
    LoadedRegistry,
    Overrides,
    canonical,
    check_registry,
    load_registry,
    registry_schema,
)
from benchmarker.registry.yaml_loader import load_yaml

HEAD = """\
dataset: sky
models:
  - {architecture: net, learning_rate: 1e-4, epochs: 1}
"""
GOOD = f"""\
{HEAD}generators:
  - {{generator: painter, epochs: 2, options: {{width: 3}}}}
  - {{generator: Pain_Ter, name: slow, epochs: 9, conditions: [class]}}
arms:
  - real
  - {{name: half, generated: {{by: painter, ratio: 0.5}}}}
  - {{name: balanced, generated: {{by: SLOW, balance: true}}, augmentations: [rotations]}}
  - {{name: synthetic-only, generated: {{by: painter, ratio: 1, real: false}}}}
"""


class Painting(Options):
    """Options of the painter."""

    width: int = 1


def plugins(*, task: Classification | Regression | None = None, broken: tuple[BrokenPlugin, ...] = ()) -> Plugins:
    from benchmarker import Architecture

    known = (
        Architecture(name="net", builder="x:y", citation="c"),
        Dataset(name="sky", loader="x:y", licence="l", citation="c", task=task),
        Augmentation(name="rotations", kind="expansion", builder="x:y"),
        Generator(name="painter", builder="x:y", citation="c", options=f"{__name__}:Painting"),
        Generator(name="late", builder="x:y", citation="c", options="a_library_that_nobody_has:Options"),
    )
    registered: dict[str, dict[str, list[Registered]]] = {}
    for plugin in known:
        kind = type(plugin).__name__.lower()
        registered.setdefault(kind, {})[plugin.name] = [Registered(plugin=plugin, distribution="sky 1")]
    return Plugins(registered, broken)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str, overrides: Overrides | None = None) -> LoadedRegistry:
    Path("mine.yaml").write_text(text, encoding="utf-8")
    return load_registry(Path("mine.yaml"), overrides)


def complaints(text: str, known: Plugins | None = None) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        check_registry(load(text), known or plugins())
    return list(caught.value.problems)


def test_a_good_registry_is_read_and_named_as_its_plugins_are() -> None:
    loaded = canonical(load(GOOD), plugins())
    assert check_registry(loaded, plugins()) == ()
    first, second = loaded.registry.generators
    assert (first.label, first.generator, first.conditions, first.options) == ("painter", "painter", None, {"width": 3})
    assert (second.label, second.generator, second.conditions) == ("slow", "painter", ("class",))
    real, half, balanced, alone = (arm.generated for arm in loaded.registry.arms)
    assert real is None
    assert half is not None
    assert (half.by, half.ratio, half.balance, half.real) == ("painter", 0.5, False, True)
    assert balanced is not None
    assert (balanced.ratio, balanced.balance) == (None, True)
    assert alone is not None
    assert not alone.real


def test_a_bare_name_means_one_image_for_each_real_one() -> None:
    head = HEAD + "generators: [{generator: painter, epochs: 1}]\n"
    short = load(head + "arms: [{name: painted, generated: painter}]").registry
    assert short == load(head + "arms: [{name: painted, generated: {by: painter, ratio: 1}}]").registry


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ratio: 0.5", "ratio: 0", "must be a number greater than 0 and of at most 100. Received: 0"),
        ("ratio: 0.5", "ratio: 101", "must be a number greater than 0 and of at most 100. Received: 101"),
        ("{by: painter, ratio: 0.5}", "{by: painter}", "give either 'ratio', a number, or 'balance: true'"),
        ("ratio: 0.5", "ratio: 1, balance: true", "give either 'ratio', a number, or 'balance: true', and not both"),
        ("ratio: 0.5", "balance: true, real: false", "'balance' adds to the real images"),
        ("ratio: 0.5", "rato: 0.5", "unknown key 'rato'; did you mean 'ratio'?"),
        ("by: painter, ratio: 0.5", "by: pianter, ratio: 0.5", "called 'pianter': did you mean 'painter'?"),
        ("by: painter, ratio: 0.5", "by: gan, ratio: 0.5", "called 'gan': known are: painter, slow"),
        ("generator: Pain_Ter", "generator: pianter", "no generator is called 'pianter': did you mean 'painter'?"),
        ("width: 3", "width: wide", "'width' of the generator 'painter' must be a whole number. Received: 'wide'"),
        ("width: 3", "depth: 3", "unknown option 'depth' of the generator 'painter'"),
        ("epochs: 2", "epochs: 0", "must be a whole number greater than 0. Received: 0"),
        ("epochs: 2, ", "", "'epochs' is missing"),
        ("name: slow", "name: painter", "two generators are called 'painter': give one of them a 'name' of its own"),
        ("conditions: [class]", "conditions: class", "write [class]"),
        ("conditions: [class]", "conditions: [class, class]", "a condition is given twice"),
        ("balance: true}, augmentations: [rotations]", "ratio: 0.5}", "'SLOW'"),
    ],
)
def test_a_mistake_is_told_where_it_stands(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    changed = GOOD.replace(old, new, 1)
    if expected == "'SLOW'":  # another generator makes another arm
        assert check_registry(load(changed), plugins()) == ()
        return
    told = complaints(changed)
    line = next(number for number, text in enumerate(changed.splitlines(), 1) if text not in GOOD.splitlines())
    assert any(expected in each and each.startswith(f"mine.yaml:{line}:") for each in told), told


def test_equal_generators_and_arms_are_refused_with_both_places() -> None:
    twice = GOOD.replace("epochs: 9, conditions: [class]", "epochs: 2, options: {width: 3}")
    (told,) = complaints(twice)
    assert "this generator is the same as one before it in epochs, conditions and options; the first is at" in told
    (told,) = complaints(f"{GOOD}  - {{name: again, generated: {{by: Painter, ratio: 5e-1}}}}\n")
    assert "the arm 'again' augments as an arm before it does" in told


def test_generated_arms_need_generators() -> None:
    (told,) = complaints(f"{HEAD}arms: [{{name: half, generated: {{by: painter, ratio: 0.5}}}}]\n")
    assert "the registry has no 'generators'" in told


CLASSES = Classification(classes=("a", "b"))
NUMBERS = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),))
SLOW = "name: slow, epochs: 9, conditions: "
NO_CLASS = "images that are not made for a class have no label to train on: add 'class' to the generator's 'conditions'"


def test_only_classes_can_be_balanced() -> None:
    first, second, third = complaints(GOOD, plugins(task=NUMBERS))
    assert first.startswith("mine.yaml:6:62: images that are not made for all targets have no label to train on: add")
    assert second == "mine.yaml:6:63: images of a regression have no class; its targets are: redshift"
    assert third.startswith("mine.yaml:10:53: only classes can be balanced, and these images have none")
    assert check_registry(load(GOOD), plugins(task=CLASSES)) == ()


@pytest.mark.parametrize(
    ("task", "old", "new", "told"),
    [
        # What the dataset declares decides.
        (CLASSES, f"{SLOW}[class]", f"{SLOW}[redshift]", NO_CLASS),
        (CLASSES, f"{SLOW}[class]", f"{SLOW}[]", NO_CLASS),
        # Whatever the task may be, the registry contradicts itself.
        (None, f"{SLOW}[class]", f"{SLOW}[redshift]", f"{NO_CLASS} (the arm 'balanced' balances classes)"),
        (
            None,
            "{generator: painter, epochs: 2",
            "{generator: painter, epochs: 2, conditions: [redshift]",
            f"{NO_CLASS} (the generator 'slow' makes images for classes)",
        ),
        (
            None,
            f"{SLOW}[class]",
            f"{SLOW}[]",
            "images that are made for nothing have no label to train on: name 'class'",
        ),
    ],
)
def test_images_without_a_label_are_told_of_before_anything_is_opened(
    task: Classification | None, old: str, new: str, told: str
) -> None:
    text = GOOD.replace(old, new)
    line = next(number for number, text in enumerate(text.splitlines(), 1) if new in text)
    column = text.splitlines()[line - 1].index("conditions: [") + len("conditions: [")
    (found,) = complaints(text, plugins(task=task))
    assert found.startswith(f"mine.yaml:{line}:{column}: {told}")


def test_what_only_the_images_can_tell_is_left_to_the_plan() -> None:
    """A regression for the redshift would do, as long as nothing else asks for classes."""
    text = GOOD.replace(f"{SLOW}[class]", f"{SLOW}[redshift]").replace("balance: true", "ratio: 2")
    assert check_registry(load(text), plugins()) == ()
    assert check_registry(load(text), plugins(task=NUMBERS)) == ()
    unused = GOOD.replace("arms:\n", "arms: [real]\nseeds:\n").split("seeds:")[0].replace("[class]", "[redshift]")
    assert check_registry(load(unused), plugins(task=CLASSES)) == ()


def test_a_broken_generator_fails_the_arms_that_need_it() -> None:
    text = GOOD.replace("generator: Pain_Ter", "generator: late")
    (problem,) = check_registry(load(text), plugins())
    assert (problem.part, problem.index, problem.kind) == ("arm", 2, "plugin")
    assert "a_library_that_nobody_has" in problem.message
    lost = BrokenPlugin(name="gan", distribution="gan 1", error="ImportError: no", traceback="Traceback")
    (problem,) = check_registry(load(GOOD.replace("Pain_Ter", "stylegan")), plugins(broken=(lost,)))
    assert (problem.part, problem.index) == ("arm", 2)


def test_rotations_taken_out_leave_generated_arms() -> None:
    arms = load(GOOD, Overrides(rotation=0)).registry.arms
    assert [arm.name for arm in arms] == ["real", "half", "balanced", "synthetic-only"]
    assert arms[2].generated is not None
    assert arms[2].augmentations == ()


def test_the_schema_takes_what_the_loader_takes() -> None:
    schema = registry_schema(plugins())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(load_yaml(GOOD).data)
    validator.validate(load_yaml(GOOD.replace("{by: painter, ratio: 0.5}", "painter")).data)
    for old, new in (
        ("{by: painter, ratio: 0.5}", "{by: painter}"),
        ("ratio: 0.5", "ratio: 1, balance: true"),
        ("width: 3", "width: wide"),
        ("epochs: 2, ", ""),
    ):
        assert list(validator.iter_errors(load_yaml(GOOD.replace(old, new, 1)).data)), new
