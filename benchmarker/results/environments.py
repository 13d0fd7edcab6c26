"""Compares the fingerprints of runs: which entries differ, how much that matters, and how tables name them.

Every entry of a fingerprint counts. Only the bug-fix number of Python's version is left out, because no number passes
through anything that such a release changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarker.digests import canonical_json, flatten
from benchmarker.results.study import CellRecord, GeneratorRecord
from benchmarker.study.fingerprint import OF_PLUGINS, Fingerprint

MISSING = "-"

# Most likely reasons for other bits first: patterns of flat names, the usual word for each, and why it changes bits.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    (r"backend\.name", "backend", "another library does the computing"),
    (r"backend\.(devices|device.*)", "devices", "another processor adds numbers in another order"),
    (r"precision", "precision", "numbers are rounded differently"),
    (r"threads|backend\.threads.*", "threads", "another number of threads adds numbers in another order"),
    (r"seeds_at_once", "seeds in one program", "a program for another number of seeds adds numbers in another order"),
    (r"backend\.version", "version of the backend", "its kernels may add numbers in another order"),
    (r"isa", "instruction sets", "libraries choose kernels by instruction set"),
    (r"backend\.onednn", "oneDNN", "its kernels add numbers in another order"),
    (r"backend\.op_determinism", "op determinism", "without it the order of additions is not fixed"),
    (r"backend\.tensor_float_32", "TensorFloat-32", "it rounds the factors of products to ten bits"),
    (r"backend\..*", "", "it may select other kernels"),
    (r"machine", "architecture of the processor", "its instructions differ"),
    (r"packages\.(jax|jaxlib|tensorflow)", "backend package", "its kernels may add numbers in another order"),
    (r"packages\.keras", "Keras", "its minor versions change the order of batches and random numbers"),
    (r"packages\.numpy", "NumPy", "it draws random numbers and prepares images"),
    (r"packages\..*", "package", "it may prepare images or compute metrics differently"),
    (r"benchmarker", "benchmarker", "its change log says which versions change bits"),
    (r"code\..*", "code of a plugin", "it may build or load something different"),
    (r"plugins\..*", "distribution of a plugin", "it may build or load something different"),
    (r"python", "Python", "packages are built separately for each version"),
    (r"system", "operating system", "its mathematical libraries differ"),
)
_PATTERNS = tuple(re.compile(pattern) for pattern, _, _ in _MEANINGS)
_SWITCHES = {"1": "on", "true": "on", "0": "off", "false": "off", "": "unset"}
_LABEL_PARTS = 2
_SEEDS_AT_ONCE = "seeds_at_once"
_SHORT_DIGEST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One entry of fingerprints that is not the same in all of them.

    Parameters
    ----------
    name : str
        Flat name, such as ``"packages.keras"``.
    values : tuple of str
        Value in each fingerprint, in the order in which they were given; ``"-"`` where the entry is missing.
    """

    name: str
    values: tuple[str, ...]

    @property
    def title(self) -> str:
        """Usual word for the entry."""
        subject = self.name.partition(".")[2]
        if self.name.startswith("plugins."):
            return f"distribution of the {subject}"
        if self.name.startswith("code."):
            return f"code of the {subject}"
        if self.name.startswith("packages."):
            return subject
        found = _rank(self.name)
        return _MEANINGS[found][1] if found != _OTHERS else self.name.rpartition(".")[2].replace("_", " ")

    @property
    def consequence(self) -> str:
        """Why bits may change with the entry."""
        return _MEANINGS[_rank(self.name)][2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Machine and software that some runs share.

    Parameters
    ----------
    label : str
        Difference from the other environments of the study; empty where there is only one.
    fingerprint : Fingerprint
        Fingerprint that the runs recorded.
    cells : tuple of str
        Names of the cells (and generators) that were computed there.
    """

    label: str
    fingerprint: Fingerprint
    cells: tuple[str, ...]


def environments(records: Iterable[CellRecord | GeneratorRecord]) -> tuple[Environment, ...]:
    """Return the environments of finished runs, the most frequent one first; plugins make no difference.

    A generator belongs to the environment of cells that share everything with it but seeds in one program, which it
    never has.
    """
    prints = Fingerprints()
    found: dict[bytes, tuple[Fingerprint, list[str]]] = {}
    of_cells: dict[bytes, bytes] = {}
    # `sorted` is stable: cells first, so that generators find theirs.
    for record in sorted(records, key=lambda record: isinstance(record, GeneratorRecord)):
        if record.fingerprint is None:
            continue
        key, machine = (prints.key(record.fingerprint, plugins=False, seeds_at_once=counts) for counts in (True, False))
        key = of_cells.get(machine, key) if isinstance(record, GeneratorRecord) else key
        of_cells.setdefault(machine, key)
        found.setdefault(key, (record.fingerprint, []))[1].append(record.name)
    groups = [found[key] for key in sorted(found, key=lambda key: (-len(found[key][1]), key))]
    labels = environment_labels([fingerprint for fingerprint, _ in groups], plugins=False)
    return tuple(
        Environment(label=label, fingerprint=fingerprint, cells=tuple(names))
        for label, (fingerprint, names) in zip(labels, groups, strict=True)
    )


class Fingerprints:
    """Flattens each fingerprint once: the runs of a large study share theirs."""

    def __init__(self) -> None:
        # Fingerprints are kept, so that no other one can have the same `id`.
        self._entries: dict[int, tuple[Fingerprint, Mapping[str, str]]] = {}
        self._keys: dict[tuple[int, bool, bool], bytes] = {}

    def entries(self, fingerprint: Fingerprint) -> Mapping[str, str]:
        """Return the entries of a fingerprint by their flat names, as `comparable` does."""
        known = self._entries.get(id(fingerprint))
        if known is None:
            known = self._entries[id(fingerprint)] = (fingerprint, comparable(fingerprint))
        return known[1]

    def key(self, fingerprint: Fingerprint, *, plugins: bool = True, seeds_at_once: bool = True) -> bytes:
        """Return what equal environments have in common; without ``plugins``, what runs on one machine have.

        Without ``seeds_at_once`` it does not count how many seeds share a program.
        """
        kind = (id(fingerprint), plugins, seeds_at_once)
        if kind not in self._keys:
            used = {
                name: value
                for name, value in self.entries(fingerprint).items()
                if (plugins or not _is_plugin(name)) and (seeds_at_once or name != _SEEDS_AT_ONCE)
            }
            self._keys[kind] = canonical_json(used)
        return self._keys[kind]


def comparable(fingerprint: Fingerprint) -> dict[str, str]:
    """Return every entry of a fingerprint that may change bits, by its flat name.

    Runs whose entries are equal may be averaged, and are expected to agree bit for bit.
    """
    entries = flatten(fingerprint.to_json())
    entries["python"] = ".".join(entries["python"].split(".")[:2])
    return entries


def differences(fingerprints: Sequence[Fingerprint], *, plugins: bool = True) -> list[Difference]:
    """Return the entries in which fingerprints differ, the most important ones first.

    Parameters
    ----------
    fingerprints : sequence of Fingerprint
        Fingerprints of runs, or of this machine.
    plugins : bool
        Whether the distributions and the code of plugins count.
    """
    prints = [comparable(one) for one in fingerprints]
    found = [
        Difference(name=name, values=tuple(one.get(name, MISSING) for one in prints))
        for name in sorted({name for one in prints for name in one if plugins or not _is_plugin(name)})
        if len({one.get(name) for one in prints}) > 1
    ]
    return sorted(_without_echoes(found), key=lambda difference: (_rank(difference.name), difference.name))


def environment_labels(fingerprints: Sequence[Fingerprint], *, plugins: bool = True) -> list[str]:
    """Return a short name for each of several different fingerprints: the entry in which it differs from the others.

    For example ``"tensorflow 2.20.0"`` and ``"tensorflow 2.21.0"``; an empty string where there is only one.

    Parameters
    ----------
    fingerprints : sequence of Fingerprint
        Fingerprints of runs.
    plugins : bool
        Whether the distributions and the code of plugins count.
    """
    if len(fingerprints) < 2:
        return [""] * len(fingerprints)
    prints = [comparable(one) for one in fingerprints]
    differing = differences(fingerprints, plugins=plugins)
    labels = []
    for entries in prints:
        parts = list(dict.fromkeys(_word(difference, entries, prints) for difference in differing))
        more = f" +{len(parts) - _LABEL_PARTS}" if len(parts) > _LABEL_PARTS else ""
        labels.append(", ".join(parts[:_LABEL_PARTS]) + more)
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


def _word(difference: Difference, entries: Mapping[str, str], prints: Sequence[Mapping[str, str]]) -> str:
    name = difference.name
    value = entries.get(name, MISSING)
    kind, _, subject = name.partition(".")
    if name == "isa":
        return _isa_word(value, [one.get("isa", "[]") for one in prints])
    if name in {"backend.name", "backend.devices", "precision", "machine", "system"} or kind in OF_PLUGINS:
        return _readable(name, value)
    if name == "threads":
        return f"{value} thread{'' if value == '1' else 's'}"
    if name == _SEEDS_AT_ONCE:
        return f"{_readable(name, value)} seed{'' if value == MISSING else 's'} in one program"
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
    if value == MISSING and name == _SEEDS_AT_ONCE:
        return "1"
    if value == MISSING:
        return "none" if name.startswith(("packages.", "plugins.")) else "unknown"
    if value.startswith("["):
        return ", ".join(_items(value)) or ("none" if value == "[]" else value)
    if name in {"backend.onednn", "backend.op_determinism", "backend.tensor_float_32"}:
        return _SWITCHES.get(value, value)
    return value[:_SHORT_DIGEST] if name.startswith("code.") else value


def _items(value: str) -> list[str]:
    """Return the entries of a list in canonical JSON; none of anything else."""
    try:
        return [str(item) for item in json.loads(value)] if value.startswith("[") else []
    except (ValueError, RecursionError):  # a text that begins with a bracket, in a run that somebody edited
        return []


def _rank(name: str) -> int:
    return next((k for k, pattern in enumerate(_PATTERNS) if pattern.fullmatch(name)), _OTHERS)


# An entry without a pattern is treated as a switch of the backend: neither first nor last.
_OTHERS = next(k for k, (pattern, _, _) in enumerate(_MEANINGS) if pattern == r"backend\..*")


def _is_plugin(name: str) -> bool:
    return name.partition(".")[0] in OF_PLUGINS
