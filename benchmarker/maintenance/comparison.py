"""Compares the environment of this machine with those of a study's runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarker.digests import canonical_json
from benchmarker.results.environments import comparable, differences, in_words
from benchmarker.results.study import CellRecord, Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What some runs of a study share.

    Parameters
    ----------
    runs : list of str
        Model, arm and seed of each.
    reasons : list of str
        What would keep new results from agreeing with theirs bit for bit, the most important first.
    """

    runs: list[str]
    reasons: list[str]


@dataclass(slots=True, kw_only=True)
class Comparison:
    """How this machine compares with a study.

    Parameters
    ----------
    study : str
        Its folder.
    finished : int
        Runs that finished: only these note an environment.
    environments : list of Environment
        Those of the study; the one that most runs come from first.
    notes : list of str
        What else a user should do.
    """

    study: str
    finished: int = 0
    environments: list[Environment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def bitwise(self) -> bool:
        """Whether nothing is known that would keep results from agreeing bit for bit."""
        return all(not environment.reasons for environment in self.environments)

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.finished:
            return "no run of this study has finished: there is nothing to compare with"
        if self.bitwise:
            return f"nothing keeps results from being bitwise comparable with its {self.finished} finished run(s)"
        apart = sum(len(environment.runs) for environment in self.environments if environment.reasons)
        return f"results would not be bitwise comparable with {apart} of its {self.finished} finished run(s)"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {"verdict": self.verdict, "bitwise": self.bitwise, **asdict(self)}


def compare(
    study: Study,
    here: Mapping[str, Mapping[str, Any]],
    registered: Mapping[str, Mapping[str, str]] | None,
    *,
    chosen: str,
) -> Comparison:
    """Compare this machine with the runs of a study.

    Parameters
    ----------
    study : Study
        As it was read.
    here : mapping of str to mapping
        The fingerprint of each backend that starts here.
    registered : mapping of kind to mapping of name to distribution, or None
        Plugins that are installed here; None where they could not be found out.
    chosen : str
        Backend that a run would use.
    """
    found = Comparison(study=str(study.folder))
    groups: dict[bytes, tuple[list[str], list[str]]] = {}
    names = set()
    for cell in study.cells:
        if cell.status != "ok":
            continue
        found.finished += 1
        backend = _backend(cell)
        names.add(backend)
        reasons = _reasons(cell, here.get(backend), registered)
        # Runs of the same environment differ in the plugins that they use.
        key = canonical_json([comparable({**cell.fingerprint, "plugins": {}, "code": {}}), reasons])
        groups.setdefault(key, ([], reasons))[0].append(cell.name)
    found.environments = [
        Environment(runs=runs, reasons=reasons)
        for runs, reasons in sorted(groups.values(), key=lambda group: (-len(group[0]), group[0]))
    ]
    for name in sorted(names - {chosen, ""}):
        found.notes.append(f"a run started here would use {chosen or 'no backend'}: set KERAS_BACKEND={name} to go on")
    if (
        len(
            {
                canonical_json(comparable({**c.fingerprint, "plugins": {}, "code": {}}))
                for c in study.cells
                if c.status == "ok"
            }
        )
        > 1
    ):
        found.notes.append("its own runs come from different environments; the leaderboard keeps them apart")
    return found


def _backend(cell: CellRecord) -> str:
    backend = cell.fingerprint.get("backend")
    return str(backend.get("name", "")) if isinstance(backend, dict) else ""


def _reasons(
    cell: CellRecord, here: Mapping[str, Any] | None, registered: Mapping[str, Mapping[str, str]] | None
) -> list[str]:
    there = cell.fingerprint
    if not there:
        return ["the run notes nothing of its environment"]
    if here is None:
        return [f"its backend {_backend(cell) or '(unknown)'} does not start here"]
    # Threads and precision are what the plan says, wherever a cell is run.
    training = cell.spec.get("training")
    planned = training if isinstance(training, dict) else {}
    pinned = {name: planned.get(name, there[name]) for name in ("threads", "precision") if name in there}
    plugins = there.get("plugins")
    used = plugins if isinstance(plugins, dict) else {}
    own = {**here, **pinned, "plugins": used if registered is None else _distributions(used, registered)}
    return [in_words(difference) for difference in differences([there, own])]


def _distributions(used: Mapping[str, Any], registered: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the distributions that bring the plugins of a run here."""
    found = {}
    for entry in used:
        kind, _, name = entry.partition(" ")
        distribution = registered.get(kind, {}).get(name)
        if distribution is not None:
            found[entry] = distribution
    return found
