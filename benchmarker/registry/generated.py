"""Rules for generators and arms with generated images: conditions must exist, and networks need labels.

An image that is made for the conditions of a real one gets the label of that one. So the class, or the targets of a
regression, need not be among the conditions; but an image that is made for no condition has no label.

The check of a registry applies the rules that follow from the task that the dataset declares. The plan of a study
applies them again with the task and the attributes of the images, and a worker when it draws samples.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from benchmarker.contracts.tasks import Classification, Task
from benchmarker.hooks import spelling
from benchmarker.registry.models import GeneratorEntry, Registry, Watch
from benchmarker.registry.positions import Problem

CLASS = "class"
"""Name of the condition that is the class of a classification."""

NO_LABEL = (
    "images that are generated without conditions have no label to train on: add 'class', or all targets of a "
    "regression, to the generator's 'conditions'"
)
"""Message for an arm with the images of an unconditional generator."""

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


def trained_generators(
    registry: Registry, lost: Collection[int] = (), *, standalone: bool
) -> list[tuple[int, GeneratorEntry]]:
    """Return the generators that a command trains, with their indices.

    Parameters
    ----------
    registry : Registry
        A registry that is valid in itself.
    lost : collection of int
        Indices of arms that cannot be used.
    standalone : bool
        Whether generators are trained without networks: all of them then, and otherwise those that arms use.
    """
    return list(enumerate(registry.generators)) if standalone else used_generators(registry, lost)


def conditions_of(entry: GeneratorEntry, task: Task | None) -> list[str]:
    """Return the names of a generator's conditions; by default the class, or all targets of a regression.

    The default of a task that is unknown is unknown as well, and an empty list.
    """
    return target_names(task) if entry.conditions is None and task is not None else _given(entry)


def target_names(task: Task) -> list[str]:
    """Return the conditions that make up the label of an image."""
    return [CLASS] if isinstance(task, Classification) else [target.name for target in task.targets]


def label_of_row(task: Task, conditions: Sequence[str]) -> str:
    """Return which part of the label is no condition, and is that of the real image instead; empty if there is none."""
    missing = [name for name in target_names(task) if name not in conditions]
    if not missing or not conditions:
        return ""
    return (
        f"generated images get the {' and '.join(missing)} of the real image whose {' and '.join(conditions)} they are "
        "made for; their label is right as far as it follows from these conditions"
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
    registry: Registry,
    task: Task | None,
    attributes: Collection[str] | None = None,
    lost: Collection[int] = (),
    *,
    standalone: bool = False,
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
    standalone : bool
        Whether generators are trained without networks, so that images need no label.
    """
    problems = []
    for index, entry in trained_generators(registry, lost, standalone=standalone):
        path = ("generators", index, "conditions")
        if entry.conditions is not None and not entry.conditions and not standalone:
            problems.append(Problem(path=path, text=NO_LABEL))
        if task is not None:
            unknown = unknown_conditions(task, conditions_of(entry, task), attributes)
            problems += [Problem(path=(*path, number), text=text) for number, text in unknown.items()]
    if not standalone:
        problems += _lost_weights(registry)
    if task is not None and not standalone and not isinstance(task, Classification):
        paths = [("arms", k, "generated", "balance") for k, _ in _balanced(registry)]
        problems += [Problem(path=path, text=NOT_BALANCED) for path in paths]
    return problems


def _lost_weights(registry: Registry) -> list[Problem]:
    """Return the arms that ask for an epoch of their generator whose weights will not be there."""
    entries = {spelling(entry.label): entry for entry in registry.generators}
    problems = []
    for index, arm in enumerate(registry.arms):
        asked = arm.generated
        entry = None if asked is None else entries.get(spelling(asked.by))
        if asked is None or entry is None or not isinstance(asked.epoch, int):
            continue
        if asked.epoch > entry.epochs:
            text = f"{entry.label} is trained for {entry.epochs} epochs only"
        elif not (entry.watch or Watch()).keeps(asked.epoch, entry.epochs):
            text = (
                f"the weights of epoch {asked.epoch} are not kept: give {entry.label} a 'watch' with a 'keep_every' "
                "that divides it, such as 1"
            )
        else:
            continue
        problems.append(Problem(path=("arms", index, "generated", "epoch"), text=text))
    return problems


def _given(entry: GeneratorEntry) -> list[str]:
    return [CLASS if spelling(name) == CLASS else name for name in entry.conditions or ()]


def _balanced(registry: Registry) -> list[tuple[int, str]]:
    """Return the indices and names of the arms that balance classes."""
    arms = enumerate(registry.arms)
    return [(k, arm.name) for k, arm in arms if arm.generated is not None and arm.generated.balance]
