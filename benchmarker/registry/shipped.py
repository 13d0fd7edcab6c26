"""Where the registries that come with the benchmarker are."""

from __future__ import annotations

from pathlib import Path

import benchmarker
from benchmarker.registry.explain import suggestion

_FOLDER = "registries"


def shipped() -> Path:
    """Return the folder of the registries that come with the benchmarker.

    A wheel holds them inside the package; a checkout that is installed in editable mode reads its own folder.
    """
    package = Path(benchmarker.__file__).parent
    inside = package / _FOLDER
    return inside if inside.is_dir() else package.parent / _FOLDER


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped registries without suffix, sorted."""
    return tuple(sorted(path.stem for path in shipped().glob("*.yaml")))


def find_registry(path: Path) -> Path:
    """Return a registry's file: the path itself where it exists, else the shipped registry that it names.

    ``quickstart``, ``quickstart.yaml`` and ``registries/quickstart.yaml`` name the shipped one from any folder.
    """
    named = path.parent in {Path(), Path(_FOLDER)} and path.suffix in {"", ".yaml", ".yml"}
    if path.exists() or not named or path.stem not in shipped_names():
        return path
    return shipped() / f"{path.stem}.yaml"


def not_found(path: Path) -> str:
    """Return what to tell a user whose registry does not exist."""
    names = shipped_names()
    meant = suggestion(path.stem, names)
    hint = f"did you mean {meant!r}?" if meant else f"shipped are: {', '.join(names)}"
    return f"{path}: no such registry; {hint}"
