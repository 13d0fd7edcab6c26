"""``benchmarker status --follow``: prints what changes in a study until nothing of it is queued or running."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker.cli.interrupts import exit_code
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.executors.states import Queues, State

SECONDS = 5.0
"""Seconds between two looks at a study."""

_SHARE_OF_LOOKING = 5.0
"""A look may take at most a fifth of the time: that at ten thousand runs takes a few seconds."""

_LOOKS = 2
"""Looks without anything queued or running after which this ends: shared disks show a finished run a little later."""

_LOOKS_WITHOUT_A_QUEUE = 12
"""As many looks if no queue says what is running, since a task may take a minute to begin."""

_SILENT_SECONDS = 600.0
"""A run that has begun, and that no queue knows, counts as interrupted once it has been silent for so long."""

_SILENT = {"queued", "submitted", "not submitted"}


def follow(study: Path, seconds: float = SECONDS) -> int:
    """Print what has changed since the last look, and return the exit code once nothing is queued or running.

    Ctrl-C ends only this: the tasks go on.

    Parameters
    ----------
    study : Path
        Folder of the study.
    seconds : float
        Seconds between two looks.

    Returns
    -------
    int
        0 if all runs have finished, 1 if some have failed or are lost, 130 after Ctrl-C.
    """
    from benchmarker.discovery import installed
    from benchmarker.executors.states import look

    seen: dict[str, tuple[str, int]] = {}
    told, idle = "", 0
    try:
        while True:
            started = time.monotonic()
            states, queues = look(study, installed())
            for line in _changes(states, seen):
                echo(line)
            told = _tell(queues, told)
            idle = 0 if any(map(_is_active, states)) else idle + 1
            without_queue = any(state.word in {"begun", "submitted"} for state in states)
            looks = _LOOKS_WITHOUT_A_QUEUE if without_queue else _LOOKS
            if idle >= looks or all(state.word == "finished" for state in states):
                return _conclude(study, states)
            took = time.monotonic() - started
            time.sleep(max(seconds, _SHARE_OF_LOOKING * took))
    except KeyboardInterrupt as interrupt:
        quoted = shlex.quote(str(study))
        echo(
            f"\nThe tasks go on.\nFollow:   benchmarker status {quoted} --follow\n"
            f"Cancel:   benchmarker cancel {quoted}",
            err=True,
        )
        return exit_code(interrupt)


def _is_active(state: State) -> bool:
    if state.word == "begun":
        seconds = state.progress.seconds
        return seconds is not None and seconds < _SILENT_SECONDS
    return state.word in {"running", "queued"} or state.is_failed_in_queue


def _changes(states: list[State], seen: dict[str, tuple[str, int]]) -> Iterator[str]:
    """Yield a line for each run that is in another state or epoch than before, and keep what was seen.

    The first look lists what has begun, and only counts the rest.
    """
    from benchmarker.executors.states import summary

    first = not seen
    if first:
        yield summary(states)
    n_finished = sum(state.word == "finished" for state in states)
    for state in states:
        key, now = state.progress.record.key, (state.word, state.progress.epoch)
        known = seen.get(key)
        seen[key] = now
        if known == now or state.word in _SILENT or (first and state.word == "finished"):
            continue
        yield f"[{n_finished}/{len(states)}] {state.line()}"


def _tell(queues: Queues, told: str) -> str:
    """Print once what is wrong with queues, and return what was printed last."""
    problems = "\n".join(queues.problems.values())
    if problems and problems != told:
        echo(problems, err=True)
    return problems


def _conclude(study: Path, states: list[State]) -> int:
    from benchmarker.executors.states import summary

    echo(f"{study}: {summary(states)}")
    return 0 if all(state.word == "finished" for state in states) else 1
