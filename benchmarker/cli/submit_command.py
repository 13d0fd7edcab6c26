"""``benchmarker submit``: hands what is left of a study to an executor."""

from __future__ import annotations

import functools
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.options import PATH, command_settings
from benchmarker.errors import ConfigurationError, PluginError
from benchmarker.printing import counted, echo

if TYPE_CHECKING:
    from benchmarker.contracts.plugins import Executor
    from benchmarker.executors.opening import ExecutorOption
    from benchmarker.executors.submissions import SubmissionLog
    from benchmarker.results.study import CellRecord, GeneratorRecord, Study

_PREFIX = "executor_option_"
_METAVARS = {str: "TEXT", int: "N", float: "N", Path: "FILE"}

_option = functools.partial(click.option, panel="For every executor")


class SubmitCommand(click.RichCommand):
    """A command that also has the options of all installed executors."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own options, those of executors, and ``--help``."""
        own = super().get_params(ctx)
        taken = {flag for parameter in own for flag in parameter.opts}
        found: list[click.Parameter] = [_declared(option) for option in self.executor_options(taken)]
        return [*own[:-1], *found, own[-1]]

    def executor_options(self, taken: set[str]) -> list[ExecutorOption]:
        """Return the options that executors have; one whose options are wrong fails when it is used, and not in help.

        Parameters
        ----------
        taken : set of str
            Options of the command itself, which an executor cannot have.
        """
        from benchmarker.discovery import installed
        from benchmarker.executors.opening import executor_options

        usable: list[Executor] = []
        found: list[ExecutorOption] = []
        for entry in installed().all("executor"):
            try:
                candidates = executor_options([*usable, entry.plugin])  # type: ignore[list-item]
            except PluginError:
                continue
            if not taken & {option.flag for option in candidates}:
                usable.append(entry.plugin)  # type: ignore[arg-type]
                found = candidates
        return found


def _declared(option: ExecutorOption) -> click.Parameter:
    names = " and ".join(option.executors)
    if option.kind is bool:
        more: dict[str, Any] = {"is_flag": True, "default": None}
    else:
        more = {
            "type": PATH if option.kind is Path else option.kind,
            "metavar": option.metavar or _METAVARS[option.kind],
            "multiple": option.several,
        }
    return click.RichOption(
        [option.flag, _PREFIX + option.field], help=option.help, panel=f"Options of {names}", **more
    )


@click.command(
    cls=SubmitCommand,
    **command_settings(
        "benchmarker submit mine.yaml -p results/mine --executor local",
        "benchmarker submit mine.yaml -p results/mine --executor slurm --time 4:00:00",
        "benchmarker submit mine.yaml -p results/mine --executor slurm --partition gpu --gres gpu:1",
        "benchmarker submit mine.yaml -p results/mine --executor slurm --cells-per-task 10 --array-limit 50",
        "benchmarker submit mine.yaml -p results/mine --executor ray --address auto --mem 4G",
    ),
)
@click.argument("registry", type=PATH)
@_option(
    "-p",
    "--results-path",
    "study",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="Folder of the study, which all nodes can read and write.",
)
@_option("-s", "--seed", metavar="N[,N...]", help="Seeds instead of the registry's.")
@_option(
    "-d", "--data", type=PATH, metavar="PATH", help="Read the images from this file or folder instead of downloading."
)
@_option(
    "--executor",
    required=True,
    metavar="NAME",
    help="What runs the tasks: local, slurm, ray or another one of `benchmarker list executors`.",
)
@_option(
    "--cells-per-task",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Cells that one task runs, one after the other.",
)
@_option("--array-limit", type=click.IntRange(min=1), metavar="N", help="Tasks that may run at once.")
@_option("--retry-failed", is_flag=True, help="Also submit cells that have failed, unless their task has not ended.")
@click.pass_context
def submit(
    context: click.RichContext,
    /,
    registry: Path,
    study: Path,
    *,
    seed: str | None,
    data: Path | None,
    executor: str,
    cells_per_task: int,
    array_limit: int | None,
    retry_failed: bool,
    **others: Any,
) -> int:
    """Submit what is left of a registry to an executor, such as this machine, Slurm or Ray.

    The data are prepared and the plan is written here. Then each cell, or group of cells, is a task, and generators
    come before the cells that need them. What is finished or in a queue is left out, so that the same command submits
    what was lost; a study may go on with another executor.
    """
    from benchmarker.discovery import installed
    from benchmarker.executors.opening import executor_options, open_executor
    from benchmarker.executors.states import ask_queues, read_states
    from benchmarker.executors.submissions import SubmissionLog, new_folder
    from benchmarker.executors.tasks import advise_on_programs, left_to_submit, make_work, queued_generators
    from benchmarker.results.study_results import open_results

    described = installed().executor(executor)
    own = {option.field for option in executor_options([described])}
    runner = open_executor(described, _chosen(context, described.name, own, others))
    study = study.absolute()
    with runner.connected():
        if (code := _plan(registry, study, seed=seed, data=data)) != 0:
            return code
        read = open_results(study).study
        queues = ask_queues(read.folder, installed(), {described.name: runner})
        if described.name in queues.problems:  # what is in the queue would be submitted twice
            raise ConfigurationError(f"{queues.problems[described.name]}; nothing was submitted")
        for problem in queues.problems.values():
            echo(problem, err=True)
        states = list(read_states(read, queues))
        left = _of_this_registry(read, left_to_submit(states, retry_failed=retry_failed))
        if retry_failed and (n_queued := sum(state.is_failed_in_queue for state in states)):
            echo(f"{counted(n_queued, 'failed run')} left out, whose tasks have not ended; submit again when they have")
        if not left:
            echo("nothing is left to submit")
            return 0
        if advice := advise_on_programs(left, cells_per_task):
            echo(advice)
        earlier = queued_generators(states, left)
        work = make_work(
            read,
            left,
            folder=new_folder(read.folder),
            cells_per_task=cells_per_task,
            at_once=array_limit,
            options=["--retry-failed"] if retry_failed else [],
            earlier=earlier.pop(described.name, ()),
        )
        for other, tasks in earlier.items():
            echo(f"{counted(len(tasks), 'generator')} in the queue of {other}: cells wait for them within their tasks")
        n_tasks = len(work.generators) + len(work.cells)
        amount = f"{counted(len(left), 'run')} in {counted(n_tasks, 'task')}"
        log = SubmissionLog(folder=work.folder, executor=described.name)
        if runner.stays:
            echo(f"{amount} on {described.name}; output: {work.folder}")
            echo(f"Status:   benchmarker status {shlex.quote(str(study))}\nStop:     Ctrl-C; the same command resumes")
        errors = runner.submit(work, log)
        _conclude(read, log, amount, stays=runner.stays)
        return 1 if errors else 0


