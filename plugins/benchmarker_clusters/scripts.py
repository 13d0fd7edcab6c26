"""Job scripts: readable, complete, and usable by hand."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarker import ConfigurationError

_PLAIN = re.compile(r"[\w@%+=:,./-]+")

SECONDS_BEFORE_THE_LIMIT = 60
"""How long before its time limit a task is asked to stop, so that its last epoch is kept and it is queued again."""

_SCRIPT = """\
#!/usr/bin/env bash
# Written by `benchmarker submit`. To submit it by hand: sbatch {script}
# Each line of {tasks} holds the cells of one task.
{directives}

unset BENCHMARKER_HOST BENCHMARKER_PROCESS  # those of the machine that submitted
{exports}
benchmarker() {{ exec {python} -P -m benchmarker "$@"; }}
{setup}
set -u
cells=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {tasks})

# What has been done of these cells: the names of their snapshots, and of those that have ended.
progress() {{
    local key
    for key in ${{cells//,/ }}; do
        ls -d {runs}/"${{key:0:16}}"* {runs}/."${{key:0:16}}".*/snapshot-*.npz 2>/dev/null | sed 's|.*/||'
    done
}}
before=$(progress)

benchmarker run {registry} -p {study} --cells "$cells" --jobs 1 {options}&
run=$!

# Before the time limit: the run keeps its last complete epoch, and another attempt resumes there.
again() {{
    kill -TERM "$run"
    wait "$run"
    if [ "${{SLURM_RESTART_COUNT:-0}}" -gt 0 ] && [ "$(progress)" = "$before" ]; then
        echo "no epoch has ended since the last attempt: give tasks more time (--time)" >&2
        exit 1
    fi
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}" || exit 1
    exit 0
}}
trap again USR1
trap 'kill -TERM "$run"' TERM

wait "$run"
code=$?
while kill -0 "$run" 2>/dev/null; do  # a signal ended the wait, not the run
    wait "$run"
    code=$?
done
exit "$code"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a task asks Slurm for.

    Parameters
    ----------
    threads : int
        Cores of a task.
    array_limit : int, optional
        Tasks that may run at once.
    partition, time, memory, gres : str, optional
        Values of Slurm's options ``--partition``, ``--time``, ``--mem`` and ``--gres``.
    further : tuple of str
        Other options of sbatch, such as ``--account=radio``.
    setup : Path, optional
        Shell script that is read first: modules, an environment, or a container.
    """

    threads: int
    array_limit: int | None = None
    partition: str | None = None
    time: str | None = None
    memory: str | None = None
    gres: str | None = None
    further: tuple[str, ...] = ()
    setup: Path | None = None

    def directives(self, *, name: str, n_tasks: int, log: Path) -> list[str]:
        """Return the options of sbatch for an array of tasks.

        Raises
        ------
        ConfigurationError
            If a value has several lines.
        """
        limit = "" if self.array_limit is None else f"%{self.array_limit}"
        options = [
            f"--job-name={name}",
            f"--array=1-{n_tasks}{limit}",
            f"--cpus-per-task={self.threads}",
            f"--output={_pattern(log)}-%a.txt",
            "--open-mode=append",
            "--requeue",
            f"--signal=B:USR1@{SECONDS_BEFORE_THE_LIMIT}",
        ]
        given = {"partition": self.partition, "time": self.time, "mem": self.memory, "gres": self.gres}
        options += [f"--{key}={value}" for key, value in given.items() if value is not None]
        options += self.further
        for option in options:
            if not option.isprintable() or not option.startswith("-"):
                raise ConfigurationError(f"an option of sbatch on one line was expected. Received: {option!r}")
        return [_quoted(option) for option in options]


def _pattern(path: Path) -> str:
    """Return the pattern of the name of a file that stands for one path.

    Raises
    ------
    ConfigurationError
        If there is none: after a backslash Slurm replaces nothing.
    """
    if "\\" in str(path):
        raise ConfigurationError(f"a folder without a backslash in its path was expected. Received: {str(path)!r}")
    return str(path).replace("%", "%%")


def _quoted(option: str) -> str:
    r"""Return an option as a line of ``#SBATCH``, where blanks, quotes and ``#`` mean something.

    Slurm takes a backslash before a blank only within quotes.

    Examples
    --------
    >>> print(_quoted("--output=/data/my study #1/cells-%a.txt"))
    "--output=/data/my study #1/cells-%a.txt"
    """
    if _PLAIN.fullmatch(option):
        return option
    inside = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'


def job_script(
    script: Path,
    *,
    registry: Path,
    study: Path,
    tasks: Path,
    n_tasks: int,
    resources: Resources,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return the text of a job script.

    Parameters
    ----------
    script : Path
        Where it will lie; its output goes beside it.
    registry, study : Path
        What is run.
    tasks : Path
        File with a line of cells for each task.
    n_tasks : int
        Number of its lines.
    resources : Resources
        What a task asks for.
    options : sequence of str
        Further options of ``benchmarker run``.
    environment : mapping of str to str, optional
        Variables that are set before the setup script is read.
    """
    name = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in study.name)
    directives = resources.directives(name=f"{name}-{script.stem}", n_tasks=n_tasks, log=script.with_suffix(""))
    setup = f". {shlex.quote(str(resources.setup))}" if resources.setup else ""
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in sorted((environment or {}).items()))
    return _SCRIPT.format(
        script=shlex.quote(str(script)),
        tasks=shlex.quote(str(tasks)),
        directives="\n".join(f"#SBATCH {option}" for option in directives),
        python=shlex.quote(sys.executable),
        setup=setup,
        exports=exports,
        runs=shlex.quote(str(study / "runs")),
        registry=shlex.quote(str(registry)),
        study=shlex.quote(str(study)),
        options="".join(f"{shlex.quote(option)} " for option in options),
    )
