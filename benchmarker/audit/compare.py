"""Compares two trails link by link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarker.audit.causes import EPOCH_PARTS, usual_causes
from benchmarker.trail import Link, Trail

FINGERPRINT = "fingerprint"
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value that differs.

    Parameters
    ----------
    name : str
        Where it stands, with dots between the keys: ``"packages.numpy"``.
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
    """The first link in which two trails part.

    Parameters
    ----------
    link : str
        Its name.
    part : str
        For an epoch, the part of its content that differs first; empty otherwise.
    entries : tuple of Entry
        What differs in it.
    causes : tuple of str
        What usually makes it differ.
    """

    link: str
    part: str = ""
    entries: tuple[Entry, ...] = ()
    causes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Link and part: ``"epoch 3 / weights"``."""
        return f"{self.link} / {self.part}" if self.part else self.link


def first_difference(recorded: Trail, rerun: Trail, *, passing_over: str = "") -> Difference | None:
    """Return the first link whose name or content differs, or None.

    Contents are compared, not digests: a digest covers all links before it, so all differ after the first that does.

    Parameters
    ----------
    recorded, rerun : Trail
        Of the study, and of the audit.
    passing_over : str
        Name of a link that may differ.
    """
    pairs = zip(recorded.links, rerun.links, strict=False)
    for one, other in pairs:
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
    name = recorded if recorded != ABSENT else rerun
    return Difference(
        link=name,
        entries=(Entry(name="next link", recorded=recorded, rerun=rerun),),
        causes=usual_causes("end"),
    )


def _difference(one: Link, other: Link) -> Difference:
    entries = tuple(differing_entries(one.content, other.content))
    part = ""
    if one.name.startswith("epoch "):
        found = {entry.name.split(".")[0] for entry in entries}
        part = next((name for name in EPOCH_PARTS if name in found), min(found))
        entries = tuple(entry for entry in entries if entry.name.split(".")[0] == part)
    return Difference(link=one.name, part=part, entries=entries, causes=usual_causes(one.name, part))


def differing_entries(recorded: Any, rerun: Any, path: str = "") -> Iterator[Entry]:
    """Yield the values in which two JSON values differ, mappings entry by entry, in the order of the names."""
    if recorded == rerun:
        return
    if isinstance(recorded, Mapping) and isinstance(rerun, Mapping):
        for name in sorted({*recorded, *rerun}):
            inner = f"{path}.{name}" if path else str(name)
            yield from differing_entries(recorded.get(name, ABSENT), rerun.get(name, ABSENT), inner)
        return
    yield Entry(name=path or "content", recorded=_written(recorded), rerun=_written(rerun))


def _written(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def fingerprint_differences(recorded: Trail, rerun: Trail) -> tuple[Entry, ...]:
    """Return the entries in which the environments of two runs differ."""
    return tuple(differing_entries(_fingerprint(recorded), _fingerprint(rerun)))


def _fingerprint(trail: Trail) -> Any:
    return next((link.content for link in trail.links if link.name == FINGERPRINT), {})
