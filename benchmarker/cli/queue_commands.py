"""``benchmarker status`` and ``cancel``: how far what was submitted is, and ending it."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker.cli.options import command_settings, study_argument
from benchmarker.errors import BenchmarkerError
from benchmarker.printing import counted, echo

_SHOWN = {"running", "failed", "unreadable", "begun", "lost"}


@click.command(**command_settings("benchmarker status results/mine", "benchmarker status results/mine --follow"))
@study_argument
@click.option("--all", "everything", is_flag=True, help="Also list what is finished, queued or not submitted.")
@click.option(
    "--follow", "following", is_flag=True, help="Go on until nothing is queued or running, and print what changes."
)
def status(study: Path, *, everything: bool, following: bool) -> int:
    """Show what of a study is finished, running, queued, failed or lost.

    Run folders say what is finished; the queue that the study was submitted to says what is running. A run is lost if
    its task has ended and it has not: `benchmarker submit` with the same arguments resumes it. One that has begun is in
    training, or was interrupted; the time of its last epoch tells.

    With --follow, Ctrl-C leaves the tasks as they are. The exit code is 0 if all runs have finished.
    """
    if following:
        from benchmarker.cli.following import follow

        return follow(study)
    from benchmarker.discovery import installed
    from benchmarker.executors.states import look, summary

    states, queues = look(study, installed())
    for problem in queues.problems.values():  # run folders can be read all the same
        echo(problem, err=True)
    echo(f"{study}: {summary(states)}")
    for state in states:
        if everything or state.word in _SHOWN:
            echo(state.line())
    return 0


@click.command(**command_settings("benchmarker cancel results/mine"))
@study_argument
def cancel(study: Path) -> int:
    """Cancel the queued and running tasks of a study.

    Finished cells stay, and cells in training keep their last complete epoch. `benchmarker submit` resumes them. Tasks
    of an executor that stays, such as local, end with Ctrl-C in the command that submitted them.
    """
    from benchmarker.discovery import installed
    from benchmarker.executors.opening import open_executor
    from benchmarker.executors.states import queued_jobs
    from benchmarker.results.study_results import open_results

    n_cancelled, problems = 0, []
    for name, jobs in queued_jobs(open_results(study).study.folder).items():
        try:
            executor = open_executor(installed().executor(name), {})
            with executor.connected():
                n_cancelled += executor.cancel(jobs)
        except BenchmarkerError as error:  # the tasks of other executors are cancelled all the same
            problems.append(f"the tasks of {name} cannot be cancelled: {error}")
    for problem in problems:
        echo(problem, err=True)
    if n_cancelled or not problems:
        echo(f"{counted(n_cancelled, 'task')} cancelled" if n_cancelled else "no task is queued or running")
    return 1 if problems else 0
