"""Writes a study as a DAG file for Airflow 3: one task for each step, with real commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_REGISTRY = '"{{ params.registry }}"'
_RESULTS = '"{{ params.results }}"'
_SEEDS = '"{{ params.seeds }}"'
_MODELS = f"{_RESULTS}/../models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One step of a study.

    Parameters
    ----------
    name : str
        Name of the task.
    command : str
        Shell command; may refer to the parameters of the DAG.
    after : tuple of str
        Tasks that must have finished.
    """

    name: str
    command: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDag:
    """A study as tasks.

    Parameters
    ----------
    name : str
        Name of the DAG.
    registry, results : str
        Default paths of the registry and of the study's folder.
    seeds : tuple of int
        Default seeds.
    generators : tuple of str
        Names of the generators, as the registry gives them.
    networks : tuple of str
        Names of the networks that are exported.
    image : str
        Container image that runs the commands; empty to run them where Airflow runs.
    mounts : tuple of str
        Folders that the containers mount under the same path.
    """

    name: str
    registry: str
    results: str
    seeds: tuple[int, ...]
    generators: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    image: str = ""
    mounts: tuple[str, ...] = field(default_factory=tuple)

    @property
    def tasks(self) -> list[Task]:
        """Steps in an order in which each follows those that it needs.

        All networks and arms of a seed are one task, because one process at a time works on a study. What has finished
        is found finished.
        """
        found = [Task(name="prepare", command=f"benchmarker validate {_REGISTRY}")]
        before: tuple[str, ...] = ("prepare",)
        if self.generators:
            train = f"benchmarker gan train {_REGISTRY} -s {_SEEDS} -p {_RESULTS}"
            found.append(Task(name="train_generators", command=train, after=before))
            before = ("train_generators",)
        # One after the other: two runs of one study would wait for its folder.
        for number in range(1, len(self.seeds) + 1):
            train = f"benchmarker run {_REGISTRY} -s {self._seed(number)} -p {_RESULTS}"
            found.append(Task(name=f"train_seed_{number}", command=train, after=before))
            before = (f"train_seed_{number}",)
        report = f"benchmarker report {_RESULTS} --format html --out {_RESULTS}/../report-{_safe(self.name)}"
        found.append(Task(name="report", command=report, after=before))
        exports = [self._export(name, before) for name in self.networks]
        served = " && ".join(f"test -s {_MODELS}/{_safe(name)}/1/model.onnx" for name in self.networks)
        ready = Task(
            name="ready_to_serve", command=served or "true", after=tuple(each.name for each in exports) or before
        )
        return [*found, *exports, ready]

    def _seed(self, number: int) -> str:
        """Return the template of a seed of the parameter, which may have fewer: then one is run, and found, again."""
        return f"\"{{{{ (params.seeds.split(',') * {len(self.seeds)})[{number - 1}] }}}}\""

    def _export(self, name: str, before: tuple[str, ...]) -> Task:
        model = _safe(name)
        export = (
            f"test -e {_MODELS}/{model}/1 || benchmarker model export {_RESULTS} --model {shlex.quote(name)} "
            f"--seed {self._seed(1)} --to onnx --name {model} --version 1 --out {_MODELS}"
        )
        return Task(name=f"export_{model}", command=export, after=before)


def _safe(name: str) -> str:
    return _NAME.sub("-", name).strip("-.") or "model"


def write_dag(dag: StudyDag) -> str:
    """Return the text of the DAG file.

    Parameters
    ----------
    dag : StudyDag
        The study.

    Examples
    --------
    >>> text = write_dag(StudyDag(name="mine", registry="mine.yaml", results="results/mine", seeds=(8901,)))
    >>> compile(text, "mine.py", "exec") is not None
    True
    """
    return "".join(f"{line}\n" for line in _lines(dag))


def _lines(dag: StudyDag) -> Iterator[str]:
    yield f'"""DAG of the study {_safe(dag.name)}, written by `benchmarker airflow`; edit the registry instead."""'
    yield ""
    yield "from datetime import datetime, timedelta"
    yield ""
    yield "from airflow.sdk import DAG"
    if dag.image:
        yield "from airflow.providers.docker.operators.docker import DockerOperator"
        yield "from docker.types import Mount"
    else:
        yield "from airflow.providers.standard.operators.bash import BashOperator"
    yield ""
    yield "with DAG("
    yield f"    dag_id={_safe(dag.name)!r},"
    yield "    schedule=None,"
    yield "    start_date=datetime(2026, 1, 1),"
    yield "    catchup=False,"
    yield "    max_active_runs=1,"
    yield "    default_args={"
    yield '        "owner": "galaxy-benchmarker",'
    yield '        "depends_on_past": False,'
    yield '        "retries": 1,'
    yield '        "retry_delay": timedelta(minutes=5),'
    yield "    },"
    yield "    params={"
    yield f'        "registry": {dag.registry!r},'
    yield f'        "results": {dag.results!r},'
    yield f'        "seeds": {",".join(map(str, dag.seeds))!r},'
    yield "    },"
    yield ") as dag:"
    for number, task in enumerate(dag.tasks):
        yield from _task(number, task, dag)
    yield from _order(dag.tasks)


def _task(number: int, task: Task, dag: StudyDag) -> Iterator[str]:
    if dag.image:
        mounts = ", ".join(f'Mount({path!r}, {path!r}, type="bind")' for path in dag.mounts)
        yield f"    task_{number} = DockerOperator("
        yield f"        task_id={task.name!r},"
        yield f"        image={dag.image!r},"
        yield "        entrypoint=['sh', '-c'],"
        yield f"        command=[{task.command!r}],"
        yield f"        mounts=[{mounts}],"
        yield '        auto_remove="success",'
    else:
        yield f"    task_{number} = BashOperator("
        yield f"        task_id={task.name!r},"
        yield f"        bash_command={task.command!r},"
        yield "        append_env=True,"
    yield "    )"


def _order(tasks: Sequence[Task]) -> Iterator[str]:
    numbers = {task.name: number for number, task in enumerate(tasks)}
    for task in tasks:
        for name in task.after:
            yield f"    task_{numbers[name]} >> task_{numbers[task.name]}"
