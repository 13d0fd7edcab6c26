"""Which cells of a registry one command runs, where several commands or machines share them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarker.errors import ConfigurationError
from benchmarker.run.seats import by_program
from benchmarker.study.plan import Planned, PlannedCell, PlannedGenerator
from benchmarker.study.selectors import RunName, choose_runs

_SHARE = re.compile(r"([1-9]\d*)/([1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Share:
    """One of several equal shares of the cells of a registry.

    Parameters
    ----------
    number, of : int
        Number of the share, from 1, and of all shares.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Share:
        """Read ``3/24``.

        Raises
        ------
        ConfigurationError
            If it is no share.
        """
        found = _SHARE.fullmatch(text.strip())
        if found is None or int(found[1]) > int(found[2]):
            raise ConfigurationError(
                f"--share: the number of a share and of all shares, such as 3/24, was expected. Received: {text!r}"
            )
        return cls(int(found[1]), int(found[2]))

    def take(self, planned: Sequence[Planned]) -> list[Planned]:
        """Return this share: each of them gets every network, as far as there are enough seeds and arms.

        Seeds that share a program are in one share, since a program takes as long for one of them as for all.
        """
        return [each for program in by_program(planned)[self.number - 1 :: self.of] for each in program]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The cells that one command runs.

    Parameters
    ----------
    cells : str, optional
        Selector of cells and generators; all of them by default.
    share : Share, optional
        Which of them; all by default.
    """

    cells: str | None = None
    share: Share | None = None

    def of(
        self, cells: Sequence[PlannedCell], generators: Sequence[PlannedGenerator], *, where: str
    ) -> tuple[list[PlannedCell], list[PlannedGenerator]]:
        """Return the chosen cells, and the chosen generators with those that the cells need.

        Parameters
        ----------
        cells, generators : sequence
            All that a registry plans.
        where : str
            Name of the registry, for messages.

        Raises
        ------
        ConfigurationError
            If the selector names nothing.
        """
        chosen: Sequence[Planned] = cells
        if self.cells is not None:
            everything: list[Planned] = [*generators, *cells]
            meant = choose_runs([_name(each) for each in everything], self.cells, where=where)
            positions = {position for choice in meant for position in choice.positions}
            chosen = [everything[position] for position in sorted(positions)]
        if self.share is not None:
            chosen = self.share.take(chosen)
        mine = [each for each in chosen if isinstance(each, PlannedCell)]
        wanted = {each.generator for each in mine} | {each.key for each in chosen}
        return mine, [each for each in generators if each.key in wanted]


def _name(planned: Planned) -> RunName:
    network = planned.label if isinstance(planned, PlannedGenerator) else planned.model
    return RunName(networks=(network,), arm=planned.arm, seed=planned.seed, key=planned.key)
