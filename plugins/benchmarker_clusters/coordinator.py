"""The coordinator of a submission: an actor on a Ray cluster that runs tasks after the submitting command has ended.

It lives on the head of the cluster, without which there is no cluster. Ray starts it again if its process ends; then it
runs all tasks once more, which takes little time for runs that have finished, and resumes the others.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import Any

from benchmarker import TaskState, Work
from benchmarker_clusters.ray_tasks import Needs, RayTasks, first_line

NAMESPACE = "galaxy-benchmarker"
_ON_THE_HEAD = {"node:__internal_head__": 0.001}
_CALLS_AT_ONCE = 4


class Coordinator:
    """Runs the tasks of some work in a thread, and answers what is left of them.

    Parameters
    ----------
    name : str
        Name of the actor.
    work : Work
        What to run.
    needs : Needs
        What each task asks for.
    environment : mapping of str to str
        Variables for the tasks.
    """

    def __init__(self, name: str, work: Work, needs: Needs, environment: Mapping[str, str]) -> None:
        import ray

        self._name = name
        self._output = work.folder / "tasks.txt"
        self._tasks = RayTasks(ray, work, needs, environment)
        threading.Thread(target=self._run, daemon=True).start()

    def left(self) -> dict[tuple[str, int], TaskState]:
        """Return the state of each task that has not ended."""
        return self._tasks.left()

    def stop(self) -> None:
        """Cancel what has not ended."""
        self._tasks.stop()

    def _run(self) -> None:
        import ray

        try:
            self._tasks.run(self._tell)
        except Exception as error:  # what is left is then lost, and not queued for ever
            self._tell(f"the coordinator failed: {type(error).__name__}: {first_line(error)}")
            raise
        finally:
            ray.kill(ray.get_actor(self._name, namespace=NAMESPACE), no_restart=True)

    def _tell(self, line: str) -> None:
        with self._output.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")


def start(ray: Any, work: Work, needs: Needs, environment: Mapping[str, str]) -> str:
    """Start the coordinator of some work on a cluster, and return its name.

    Parameters
    ----------
    ray : module
        Ray, connected to the cluster.
    work : Work
        What to run.
    needs : Needs
        What each task asks for.
    environment : mapping of str to str
        Variables for the tasks.
    """
    name = uuid.uuid4().hex
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
        .remote(name, work, needs, environment)
    )
    ray.get(actor.left.remote())  # it has begun, or this raises
    return name


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
