"""Rounds of seeds: how a study that runs until its comparisons are decided grows, and why it stopped.

The plan holds the cells of the rounds so far. After each round the comparisons are judged; the networks with a
comparison that more seeds may decide get another one, until none is left or all seeds are spent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from benchmarker.record import Json, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the comparisons of a study say after a round.

    Parameters
    ----------
    pairs, decided, out_of_reach : int
        Number of pairs of rows that are compared, of those with a verdict, and of those that even all seeds would
        hardly decide.
    rows : frozenset of str
        Rows, named by `row_name`, that take part in a comparison that more seeds may decide.
    """

    pairs: int
    decided: int
    rows: frozenset[str]
    out_of_reach: int = 0


class RoundRecord(Record):
    """One round of seeds, and what was decided after it."""

    seeds: int
    """Number of seeds that its rows have at the end of the round: the first ones of the study."""

    rows: tuple[str, ...]
    """Network and arm of each row that gets seeds in this round."""

    pairs: int | None = None
    """Number of pairs of rows compared after the round; left out until the round has ended."""

    decided: int | None = None
    """How many of these pairs have a verdict; left out until the round has ended."""

    out_of_reach: int | None = None
    """How many of the others are too close for all seeds to decide them; left out until the round has ended."""


class RoundsRecord(Record):
    """What a study that runs until it is decided may spend, what it has spent, and why it stopped."""

    seeds: tuple[int, ...]
    """All seeds that the study may use, in this order."""

    at_least: int
    """Number of seeds in the first round."""

    rounds: tuple[RoundRecord, ...]
    """Rounds so far, the first one first; the last one may be running."""

    stopped: Literal["decided", "out of reach", "seeds spent"] | None = None
    """Why there are no more rounds; left out while there may be."""

    @classmethod
    def begin(cls, seeds: Iterable[int], at_least: int, rows: Iterable[str]) -> Self:
        """Return the record of a study in its first round.

        Parameters
        ----------
        seeds : iterable of int
            All seeds that may be used.
        at_least : int
            Number of seeds in the first round.
        rows : iterable of str
            Rows of the study, as `row_name` names them.
        """
        seeds = tuple(seeds)
        first = min(at_least, len(seeds))
        return cls(seeds=seeds, at_least=first, rounds=(RoundRecord(seeds=first, rows=tuple(rows)),))

    def seeds_of(self, row: str, number: int | None = None) -> tuple[int, ...]:
        """Return the seeds that a row has been given.

        Parameters
        ----------
        row : str
            Name of the row.
        number : int, optional
            Count only this many rounds, from the first; all by default.
        """
        return self.seeds[: max((each.seeds for each in self.rounds[:number] if row in each.rows), default=0)]

    def joined(self, rows: Iterable[str]) -> Self:
        """Return the record with rows that are new in the registry, as if they had been in every round."""
        known = {row for each in self.rounds for row in each.rows}
        new = [row for row in rows if row not in known]
        if not new:
            return self
        rounds = tuple(each.model_copy(update={"rows": (*each.rows, *new)}) for each in self.rounds)
        if self.stopped is None:
            return self.model_copy(update={"rounds": rounds})
        given: Json = {"seeds": self.seeds, "at_least": self.at_least, "rounds": rounds}
        return type(self)(**given)

    def after(self, look: Look) -> Self:
        """Return the record after the last round was judged: with its outcome, and with a new round or an end.

        Parameters
        ----------
        look : Look
            What the comparisons say.
        """
        last = self.rounds[-1]
        judged = RoundRecord(
            seeds=last.seeds, rows=last.rows, pairs=look.pairs, decided=look.decided, out_of_reach=look.out_of_reach
        )
        left = tuple(row for row in self._rows if row in look.rows)
        rounds = (*self.rounds[:-1], judged)
        if not left:
            why = "decided" if look.decided == look.pairs else "out of reach"
            return self.model_copy(update={"rounds": rounds, "stopped": why})
        if last.seeds == len(self.seeds):
            return self.model_copy(update={"rounds": rounds, "stopped": "seeds spent"})
        return self.model_copy(update={"rounds": (*rounds, RoundRecord(seeds=last.seeds + 1, rows=left))})

    @property
    def spent(self) -> int:
        """Number of runs that the rounds so far need."""
        return sum(len(self.seeds_of(row)) for row in self._rows)

    @property
    def planned(self) -> int:
        """Number of runs if every row were given every seed."""
        return len(self._rows) * len(self.seeds)

    @property
    def summary(self) -> str:
        """Sentence for readers of the results."""
        counts: dict[int, int] = {}
        for row in self._rows:
            n = len(self.seeds_of(row))
            counts[n] = counts.get(n, 0) + 1
        parts = (f"{n} for {rows} {'row' if rows == 1 else 'rows'}" for n, rows in sorted(counts.items()))
        why = {
            "decided": "it stopped because every comparison of two rows is decided",
            "out of reach": "it stopped because the comparisons left undecided are too close for so many seeds",
            "seeds spent": "it stopped because all seeds are spent, with comparisons left undecided",
            None: "it goes on",
        }[self.stopped]
        return (
            f"Seeds were added until the comparisons were decided: {', '.join(parts)}, of at most {len(self.seeds)} "
            f"({self.spent} of {self.planned} runs); {why}."
        )

    @property
    def _rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row for each in self.rounds for row in each.rows))


def row_name(model: str, arm: str) -> str:
    """Return how rounds name a row of the tables."""
    return f"{model}/{arm}"
