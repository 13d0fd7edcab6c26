"""``benchmarker submit``, ``status`` and ``cancel``."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from benchmarker import ConfigurationError, Study, UserPath, command_settings, counted, echo, open_results
from benchmarker_clusters import on_ray, slurm
from benchmarker_clusters.scripts import Resources
from benchmarker_clusters.states import read_states, summary
from benchmarker_clusters.submissions import read_all
from benchmarker_clusters.submitting import Tasks, Written, left_to_submit, make_tasks, require_setup, write_scripts
from benchmarker_clusters.submitting import submit as submit_all


@click.command(
    **command_settings(
        "benchmarker submit mine.yaml -p results/mine --time 4:00:00",
        "benchmarker submit mine.yaml -p results/mine --partition gpu --gres gpu:1 --setup environment.sh",
        "benchmarker submit mine.yaml -p results/mine --cells-per-task 10 --array-limit 50",
        "benchmarker submit mine.yaml -p results/mine --dry-run",
        "benchmarker submit mine.yaml -p results/mine --executor ray --address auto --mem 4G",
    )
)
@click.argument("registry", type=UserPath())
@click.option(
    "-p",
    "--results-path",
    "study",
    type=UserPath(),
    required=True,
    metavar="FOLDER",
    help="Folder of the study, which all nodes can read and write.",
)
@click.option("-s", "--seed", metavar="N[,N...]", help="Seeds instead of the registry's.")
@click.option(
    "-d",
    "--data",
    type=UserPath(),
    metavar="PATH",
    help="Read the images from this file or folder instead of downloading.",
)
@click.option(
    "--executor",
    type=click.Choice(["slurm", "ray"]),
    default="slurm",
    show_default=True,
    help="What runs the tasks. With ray, the command stays until they have ended.",
)
@click.option(
    "--cells-per-task",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Cells that one task runs, one after the other.",
)
@click.option("--array-limit", type=click.IntRange(min=1), metavar="N", help="Tasks that may run at once.")
@click.option("--mem", "memory", metavar="SIZE", help="Memory of a task, such as 4G.")
@click.option("--retry-failed", is_flag=True, help="Also submit cells that have failed.")
@click.option("--partition", metavar="NAME", help="Slurm: partition of the cluster.")
@click.option("--time", metavar="TIME", help="Slurm: time limit of a task, such as 4:00:00; it resumes afterwards.")
@click.option("--gres", metavar="LIST", help="Slurm: generic resources of a task, such as gpu:1.")
@click.option(
    "--sbatch",
    "further",
    multiple=True,
    metavar="OPTION",
    help="Slurm: another option of sbatch, such as --sbatch=--account=radio; repeat for several.",
)
@click.option(
    "--setup",
    type=UserPath(),
    metavar="FILE",
    help="Slurm: shell script that tasks read first: modules, an environment or a container.",
)
@click.option("--dry-run", is_flag=True, help="Slurm: write the job scripts, but submit nothing.")
@click.option(
    "--address",
    metavar="ADDRESS",
    help="Ray: a running cluster, such as auto or 10.0.0.1:6379; otherwise Ray is started on this machine.",
)
@click.option("--gpus", type=click.FloatRange(min=0), metavar="N", help="Ray: GPUs of a task; 0.5 lets two share one.")
@click.pass_context
def submit(
    context: click.Context,
    registry: Path,
    study: Path,
    *,
    seed: str | None,
    data: Path | None,
    executor: str,
    cells_per_task: int,
    array_limit: int | None,
    memory: str | None,
    retry_failed: bool,
    partition: str | None,
    time: str | None,
    gres: str | None,
    further: tuple[str, ...],
    setup: Path | None,
    dry_run: bool,
    address: str | None,
    gpus: float | None,
) -> int:  # fmt: skip
    """Submit what is left of a registry to Slurm or Ray.

    The data are prepared and the plan is written here. Then each cell, or group of cells, is a task, and generators
    come before the cells that need them. What is finished or in Slurm's queue is left out, so that the same command
    submits what was lost; a study may go on with another executor. Slurm's job scripts are in the study's folder and
    can be submitted by hand.
    """
    _refuse_options_of_others(context, executor)
    if executor == "slurm" and not dry_run and not slurm.is_available():
        raise ConfigurationError(
            "sbatch: not found; run this on a machine that may submit jobs to Slurm, or write the job scripts with "
            "--dry-run"
        )
    setup, n_bytes = require_setup(setup), on_ray.size(memory) if executor == "ray" else 0
    study = study.absolute()
    with on_ray.connected(address) if executor == "ray" else contextlib.nullcontext() as ray:
        if (code := _plan(registry, study, seed=seed, data=data)) != 0:
            return code
        results = open_results(study)
        threads = max((cell.spec.threads for cell in results.cells), default=1)
        queue = _queue(results.study) if slurm.is_available() else {}
        left = left_to_submit(list(read_states(results.study, queue)), retry_failed=retry_failed)
        if not left:
            echo("nothing is left to submit")
            return 0
        options = ["--retry-failed"] if retry_failed else []
        if executor == "ray":
            needs = on_ray.Needs(cores=threads, gpus=gpus or 0.0, memory=n_bytes, at_once=array_limit)
            on_ray.require_possible(ray, needs)
            tasks = make_tasks(results.study, left, cells_per_task=cells_per_task, options=options)
            return _run_on_ray(ray, study, tasks, needs)
        resources = Resources(
            threads=threads,
            array_limit=array_limit,
            partition=partition,
            time=time,
            memory=memory,
            gres=gres,
            further=further,
            setup=setup,
        )
        folder, written = write_scripts(
            results.study, left, resources=resources, cells_per_task=cells_per_task, options=options
        )
        return _submit_to_slurm(study, folder, written, n_runs=len(left), dry_run=dry_run)


def _refuse_options_of_others(context: click.Context, executor: str) -> None:
    """Refuse options that mean nothing to an executor."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        help_text = getattr(parameter, "help", "") or ""
        other = {"slurm": "Ray: ", "ray": "Slurm: "}[executor]
        if help_text.startswith(other) and source is not None and source.name == "COMMANDLINE":
            raise ConfigurationError(f"{parameter.opts[0]}: is an option of {other[:-2]}, not of --executor {executor}")


