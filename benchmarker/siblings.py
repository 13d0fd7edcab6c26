"""The modules beside a plugin's package or module that its code imports, and that its distribution brings too.

A network in ``my_network.py`` that takes its layers from ``my_blocks.py`` changes when either of them is edited.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.machinery import SOURCE_SUFFIXES
from importlib.metadata import packages_distributions
from pathlib import Path

_OWN = "benchmarker"  # has its version in every fingerprint


def imported_siblings(files: Iterable[Path], folder: Path, namespace: Sequence[str], own: str) -> dict[str, Path]:
    """Return the source files beside a plugin that its code imports, directly or through one another.

    Parameters
    ----------
    files : iterable of Path
        Files of its package or module.
    folder : Path
        Folder that holds the package or module.
    namespace : sequence of str
        Names of the namespace packages around it; usually none.
    own : str
        Name of the package or module.

    Returns
    -------
    dict of str to Path
        Files by their path relative to the folder, without those of other distributions.
    """
    found: dict[str, Path] = {}
    waiting = list(files)
    known = {own, _OWN}
    while waiting:
        for name in _imported(waiting.pop(), namespace) - known:
            known.add(name)
            sources = _sources(folder, name)
            if sources and (namespace or _of_one_distribution(own, name)):
                found |= {path.relative_to(folder).as_posix(): path for path in sources}
                waiting += sources
    return found


def _sources(folder: Path, name: str) -> list[Path]:
    """Return the files of a module or package of a folder; none if it is not there."""
    if (folder / name / "__init__.py").is_file():
        return sorted(path for path in (folder / name).rglob("*") if path.suffix in SOURCE_SUFFIXES)
    return [path for suffix in SOURCE_SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]


def _imported(path: Path, namespace: Sequence[str]) -> frozenset[str]:
    """Return the names that a file imports from the folder of its package or module."""
    if path.suffix not in SOURCE_SUFFIXES:
        return frozenset()
    try:
        return _named(path.read_bytes(), tuple(namespace))
    except (OSError, SyntaxError, ValueError):  # importing it will say what is wrong
        return frozenset()


@lru_cache(maxsize=1024)
def _named(source: bytes, namespace: tuple[str, ...]) -> frozenset[str]:
    """Return what `_imported` does for a source text. Parsing takes milliseconds, and the same files come up often."""
    return frozenset(_names(ast.parse(source), namespace))


def _names(tree: ast.Module, namespace: tuple[str, ...]) -> Iterator[str]:
    depth = len(namespace)
    for node in ast.walk(tree):
        dotted: list[str] = []
        if isinstance(node, ast.Import):
            dotted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 1 and namespace:
            dotted = [".".join((*namespace, *filter(None, [node.module, alias.name]))) for alias in node.names]
        for parts in (name.split(".") for name in dotted):
            if parts[:depth] == list(namespace) and len(parts) > depth:
                yield parts[depth]


def _of_one_distribution(one: str, other: str) -> bool:
    """Return whether the same installed distributions bring two top-level names; none brings those of a checkout."""
    owners = _owners()
    return set(owners.get(one, ())) == set(owners.get(other, ()))


@lru_cache(maxsize=1)
def _owners() -> dict[str, list[str]]:
    return dict(packages_distributions())
