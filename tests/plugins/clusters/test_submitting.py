"""Job scripts, and what is submitted; Slurm's commands are stand-ins that record how they were called."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker import BatchJob, ConfigurationError, RunTask, Work
from benchmarker.cli import main
from benchmarker.digests import digest_json
from benchmarker.executors.submissions import SubmissionLog, new_folder
from benchmarker.study.layout import RunPaths
from benchmarker.study.protocol import EpochDone
from benchmarker_clusters import on_slurm, slurm
from benchmarker_clusters.on_slurm import SlurmExecutor, SlurmOptions
from benchmarker_clusters.scripts import Resources, job_script

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StudyFiles

CELL_KEYS = ("a" * 64, "b" * 64)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Return a function that makes a command of Slurm, and returns the file with its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        path, called = folder / name, folder / f"{name}.called"
        path.write_text(f'#!/bin/sh\necho "$@" >> "{called}"\n{script}\n')
        path.chmod(0o755)
        return called

    return make


def written(folder: Path, environment: dict[str, str] | None = None, **resources: object) -> tuple[Path, str]:
    """Write a job script for two tasks, and return its path and text."""
    folder.mkdir(parents=True, exist_ok=True)
    script, tasks = folder / "cells.sh", folder / "cells.txt"
    tasks.write_text("\n".join(CELL_KEYS) + "\n")
    text = job_script(
        script,
        registry=folder / "registry.yaml",
        study=folder,
        tasks=tasks,
        n_tasks=2,
        resources=Resources(threads=2, **resources),  # type: ignore[arg-type]
        environment=environment,
    )
    script.write_text(text)
    return script, text


def submitted(study: Path, number: str, *tasks: tuple[str, ...]) -> Path:
    """Write down a job of Slurm with some tasks, and return the folder of the submission."""
    folder = new_folder(study)
    SubmissionLog(folder=folder, executor="slurm")(BatchJob(name="cells", number=number, tasks=tasks, folder=folder))
    return folder


def test_script_runs_the_cells_of_its_task_in_any_folder(tmp_path: Path) -> None:
    folder = tmp_path / "it's 5% of $HOME"
    setup = tmp_path / "setup.sh"
    setup.write_text('benchmarker() { exec printf "%s\\n" "$@"; }\n')
    script, text = written(folder, setup=setup)
    done = subprocess.run(
        ["bash", str(script)],
        env={**os.environ, "SLURM_ARRAY_TASK_ID": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = ["run", str(folder / "registry.yaml"), "-p", str(folder), "--cells", CELL_KEYS[1], "--jobs", "1"]
    assert done.stdout.splitlines() == expected
    assert f'#SBATCH "--output={tmp_path}/it\'s 5%% of $HOME/cells-%a.txt"' in text.splitlines()
    with pytest.raises(ConfigurationError, match="without a backslash"):
        written(tmp_path / "a\\b")
    assert "--job-name=it-s-5--of--HOME-cells" in text


def test_script_has_the_variables_of_the_study_and_none_of_the_machine_that_submitted(tmp_path: Path) -> None:
    setup = tmp_path / "setup.sh"
    setup.write_text('echo "$UNSET"; benchmarker() { env; }\n')
    environment = {"KERAS_BACKEND": "jax", "BENCHMARKER_CACHE": "/data/it's"}
    script, _ = written(tmp_path / "study", environment=environment, setup=setup)
    done = subprocess.run(
        ["bash", str(script)],
        env={"PATH": os.environ["PATH"], "SLURM_ARRAY_TASK_ID": "1", "BENCHMARKER_HOST": "login node"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert {"KERAS_BACKEND=jax", "BENCHMARKER_CACHE=/data/it's"} <= set(lines)
    assert not [line for line in lines if line.startswith("BENCHMARKER_HOST")]


@pytest.mark.parametrize("epoch", [3, 4])
def test_task_whose_epochs_are_longer_than_its_limit_is_not_queued_for_ever(
    tmp_path: Path, commands: Callable[[str, str], Path], epoch: int
) -> None:
    called = commands("scontrol", "")
    working = tmp_path / "study" / "runs" / f".{CELL_KEYS[0][:16]}.token.partial"
    working.mkdir(parents=True)
    (working / "snapshot-3.npz").touch()
    setup = tmp_path / "setup.sh"
    files = f"'{working}/snapshot-{epoch}.npz' '{tmp_path}/ready'"
    setup.write_text(f"benchmarker() {{ touch {files}; sleep 9 >/dev/null 2>&1 & wait; }}\n")
    script, _ = written(tmp_path / "study", setup=setup)
    variables = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_JOB_ID": "7", "SLURM_RESTART_COUNT": "1"}
    environment = {**os.environ, **variables}
    process = subprocess.Popen(["bash", str(script)], env=environment, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=60)
    assert called.exists() == (epoch == 4)
    assert ("give tasks more time" in err) == (epoch == 3)
    assert process.returncode == (0 if epoch == 4 else 1)


@pytest.mark.parametrize(
    ("signal", "words", "refused", "code"),
    [
        ("USR1", ["TERM", "requeue 7_1"], 0, 0),
        ("USR1", ["TERM", "requeue 7_1"], 1, 1),
        ("TERM", ["TERM"], 0, 143),
    ],
)
def test_script_stops_its_run_and_asks_for_another_attempt(
    tmp_path: Path, commands: Callable[[str, str], Path], *, signal: str, words: list[str], refused: int, code: int
) -> None:
    called = commands("scontrol", f"exit {refused}")
    ready = tmp_path / "ready"
    setup = tmp_path / "setup.sh"
    setup.write_text(
        f"benchmarker() {{ trap 'echo TERM; exit 143' TERM; touch '{ready}'; while :; do sleep 0.05; done; }}\n"
    )
    script, _ = written(tmp_path / "study", setup=setup)
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_JOB_ID": "7"}
    process = subprocess.Popen(["bash", str(script)], env=environment, stdout=subprocess.PIPE, text=True)
    while not ready.exists():
        assert process.poll() is None
    subprocess.run(["kill", f"-{signal}", str(process.pid)], check=True)
    output, _ = process.communicate(timeout=30)
    found = output.split() + (called.read_text().strip().splitlines() if called.exists() else [])
    assert found == words
    assert process.returncode == code


def test_options_of_sbatch_are_one_line_each(tmp_path: Path) -> None:
    _, text = written(tmp_path / "study", partition="gpu", array_limit=5, further=("--account=radio",), memory="4G")
    lines = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    for option in (
        "--partition=gpu",
        "--array=1-2%5",
        "--account=radio",
        "--mem=4G",
        "--cpus-per-task=2",
        "--requeue",
        "--signal=B:USR1@60",
    ):
        assert f"#SBATCH {option}" in lines
    for wrong in ("gpu\n#SBATCH --uid=0", "gpu\r"):
        with pytest.raises(ConfigurationError, match="one line"):
            written(tmp_path / "study", partition=wrong)


def test_job_is_submitted_after_its_generators(tmp_path: Path, commands: Callable[[str, str], Path]) -> None:
    called = commands("sbatch", "echo '12;cluster'")
    assert slurm.submit(tmp_path / "cells.sh", after=[10, 11]) == 12
    assert called.read_text().split() == ["--parsable", "--dependency=afterany:10:11", str(tmp_path / "cells.sh")]
    commands("sbatch", "echo 'no such partition' >&2; exit 1")
    with pytest.raises(slurm.SlurmError, match="no such partition"):
        slurm.submit(tmp_path / "cells.sh")


def test_queue_tells_tasks_apart(commands: Callable[[str, str], Path], tmp_path: Path) -> None:
    script = tmp_path / "a study" / "cells.sh"
    lines = ["3 1 RUNNING", "3 2 PENDING", "4 1 RUNNING", "9 N/A RUNNING"]
    without_script = "; echo '5 1 RUNNING'; echo"
    commands("squeue", "; ".join(f"echo '{line} {script}'" for line in lines) + without_script)
    assert slurm.queued({3: script, 9: script}) == {(3, 1): "RUNNING", (3, 2): "PENDING"}
    assert slurm.queued({}) == {}


def test_jobs_of_the_user_that_a_study_claims_are_not_cancelled(
    study: StudyFiles, commands: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    study.cell("first", 1)
    for number in (3, 4):
        submitted(study.folder, str(number), CELL_KEYS)
    scripts = {3: "/home/user/other.sh", 4: study.folder / "cluster" / "2" / "cells.sh"}
    commands("squeue", "; ".join(f"echo '{number} 1 RUNNING {script}'" for number, script in scripts.items()))
    called = commands("scancel", "")
    assert main(["cancel", str(study.folder)]) == 0
    assert called.read_text().split() == ["4"]
    assert "1 task cancelled" in capsys.readouterr().out


def test_more_tasks_than_an_array_may_have_become_several_jobs_after_the_last_generators(
    tmp_path: Path,
    commands: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(on_slurm, "_LARGEST_ARRAY", 2)
    called = commands("sbatch", "wc -l < $0.called")
    generators, cells = (tuple(RunTask(keys=(key,), command=()) for key in keys) for keys in ("ghi", "abc"))
    work = Work(study=tmp_path, registry=tmp_path / "r.yaml", folder=tmp_path, generators=generators, cells=cells)
    jobs: list[BatchJob] = []
    SlurmExecutor(SlurmOptions()).submit(work, jobs.append)
    assert [(job.name, job.number) for job in jobs] == [
        *(("generators-1", "1"), ("generators-2", "2"), ("cells-1", "3"), ("cells-2", "4")),
    ]
    assert [line.split()[1] for line in called.read_text().splitlines() if "afterany" in line] == [
        "--dependency=afterany:1:2"
    ] * 2
    called.unlink()
    limited = Work(study=tmp_path, registry=work.registry, folder=tmp_path, cells=cells, at_once=5)
    SlurmExecutor(SlurmOptions()).submit(limited, jobs.append)
    assert [line.split()[1] for line in called.read_text().splitlines() if "afterany" in line] == [
        "--dependency=afterany:1"  # the limit of the first does not count the tasks of the second
    ]
    waiting = Work(study=tmp_path, registry=work.registry, folder=tmp_path, cells=cells, earlier=(("7", 2), ("7", 3)))
    SlurmExecutor(SlurmOptions(dry_run=True)).submit(waiting, jobs.append)
    assert "--dependency=afterany:7_2:7_3" in capsys.readouterr().out
    assert jobs[3].log(1) == tmp_path / "cells-2-1.txt"
    assert "--output" in (tmp_path / "cells-2.sh").read_text()


@pytest.mark.parametrize(
    ("queue", "submitted", "after"),
    [
        ({1: "RUNNING", 2: "PENDING", 3: "PENDING", 4: "PENDING"}, ["cells"], ["afterany:3_1:3_2"]),
        ({2: "PENDING", 3: "PENDING"}, ["generators", "cells"], ["", "afterany:9:3_2"]),  # the first was cancelled
        ({}, ["generators", "cells"], ["", "afterany:9"]),  # the job is unknown, or that of somebody else
    ],
)
def test_cells_wait_for_their_generators_of_earlier_submissions(
    study: StudyFiles,
    commands: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    *,
    queue: dict[int, str],
    submitted: list[str],
    after: list[str],
) -> None:
    """Of four generators in one array, the cells need three; one of these has finished, and its task ends just now."""
    monkeypatch.setattr("benchmarker.cli.submit_command._plan", lambda *_, **__: 0)
    generators = [study.generator("painted", seed) for seed in (1, 2, 3, 4)]
    generated = [
        {"generator": each["key"], "configuration": each["configuration"], "ratio": 1.0} for each in generators
    ]
    plain = {"augmentations": [], "augment_validation": False}
    cells = [study.cell("first", seed, arm="painted") for seed in (1, 2, 3)]
    for cell, images in zip(cells, generated, strict=False):
        cell["spec"]["arm"] = plain | {"generated": images}
        cell["key"] = digest_json(cell["spec"])
    study.keep_registry(
        "dataset: {name: synthetic-radio}\nseeds: [1, 2, 3, 4]\nmodels:\n"
        "  - {architecture: first, learning_rate: 0.001, epochs: 16}\n"
    )
    study.train(generators[2])
    folder = new_folder(study.folder)
    tasks = tuple((each["key"],) for each in generators)
    SubmissionLog(folder=folder, executor="slurm")(BatchJob(name="generators", number="3", tasks=tasks, folder=folder))
    others = "echo '3 1 RUNNING /home/colleague/generators.sh'"
    lines = [f"echo '3 {index} {state} {folder}/generators.sh'" for index, state in queue.items()]
    commands("squeue", "; ".join([others, *lines]))
    called = commands("sbatch", "echo 9")
    assert main(["submit", "mine.yaml", "-p", str(study.folder), "--executor", "slurm"]) == 0
    calls = [line.split()[1:] for line in called.read_text().splitlines()]
    assert [Path(words[-1]).stem for words in calls] == submitted
    assert [words[0].removeprefix("--dependency=") if len(words) > 1 else "" for words in calls] == after


@pytest.mark.parametrize(("queue", "left"), [({}, [1, 2]), ({1: "PENDING"}, [2]), ({1: "RUNNING", 2: "PENDING"}, [])])
def test_failed_run_is_not_submitted_again_while_its_task_has_not_ended(
    study: StudyFiles,
    commands: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    queue: dict[int, str],
    left: list[int],
) -> None:
    """The second submission of the same command repeats what failed, but not what waits to be repeated."""
    monkeypatch.setattr("benchmarker.cli.submit_command._plan", lambda *_, **__: 0)
    cells = {seed: study.cell("first", seed) for seed in (1, 2)}
    study.keep_registry(
        "dataset: {name: synthetic-radio}\nseeds: [1, 2]\nmodels:\n"
        "  - {architecture: first, learning_rate: 0.001, epochs: 16}\n"
    )
    for cell in cells.values():
        study.fail(cell, "crashed", "killed")
    folder = submitted(study.folder, "3", *((cell["key"],) for cell in cells.values()))
    commands("squeue", "\n".join(f"echo '3 {index} {state} {folder}/cells.sh'" for index, state in queue.items()))
    called = commands("sbatch", "echo 9")
    command = ["submit", "mine.yaml", "-p", str(study.folder), "--executor", "slurm", "--retry-failed"]
    assert main(command) == 0
    out = capsys.readouterr().out
    lines = study.folder / "cluster" / "2" / "cells.txt"
    assert (lines.read_text().splitlines() if called.exists() else []) == [cells[seed]["key"] for seed in left]
    assert (f"{len(queue)} failed run" in out) == (len(queue) > 0)
    assert ("nothing is left to submit" in out) == (left == [])


def test_status_without_a_queue_shows_what_run_folders_say(
    study: StudyFiles, commands: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished, failed, begun, pending = (study.cell(name, 1) for name in ("first", "second", "third", "fourth"))
    study.finish(finished, 93.0, 91.0)
    study.fail(failed, "diverged", "the loss is not finite")
    event = EpochDone(epoch=3, epochs=9, values={"loss": 0.5})
    working = RunPaths.of(study.folder, begun["key"]).working
    working.mkdir(parents=True)
    (working / "events.jsonl").write_text(json.dumps(event.to_json()) + '\n{"event": "epo')
    folder = submitted(study.folder, "3", (begun["key"],), (pending["key"],))
    commands("sbatch", "")
    commands("squeue", "echo 'one line' >&2; echo 'squeue: no such host' >&2; exit 1")
    assert main(["status", str(study.folder), "--all"]) == 0
    out, err = capsys.readouterr()
    assert "1 finished, 1 failed, 1 begun, 1 submitted" in out
    assert "epoch 3 of 9" in out
    assert "the queue of slurm is unknown: squeue: no such host" in err
    for queue, summary in (
        (
            f"echo '3 1 RUNNING {folder}/cells.sh'; echo '3 2 PENDING {folder}/cells.sh'",
            "1 finished, 1 running, 1 queued, 1 failed",
        ),
        ("true", "1 finished, 1 failed, 2 lost"),
    ):
        commands("squeue", queue)
        assert main(["status", str(study.folder)]) == 0
        assert summary in capsys.readouterr().out
