"""Builds registries for tests: as YAML text, as files, and the sets of plugins that they are checked against."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmarker.contracts.plugins import KINDS, Plugin
from benchmarker.discovery import BrokenPlugin, Plugins, Registered
from benchmarker.errors import RegistryError
from benchmarker.registry import CellProblem, LoadedRegistry, Overrides, check_registry, load_registry


def model(architecture: str = "mcrgnet", **settings: Any) -> dict[str, Any]:
    """Return an entry of ``models``."""
    return {"architecture": architecture, "learning_rate": 0.001, "epochs": 2} | settings


def tiny(images: Path | str, **parts: Any) -> dict[str, Any]:
    """Return the parts of a registry that trains within seconds on the images of the fixture ``fits_folder``."""
    dataset = {
        "name": "fits-manifest",
        "path": str(images),
        "preparation": {"clip_sigma": None},
        "split": {"train": 6, "validation": 3},
    }
    training = {"batch_size": 4, "threads": 1}
    return {"dataset": dataset, "seeds": [8901], "training": training, "models": [model()]} | parts


def registry_yaml(**parts: Any) -> str:
    """Return a registry of one network on MNIST as YAML, with parts replaced, added, or left out if they are None.

    Each entry of a list has its own line, so that tests know at which line a problem is.
    """
    content = {"dataset": "mnist"} | parts | {"models": parts.get("models", [model()])}
    return "".join(_part(name, value) for name, value in content.items() if value is not None)


def _part(name: str, value: Any) -> str:
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return f"{name}:\n" + "".join(f"  - {json.dumps(entry)}\n" for entry in value)
    return f"{name}: {json.dumps(value)}\n"  # JSON is YAML


def write_registry(path: Path, text: str | None = None, **parts: Any) -> Path:
    """Write a registry, from its text or from its parts, and return its path."""
    path.write_text(registry_yaml(**parts) if text is None else text, encoding="utf-8")
    return path


def load(
    text: str | None = None, name: str = "mine.yaml", plugins: Plugins | None = None, **overrides: Any
) -> LoadedRegistry:
    """Write a registry into the working folder and load it; keywords are the fields of `Overrides`."""
    return load_registry(write_registry(Path(name), text), Overrides(**overrides), plugins)


def check(text: str, plugins: Plugins, **overrides: Any) -> tuple[CellProblem, ...]:
    """Write a registry into the working folder, load it and check it against plugins."""
    return check_registry(load(text, **overrides), plugins)


def problems(text: str, name: str = "mine.yaml", plugins: Plugins | None = None, **overrides: Any) -> list[str]:
    """Return the problems of a registry that cannot be loaded, or that does not fit the plugins, if they are given."""
    try:
        loaded = load(text, name, plugins, **overrides)
        if plugins is not None:
            check_registry(loaded, plugins)
    except RegistryError as error:
        return list(error.problems)
    pytest.fail("the registry has no problem")


def says(problem: str, place: str, *words: str) -> bool:
    """Return whether a problem is at a place (``"mine.yaml:6:13"``, ``"-s/--seed"``) and contains some words."""
    return problem.startswith(f"{place}: ") and all(word in problem for word in words)


def plugins_of(*plugins: Plugin, broken: Iterable[BrokenPlugin] = ()) -> Plugins:
    """Return a set of plugins; one that is given twice is registered by two distributions."""
    registered: dict[str, dict[str, list[Registered]]] = {kind: {} for kind in KINDS}
    for plugin in plugins:
        owners = registered[type(plugin).__name__.lower()].setdefault(plugin.name, [])
        owners.append(Registered(plugin=plugin, distribution=f"owner-{len(owners) + 1} 1.0"))
    return Plugins(registered, broken)
