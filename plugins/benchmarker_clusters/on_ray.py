"""Runs the cells of a study as tasks of Ray, on a cluster that exists or on this machine."""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Annotated, Any

from pydantic import Field

from benchmarker import (
    BatchJob,
    BenchmarkerError,
    ConfigurationError,
    Options,
    TaskId,
    TaskState,
    Work,
    echo,
)
from benchmarker_clusters import coordinator
from benchmarker_clusters.ray_addresses import address_of_this_machine, problem_at
from benchmarker_clusters.ray_tasks import Needs, RayTasks, first_line

_GIB = 1 << 30
_OBJECTS_BYTES = 80 << 20  # the least that Ray takes; tasks exchange numbers only
_UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": _GIB, "T": 1 << 40}
_ANSWER_SECONDS = 60.0
_NUMBER = re.compile(r"(?P<address>[\w.:\[\]-]+)/(?P<name>[0-9a-f]{32})/(?P<group>generators|cells)")


class RayError(BenchmarkerError):
    """Ray cannot be started, or does not answer."""


class RayOptions(Options):
    """Which cluster to use, and what each task asks it for."""

    address: str | None = Field(default=None, json_schema_extra={"metavar": "ADDRESS"})
    """A running cluster, such as auto or 10.0.0.1:6379; otherwise Ray is started on this machine."""

    mem: str | None = Field(default=None, json_schema_extra={"metavar": "SIZE"})
    """Memory of a task, such as 4G."""

    gpus: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """GPUs of a task; 0.5 lets two share one."""


class RayExecutor:
    """Runs tasks on a cluster; a task whose node is lost runs again on another one.

    On a cluster that exists, a coordinator goes on when the submitting command has ended. A Ray that is started on this
    machine ends with that command, which therefore stays.

    Parameters
    ----------
    options : RayOptions
        Which cluster, and what a task asks for.
    """

    def __init__(self, options: RayOptions) -> None:
        self._options = options
        self._memory = size(options.mem)
        self._ray: Any = None

    @property
    def stays(self) -> bool:
        """Whether Ray is started on this machine, and ends with the command."""
        return self._options.address is None

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Connect to the cluster, if the options name one."""
        require_ray()
        address = self._options.address
        if address in {"", "local"}:
            raise ConfigurationError(
                f"--address: auto or HOST:PORT was expected; leave it out to start Ray here. Received: {address!r}"
            )
        with contextlib.ExitStack() as stack:
            if address is not None:
                self._ray = stack.enter_context(connected(address))
            yield

    def submit(self, work: Work, report: Callable[[BatchJob], None]) -> int:
        """Hand all tasks to a coordinator, or run them here and return how many of them ended with an error."""
        needs = Needs(cores=work.threads, gpus=self._options.gpus, memory=self._memory, at_once=work.at_once)
        if self.stays:
            with connected(None) as ray:
                require_possible(ray, needs)
                _report(work, report, "")
                return RayTasks(ray, work, needs).run(echo)
        require_possible(self._ray, needs)
        name = uuid.uuid4().hex
        # First, so that nothing runs that cannot be cancelled.
        _report(work, report, f"{address_of(self._ray)}/{name}/")
        try:
            coordinator.start(self._ray, name, work, needs)
        except self._ray.exceptions.RayError as error:
            raise RayError(f"Ray: the coordinator of the tasks does not begin: {first_line(error)}") from error
        return 0

    def states(self, jobs: Sequence[BatchJob]) -> Mapping[TaskId, TaskState]:
        """Return the state of each task that has not ended."""
        found: dict[TaskId, TaskState] = {}
        with self._of_jobs(jobs) as (ray, known):
            for (name, folder), numbers in _coordinators(known).items():
                left = _ask(ray, name, "left", folder) or {}
                found |= {(numbers[group], index): state for (group, index), state in left.items() if group in numbers}
        return found

    def cancel(self, jobs: Sequence[BatchJob]) -> int:
        """Cancel the tasks that have not ended."""
        n_left = 0
        with self._of_jobs(jobs) as (ray, known):
            for name, folder in _coordinators(known):
                n_left += len(_ask(ray, name, "left", folder) or ())
                _ask(ray, name, "stop", folder)
        return n_left

    @contextlib.contextmanager
    def _of_jobs(self, jobs: Sequence[BatchJob]) -> Iterator[tuple[Any, dict[BatchJob, re.Match[str]]]]:
        """Return a context with Ray, connected to the cluster of some jobs, and their numbers, taken apart.

        The address in a number is compared and never connected to, since somebody else may have written it, and a
        cluster can make whoever connects to it run code. The user names the cluster.
        """
        parsed = {job: match for job in jobs if (match := _NUMBER.fullmatch(job.number))}
        if not parsed:
            yield self._ray, {}
            return
        addresses = {match["address"] for match in parsed.values()}
        listed = ", ".join(sorted(addresses))
        hint = f"tasks were submitted to the Ray cluster {listed}; set RAY_ADDRESS to it if it is yours"
        with contextlib.ExitStack() as stack:
            ray = self._ray or stack.enter_context(connected("auto", hint=hint))
            here = address_of(ray)  # a cluster may have several, so that one that knows the coordinator counts as well
            known = {
                job: match
                for job, match in parsed.items()
                if match["address"] == here or coordinator.find(ray, match["name"]) is not None
            }
            if not known and self._ray is None:
                raise RayError(hint)
            others = sorted(addresses - {match["address"] for match in known.values()})
            if others and self._ray is not None:  # this submits
                echo(f"tasks that were submitted to the Ray cluster {', '.join(others)} count as ended", err=True)
            yield ray, known


def _coordinators(jobs: Mapping[BatchJob, re.Match[str]]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the numbers of jobs by their groups, for each coordinator: its name, and the folder of its submission."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for job, match in jobs.items():
        found.setdefault((match["name"], str(job.folder.resolve())), {})[match["group"]] = job.number
    return found


def _report(work: Work, report: Callable[[BatchJob], None], number: str) -> None:
    for name, tasks in work.groups:
        keys = tuple(task.keys for task in tasks)
        report(BatchJob(name=name, number=number and f"{number}{name}", tasks=keys, folder=work.folder))


def _ask(ray: Any, name: str, method: str, folder: str) -> Any:
    """Ask a coordinator for the tasks of a submission; None if it has ended."""
    actor = coordinator.find(ray, name)
    if actor is None:
        return None
    try:
        return ray.get(getattr(actor, method).remote(folder), timeout=_ANSWER_SECONDS)
    except ray.exceptions.ActorDiedError:  # its tasks have just ended
        return None
    except ray.exceptions.RayError as error:
        raise RayError(f"Ray: the coordinator of the tasks does not answer: {first_line(error)}") from error


def address_of(ray: Any) -> str:
    """Return the address of the cluster that Ray is connected to."""
    return str(ray.get_runtime_context().gcs_address)


def size(text: str | None) -> int:
    """Return the bytes that a size such as ``4G`` stands for, as Slurm reads it: without a unit it is in MiB.

    Raises
    ------
    ConfigurationError
        If it is none.

    Examples
    --------
    >>> size("4G"), size("500"), size(None)
    (4294967296, 524288000, 0)
    """
    if text is None:
        return 0
    digits, unit = text.rstrip("KMGTkmgt"), text[len(text.rstrip("KMGTkmgt")) :].upper()
    if not digits.isdecimal() or unit not in _UNITS:
        raise ConfigurationError(f"--mem: a size such as 4G was expected. Received: {text!r}")
    return int(digits) * _UNITS[unit]


def require_ray() -> ModuleType:
    """Return Ray.

    Raises
    ------
    ConfigurationError
        If it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError(
            f"--executor ray: {error}; install it with: pip install 'galaxy-benchmarker[clusters]'"
        ) from error
    module: ModuleType = ray
    return module


