"""The coordinator of a submission: an actor on a Ray cluster that runs tasks after the submitting command has ended.

It lives on the head of the cluster, without which there is no cluster. Ray starts it again if its process ends; then it
runs all tasks once more, which takes little time for runs that have finished, and resumes the others.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any

from benchmarker import TaskState, Work
from benchmarker_clusters.ray_tasks import Needs, RayTasks, first_line

NAMESPACE = "galaxy-benchmarker"
_ON_THE_HEAD = {"node:__internal_head__": 0.001}
_CALLS_AT_ONCE = 4
_START_SECONDS = 120.0


class Coordinator:
    """Runs the tasks of some work in a thread, and answers what is left of them.

    Whoever asks names the folder of the submission: the names of coordinators are in folders of studies, which somebody
    may have copied.

    Parameters
    ----------
    name : str
        Name of the actor.
    work : Work
        What to run.
    needs : Needs
        What each task asks for.
    """

    def __init__(self, name: str, work: Work, needs: Needs) -> None:
        import ray

        self._name = name
        self._folder = work.folder
        self._output = output_of(work.folder)
        self._stopped = work.folder / "cancelled"  # outlives this process
        self._tasks = RayTasks(ray, work, needs)
        threading.Thread(target=self._run, daemon=True).start()

    def left(self, folder: str) -> dict[tuple[str, int], TaskState]:
        """Return the state of each task that has not ended."""
        return self._tasks.left() if self._is_mine(folder) else {}

    def stop(self, folder: str) -> None:
        """Cancel what has not ended."""
        if self._is_mine(folder):
            with contextlib.suppress(OSError):
                self._stopped.touch()
            self._tasks.stop()

    def _is_mine(self, folder: str) -> bool:
        return os.path.realpath(folder) == os.path.realpath(self._folder)

    def _run(self) -> None:
        import ray

        try:
            if not self._stopped.exists():
                self._tasks.run(self._tell)
        except Exception as error:  # what is left is then lost, and not queued for ever
            self._tell(f"the coordinator failed: {type(error).__name__}: {first_line(error)}")
            raise
        finally:
            ray.kill(ray.get_actor(self._name, namespace=NAMESPACE), no_restart=True)

    def _tell(self, line: str) -> None:
        # A full disk ends no task.
        with contextlib.suppress(OSError), self._output.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")


def start(ray: Any, name: str, work: Work, needs: Needs) -> None:
    """Start the coordinator of some work on a cluster.

    Parameters
    ----------
    ray : module
        Ray, connected to the cluster.
    name : str
        Name of the coordinator.
    work : Work
        What to run.
    needs : Needs
        What each task asks for.

    Raises
    ------
    RayError of Ray
        If it does not begin; nothing of it is left then.
    """
    actor = (
        ray.remote(Coordinator)
        .options(
            name=name,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            resources=_ON_THE_HEAD,
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=_CALLS_AT_ONCE,
        )
        .remote(name, work, needs)
    )
    try:
        ray.get(actor.left.remote(str(work.folder)), timeout=_START_SECONDS)
    except ray.exceptions.ActorDiedError:
        if not output_of(work.folder).exists():  # otherwise all tasks have ended already
            raise
    except BaseException:
        ray.kill(actor, no_restart=True)
        raise


def find(ray: Any, name: str) -> Any:
    """Return the coordinator of that name, or None if its tasks have ended.

    Parameters
    ----------
    ray : module
        Ray, connected to the cluster.
    name : str
        Its name.
    """
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def output_of(folder: Path) -> Path:
    """Return the file in the folder of a submission that says how each task has ended."""
    return folder / "tasks.txt"
