"""Compares the trails of two runs link by link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarker.trail import Link, Trail

FINGERPRINT = "fingerprint"
ABSENT = "(absent)"
# Parts of an epoch's link, in the order in which one follows from the other.
EPOCH_PARTS = ("order", "draws", "random_state", "weights", "variables", "optimiser", "metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value that differs between two runs.

    Parameters
    ----------
    name : str
        Path of the value with dots between the keys: ``"packages.numpy"``.
    recorded, rerun : str
        Both values, as JSON writes them.
    """

    name: str
    recorded: str
    rerun: str

    def to_json(self) -> dict[str, str]:
        """Return the entry as JSON."""
        return {"entry": self.name, "recorded": self.recorded, "rerun": self.rerun}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first link in which two trails differ.

    Parameters
    ----------
    link : str
        Name of the link.
    part : str
        Part of an epoch's link that differs first; empty for other links.
    entries : tuple of Entry
        Values that differ in it.
    ended : bool
        Whether one trail ends here, or goes on with another link.
    """

    link: str
    part: str = ""
    entries: tuple[Entry, ...] = ()
    ended: bool = False

    @property
    def name(self) -> str:
        """Link and part: ``"epoch 3 / weights"``."""
        return f"{self.link} / {self.part}" if self.part else self.link


def first_difference(recorded: Trail, rerun: Trail, *, passing_over: str = "") -> Difference | None:
    """Return the first link whose name or content differs, or None.

    Contents are compared, not digests: a digest covers all links before it, so every digest after the first difference
    differs.

    Parameters
    ----------
    recorded, rerun : Trail
        Trail of the study, and of the run that is compared with it.
    passing_over : str
        Name of a link that may differ.
    """
    for one, other in zip(recorded.links, rerun.links, strict=False):
        if one.name != other.name:
            return _ended(one.name, other.name)
        if one.name != passing_over and one.content != other.content:
            return _difference(one, other)
    shared = min(len(recorded.links), len(rerun.links))
    if len(recorded.links) != len(rerun.links):
        longer = max(recorded.links, rerun.links, key=len)[shared].name
        return _ended(*((longer, ABSENT) if len(recorded.links) > shared else (ABSENT, longer)))
    return None


def _ended(recorded: str, rerun: str) -> Difference:
    """Describe trails that go on with different links."""
    entries = (Entry(name="next link", recorded=recorded, rerun=rerun),)
    return Difference(link=recorded if recorded != ABSENT else rerun, entries=entries, ended=True)


def _difference(one: Link, other: Link) -> Difference:
    entries = tuple(differing_entries(one.content, other.content))
    if not one.name.startswith("epoch "):
        return Difference(link=one.name, entries=entries)
    found = {entry.name.split(".")[0] for entry in entries}
    part = next((name for name in EPOCH_PARTS if name in found), min(found))
    return Difference(
        link=one.name, part=part, entries=tuple(entry for entry in entries if entry.name.split(".")[0] == part)
    )


def differing_entries(recorded: Any, rerun: Any, path: str = "") -> Iterator[Entry]:
    """Yield the values in which two JSON values differ, objects entry by entry, in the order of the names."""
    if recorded == rerun:
        return
    match recorded, rerun:
        case dict(), dict():
            for name in sorted({*recorded, *rerun}):
                inner = f"{path}.{name}" if path else name
                yield from differing_entries(recorded.get(name, ABSENT), rerun.get(name, ABSENT), inner)
        case _:
            yield Entry(name=path or "content", recorded=_written(recorded), rerun=_written(rerun))


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def fingerprint_differences(recorded: Trail, rerun: Trail) -> tuple[Entry, ...]:
    """Return the entries in which the environments of two runs differ."""
    return tuple(differing_entries(_fingerprint(recorded), _fingerprint(rerun)))


def _fingerprint(trail: Trail) -> Any:
    return next((link.content for link in trail.links if link.name == FINGERPRINT), {})
