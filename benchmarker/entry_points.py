"""The entry points of plugins: which distributions have them, which are switched off, and whose metadata are broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distributions
from pathlib import PurePath

GROUP = "benchmarker"

OWN = "galaxy-benchmarker"
"""Distribution of the benchmarker itself, whose plugins need no trial."""

DISABLE_VARIABLE = "BENCHMARKER_DISABLE"
"""Names of entry points that are not loaded, separated by commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry point, and the distribution (with its version) that contains it."""

    entry: EntryPoint
    distribution: str

    @property
    def is_own(self) -> bool:
        """Whether the plugin comes with the benchmarker itself."""
        return self.distribution.startswith(f"{OWN} ")


def find() -> list[Found]:
    """Return the entry points of plugins, sorted by name and distribution.

    What pip leaves behind when it cannot remove a folder (``~alaxy_benchmarker-0.1.dist-info``) is no distribution, and
    a module that a distribution names twice is one plugin.
    """
    disabled = switched_off()
    found: dict[tuple[str, str], Found] = {}
    everything = (Found(entry=entry, distribution=_described(entry.dist)) for entry in _entry_points())
    for each in sorted(everything, key=lambda each: (each.entry.name, each.distribution, each.entry.value)):
        if not _is_leftover(each.entry.dist) and each.entry.name not in disabled:
            found.setdefault((each.distribution, each.entry.value), each)
    return list(found.values())


def _entry_points() -> Iterator[EntryPoint]:
    """Yield what ``importlib.metadata.entry_points(group=GROUP)`` returns, in half the time.

    That function parses the entry points of every distribution. Most of them do not contain the name of the group.
    """
    for distribution in distributions():
        text = distribution.read_text("entry_points.txt")
        if text and GROUP in text and not _is_shadowed(distribution):
            yield from (entry for entry in distribution.entry_points if entry.group == GROUP)


def _is_shadowed(distribution: Distribution) -> bool:
    """Return whether an earlier entry of ``sys.path`` has a distribution with the same name, whichever its version."""
    name = _described(distribution).partition(" ")[0]
    try:
        return _path(Distribution.from_name(name)) != _path(distribution)
    except (PackageNotFoundError, ValueError):  # its metadata are broken
        return False


def switched_off() -> tuple[str, ...]:
    """Return the names of entry points that ``BENCHMARKER_DISABLE`` switches off."""
    names = (name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(","))
    return tuple(dict.fromkeys(name for name in names if name))


# importlib.metadata parses all metadata of a distribution each time that they are read.
@lru_cache(maxsize=32)
def _described(distribution: Distribution | None) -> str:
    if distribution is None:
        return "unknown distribution"
    try:
        metadata = distribution.metadata
        known = [metadata[key] for key in ("Name", "Version") if key in metadata]
    except Exception:  # noqa: BLE001 - it is somebody else's file, and may hold anything
        known = []
    if len(known) == 2:
        return " ".join(known)
    folder = _folder_name(distribution)
    return f"{folder.partition('-')[0]} of unknown version (broken metadata in {folder})"


def _is_leftover(distribution: Distribution | None) -> bool:
    return distribution is not None and _folder_name(distribution).startswith("~")


def _folder_name(distribution: Distribution) -> str:
    path = _path(distribution)
    return path.name if path is not None else "an unknown folder"


def _path(distribution: Distribution) -> PurePath | None:
    # There is no public way to it.
    path = getattr(distribution, "_path", None)
    return None if path is None else PurePath(path)