def _of_this_registry(study: Study, left: list[CellRecord | GeneratorRecord]) -> list[CellRecord | GeneratorRecord]:
    """Return those of some runs that the study's last registry makes, and say how many others there are."""
    from benchmarker.executors.tasks import of_registry
    from benchmarker.registry.loading import load_registry

    loaded = load_registry(study.folder / study.plan.registry.copy_name)
    found = of_registry(study, left, loaded.registry.all_seeds)
    if others := len(left) - len(found):
        echo(f"{counted(others, 'run')} of other registries or seeds of this study left out: submit them with theirs")
    return found


def _chosen(context: click.Context, executor: str, own: set[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, as plain data; refuse those of other executors."""
    chosen = {}
    for parameter in context.command.get_params(context):
        name = parameter.name or ""
        field = name.removeprefix(_PREFIX)
        source = context.get_parameter_source(name)
        if not name.startswith(_PREFIX) or source is None or source.name != "COMMANDLINE":
            continue
        if field not in own:
            raise ConfigurationError(
                f"{parameter.opts[0]} is not an option of --executor {executor}; leave it out, or use an executor that "
                "has it (see `benchmarker submit --help`)"
            )
        value = values[name]
        several = isinstance(value, tuple)
        chosen[field] = [_plain(each) for each in value] if several else _plain(value)
    return chosen


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _conclude(study: Study, log: SubmissionLog, amount: str, *, stays: bool) -> None:
    """Say what was submitted, or how the tasks of an executor that stays have ended."""
    from benchmarker.executors.states import Queues, read_states, summary
    from benchmarker.results.study_results import open_results

    if stays:
        echo(f"{study.folder}: {summary(list(read_states(open_results(study.folder).study, Queues())))}")
    elif log.jobs:
        echo(f"{amount} submitted as job {', '.join(job.number for job in log.jobs)}")
        quoted = shlex.quote(str(study.folder))
        echo(f"Follow:   benchmarker status {quoted} --follow\nCancel:   benchmarker cancel {quoted}")
        echo(f"Output:   {log.folder}")
    else:
        echo(f"{amount} written to {log.folder}; nothing was submitted")


def _plan(registry: Path, study: Path, *, seed: str | None, data: Path | None) -> int:
    """Prepare the data and write the plan, with the progress that a run shows."""
    command = [sys.executable, "-P", "-m", "benchmarker", "run", str(registry), "-p", str(study), "--plan-only"]
    command += ["-s", seed] if seed is not None else []
    command += ["-d", str(data)] if data is not None else []
    return subprocess.run(command, check=False).returncode
