"""Generators and generated arms of a registry: read, checked, described."""

from __future__ import annotations

import jsonschema
import pytest

from benchmarker import (
    Architecture,
    Augmentation,
    Classification,
    Dataset,
    Generator,
    Options,
    Regression,
    RegressionTarget,
)
from benchmarker.discovery import BrokenPlugin, Plugins
from benchmarker.errors import RegistryError
from benchmarker.registry import canonical, check_registry, registry_schema
from benchmarker.registry.generated import label_of_row
from benchmarker.registry.yaml_loader import load_yaml
from tests import registries
from tests.registries import load, plugins_of, says

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
    return plugins_of(
        Architecture(name="net", builder="x:y", citation="c"),
        Dataset(name="sky", loader="x:y", licence="l", citation="c", task=task),
        Augmentation(name="rotations", kind="expansion", builder="x:y"),
        Generator(name="painter", builder="x:y", citation="c", options=f"{__name__}:Painting"),
        Generator(name="late", builder="x:y", citation="c", options="a_library_that_is_not_installed:Options"),
        broken=broken,
    )


def problems(text: str, known: Plugins | None = None) -> list[str]:
    return registries.problems(text, plugins=known or plugins())


def test_generators_are_read_with_the_names_of_their_plugins() -> None:
    loaded = canonical(load(GOOD), plugins())
    assert check_registry(loaded, plugins()) == ()
    first, second = loaded.registry.generators
    assert (first.label, first.generator, first.conditions, first.options) == ("painter", "painter", None, {"width": 3})
    assert (second.label, second.generator, second.conditions) == ("slow", "painter", ("class",))
    real, half, balanced, synthetic_only = (arm.generated for arm in loaded.registry.arms)
    assert real is None
    assert half is not None
    assert (half.by, half.ratio, half.balance, half.real) == ("painter", 0.5, False, True)
    assert balanced is not None
    assert (balanced.ratio, balanced.balance) == (None, True)
    assert synthetic_only is not None
    assert not synthetic_only.real


def test_bare_generator_name_means_one_image_per_real_one() -> None:
    head = HEAD + "generators: [{generator: painter, epochs: 1}]\n"
    short = load(head + "arms: [{name: painted, generated: painter}]").registry
    assert short == load(head + "arms: [{name: painted, generated: {by: painter, ratio: 1}}]").registry


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ratio: 0.5", "ratio: 0", "greater than 0. Received: 0"),
        ("ratio: 0.5", "ratio: 101", "100. Received: 101"),
        ("{by: painter, ratio: 0.5}", "{by: painter}", "either 'ratio' or 'balance: true'"),
        ("ratio: 0.5", "ratio: 1, balance: true", "either 'ratio' or 'balance: true'"),
        ("ratio: 0.5", "balance: true, real: false", "'balance: true' adds to the real images"),
        ("ratio: 0.5", "rato: 0.5", "unknown key 'rato'; did you mean 'ratio'?"),
        ("by: painter, ratio: 0.5", "by: pianter, ratio: 0.5", "called 'pianter': did you mean 'painter'?"),
        ("by: painter, ratio: 0.5", "by: gan, ratio: 0.5", "called 'gan': the known ones are: painter, slow"),
        ("generator: Pain_Ter", "generator: pianter", "no generator is called 'pianter': did you mean 'painter'?"),
        ("width: 3", "width: wide", "'width' of the generator 'painter' should be a whole number. Received: 'wide'"),
        ("width: 3", "depth: 3", "unknown option 'depth' of the generator 'painter'"),
        ("epochs: 2", "epochs: 0", "greater than 0. Received: 0"),
        ("epochs: 2, ", "", "'epochs' is missing"),
        ("epochs: 2, ", "epochs: 2, augmentations: [rotate], ", "called 'rotate': did you mean 'rotations'?"),
        ("epochs: 2, ", "epochs: 2, augmentations: [{name: rotations, options: {a: 1}}], ", "takes no options"),
        ("name: slow", "name: painter", "two generators are called 'painter'"),
        ("conditions: [class]", "conditions: class", "write [class]"),
        ("conditions: [class]", "conditions: [class, class]", "a condition is repeated"),
        ("balance: true}, augmentations: [rotations]", "ratio: 0.5}", "'SLOW'"),
    ],
)
def test_one_mistake_is_reported_at_its_line(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    changed = GOOD.replace(old, new, 1)
    if expected == "'SLOW'":  # another generator makes another arm
        assert check_registry(load(changed), plugins()) == ()
        return
    found = problems(changed)
    line = next(number for number, text in enumerate(changed.splitlines(), 1) if text not in GOOD.splitlines())
    assert any(expected in each and each.startswith(f"mine.yaml:{line}:") for each in found), found


def test_equal_generators_and_arms_are_refused_with_both_positions() -> None:
    twice = GOOD.replace("epochs: 9, conditions: [class]", "epochs: 2, options: {width: 3}")
    (problem,) = problems(twice)
    assert says(problem, "mine.yaml:6:5", "this generator is the same", "line 5, column 5")
    (problem,) = problems(f"{GOOD}  - {{name: again, generated: {{by: Painter, ratio: 5e-1}}}}\n")
    assert says(problem, "mine.yaml:12:5", "this arm is the same", "line 9, column 5")


def test_generated_arm_without_generators_is_refused() -> None:
    (problem,) = problems(f"{HEAD}arms: [{{name: half, generated: {{by: painter, ratio: 0.5}}}}]\n")
    assert says(problem, "mine.yaml:4:37", "'painter'", "no 'generators'")


CLASSES = Classification(classes=("a", "b"))
NUMBERS = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),))
SLOW = "name: slow, epochs: 9, conditions: "


