"""Compares two runs of one cell, by their trails where both have one, else by the digests in their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarker.errors import StorageError
from benchmarker.files import read_json
from benchmarker.results.environments import differences
from benchmarker.results.study import CellRecord
from benchmarker.trail import Trail

TRAIL_FILE = "trail.json"
# In the order in which a run makes them.
_DIGESTS = (
    ("data", "data"),
    ("split", "split"),
    ("training_set", "training set"),
    ("initial_weights", "initial weights"),
    ("best_weights", "best weights"),
    ("final_weights", "final weights"),
    ("predictions_best", "predictions"),
    ("predictions_final", "predictions"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two runs of one cell that differ.

    Parameters
    ----------
    cell : str
        Model, arm and seed.
    kept, left : str
        Folder of the run that stays, and of the one that was not taken.
    link : str
        The first link of the trails that differs, for example ``"epoch 3"``.
    detail : str
        What differs in it, in a few words.
    """

    cell: str
    kept: str
    left: str
    link: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Return it as JSON."""
        return asdict(self)


def damage(cell: CellRecord) -> str | None:
    """Return why a finished run cannot be trusted, or None."""
    if cell.folder is None or not (cell.folder / TRAIL_FILE).exists():
        return "its manifest names a trail, and it has none" if cell.manifest.get("trail") else None
    try:
        trail = _trail(cell.folder)
    except (StorageError, KeyError, TypeError, AttributeError) as error:
        return f"its trail cannot be read: {error}"
    if (link := trail.broken_link()) is not None:
        return f"its trail was changed at {link!r}"
    if cell.manifest.get("trail", trail.head) != trail.head:
        return "its trail is not the one that its manifest names"
    return None


def compare_runs(first: CellRecord, other: CellRecord) -> Conflict | None:
    """Return in what two finished runs of a cell differ first, or None where they are the same.

    Parameters
    ----------
    first, other : CellRecord
        Neither is damaged.
    """
    both = [cell.folder / TRAIL_FILE for cell in (first, other) if cell.folder is not None]
    found = _by_trails(first, other) if all(path.exists() for path in both) else _by_digests(first, other)
    if found is None:
        return None
    return Conflict(cell=first.name, kept=str(first.folder), left=str(other.folder), link=found[0], detail=found[1])


def _trail(folder: Path | None) -> Trail:
    return Trail.from_json(read_json(Path(folder or "") / TRAIL_FILE)["links"])


def _by_trails(first: CellRecord, other: CellRecord) -> tuple[str, str] | None:
    one, two = (_trail(cell.folder) for cell in (first, other))
    if one.head == two.head:
        return None
    for here, there in zip(one.links, two.links, strict=False):
        if (here.name, here.content) != (there.name, there.content):
            if here.name != there.name:
                return here.name, f"the other trail goes on with {there.name!r}"
            return here.name, _detail(here.name, here.content, there.content)
    longer = max(one.links, two.links, key=len)
    return longer[min(len(one.links), len(two.links))].name, "the other trail ends before it"


def _by_digests(first: CellRecord, other: CellRecord) -> tuple[str, str] | None:
    here, there = (cell.manifest.get("digests") or {} for cell in (first, other))
    for name, link in _DIGESTS:
        if here.get(name) != there.get(name):
            return link, f"{str(here.get(name))[:12]} / {str(there.get(name))[:12]}"
    if first.metrics != other.metrics:
        return "metrics", "their numbers differ"
    if found := _fingerprint_detail(first.fingerprint, other.fingerprint):
        return "fingerprint", found
    return None


def _detail(name: str, here: Any, there: Any) -> str:
    if name == "fingerprint" and isinstance(here, dict) and isinstance(there, dict):
        return _fingerprint_detail(here, there) or "Python's bug-fix number"
    if isinstance(here, dict) and isinstance(there, dict):
        names = [key for key in {**here, **there} if here.get(key) != there.get(key)]
        return ", ".join(f"{key} ({_short(here.get(key))} / {_short(there.get(key))})" for key in names[:3])
    return f"{_short(here)} / {_short(there)}"


def _fingerprint_detail(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    return ", ".join(f"{found.title} ({' / '.join(found.values)})" for found in differences([here, there]))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 16 else f"{text[:12]}..."
