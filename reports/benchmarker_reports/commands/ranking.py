"""Ranks of networks over several studies on different datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import ConfigurationError
from benchmarker_reports.commands.writing import table
from benchmarker_reports.content.values import signed_as

if TYPE_CHECKING:
    from benchmarker import RankDiagram
    from benchmarker_reports.commands.selection import Selection

_AXIS = 48
_MARGIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Ranks of the networks that several studies have in common.

    Parameters
    ----------
    diagram : RankDiagram
        Mean ranks and their critical difference.
    metric : str
        Metric that networks are ranked by.
    values : mapping of str to mapping of str to float
        For each dataset, the mean over seeds of each network.
    left_out : tuple of str
        Networks without a result on some dataset.
    caveats : tuple of str
        Sentences that belong beside the ranks.
    """

    diagram: RankDiagram
    metric: str
    values: Mapping[str, Mapping[str, float]]
    left_out: tuple[str, ...]
    caveats: tuple[str, ...]


def ranked(selections: Sequence[Selection]) -> Ranked:
    """Rank the networks that all studies have.

    Parameters
    ----------
    selections : sequence of Selection
        One study per dataset.

    Raises
    ------
    ConfigurationError
        If two studies use the same images, or have different primary metrics.
    RanksError
        If fewer than two networks or datasets are left.
    """
    import pandas as pd

    from benchmarker import rank_diagram

    settings = selections[0].settings
    names = _datasets(selections)
    several_arms = len({row.arm for each in selections for row in each.rows}) > 1
    values: dict[str, dict[str, float]] = {}
    caveats = []
    for name, each in zip(names, selections, strict=True):
        if each.settings.metric != settings.metric:
            raise ConfigurationError(
                f"{selections[0].text} is evaluated by {settings.metric}, {each.text} by {each.settings.metric}. "
                "Rank studies with the same primary metric."
            )
        for row in each.rows:
            if not row.seeds:
                continue
            label = row.label if several_arms else row.network
            values.setdefault(name, {})[label] = sum(row.values.values()) / len(row.seeds)
            if row.unfinished:
                caveats.append(f"{label} on {name}: {row.unfinished}")
    everything = dict.fromkeys(label for name in names for label in values.get(name, ()))
    common = [label for label in everything if all(label in values.get(name, {}) for name in names)]
    lines = [{"dataset": name, "network": label, "value": values[name][label]} for name in names for label in common]
    frame = pd.DataFrame(lines, columns=["dataset", "network", "value"])
    found = rank_diagram(frame, "value", higher_is_better=settings.higher_is_better, level=settings.level)
    return Ranked(
        diagram=found,
        metric=settings.metric,
        values=values,
        left_out=tuple(label for label in everything if label not in common),
        caveats=(*found.caveats, *_shared_names(selections), *caveats),
    )


def described(found: Ranked, level: float) -> str:
    """Return ranks and their diagram as text, which fits into 80 columns if names are short."""
    diagram = found.diagram
    head = ("network", "mean rank", *diagram.datasets)
    lines = []
    for name, rank in zip(diagram.networks, diagram.mean_ranks, strict=True):
        cells = [signed_as(found.metric, found.values[dataset][name]).lstrip("+") for dataset in diagram.datasets]
        lines.append((name, f"{rank:.2f}", *cells))
    p = "< 0.001" if diagram.p < 0.001 else f"= {diagram.p:.3f}"
    counted = f"{len(diagram.networks)} networks on {len(diagram.datasets)} datasets"
    text = [
        f"{counted}, by {found.metric}, averaged over seeds",
        "",
        table(head, lines),
        "",
        f"Friedman test that all networks are equal: chi-squared = {diagram.chi_squared:.2f}, p {p}",
        f"Critical difference of mean ranks at {level:.4g} (Nemenyi): {diagram.critical_difference:.2f}",
        "",
        *_drawn(diagram),
        "",
    ]
    text += [f"No significant difference: {', '.join(group)}" for group in diagram.groups] or [
        "All differences between mean ranks are significant."
    ]
    if found.left_out:
        text.append(f"Left out, because some dataset lacks them: {', '.join(found.left_out)}")
    return "\n".join([*text, *found.caveats])


def _drawn(diagram: RankDiagram) -> list[str]:
    """Draw the diagram of Demšar (2006) as text: an axis of ranks, a mark for each network, a bar for each group."""
    n = len(diagram.networks)

    def at(rank: float) -> int:
        return round((rank - 1) / (n - 1) * (_AXIS - 1))

    def span(low: float, high: float, sign: str) -> str:
        return " " * at(low) + sign * (at(high) - at(low) + 1)

    ticks = [" "] * (_AXIS + 2)
    axis = ["-"] * _AXIS
    for whole in range(1, n + 1):
        axis[at(whole)] = "|"
        for k, digit in enumerate(str(whole)):
            ticks[at(whole) + k] = digit
    reach = min(1 + diagram.critical_difference, float(n))
    beyond = " (longer than the axis)" if 1 + diagram.critical_difference > n else ""
    margin = " " * _MARGIN
    lines = [f"{margin}{span(1, reach, '=')}  critical difference{beyond}"]
    lines += [margin + "".join(ticks).rstrip(), margin + "".join(axis)]
    ranks = dict(zip(diagram.networks, diagram.mean_ranks, strict=True))
    for name, rank in ranks.items():
        place = " " * at(rank) + "o"
        lines.append(f"{margin}{place.ljust(_AXIS)}  {rank:5.2f}  {name}")
    lines += [
        f"{margin}{span(ranks[group[0]], ranks[group[-1]], '=').ljust(_AXIS)}  not significant"
        for group in diagram.groups
    ]
    return lines


def _datasets(selections: Sequence[Selection]) -> list[str]:
    """Return a name for the dataset of each study; the same images twice are an error."""
    seen: dict[str, str] = {}
    names = []
    for each in selections:
        dataset = each.results.study.dataset
        if dataset.digest in seen:
            raise ConfigurationError(
                f"{seen[dataset.digest]} and {each.text} use the same images. Ranks are taken over datasets, never "
                "over seeds or repetitions. Compare these two studies without others."
            )
        seen[dataset.digest] = each.text
        names.append(dataset.name)
    return [
        name if names.count(name) == 1 else f"{name} ({each.results.folder.resolve().name})"
        for name, each in zip(names, selections, strict=True)
    ]


def _shared_names(selections: Sequence[Selection]) -> list[str]:
    names = [each.results.study.dataset.name for each in selections]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f"Several studies use {name}. If they share images, they count as one dataset." for name in twice]