@contextlib.contextmanager
def connected(address: str | None, *, hint: str = "--address names a running cluster") -> Iterator[Any]:
    """Connect to a cluster, or start Ray on this machine, and yield the module.

    Parameters
    ----------
    address : str, optional
        Address of a cluster, such as ``10.0.0.1:6379``, or ``auto`` for that of ``RAY_ADDRESS`` or of this machine;
        without one, Ray is started here and ends with the block.
    hint : str
        What to do if there is none.

    Raises
    ------
    ConfigurationError
        If Ray is not installed.
    RayError
        If there is no cluster at the address.
    """
    ray: Any = require_ray()
    named = address_of_this_machine() if address == "auto" else address or ""
    if (problem := problem_at(named, hint=hint)) is not None:
        raise RayError(f"Ray: {problem}")
    here: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _OBJECTS_BYTES}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else here))
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise RayError(f"Ray: {first_line(error)}; {hint}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def require_possible(ray: Any, needs: Needs) -> None:
    """Refuse what no node of a cluster has: Ray would wait for such a node for ever.

    Raises
    ------
    ConfigurationError
        If no node has it.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = needs.resources()
    if any(all(node.get(name, 0.0) >= amount for name, amount in wanted.items()) for node in nodes):
        return
    largest = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in wanted}
    raise ConfigurationError(
        f"no node of the Ray cluster has what a task needs ({_in_words(wanted)}). Received: nodes with up to "
        f"{_in_words(largest)}"
    )


def _in_words(resources: dict[str, float]) -> str:
    return ", ".join(
        f"{amount / _GIB:.1f} GiB of memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in resources.items()
    )
