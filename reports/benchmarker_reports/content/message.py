"""What a study says, in sentences: who leads and with whom it ties, which arm helps, what is not decided.

Every format begins with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker import counted, metric_label
from benchmarker_reports.content.values import sentence, signed_as, written_level

if TYPE_CHECKING:
    from benchmarker import Comparison, Comparisons, ComparisonTable, Leaderboard, Verdict
    from benchmarker_reports.content.leaderboard import Line

MOST_NAMES = 4
"""Names that a sentence lists."""

_EFFECTS: Mapping[Verdict, tuple[str, str]] = {
    "better": ("helps", "help"),
    "worse": ("hurts", "hurt"),
    "equivalent": ("makes no practical difference", "make no practical difference"),
}
"""What an arm does, and what several do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What sentences are made of.

    Parameters
    ----------
    board : Leaderboard
    lines : tuple of Line
        Its lines, the best first.
    comparisons : Comparisons or None
        None where the lines are not compared.
    level : str
        Level of intervals: ``"95 %"``.
    """

    board: Leaderboard
    lines: tuple[Line, ...]
    comparisons: Comparisons | None
    level: str

    @property
    def arms(self) -> int:
        """Number of arms."""
        return len({line.arm for line in self.lines})


def messages(content: Material) -> tuple[str, ...]:
    """Return the message of a study, the most important sentence first.

    Parameters
    ----------
    content : Material
    """
    if not any(line.runs for line in content.lines):
        return ("No run has finished yet.",)
    leader = next((line for line in content.lines if line.first.rank is not None), None)
    if leader is None:
        return ("No network has finished all of its seeds yet, so none is ranked.",)
    found = content.comparisons
    if found is None or found.metric != content.board.sort:
        return (_score(leader, content, alone=len(content.lines) == 1),)
    return (*_leader(leader, content, found), *_arms(content, found), *_missing(leader, found), *found.caveats)


def _score(line: Line, content: Material, *, alone: bool = False) -> str:
    """Return the score of a line with its interval."""
    verb = "reaches" if alone else "leads with"
    return f"{line.label} {verb} {_amount(line, content)}{_interval(line, content)}."


def _amount(line: Line, content: Material) -> str:
    """Return the mean of a line in words: ``"a mean per-class accuracy of 87.2 %"``."""
    board = content.board
    label = metric_label(board.sort)
    name, _, percent = label.long.partition(" in percent")
    mean = "-" if line.summary is None else label.write(line.summary.mean)
    unit = " %" if label.long.endswith(" in percent") else f" {board.unit(board.sort)}".rstrip()
    article = "" if board.sort in line.first.costs else "an " if name[:1] in "aeiou" else "a "
    return f"{article}{name}{percent} of {mean}{unit}"


def _interval(line: Line, content: Material) -> str:
    estimate, write = line.estimate, metric_label(content.board.sort).write
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    scope = "for new galaxies" if estimate.covers_sources else "over seeds"
    return f", {content.level} interval {scope} {write(estimate.low)} to {write(estimate.high)}"


def _leader(leader: Line, content: Material, found: Comparisons) -> Iterator[str]:
    """Say who leads, whom it beats and with whom it ties: averaged over arms, or within its own arm."""
    averaged = found.table("main_networks")
    if averaged is not None and averaged.rows:
        best = _best_on_average(averaged)
        rows = [row for each in averaged.rows if (row := _from(best, each)) is not None and row.n > 1]
        known = f"; {_told_apart(rows)}" if rows else ""
        yield f"Averaged over {_count_of_arms(content)}, {best} leads{known}."
        yield (
            f"The best combination is {leader.label} in the arm {leader.arm}, with {_amount(leader, content)}"
            f"{_interval(leader, content)}."
        )
        return
    if content.arms > 1 and len({line.label for line in content.lines}) == 1:
        best = f"does best in the arm {leader.arm}, with {_amount(leader, content)}{_interval(leader, content)}"
        yield f"{leader.label} {best}."
        return
    yield _score(leader, content, alone=len(content.lines) == 1)
    table = found.table("networks")
    rows = [
        row
        for each in (table.rows if table else ())
        if each.first.arm == leader.arm and (row := _from(leader.label, each)) is not None and row.n > 1
    ]
    if rows:
        yield f"{sentence(_told_apart(rows))}."


def _count_of_arms(content: Material) -> str:
    return counted(content.arms, "arm")


def _best_on_average(table: ComparisonTable) -> str:
    """Return the network with the best mean over arms."""
    means = {side.network: side.mean for row in table.rows for side in (row.first, row.second) if side.mean is not None}
    sign = 1 if table.rows[0].higher_is_better else -1
    return max(means, key=lambda name: sign * means[name])


def _from(network: str, row: Comparison) -> Comparison | None:
    """Return a comparison with a network as its first side, or None where it has no part in it."""
    if row.first.network == network:
        return row
    return row.reversed if row.second.network == network else None


def _told_apart(rows: Sequence[Comparison]) -> str:
    """Return what is known of a network's differences from others."""
    worse = [row.second.network for row in rows if row.verdict == "better"]
    same = [row.second.network for row in rows if row.verdict == "equivalent"]
    open_ = [row.second.network for row in rows if row.verdict not in {"better", "equivalent"}]
    parts = []
    if worse:
        everyone = " all others" if len(worse) == len(rows) > 1 else f" {_named(worse)}"
        parts.append(f"it is significantly better than{everyone}")
    if same:
        parts.append(f"it is equivalent to {_named(same)}")
    if open_:
        everyone = "any other network" if len(open_) == len(rows) > 1 else _named(open_, last="or")
        parts.append(f"it cannot be told from {everyone} yet")
    return ", but ".join([", and ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def _named(names: Sequence[str], *, last: str = "and") -> str:
    """Return a list of names in words, shortened where it is long."""
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[: MOST_NAMES - 1])} and {counted(len(names) - MOST_NAMES + 1, 'other')}"
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _arms(content: Material, found: Comparisons) -> Iterator[str]:
    """Say which arm helps: averaged over networks, or for the only network."""
    averaged = found.table("main_arms")
    table = averaged or found.table("arms")
    if table is None:
        return
    if averaged is None and len({row.first.network for row in table.rows}) > 1:
        yield from _counted_arms(table, found)
        return
    over = f", averaged over {len({line.label for line in content.lines})} networks" if averaged else ""
    for verdict, (one_does, several_do) in _EFFECTS.items():
        rows = _largest_first(row for row in table.rows if row.verdict == verdict)
        if len(rows) == 1:
            yield f"The arm {rows[0].first.arm} {one_does}: {_difference(rows[0], found)}{over}."
        elif rows:
            listed = [f"{row.first.arm} ({_difference(row, found)})" for row in rows]
            yield f"{sentence(f'{over}, '.removeprefix(', '))}{len(rows)} arms {several_do}: {_named(listed)}."
    undecided = [row for row in table.rows if row.verdict == "undecided" and row.n > 1]
    if undecided:
        listed = [f"{row.first.arm} ({_difference(row, found)})" for row in undecided]
        yield f"Not decided against {found.reference}{over}: {_named(listed)}."
    yield from _interactions(found)


