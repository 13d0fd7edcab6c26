"""What arms ask of generators: whose images have no label, and which conditions there are not.

Each rule stands here once. The check of a registry applies those that the dataset's declared task decides, the plan of
a study the same ones with what the images turned out to hold, and a worker to what its plan says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from benchmarker.contracts.tasks import Classification, Task
from benchmarker.discovery import spelling
from benchmarker.registry.models import GeneratorEntry, Registry
from benchmarker.registry.positions import Problem

CLASS = "class"
"""Name of the condition that stands for the class of a classification."""

NOT_BALANCED = "only classes can be balanced, and these images have none; give a 'ratio'"
"""What is wrong with an arm of a regression that is to be balanced."""


def used_generators(registry: Registry, lost: Collection[int] = ()) -> list[tuple[int, GeneratorEntry]]:
    """Return the generators that arms of a registry use, with their places in its list; they alone are trained.

    Parameters
    ----------
    registry : Registry
        Valid in itself.
    lost : collection of int
        Places of arms that cannot be used.
    """
    used = {
        spelling(arm.generated.by)
        for index, arm in enumerate(registry.arms)
        if arm.generated is not None and index not in lost
    }
    return [(k, entry) for k, entry in enumerate(registry.generators) if spelling(entry.label) in used]


def conditions_of(entry: GeneratorEntry, task: Task) -> list[str]:
    """Return the names of what a generator makes images for; by default the class, or all targets."""
    return target_names(task) if entry.conditions is None else _given(entry)


def target_names(task: Task) -> list[str]:
    """Return the conditions that make up the label of an image."""
    return [CLASS] if isinstance(task, Classification) else [target.name for target in task.targets]


def unlabelled(task: Task, conditions: Sequence[str]) -> str:
    """Say why images made for some conditions cannot be trained on; nothing where they can."""
    missing = [name for name in target_names(task) if name not in conditions]
    if not missing:
        return ""
    what = "a class" if isinstance(task, Classification) else "all targets"
    return (
        f"images that are not made for {what} have no label to train on: add {', '.join(map(repr, missing))} to the "
        "generator's 'conditions'"
    )


def unknown_conditions(task: Task, conditions: Sequence[str], attributes: Collection[str] | None) -> dict[int, str]:
    """Say which conditions images do not have, by their places.

    Parameters
    ----------
    task : Task
        What the images are labelled with.
    conditions : sequence of str
        Of a generator.
    attributes : collection of str, optional
        Of the images; not known before they are loaded.
    """
    targets = target_names(task)
    known = [*targets, *(name for name in attributes or () if name not in targets)]
    found = {}
    for number, name in enumerate(conditions):
        if name == CLASS and not isinstance(task, Classification):
            found[number] = f"images of a regression have no class; its targets are: {', '.join(targets)}"
        elif attributes is not None and name not in known:
            found[number] = f"these images have no condition {name!r}; known are: {', '.join(known)}"
    return found


def generated_problems(
    registry: Registry, task: Task | None, attributes: Collection[str] | None = None, lost: Collection[int] = ()
) -> list[Problem]:
    """Return what is wrong with the generators and the generated arms of a registry.

    Parameters
    ----------
    registry : Registry
        Valid in itself.
    task : Task, optional
        Of the dataset. Where it is not known yet, what is wrong with every task is told all the same.
    attributes : collection of str, optional
        Of the images, where they are loaded.
    lost : collection of int
        Places of arms that cannot be used.
    """
    used = used_generators(registry, lost)
    problems = []
    for index, entry in used:
        path = ("generators", index, "conditions")
        text = _unlabelled_entry(registry, entry, task, used)
        problems += [Problem(path=path, text=text)] if text else []
        if task is not None:
            unknown = unknown_conditions(task, conditions_of(entry, task), attributes)
            problems += [Problem(path=(*path, number), text=text) for number, text in unknown.items()]
    if task is not None and not isinstance(task, Classification):
        places = [("arms", k, "generated", "balance") for k, _ in _balanced(registry)]
        problems += [Problem(path=path, text=NOT_BALANCED) for path in places]
    return problems


def _given(entry: GeneratorEntry) -> list[str]:
    return [CLASS if spelling(name) == CLASS else name for name in entry.conditions or ()]


def _balanced(registry: Registry) -> list[tuple[int, str]]:
    """Return places and names of the arms that only a classification can have."""
    arms = enumerate(registry.arms)
    return [(k, arm.name) for k, arm in arms if arm.generated is not None and arm.generated.balance]


def _unlabelled_entry(
    registry: Registry, entry: GeneratorEntry, task: Task | None, used: Sequence[tuple[int, GeneratorEntry]]
) -> str:
    """Say why nobody can be trained on the images of a generator; nothing where that depends on the data."""
    if task is not None:
        return unlabelled(task, conditions_of(entry, task))
    given = _given(entry)
    if entry.conditions is None or CLASS in given:
        return ""
    if not given:
        return (
            "images that are made for nothing have no label to train on: name 'class', or all targets of a regression"
        )
    # No task is known, but a registry that names classes elsewhere works with none but a classification.
    reasons = [f"the generator {other.label!r} makes images for classes" for _, other in used if CLASS in _given(other)]
    reasons += [f"the arm {name!r} balances classes" for _, name in _balanced(registry)]
    return f"{unlabelled(Classification(classes=()), given)} ({reasons[0]})" if reasons else ""
