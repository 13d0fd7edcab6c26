"""Seats: what a cell needs to be run, of which there are as many as jobs. Seeds in one program share one."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from benchmarker.printing import counted
from benchmarker.run.lanes import LanePlace, LaneProgram
from benchmarker.study.plan import Planned, PlannedCell
from benchmarker.study.protocol import LanesJob


@dataclass(slots=True)
class _Shared:
    """A seat that holds a program for several seeds of one configuration."""

    number: int
    configuration: str
    program: LaneProgram
    taken: set[int] = field(default_factory=set)
    sitting: int = 0


class Seat:
    """A seat that is taken; leaving its ``with`` block gives it back.

    Parameters
    ----------
    seats : Seats
        Where it belongs.
    number : int
        Number of the job, counted from 0; also an attribute.
    shared : _Shared or None
        Program for several seeds, where the cell needs one; also an attribute.
    lane : LanePlace or None
        Place in that program; also an attribute.
    """

    def __init__(self, seats: Seats, number: int, shared: _Shared | None, lane: LanePlace | None) -> None:
        self.number = number
        self.lane = lane
        self.shared = shared
        self._seats = seats

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._seats.give_back(self)


class Seats:
    """The seats of a run; used by several threads.

    Parameters
    ----------
    jobs : int
        Number of seats.
    together : bool
        Whether cells that say so share a program; not where saved weights are tested.
    """

    def __init__(self, jobs: int, *, together: bool = True) -> None:
        self._together = together
        self._lock = threading.Lock()
        self._free = list(range(jobs))
        self._shared: list[_Shared] = []

    def take(self, planned: Planned) -> Seat | None:
        """Return a seat for a cell or generator, or None if all are taken.

        A cell that is trained in a program for several seeds sits down beside the other seeds of its configuration,
        unless its lane is, or was, another one's.
        """
        of = lanes_of(planned)
        with self._lock:
            if of == 1 or not self._together or not isinstance(planned, PlannedCell):
                return Seat(self, self._free.pop(0), None, None) if self._free else None
            spec = planned.spec
            shared = next((each for each in self._shared if _has_room(each, planned)), None)
            if shared is None:
                if not self._free:
                    return None
                program = LaneProgram(LanesJob(backend=spec.backend, of=of))
                shared = _Shared(self._free.pop(0), planned.configuration, program)
                self._shared.append(shared)
            shared.taken.add(spec.lane)
            shared.sitting += 1
            return Seat(self, shared.number, shared, LanePlace(shared.program, spec.lane))

    def give_back(self, seat: Seat) -> None:
        """Take back a seat; a program ends when nobody sits there any more.

        A cell that another run works on, or has finished, stood up without a process, and may come again.
        """
        shared = seat.shared
        with self._lock:
            if shared is not None:
                shared.sitting -= 1
                if seat.lane is not None and not shared.program.has_had(seat.lane.number):
                    shared.taken.discard(seat.lane.number)
                if shared.sitting:
                    return
                self._shared.remove(shared)
        try:
            if shared is not None:
                shared.program.close()  # nobody sits there while the process still ends
        finally:
            with self._lock:
                self._free.append(seat.number)
                self._free.sort()


def _has_room(shared: _Shared, cell: PlannedCell) -> bool:
    return shared.configuration == cell.configuration and cell.spec.lane not in shared.taken


def lanes_of(planned: Planned) -> int:
    """Return how many seeds are trained in one program with a cell; 1 where it has one for itself."""
    return planned.spec.training.seeds_at_once if isinstance(planned, PlannedCell) else 1


def most_at_once(planned: Sequence[Planned]) -> int:
    """Return how many cells may share a seat."""
    return max(map(lanes_of, planned), default=1)


def by_program(planned: Sequence[Planned]) -> list[list[Planned]]:
    """Return what is to be run, as groups of what a process runs: the seeds of a program, or one cell or generator.

    Parameters
    ----------
    planned : sequence of PlannedCell or PlannedGenerator
        What is to be run.
    """
    groups: dict[tuple[str, int], list[Planned]] = {}
    met: dict[tuple[str, int], int] = {}
    for each in planned:
        if lanes_of(each) == 1 or not isinstance(each, PlannedCell):
            groups[each.key, 0] = [each]
            continue
        lane = (each.configuration, each.spec.lane)
        met[lane] = met.get(lane, 0) + 1
        groups.setdefault((each.configuration, met[lane]), []).append(each)
    return list(groups.values())


def describe_programs(planned: Sequence[Planned]) -> str:
    """Return in how many programs cells are trained, and how well these are filled; empty where no seeds share one.

    Parameters
    ----------
    planned : sequence of PlannedCell or PlannedGenerator
        What is to be run.
    """
    programs = [group for group in by_program(planned) if lanes_of(group[0]) > 1]
    if not programs:
        return ""
    cells, places = sum(map(len, programs)), sum(lanes_of(group[0]) for group in programs)
    which = "which has" if len(programs) == 1 else "each of which has"
    found = (
        f"{counted(cells, 'cell')} in {counted(len(programs), 'program')}, {which} places for {most_at_once(planned)} "
        "seeds of a network and counts as one cell here"
    )
    if places > cells:
        found += f"; {places - cells} of {places} places stay empty"
    of_one: dict[str, int] = {}
    for group in programs:
        of_one[group[0].configuration] = of_one.get(group[0].configuration, 0) + len(group)
    lanes = {group[0].configuration: lanes_of(group[0]) for group in programs}
    fewest = sum(math.ceil(count / lanes[configuration]) for configuration, count in of_one.items())
    return found + (f", and consecutive seeds would need {fewest}" if fewest < len(programs) else "")


def in_order_of_programs(planned: Sequence[Planned]) -> list[Planned]:
    """Return what is to be run with the seeds of each configuration together, where some share a program."""
    if most_at_once(planned) == 1:
        return list(planned)
    first: dict[str, int] = {}
    for place, each in enumerate(planned):
        first.setdefault(each.configuration, place)
    return sorted(planned, key=lambda each: first[each.configuration])
