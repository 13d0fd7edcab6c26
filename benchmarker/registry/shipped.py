"""Where the registries that come with the benchmarker are."""

from __future__ import annotations

from pathlib import Path

from benchmarker.paths import shipped_folder
from benchmarker.registry.explain import suggestion

_FOLDER = "registries"


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped registries without suffix, sorted."""
    return tuple(sorted(path.stem for path in shipped_folder().glob("*.yaml")))


def find_registry(path: Path) -> Path:
    """Return a registry's file: the path itself where it exists, else the shipped registry that it names.

    ``quickstart``, ``quickstart.yaml`` and ``registries/quickstart.yaml`` name the shipped one from any folder.
    """
    named = path.parent in {Path(), Path(_FOLDER)} and path.suffix in {"", ".yaml", ".yml"}
    if path.exists() or not named or path.stem not in shipped_names():
        return path
    return shipped_folder() / f"{path.stem}.yaml"


def not_found(path: Path) -> str:
    """Return what to tell a user whose registry does not exist."""
    names = shipped_names()
    meant = suggestion(path.stem, names)
    hint = f"did you mean {meant!r}?" if meant else f"shipped are: {', '.join(names)}"
    return f"{path}: no such registry; {hint}"