def _submit_to_slurm(study: Path, folder: Path, written: Sequence[Written], *, n_runs: int, dry_run: bool) -> int:
    """Submit job scripts, unless this is only a trial, and return the exit code."""
    amount = f"{counted(n_runs, 'run')} in {counted(sum(len(each.tasks) for each in written), 'task')}"
    if dry_run:
        echo(f"{amount}; job scripts: {', '.join(str(each.script) for each in written)}")
        return 0
    submission = submit_all(folder, written)
    numbers = ", ".join(str(job.number) for job in submission.jobs)
    echo(f"{amount} submitted as job {numbers}")
    echo(f"Status:   benchmarker status {study}\nCancel:   benchmarker cancel {study}\nScripts:  {folder}")
    return 0


def _run_on_ray(ray: Any, study: Path, tasks: tuple[Tasks, Tasks], needs: on_ray.Needs) -> int:
    """Run tasks, and return the exit code."""
    generators, cells = tasks
    echo(f"{counted(len(generators.commands) + len(cells.commands), 'task')} on Ray; output: {cells.folder}")
    echo(f"Status:   benchmarker status {study}\nStop:     Ctrl-C; the same command resumes")
    errors = on_ray.run_tasks(ray, generators, cells, needs)
    echo(f"{study}: {summary(list(read_states(open_results(study).study, {})))}")
    return 1 if errors else 0


@click.command(**command_settings("benchmarker status results/mine", "benchmarker status results/mine --all"))
@click.argument("study", type=UserPath())
@click.option("--all", "everything", is_flag=True, help="Also list what is finished, queued or not submitted.")
def status(study: Path, *, everything: bool) -> int:
    """Show what of a study is finished, running, queued, failed or lost.

    Run folders say what is finished; Slurm's queue, where there is one, says what is running. A run is lost if its task
    has ended and it has not: `benchmarker submit` with the same arguments resumes it. One that was not submitted has
    begun: it is in training elsewhere, or was interrupted; the time of its last epoch tells.
    """
    results = open_results(study)
    queue = None
    if slurm.is_available():
        try:
            queue = _queue(results.study)
        except slurm.SlurmError as error:  # run folders can be read all the same
            echo(f"the queue is unknown: {error}", err=True)
    states = list(read_states(results.study, queue))
    echo(f"{study}: {summary(states)}")
    for state in states:
        if everything or state.word in {"running", "failed", "unreadable", "begun", "lost"}:
            echo(state.line())
    return 0


@click.command(**command_settings("benchmarker cancel results/mine"))
@click.argument("study", type=UserPath())
def cancel(study: Path) -> int:
    """Cancel the queued and running tasks of a study.

    Finished cells stay, and cells in training keep their last complete epoch. `benchmarker submit` resumes them.
    """
    results = open_results(study)
    queue = _queue(results.study)
    slurm.cancel(job for job, _ in queue)
    echo(f"{counted(len(queue), 'task')} cancelled" if queue else "no task is queued or running")
    return 0


def _queue(study: Study) -> dict[slurm.Task, str]:
    submitted = read_all(study.folder)
    return slurm.queued(
        {job.number: folder / job.script for folder, submission in submitted for job in submission.jobs}
    )


def _plan(registry: Path, study: Path, *, seed: str | None, data: Path | None) -> int:
    """Prepare the data and write the plan, with the progress that a run shows."""
    command = [sys.executable, "-P", "-m", "benchmarker", "run", str(registry), "-p", str(study), "--plan-only"]
    command += ["-s", seed] if seed is not None else []
    command += ["-d", str(data)] if data is not None else []
    return subprocess.run(command, check=False).returncode
