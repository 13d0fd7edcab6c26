"""Which runs a row of the leaderboard averages: those that differ only in their seed.

They come from one environment, and their networks have the same number of parameters: a network whose code changed
where no digest covers it, such as in a module outside its package, is another network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarker.digests import flatten
from benchmarker.results.environments import Fingerprints, environment_labels
from benchmarker.results.study import CellRecord, Study
from benchmarker.study.fingerprint import Fingerprint

_SHORT = 16
_MOST_SETTINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that differ only in their seed, with those of their runs that come from one environment.

    Parameters
    ----------
    cells : tuple of CellRecord
        All planned cells.
    finished : tuple of CellRecord
        Cells whose runs are averaged.
    variant : str
        Settings that distinguish the group from others of the same model and arm; usually empty.
    environment : str
        Label of the environment, or of the size of the network, where the runs come from several.
    environments : tuple of (Fingerprint, tuple of CellRecord)
        Finished cells by environment and by the number of parameters, in an order that depends only on these.
    """

    cells: tuple[CellRecord, ...]
    finished: tuple[CellRecord, ...]
    environments: tuple[tuple[Fingerprint, tuple[CellRecord, ...]], ...]
    variant: str = ""
    environment: str = ""


def planned_groups(study: Study) -> list[Group]:
    """Return the cells of a study by model, arm and settings, in this order; each group has all its finished runs."""
    prints = Fingerprints()
    alike: dict[tuple[str, str], dict[str, list[CellRecord]]] = {}
    for cell in study.cells:
        configurations = alike.setdefault((cell.model, cell.arm), {})
        configurations.setdefault(cell.configuration, []).append(cell)
    groups: list[Group] = []
    for configurations in alike.values():
        groups += _named([_group(cells, prints) for cells in configurations.values()])
    return sorted(groups, key=lambda group: (group.cells[0].model, group.cells[0].arm, group.variant))


def _group(cells: Sequence[CellRecord], prints: Fingerprints) -> Group:
    finished = tuple(cell for cell in cells if cell.status == "ok")
    return Group(cells=tuple(cells), finished=finished, environments=tuple(_by_environment(finished, prints)))


def _by_environment(
    finished: Sequence[CellRecord], prints: Fingerprints
) -> Iterator[tuple[Fingerprint, tuple[CellRecord, ...]]]:
    found: dict[tuple[bytes, float], tuple[Fingerprint, list[CellRecord]]] = {}
    for cell in finished:
        if (fingerprint := cell.fingerprint) is not None:
            key = (prints.key(fingerprint), n_parameters(cell))
            found.setdefault(key, (fingerprint, []))[1].append(cell)
    for key in sorted(found):
        yield found[key][0], tuple(found[key][1])


def n_parameters(cell: CellRecord) -> float:
    """Return the number of parameters of the network of a finished cell."""
    return cell.cost_values.get("parameters", 0)


def _named(groups: Sequence[Group]) -> Sequence[Group]:
    """Distinguish groups of one model and arm by the settings in which they differ."""
    if len(groups) == 1:
        return groups
    settings = [flatten(group.cells[0].spec.shared_settings()) for group in groups]
    names = sorted({name for one in settings for name in one})
    differing = [name for name in names if len({one.get(name) for one in settings}) > 1]
    named = []
    for group, own in zip(groups, settings, strict=True):
        parts = [f"{name.rpartition('.')[2]}={_shortened(own.get(name, '-'))}" for name in differing]
        named.append(replace(group, variant=", ".join(parts[:_MOST_SETTINGS])))
    return named


def _shortened(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:8]}..."


def split_by_environment(group: Group) -> list[Group]:
    """Split a group by the environments of its runs; each part keeps the planned denominator."""
    if len(group.environments) < 2:
        return [group]
    labels = _labels(group)
    return [
        replace(group, finished=cells, environment=label)
        for label, (_, cells) in zip(labels, group.environments, strict=True)
    ]


def _labels(group: Group) -> list[str]:
    """Return a label for each part of a group: its environment, its number of parameters, or both."""
    prints = Fingerprints()
    keys = [prints.key(fingerprint) for fingerprint, _ in group.environments]
    distinct = dict(zip(keys, (fingerprint for fingerprint, _ in group.environments), strict=True))
    names = dict(zip(distinct, environment_labels(list(distinct.values())), strict=True))
    sizes = [n_parameters(cells[0]) for _, cells in group.environments]
    if len(set(sizes)) == 1:
        return [names[key] for key in keys]
    words = (f"{size:,.0f} parameters" for size in sizes)
    return [", ".join(filter(None, (names[key], word))) for key, word in zip(keys, words, strict=True)]


def split_by_training(group: Group) -> list[Group]:
    """Keep tests of saved weights apart from the average of trained networks."""
    trained = tuple(cell for cell in group.finished if cell.trained)
    if len(trained) in {0, len(group.finished)}:
        return [group]
    tested = tuple(cell for cell in group.finished if not cell.trained)
    return [replace(group, finished=trained), replace(group, finished=tested)]
