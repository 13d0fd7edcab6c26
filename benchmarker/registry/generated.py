"""Rules for arms with generated images: every image needs a label, and conditions must exist.

The check of a registry applies the rules that follow from the task that the dataset declares. The plan of a study
applies them again with the task and the attributes of the images, and a worker when it draws samples.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from benchmarker.contracts.tasks import Classification, Task
from benchmarker.hooks import spelling
from benchmarker.registry.models import GeneratorEntry, Registry
from benchmarker.registry.positions import Problem

CLASS = "class"
"""Name of the condition that is the class of a classification."""

NOT_BALANCED = "only classes can be balanced, and these images have none; give a 'ratio'"
"""Message for an arm of a regression with ``balance: true``."""


def used_generators(registry: Registry, lost: Collection[int] = ()) -> list[tuple[int, GeneratorEntry]]:
    """Return the generators that arms of a registry use, with their indices; the others are not trained.

    Parameters
    ----------
    registry : Registry
        A registry that is valid in itself.
    lost : collection of int
        Indices of arms that cannot be used.
    """
    used = {
        spelling(arm.generated.by)
        for index, arm in enumerate(registry.arms)
        if arm.generated is not None and index not in lost
    }
    return [(k, entry) for k, entry in enumerate(registry.generators) if spelling(entry.label) in used]


def conditions_of(entry: GeneratorEntry, task: Task) -> list[str]:
    """Return the names of a generator's conditions; by default the class, or all targets of a regression."""
    return target_names(task) if entry.conditions is None else _given(entry)


def target_names(task: Task) -> list[str]:
    """Return the conditions that make up the label of an image."""
    return [CLASS] if isinstance(task, Classification) else [target.name for target in task.targets]


def unlabelled(task: Task, conditions: Sequence[str]) -> str:
    """Return why images generated for some conditions have no label; an empty string if they have one."""
    missing = [name for name in target_names(task) if name not in conditions]
    if not missing:
        return ""
    what = "a class" if isinstance(task, Classification) else "all targets"
    return (
        f"images that are generated without {what} have no label to train on: add {', '.join(map(repr, missing))} to "
        "the generator's 'conditions'"
    )


def unknown_conditions(task: Task, conditions: Sequence[str], attributes: Collection[str] | None) -> dict[int, str]:
    """Return why conditions do not exist, by their indices.

    Parameters
    ----------
    task : Task
        Task of the dataset.
    conditions : sequence of str
        Conditions of a generator.
    attributes : collection of str, optional
        Attributes of the images; unknown before the images are loaded.
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
    """Return the problems of the generators and the generated arms of a registry.

    Parameters
    ----------
    registry : Registry
        A registry that is valid in itself.
    task : Task, optional
        Task of the dataset. If it is unknown, only what is wrong for every task is reported.
    attributes : collection of str, optional
        Attributes of the images; unknown before the images are loaded.
    lost : collection of int
        Indices of arms that cannot be used.
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
        paths = [("arms", k, "generated", "balance") for k, _ in _balanced(registry)]
        problems += [Problem(path=path, text=NOT_BALANCED) for path in paths]
    return problems


def _given(entry: GeneratorEntry) -> list[str]:
    return [CLASS if spelling(name) == CLASS else name for name in entry.conditions or ()]


def _balanced(registry: Registry) -> list[tuple[int, str]]:
    """Return the indices and names of the arms that balance classes."""
    arms = enumerate(registry.arms)
    return [(k, arm.name) for k, arm in arms if arm.generated is not None and arm.generated.balance]


def _unlabelled_entry(
    registry: Registry, entry: GeneratorEntry, task: Task | None, used: Sequence[tuple[int, GeneratorEntry]]
) -> str:
    """Return why the images of a generator have no label; an empty string if they have one, or if that is unknown."""
    if task is not None:
        return unlabelled(task, conditions_of(entry, task))
    given = _given(entry)
    if entry.conditions is None or CLASS in given:
        return ""
    if not given:
        return (
            "images that are generated without conditions have no label to train on: add 'class', or all targets of a "
            "regression"
        )
    # The task is unknown, but a registry that refers to classes elsewhere can only be for a classification.
    reasons = [f"the generator {other.label!r} makes images for classes" for _, other in used if CLASS in _given(other)]
    reasons += [f"the arm {name!r} balances classes" for _, name in _balanced(registry)]
    return f"{unlabelled(Classification(classes=()), given)} ({reasons[0]})" if reasons else ""
