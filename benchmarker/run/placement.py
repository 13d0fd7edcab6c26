"""How many cells of a study run at once, on which devices, and what to tell the user about that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarker.backends import NO_DEVICE
from benchmarker.printing import counted
from benchmarker.run.gpu_memory import GpuNeed, gpu_needs
from benchmarker.run.gpus import Gpu, gpu_names, mps_is_running, usable_gpus
from benchmarker.run.jobs import GIB, GpuRoom, Waiting, choose_jobs, oversubscription, requested_jobs
from benchmarker.run.policy import Policy
from benchmarker.run.prepare import PreparedStudy
from benchmarker.run.processes import FORKING
from benchmarker.run.seats import by_program, describe_programs, most_at_once
from benchmarker.study.plan import Planned, PlannedGenerator

MPS_CLIENTS = 48
"""Processes that NVIDIA MPS serves at once on a GPU; newer versions serve more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where cells run.

    Parameters
    ----------
    devices : tuple of str or None
        Device of each of the cells that run at once, as CUDA names it; None leaves the environment as it is.
    remarks : tuple of str
        The number of cells and its reason, and what else the user should know.
    alone : frozenset of str
        Keys of the cells and generators that run alone on their GPU, because what they need there is unknown.
    """

    devices: tuple[str | None, ...]
    remarks: tuple[str, ...] = ()
    alone: frozenset[str] = frozenset()

    @property
    def jobs(self) -> int:
        """Number of cells at once."""
        return len(self.devices)

    def is_shared(self, device: str | None) -> bool:
        """Whether several cells may use a GPU at once."""
        return device not in {None, NO_DEVICE} and self.devices.count(device) > 1

    @property
    def fewer(self) -> int:
        """Value of ``--jobs`` with which fewer cells share a GPU."""
        gpus = len(set(self.devices))
        return max(gpus, self.jobs - gpus)


def place_cells(policy: Policy, study: PreparedStudy, left: Sequence[Planned], *, together: bool = True) -> Placement:
    """Return how many cells of a study run at once, and where.

    Parameters
    ----------
    policy : Policy
        Number of cells and devices that the user asks for.
    study : PreparedStudy
        The study.
    left : sequence of PlannedCell or PlannedGenerator
        What of it has no run yet.
    together : bool
        Whether seeds share a program where the registry says so; not where saved weights are tested.
    """
    left = [each for each in left if each.key not in study.problems]
    if not left:
        return Placement(devices=(None,))
    seeds = most_at_once(left) if together else 1
    placement = _place(policy, study, left, _waiting(study, left, seeds))
    if seeds == 1:
        return placement
    return replace(placement, remarks=(*placement.remarks, describe_programs(left)))


def _place(policy: Policy, study: PreparedStudy, left: Sequence[Planned], waiting: Waiting) -> Placement:
    if policy.jobs is not None:
        return _as_requested(policy, policy.jobs, waiting)
    gpus = usable_gpus(policy.gpus)
    if not gpus:
        choice = choose_jobs(waiting)
        return Placement(devices=_without_gpus(policy, choice.jobs), remarks=(choice.reason,))
    needs = gpu_needs(study, left) if len(left) > len(gpus) else {}
    room = find_room(gpus, needs, mps=mps_is_running())
    choice = choose_jobs(waiting, room)
    devices = spread([gpu.name for gpu in gpus], room.cells, choice.jobs)
    unknown = frozenset(each.key for each in left if each.key not in needs)
    remarks = (_with_sharing(choice.reason, devices),)
    return Placement(
        devices=devices, remarks=remarks, alone=unknown if len(set(devices)) < len(devices) else frozenset()
    )


def _as_requested(policy: Policy, jobs: int, waiting: Waiting) -> Placement:
    """Return where cells run if the user says how many, whatever they need."""
    choice = requested_jobs(jobs, waiting)
    names = gpu_names(policy.gpus)
    devices = spread(names, [1] * len(names), choice.jobs) if names else _without_gpus(policy, choice.jobs)
    warning = oversubscription(choice.jobs, waiting.threads, on_gpus=bool(names))
    return Placement(devices=devices, remarks=(_with_sharing(choice.reason, devices), *([warning] if warning else ())))


def _waiting(study: PreparedStudy, left: Sequence[Planned], seeds: int) -> Waiting:
    return Waiting(
        cells=len(left) if seeds == 1 else len(by_program(left)),
        generators=sum(isinstance(each, PlannedGenerator) for each in left),
        threads=max(each.spec.threads for each in left),
        image_bytes=seeds * sum(path.stat().st_size for path in study.prepared.iterdir() if path.is_file()),
        servers=len({(each.spec.backend, each.spec.threads) for each in left}) if FORKING else 0,
    )


def _without_gpus(policy: Policy, jobs: int) -> tuple[str | None, ...]:
    return (NO_DEVICE if policy.gpus == () else None,) * jobs


def find_room(gpus: Sequence[Gpu], needs: Mapping[str, GpuNeed], *, mps: bool) -> GpuRoom:
    """Return how many cells find room on each GPU: as many as the largest of them allows, and at least one.

    Parameters
    ----------
    gpus : sequence of Gpu
        GPUs to use.
    needs : mapping of str to GpuNeed
        What cells need, where it is known.
    mps : bool
        Whether NVIDIA MPS is running.
    """
    largest = max(needs.values(), key=lambda need: need.n_bytes, default=None)
    cells = tuple(_room(gpu, largest, mps=mps) for gpu in gpus)
    named = counted(len(gpus), "GPU")
    known = [gpu.free_bytes for gpu in gpus if gpu.free_bytes is not None]
    if largest is None or not known:
        unknown = "what a cell needs there" if known else "whose free memory"
        return GpuRoom(cells, f"{named}, {unknown} is unknown, so that none is shared")
    least = f"{min(known) / GIB:.1f} GiB"
    free = f"{least} free" if len(gpus) == 1 else f"at least {least} free on each"
    per_cell = f"{largest.n_bytes / GIB:.1f} GiB per cell, {largest.known_by} for {largest.network}"
    alone = [gpu for gpu in gpus if gpu.free_bytes is None or (gpu.exclusive and not mps)]
    single = f"; one cell on each of {len(alone)} in exclusive mode or of unknown memory" if alone else ""
    return GpuRoom(cells, f"{named} with {free}, {per_cell}{single}")


def _room(gpu: Gpu, largest: GpuNeed | None, *, mps: bool) -> int:
    if gpu.free_bytes is None or largest is None or (gpu.exclusive and not mps):
        return 1
    room = max(1, gpu.free_bytes // largest.n_bytes)
    return min(room, MPS_CLIENTS) if mps else room


def spread(names: Sequence[str], room: Sequence[int], jobs: int) -> tuple[str, ...]:
    """Return the GPU of each of the cells that run at once, so that each GPU is filled to the same part of its room.

    A cell sees one GPU whatever the number of jobs: the devices are part of its fingerprint.

    Parameters
    ----------
    names : sequence of str
        GPUs, as CUDA names them.
    room : sequence of int
        Number of cells that each has room for; it may be exceeded.
    jobs : int
        Number of cells at once.

    Examples
    --------
    >>> spread(["0", "1"], [2, 1], 4)
    ('0', '1', '0', '0')
    """
    given = [0] * len(names)
    slots = []
    for _ in range(jobs):
        chosen = min(range(len(names)), key=lambda k: (given[k] / room[k], k))
        given[chosen] += 1
        slots.append(names[chosen])
    return tuple(slots)


def _with_sharing(reason: str, devices: Sequence[str | None]) -> str:
    """Add how cells share GPUs, where they do."""
    used = {device for device in devices if device not in {None, NO_DEVICE}}
    if not used or len(used) == len(devices):
        return reason
    mps = "compute side by side through NVIDIA MPS" if mps_is_running() else "take turns, as NVIDIA MPS is not running"
    return f"{reason}; {len(devices)} cells share {counted(len(used), 'GPU')} and {mps}"
