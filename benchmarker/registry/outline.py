"""What a registry consists of, by name: for programs that plan its work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarker.discovery import installed
from benchmarker.registry.loading import load_registry


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOutline:
    """The names in a registry.

    Parameters
    ----------
    title : str
        Title; may be empty.
    seeds : tuple of int
        Seeds.
    networks : tuple of str
        Each network in each arm, as selectors name it: ``"convxpress/real"``.
    generators : tuple of str
        Generators.
    """

    title: str
    seeds: tuple[int, ...]
    networks: tuple[str, ...]
    generators: tuple[str, ...]


def registry_outline(path: Path) -> RegistryOutline:
    """Read a registry, and return what it consists of.

    Parameters
    ----------
    path : Path
        Path of the registry, or the name of one that is part of the program.

    Raises
    ------
    RegistryError
        If it is wrong; the error carries every problem.
    """
    registry = load_registry(path, plugins=installed()).registry
    return RegistryOutline(
        title=registry.title,
        seeds=tuple(registry.seeds),
        networks=tuple(f"{model.label}/{arm.name}" for model in registry.models for arm in registry.arms),
        generators=tuple(generator.label for generator in registry.generators),
    )
