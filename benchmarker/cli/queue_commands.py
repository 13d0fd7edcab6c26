"""``benchmarker status`` and ``cancel``: how far what was submitted is, and ending it."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker.cli.options import command_settings, study_argument
from benchmarker.printing import counted, echo

_SHOWN = {"running", "failed", "unreadable", "begun", "lost"}


@click.command(**command_settings("benchmarker status results/mine", "benchmarker status results/mine --all"))
@study_argument
@click.option("--all", "everything", is_flag=True, help="Also list what is finished, queued or not submitted.")
def status(study: Path, *, everything: bool) -> int:
    """Show what of a study is finished, running, queued, failed or lost.

    Run folders say what is finished; the queue that the study was submitted to says what is running. A run is lost if
    its task has ended and it has not: `benchmarker submit` with the same arguments resumes it. One that has begun is in
    training, or was interrupted; the time of its last epoch tells.
    """
    from benchmarker.discovery import installed
    from benchmarker.executors.states import ask_queues, read_states, summary
    from benchmarker.results.study_results import open_results

    results = open_results(study)
    queues = ask_queues(results.study.folder, installed())
    for problem in queues.problems.values():  # run folders can be read all the same
        echo(problem, err=True)
    states = list(read_states(results.study, queues))
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
    of an executor that stays, such as local and ray, end with Ctrl-C in the command that submitted them.
    """
    from benchmarker.discovery import installed
    from benchmarker.executors.states import queued_jobs, queueing
    from benchmarker.results.study_results import open_results

    n_cancelled = 0
    for name, jobs in queued_jobs(open_results(study).study.folder).items():
        executor = queueing(name, installed())
        if executor is not None:
            with executor.connected():
                n_cancelled += executor.cancel(jobs)
    echo(f"{counted(n_cancelled, 'task')} cancelled" if n_cancelled else "no task is queued or running")
    return 0
