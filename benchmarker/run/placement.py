"""How many cells of a study run at once, on which devices, and what to tell the user about that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarker.run.jobs import Waiting, choose_jobs, oversubscription, requested_jobs
from benchmarker.run.policy import NO_DEVICE, Policy, count_devices, slot_devices
from benchmarker.run.prepare import PreparedStudy
from benchmarker.run.processes import FORKING
from benchmarker.study.plan import Planned, PlannedGenerator


@dataclass(frozen=True, slots=True)
class Placement:
    """Where cells run.

    Parameters
    ----------
    devices : tuple of str or None
        Device of each of the cells that run at once, as CUDA names it; None leaves the environment as it is.
    remarks : tuple of str
        The number of cells and its reason, and what else the user should know.
    """

    devices: tuple[str | None, ...]
    remarks: tuple[str, ...]

    @property
    def jobs(self) -> int:
        """Number of cells at once."""
        return len(self.devices)


def place_cells(policy: Policy, study: PreparedStudy, left: Sequence[Planned]) -> Placement:
    """Return how many cells of a study run at once, and where.

    Parameters
    ----------
    policy : Policy
        Number of cells and devices that the user asks for.
    study : PreparedStudy
        The study.
    left : sequence of PlannedCell or PlannedGenerator
        What of it has no run yet.
    """
    left = [each for each in left if each.key not in study.problems]
    if not left:
        return Placement((None,), ())
    waiting = _waiting(study, left)
    if policy.jobs is None:
        choice = choose_jobs(waiting, devices=count_devices(policy))
    else:
        choice = requested_jobs(policy.jobs, waiting)
    devices = slot_devices(policy, choice.jobs)
    remarks = [choice.reason]
    if policy.jobs is not None:
        remarks += [text for text in (oversubscription(choice.jobs, waiting.threads), _shared(devices)) if text]
    return Placement(tuple(devices), tuple(remarks))


def _waiting(study: PreparedStudy, left: Sequence[Planned]) -> Waiting:
    return Waiting(
        cells=len(left),
        generators=sum(isinstance(each, PlannedGenerator) for each in left),
        threads=max(each.spec.threads for each in left),
        image_bytes=sum(path.stat().st_size for path in study.prepared.iterdir() if path.is_file()),
        servers=len({(each.spec.backend, each.spec.threads) for each in left}) if FORKING else 0,
    )


def _shared(devices: Sequence[str | None]) -> str:
    if len(devices) == len(set(devices)) or devices[0] in {None, NO_DEVICE}:
        return ""
    return f"{len(devices)} jobs share {len(set(devices))} GPU(s), and their memory"