def _largest_first(rows: Iterable[Comparison]) -> list[Comparison]:
    """Return comparisons by the size of their differences, the largest first."""
    return sorted(rows, key=lambda row: -abs(row.difference or 0.0))


def _counted_arms(table: ComparisonTable, found: Comparisons) -> Iterator[str]:
    """Count the verdicts on each arm where there is no average, because runs are missing."""
    for arm in dict.fromkeys(row.first.arm for row in table.rows):
        rows = [row for row in table.rows if row.first.arm == arm and row.n > 1]
        better, worse = (sum(row.verdict == verdict for row in rows) for verdict in ("better", "worse"))
        if rows:
            yield (
                f"The arm {arm} against {found.reference}: better for {better}, worse for {worse} of "
                f"{counted(len(rows), 'network')}."
            )


def _interactions(found: Comparisons) -> Iterator[str]:
    table = found.table("interactions")
    for row in table.rows if table else ():
        if row.verdict in {"better", "worse"}:
            yield (
                f"The effect of {row.first.arm} on {row.first.network} differs from that on the other networks: "
                f"{_difference(row, found)}."
            )


def _difference(row: Comparison, found: Comparisons) -> str:
    """Return a difference with its corrected interval."""
    if row.difference is None:
        return "no shared seed"
    unit = f" {row.unit}" if row.unit else ""
    text = f"{signed_as(row.metric, row.difference)}{unit}"
    if row.low_adjusted is None or row.high_adjusted is None:
        return text
    low, high = (signed_as(row.metric, end) for end in (row.low_adjusted, row.high_adjusted))
    return f"{text}, {written_level(found.level)} interval {low} to {high}"


def _missing(leader: Line, found: Comparisons) -> Iterator[str]:
    """Say what it would take to tell the leader from the network that is closest to being told apart."""
    from benchmarker import plan_seeds

    table = found.table("networks")
    # Averages over arms have sentences of their own, which may decide what one arm does not.
    several = table is not None and any(row.first.arm != leader.arm for row in table.rows)
    place = f"In the arm {leader.arm}, " if several else ""
    for each in table.rows if table else ():
        row = _from(leader.label, each) if each.first.arm == leader.arm else None
        if row is None or row.verdict != "undecided" or not row.difference or row.variance is None or table is None:
            continue
        level = 1 - (1 - found.level) / max(1, table.tests)
        plan = plan_seeds(abs(row.difference), row.variance, level=level)
        size = f"{signed_as(row.metric, abs(row.difference)).lstrip('+')}{f' {row.unit}' if row.unit else ''}"
        pair = f"{leader.label} from {row.second.network}, if they differ by the {size} measured"
        if plan.needed is not None:
            yield f"{place}{'about' if place else 'About'} {plan.needed} seeds would tell {pair}."
        elif plan.obstacle == "sources" and plan.sources_factor is not None and row.n_sources:
            enough = round(row.n_sources * plan.sources_factor)
            tested = f"about {enough:,} test sources instead of {row.n_sources:,}"
            yield f"{place}{'no' if place else 'No'} number of seeds tells {pair}: that takes {tested}."
        return
