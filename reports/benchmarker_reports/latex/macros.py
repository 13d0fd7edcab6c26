r"""One macro for each number: ``\GBConvxpressRealMpcaMean``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarker import Comparisons, Leaderboard, LeaderboardRow, metric_label
from benchmarker_reports.bars import t_span
from benchmarker_reports.latex.escaping import comment, escaped, letters

PREFIX = "GB"


class Macros:
    """Names and values, each name once: a second meaning of a name gets ``Again`` at its end."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, str]] = {}

    def add(self, parts: Sequence[str], value: object, meaning: str) -> None:
        """Define a macro.

        Parameters
        ----------
        parts : sequence of str
            What its name is made from; digits are spelled out, and everything but letters is left out.
        value : object
            What it prints.
        meaning : str
            For the comment beside it.
        """
        name = PREFIX + "".join(letters(part) or "Unnamed" for part in parts)
        while name in self._values:
            name += "Again"
        self._values[name] = (escaped(value), comment(meaning))

    def text(self) -> str:
        """Return the definitions, one on each line."""
        lines = [f"\\newcommand{{\\{name}}}{{{value}}} % {meaning}" for name, (value, meaning) in self._values.items()]
        return "\n".join(lines) + "\n"

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)


def macros(board: Leaderboard, checkpoint: str, compared: Comparisons | None, level: float) -> Macros:
    """Return a macro for each number of the leaderboard and of the comparisons.

    Parameters
    ----------
    board : Leaderboard
        Means and deviations of every metric, class and cost at one checkpoint.
    checkpoint : {"best", "final"}
        Which.
    compared : Comparisons or None
        Differences with their intervals.
    level : float
        Of the intervals of means.
    """
    found = Macros()
    for name, value in (("cells finished", board.ok), ("cells planned", board.planned), ("images", board.images)):
        found.add((name,), f"{value:,}", name)
    rows = board.at(checkpoint)
    if rows:
        found.add(("leader",), rows[0].label, "first line of the leaderboard")
    for row in rows:
        _of_row(found, board, row, level)
    for _, line in compared.rows() if compared else ():
        scope = "" if line.scope == "overall" else f" {line.scope}"
        same = line.first.network == line.second.network
        parts = [line.first.network, line.first.arm, "minus", line.second.arm if same else line.second.network]
        what = f"{line.first.label} minus {line.second.label}{scope}"
        for name, number in (("difference", line.difference), ("low", line.low), ("high", line.high)):
            if number is not None:
                found.add([*parts, *scope.split(), name], f"{number:+.3g}", f"{what}: {name}")
        if line.p_adjusted is not None:
            found.add([*parts, *scope.split(), "p"], f"{line.p_adjusted:.3g}", f"{what}: p after Holm's correction")
        found.add([*parts, *scope.split(), "verdict"], line.verdict, f"{what}: verdict over {line.n} seeds")
    return found


def _of_row(found: Macros, board: Leaderboard, row: LeaderboardRow, level: float) -> None:
    parts = (row.label, row.arm)
    found.add((*parts, "seeds"), row.n, f"{row.label} / {row.arm}: seeds of {row.planned}")
    for name, summary in {**row.metrics, **row.costs}.items():
        write = metric_label(name).write
        what = f"{row.label} / {row.arm}: {name}"
        found.add((*parts, name, "mean"), write(summary.mean), f"{what}, mean of {summary.n} seeds")
        if summary.standard_deviation is not None:
            found.add((*parts, name, "deviation"), write(summary.standard_deviation), f"{what}, sample deviation")
        span = t_span(summary, level) if name == board.sort and summary.n > 1 else None
        if span is not None:
            found.add((*parts, name, "low"), write(span.low), f"{what}, lower end of the {level:.4g} interval")
            found.add((*parts, name, "high"), write(span.high), f"{what}, upper end of the {level:.4g} interval")
