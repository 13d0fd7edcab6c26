"""Compares the fingerprints of runs: which entries differ, how much that matters, and how tables name them.

Every entry of a fingerprint counts, also one that a later version adds: only the bug-fix number of Python's version is
left out, for no number passes through anything that such a release changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarker.digests import canonical_json
from benchmarker.results.study import CellRecord
from benchmarker.study.fingerprint import OF_PLUGINS

UNKNOWN = "unknown environment"
MISSING = "-"

# The most likely reasons for other bits first: patterns of flat names, how people call them, and what they change.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (r"backend\.name", "backend", "another library computes"),
    (r"backend\.(devices|device.*)", "devices", "another processor sums in another order"),
    (r"precision", "precision", "numbers are rounded to another length"),
    (r"threads|backend\.threads.*", "threads", "another number of threads sums in another order"),
    (r"backend\.version", "version of the backend", "its kernels may sum in another order"),
    (r"isa", "instruction sets", "libraries choose their kernels by them"),
    (r"backend\.onednn", "oneDNN", "its kernels sum in another order"),
    (r"backend\.op_determinism", "op determinism", "without it sums have no fixed order"),
    (r"backend\.tensor_float_32", "TensorFloat-32", "it rounds products to ten bits"),
    (r"backend\..*", "", "it may choose other kernels"),
    (r"machine", "architecture of the processor", "it has other instructions"),
    (r"packages\.(jax|jaxlib|tensorflow)", "backend package", "its kernels may sum in another order"),
    (r"packages\.keras", "Keras", "its minor versions change orders and random numbers"),
    (r"packages\.numpy", "NumPy", "it draws random numbers and prepares images"),
    (r"packages\..*", "package", "it may prepare images or compute metrics otherwise"),
    (r"benchmarker", "benchmarker", "its change log names what changes bits"),
    (r"plugins\..*", "distribution of a plugin", "it may build or load something else"),
    (r"python", "Python", "packages for it are built separately"),
    (r"system", "operating system", "it brings other mathematical libraries"),
)
_PATTERNS = tuple(re.compile(pattern) for pattern, _, _ in _MEANINGS)
_SWITCHES = {"1": "on", "true": "on", "0": "off", "false": "off", "": "unset"}
_LABEL_PARTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One entry of fingerprints that is not the same everywhere.

    Parameters
    ----------
    name : str
        Flat, for example ``"packages.keras"``.
    values : tuple of str
        Of each fingerprint that was compared, in order; ``"-"`` where it has no such entry.
    """

    name: str
    values: tuple[str, ...]

    @property
    def title(self) -> str:
        """What people call the entry."""
        subject = self.name.partition(".")[2]
        if self.name.startswith("plugins."):
            return f"distribution of the {subject}"
        if self.name.startswith("packages."):
            return subject
        found = _rank(self.name)
        return _MEANINGS[found][1] if found != _OTHERS else self.name.rpartition(".")[2].replace("_", " ")

    @property
    def consequence(self) -> str:
        """Why bits may change with it."""
        return _MEANINGS[_rank(self.name)][2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Machine and software that some runs share.

    Parameters
    ----------
    label : str
        Difference from the other environments of the study; empty where there is only one.
    fingerprint : mapping
        Fingerprint that the runs recorded.
    cells : tuple of str
        Names of the cells (and generators) that were computed there.
    """

    label: str
    fingerprint: Mapping[str, Any]
    cells: tuple[str, ...]


def environments(cells: Iterable[CellRecord]) -> tuple[Environment, ...]:
    """Return the environments of finished runs, the most frequent one first."""
    found: dict[bytes, list[CellRecord]] = {}
    written: dict[int, bytes] = {}  # runs of a large study share their fingerprints, which stay with them
    for cell in cells:
        if cell.status == "ok" and (fingerprint := cell.fingerprint):
            if id(fingerprint) not in written:
                common = {name: value for name, value in fingerprint.items() if name not in OF_PLUGINS}
                written[id(fingerprint)] = canonical_json(comparable(common))
            found.setdefault(written[id(fingerprint)], []).append(cell)
    groups = [found[key] for key in sorted(found, key=lambda key: (-len(found[key]), key))]
    labels = environment_labels([group[0].fingerprint for group in groups])
    return tuple(
        Environment(label=label, fingerprint=group[0].fingerprint, cells=tuple(cell.name for cell in group))
        for label, group in zip(labels, groups, strict=True)
    )


def comparable(fingerprint: Mapping[str, Any]) -> dict[str, str]:
    """Return everything of a fingerprint that may change bits, flat; empty where nothing is known.

    Runs whose entries are equal may be averaged, and are expected to agree bit for bit.
    """
    entries = flatten(fingerprint)
    if "python" in entries:
        entries["python"] = ".".join(entries["python"].split(".")[:2])
    return entries


def differences(fingerprints: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Return the entries in which fingerprints differ, the most important ones first.

    Parameters
    ----------
    fingerprints : sequence of mapping
        Of runs, or of this machine.
    """
    prints = [comparable(one) for one in fingerprints]
    found = [
        Difference(name=name, values=tuple(one.get(name, MISSING) for one in prints))
        for name in sorted({name for one in prints for name in one})
        if len({one.get(name) for one in prints}) > 1
    ]
    return sorted(_without_echoes(found), key=lambda difference: (_rank(difference.name), difference.name))


def environment_labels(fingerprints: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a short name for each of several different fingerprints: that in which it differs from the others.

    For example ``"tensorflow 2.20.0"`` and ``"tensorflow 2.21.0"``; an empty string where there is one only.
    """
    if len(fingerprints) < 2:
        return [""] * len(fingerprints)
    known = [one for one in fingerprints if one]
    differing = differences(known)
    labels = []
    for fingerprint in fingerprints:
        entries = comparable(fingerprint)
        words = [_word(difference, entries, known) for difference in differing]
        parts = list(dict.fromkeys(words)) if entries else [UNKNOWN]
        more = f" +{len(parts) - _LABEL_PARTS}" if len(parts) > _LABEL_PARTS else ""
        # What differs from an unknown environment cannot be said.
        labels.append(", ".join(parts[:_LABEL_PARTS]) + more or "known environment")
    return [
        label if labels.count(label) == 1 else f"{label} ({'abcdefghijklmnopqrstuvwxyz'[k % 26]})"
        for k, label in enumerate(labels)
    ]


def describe(differing: Iterable[Difference]) -> str:
    """Return differences as one line: ``keras (3.15.0 / 3.15.1), threads (2 / 4)``."""
    return ", ".join(f"{d.title} ({' / '.join(dict.fromkeys(_values(d)))})" for d in differing)


def _values(difference: Difference) -> list[str]:
    return [_readable(difference.name, value) for value in difference.values]


def in_words(difference: Difference) -> str:
    """Return one difference between a study and this machine as a sentence."""
    there, here = _values(difference)
    if difference.name == "isa":
        there, here = (_only_in(value, other) for value, other in (difference.values, difference.values[::-1]))
    return f"{difference.title}: {there} in the study, {here} here; {difference.consequence}"


def _only_in(value: str, other: str) -> str:
    own = [flag for flag in _items(value) if flag not in _items(other)]
    return f"also {', '.join(own)}" if own else "none more"


def _without_echoes(found: Sequence[Difference]) -> list[Difference]:
    """Leave out what only repeats another entry: the version of the backend is that of a package."""
    packages = {d.values for d in found if d.name.startswith("packages.")}
    return [d for d in found if d.name != "backend.version" or d.values not in packages]


def _word(difference: Difference, entries: Mapping[str, str], known: Sequence[Mapping[str, Any]]) -> str:
    name = difference.name
    value = entries.get(name, MISSING)
    kind, _, subject = name.partition(".")
    if name == "isa":
        return _isa_word(value, [comparable(one).get("isa", "[]") for one in known])
    if name in {"backend.name", "backend.devices", "precision", "machine", "system"} or kind in OF_PLUGINS:
        return _readable(name, value)
    if name == "threads":
        return f"{value} thread{'' if value == '1' else 's'}"
    title = subject if kind == "packages" else difference.title
    if name == "backend.version":
        title = entries.get("backend.name", "backend")
    return f"{title.lower() if title == 'Python' else title} {_readable(name, value)}"


def _isa_word(value: str, all_values: Sequence[str]) -> str:
    """Name the newest instruction set that others lack, or the one that this lacks."""
    own = _items(value)
    everywhere = [flag for flag in own if all(flag in _items(other) for other in all_values)]
    special = [flag for flag in own if flag not in everywhere]
    if special:
        return special[-1]
    lacking = [flag for other in all_values for flag in _items(other) if flag not in own]
    return f"without {lacking[-1]}" if lacking else "isa"


def _readable(name: str, value: str) -> str:
    if value == MISSING:
        return "none" if name.startswith(("packages.", "plugins.")) else "unknown"
    if value.startswith("["):
        return ", ".join(_items(value)) or "none"
    if name in {"backend.onednn", "backend.op_determinism", "backend.tensor_float_32"}:
        return _SWITCHES.get(value, value)
    return value[:12] if name.startswith("code.") else value


def _items(value: str) -> list[str]:
    """Return the entries of a list in canonical JSON; none of anything else."""
    return [str(item) for item in json.loads(value)] if value.startswith("[") else []


def _rank(name: str) -> int:
    return next((k for k, pattern in enumerate(_PATTERNS) if pattern.fullmatch(name)), _OTHERS)


# An entry that nobody foresaw is shown as a switch of the backend: neither first nor last.
_OTHERS = next(k for k, (pattern, _, _) in enumerate(_MEANINGS) if pattern == r"backend\..*")


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Return nested JSON as one text for each entry.

    Parameters
    ----------
    value : object
        Value of JSON. Texts stay as they are; lists, numbers and the like are written as JSON.
    prefix : str
        Name of the value, in front of the names of its entries.

    Examples
    --------
    >>> flatten({"backend": {"name": "jax"}, "isa": ["avx2"], "threads": 2})
    {'backend.name': 'jax', 'isa': '["avx2"]', 'threads': '2'}
    """
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for name, entry in value.items():
            found.update(flatten(entry, f"{prefix}.{name}" if prefix else str(name)))
        return found
    if isinstance(value, str):
        return {prefix: value}
    # Most entries are short, and the encoder takes longer to set up than to write them.
    return {prefix: str(value) if type(value) is int else canonical_json(value).decode()}