def test_only_classes_can_be_balanced() -> None:
    first, second = problems(GOOD, plugins(task=NUMBERS))
    assert says(first, "mine.yaml:6:63", "no class", "redshift")
    assert says(second, "mine.yaml:10:53", "only classes can be balanced")
    assert check_registry(load(GOOD), plugins(task=CLASSES)) == ()


@pytest.mark.parametrize("task", [CLASSES, NUMBERS, None])
def test_images_without_any_condition_are_refused_for_arms_but_not_for_training_alone(
    task: Classification | Regression | None,
) -> None:
    text = GOOD.replace(f"{SLOW}[class]", f"{SLOW}[]").replace("balance: true", "ratio: 2")
    (found,) = problems(text, plugins(task=task))
    assert says(found, "mine.yaml:6:62", "without conditions have no label to train on: add 'class'")
    assert check_registry(load(text), plugins(task=task), standalone=True) == ()


def test_label_may_come_from_the_row_of_the_conditions() -> None:
    """Dwarfs by redshift and mass, as published: the class is that of the galaxy that was the model."""
    text = GOOD.replace(f"{SLOW}[class]", f"{SLOW}[redshift, mass]")
    assert check_registry(load(text), plugins(task=CLASSES)) == ()
    assert label_of_row(CLASSES, ["redshift", "mass"]).startswith("generated images get the class of the real image")
    assert label_of_row(CLASSES, ["class", "redshift"]) == label_of_row(CLASSES, []) == ""


def test_wrong_condition_of_an_unused_generator_is_reported_when_it_is_trained() -> None:
    unused = GOOD.split("arms:\n", maxsplit=1)[0]
    assert check_registry(load(unused), plugins(task=NUMBERS)) == ()
    with pytest.raises(RegistryError, match=r"mine\.yaml:6:63: images of a regression have no class"):
        check_registry(load(unused), plugins(task=NUMBERS), standalone=True)


def test_conditions_that_depend_on_the_images_are_left_to_the_plan() -> None:
    """The images may be those of a regression for the redshift."""
    text = GOOD.replace(f"{SLOW}[class]", f"{SLOW}[redshift]").replace("balance: true", "ratio: 2")
    assert check_registry(load(text), plugins()) == ()
    assert check_registry(load(text), plugins(task=NUMBERS)) == ()
    unused = GOOD.replace("arms:\n", "arms: [real]\nseeds:\n").split("seeds:")[0].replace("[class]", "[redshift]")
    assert check_registry(load(unused), plugins(task=CLASSES)) == ()


def test_broken_generator_fails_the_arms_that_need_it() -> None:
    text = GOOD.replace("generator: Pain_Ter", "generator: late")
    (problem,) = check_registry(load(text), plugins())
    assert (problem.part, problem.index, problem.kind) == ("arm", 2, "plugin")
    assert "a_library_that_is_not_installed" in problem.message
    lost = BrokenPlugin(name="gan", distribution="gan 1", error="ImportError: no", traceback="Traceback")
    (problem,) = check_registry(load(GOOD.replace("Pain_Ter", "stylegan")), plugins(broken=(lost,)))
    assert (problem.part, problem.index) == ("arm", 2)


def test_removed_rotations_leave_generated_arms() -> None:
    arms = load(GOOD, rotation=0).registry.arms
    assert [arm.name for arm in arms] == ["real", "half", "balanced", "synthetic-only"]
    assert arms[2].generated is not None
    assert arms[2].augmentations == ()


def test_schema_accepts_what_the_loader_accepts() -> None:
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
