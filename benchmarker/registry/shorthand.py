"""What may be written shorter in a registry, and what may not be written twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from benchmarker.discovery import spelling
from benchmarker.registry.explain import suggestion
from benchmarker.registry.positions import Path, Places, Problem

_AMERICAN = {"optimizer": "optimiser"}


def expand(data: Any) -> Any:
    """Return registry data with every short form written out.

    ``dataset: mnist`` means ``dataset: {name: mnist}``; the same holds for an augmentation. An arm ``rotations`` means
    an arm of that name with that augmentation at its default options; the arm ``real`` has none. ``generated: dcgan``
    means one image by ``dcgan`` for each real one.
    """
    if not isinstance(data, Mapping):
        return data
    result = dict(data)
    if isinstance(data.get("dataset"), str):
        result["dataset"] = {"name": data["dataset"]}
    if isinstance(data.get("arms"), list):
        result["arms"] = [_arm(arm) for arm in data["arms"]]
    training = data.get("training")
    if isinstance(training, Mapping) and "optimizer" in training and "optimiser" not in training:
        result["training"] = {_AMERICAN.get(key, key): value for key, value in training.items()}
    return result


def _arm(arm: Any) -> Any:
    if isinstance(arm, str):
        return {"name": arm} if arm == "real" else {"name": arm, "augmentations": [{"name": arm}]}
    if not isinstance(arm, Mapping):
        return arm
    result = dict(arm)
    if isinstance(arm.get("augmentations"), list):
        result["augmentations"] = [{"name": e} if isinstance(e, str) else e for e in arm["augmentations"]]
    if isinstance(arm.get("generated"), str):
        result["generated"] = {"by": arm["generated"], "ratio": 1.0}
    return result


def british(keys: Mapping[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    """Return positions under the names that `expand` gives to what stands in American spelling."""
    moved: dict[Path, Path] = {("training", american): ("training", name) for american, name in _AMERICAN.items()}
    if any(name in keys for name in moved.values()):
        return dict(keys)
    return {(*moved.get(path[:2], path[:2]), *path[2:]): position for path, position in keys.items()}


def duplicates(data: Any, places: Places) -> list[Problem]:
    """Return what stands twice in registry data: seeds, names of arms, models and generators, and equal ones of them.

    Parameters
    ----------
    data : plain data
        With short forms written out; it may be wrong in other ways.
    places : Places
        To say where the first one stands.

    Returns
    -------
    list of Problem
        Each at the second one.
    """
    seeds = [(("seeds", index), seed) for index, seed in _entries(data, "seeds", int)]
    arms = [(("arms", index), arm) for index, arm in _entries(data, "arms", Mapping)]
    models = [(("models", index), model) for index, model in _entries(data, "models", Mapping)]
    generators = [(("generators", index), entry) for index, entry in _entries(data, "generators", Mapping)]
    problems = [
        *_twice(seeds, lambda seed: seed, places, lambda seed, first: f"the seed {seed} is given twice{first}"),
        *_twice(arms, _arm_content, places, _equal_arms),
        *_twice(models, _model_content, places, _equal_models),
        *_twice(generators, _generator_content, places, _equal_generators),
    ]
    # Two that are equal in everything are told about once, not once more for their names.
    told = {problem.path for problem in problems}
    named_kinds = (
        ("arms", arms, _arm_name),
        ("models", models, _model_name),
        ("generators", generators, _generator_name),
    )
    for kind, entries, name_of in named_kinds:
        named = _twice(entries, name_of, places, _same_name(kind))
        problems += [problem for problem in named if problem.path not in told]
    return problems


def unknown_generators(data: Any) -> list[Problem]:
    """Return the arms whose generated images are by none of the registry's generators.

    Parameters
    ----------
    data : plain data
        With short forms written out; it may be wrong in other ways.
    """
    names = [str(entry.get("name") or entry.get("generator")) for _, entry in _entries(data, "generators", Mapping)]
    known = {spelling(name) for name in names}
    problems: list[Problem] = []
    for index, arm in _entries(data, "arms", Mapping):
        generated = arm.get("generated")
        by = generated.get("by") if isinstance(generated, Mapping) else None
        if isinstance(by, str) and spelling(by) not in known:
            meant = suggestion(by, names)
            there = f"known are: {', '.join(names)}" if names else "the registry has no 'generators'"
            hint = f"did you mean {meant!r}?" if meant else there
            path: Path = ("arms", index, "generated", "by")
            problems.append(Problem(path=path, text=f"no generator of this registry is called {by!r}: {hint}"))
    return problems


def _entries(data: Any, key: str, kind: type[Any]) -> Iterator[tuple[int, Any]]:
    entries = data.get(key) if isinstance(data, Mapping) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, kind) and not isinstance(entry, bool):
            yield index, entry


def _twice(
    entries: Iterable[tuple[Path, Any]],
    content: Callable[[Any], Any],
    places: Places,
    tell: Callable[[Any, str], str],
) -> list[Problem]:
    seen: dict[str, Path] = {}
    problems: list[Problem] = []
    for path, entry in entries:
        compared = content(entry)
        if compared is None:
            continue
        # NaN and infinities may stand here: what is compared need not be valid.
        first = seen.setdefault(json.dumps(compared, sort_keys=True), path)
        if first != path:
            given = places.option(path)
            line, column = places.position(first)
            where = "" if given else f"; the first is at line {line}, column {column}"
            problems.append(Problem(path=path, text=tell(entry, where)))
    return problems


def _arm_name(arm: Mapping[str, Any]) -> str | None:
    name = arm.get("name")
    return spelling(name) if isinstance(name, str) else None


def _model_name(model: Mapping[str, Any]) -> str | None:
    name = model.get("name") or model.get("architecture")
    return spelling(name) if isinstance(name, str) else None


def _generator_name(generator: Mapping[str, Any]) -> str | None:
    name = generator.get("name") or generator.get("generator")
    return spelling(name) if isinstance(name, str) else None


def _generated_content(generated: Any) -> Any:
    if not isinstance(generated, Mapping):
        return generated
    by, ratio = generated.get("by"), generated.get("ratio")
    return {
        "by": spelling(by) if isinstance(by, str) else by,
        "ratio": float(ratio) if isinstance(ratio, int) else ratio,
        "balance": generated.get("balance", False),
        "real": generated.get("real", True),
    }


def _arm_content(arm: Mapping[str, Any]) -> Any:
    augmentations = arm.get("augmentations", [])
    if not isinstance(augmentations, list) or not all(isinstance(entry, Mapping) for entry in augmentations):
        return None
    steps = [{**entry, "options": entry.get("options") or {}} for entry in augmentations]
    validation = bool(augmentations) and bool(arm.get("augment_validation", False))
    return [_generated_content(arm.get("generated")), steps, validation]


def _model_content(model: Mapping[str, Any]) -> Any:
    if not isinstance(model.get("architecture"), str):
        return None
    content = {key: value for key, value in model.items() if key != "name"}
    return {**content, "architecture": spelling(model["architecture"]), "options": model.get("options") or {}}


def _generator_content(generator: Mapping[str, Any]) -> Any:
    if not isinstance(generator.get("generator"), str):
        return None
    content = {key: value for key, value in generator.items() if key != "name"}
    return {**content, "generator": spelling(generator["generator"]), "options": generator.get("options") or {}}


def _equal_generators(_generator: Mapping[str, Any], first: str) -> str:
    return f"this generator is the same as one before it in epochs, conditions and options{first}"


def _equal_arms(arm: Mapping[str, Any], first: str) -> str:
    return f"the arm {arm.get('name')!r} augments as an arm before it does: leave one of them out{first}"


def _equal_models(_model: Mapping[str, Any], first: str) -> str:
    return f"this model is the same as one before it in architecture, rate, epochs and options{first}"


def _same_name(kind: str) -> Callable[[Any, str], str]:
    def tell(entry: Mapping[str, Any], first: str) -> str:
        name = entry.get("name") or entry.get("architecture") or entry.get("generator")
        remedy = "rename one of them" if kind == "arms" else "give one of them a 'name' of its own"
        return f"two {kind} are called {name!r}: {remedy}{first}"

    return tell
