"""Executors of this machine and of third parties: their contract, their options, and the commands that use them."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from benchmarker import BatchJob, Executor, Options, PluginError, StorageError, TaskId, TaskState, Work
from benchmarker.cli import main
from benchmarker.cli.entry import cli
from benchmarker.contracts.plugins import BUILT_IN
from benchmarker.contracts.settings import Training
from benchmarker.digests import digest_json
from benchmarker.discovery import discover
from benchmarker.executors.opening import executor_options, open_executor
from benchmarker.executors.states import look
from benchmarker.executors.submissions import SubmissionLog, new_folder, read_jobs
from benchmarker.executors.tasks import advise_on_programs, keep_registry, make_work, of_registry
from benchmarker.results.study import read_study
from benchmarker.study.layout import EVENTS_FILE, PLAN_FILE, RunPaths
from benchmarker.study.plan import PlannedCell, RegistryRecord
from benchmarker.study.protocol import EpochDone
from benchmarker.testing import check_executor
from tests.executors.stand_ins import FORGETFUL, QUEUE, ThreadQueue
from tests.registries import plugins_of
from tests.study.material import planned_cell, write_plan

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

REGISTRY = """\
dataset: {name: synthetic-radio}
seeds: [1, 2, 3]
models:
  - {architecture: first, learning_rate: 0.001, epochs: 16}
"""
LOCAL = next(plugin for _, plugin in BUILT_IN if isinstance(plugin, Executor))


@pytest.fixture
def planned(study: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> StudyFiles:
    """A plan of three cells, with the executors of this file installed; nothing is trained."""
    for seed in (1, 2, 3):
        study.cell("first", seed)
    study.keep_registry(REGISTRY)
    monkeypatch.setattr("benchmarker.discovery.installed", lambda: plugins_of(QUEUE, LOCAL))
    monkeypatch.setattr("benchmarker.cli.submit_command._plan", lambda *_, **__: 0)
    ThreadQueue.opened.clear()
    ThreadQueue.running.clear()
    return study


@pytest.mark.parametrize("executor", [LOCAL, QUEUE], ids=lambda executor: executor.name)
def test_executor_keeps_its_contract(executor: Executor, tmp_path: Path) -> None:
    check_executor(executor, tmp_path)


def test_executor_that_loses_a_task_breaks_its_contract(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"'forgetful' .* must report jobs"):
        check_executor(FORGETFUL, tmp_path)


def test_local_is_installed_without_any_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.discovery.find", list)
    assert discover().executor("local") == LOCAL
    assert discover().distribution("executor", "local").startswith("galaxy-benchmarker ")


def test_third_party_executor_is_submitted_to_asked_and_cancelled(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(planned.folder)
    options = ("--account", "radio", "--nice", "5", "--feature", "ssd", "--feature", "gpu", "--hold")
    command = ("submit", "mine.yaml", "-p", folder, "--executor", "Thread_Queue", "--cells-per-task", "2")
    assert main([*command, *options]) == 0
    assert "3 runs in 2 tasks submitted as job cells@" in capsys.readouterr().out
    (opened,) = ThreadQueue.opened
    assert opened.model_dump() == {"account": "radio", "nice": 5, "feature": ("ssd", "gpu"), "hold": True}
    assert main(["status", folder, "--all"]) == 0
    out = capsys.readouterr().out
    assert "3 queued" in out
    assert str(planned.folder / "cluster" / "1" / "cells-2.txt") in out
    assert main(list(command)) == 0  # what is queued is not submitted again
    assert "nothing is left" in capsys.readouterr().out
    assert main(["cancel", folder]) == 0
    assert "2 tasks cancelled" in capsys.readouterr().out
    assert main(["status", folder]) == 0
    assert "3 lost" in capsys.readouterr().out


def test_executor_of_a_submission_that_is_not_installed_leaves_the_queue_unknown(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(planned.folder)
    assert main(["submit", "mine.yaml", "-p", folder, "--executor", "thread-queue", "--hold"]) == 0
    monkeypatch.setattr("benchmarker.discovery.installed", lambda: plugins_of(LOCAL))
    capsys.readouterr()
    assert main(["status", folder]) == 0
    out, err = capsys.readouterr()
    assert "3 submitted" in out
    assert "no executor is called 'thread-queue'" in err


def test_unknown_executor_is_refused_with_the_known_ones(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "mine.yaml", "-p", str(planned.folder), "--executor", "condor"]) == 2
    err = capsys.readouterr().err
    assert "'condor'" in err
    assert "local, thread-queue" in err
    assert main(["submit", "mine.yaml", "-p", str(planned.folder), "--executor", "locl"]) == 2
    assert "did you mean 'local'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("local", "--account", "radio"), "--account is not an option of --executor local"),
        (("thread-queue", "--nice", "much"), "'much' is not a valid integer"),
    ],
)
def test_wrong_option_of_an_executor_is_refused(
    planned: StudyFiles, words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "mine.yaml", "-p", str(planned.folder), "--executor", *words]) == 2
    assert expected in capsys.readouterr().err
    assert not (planned.folder / "cluster").exists()


class Required(Options):
    """An option without a default."""

    account: str


class Untyped(Options):
    """An option that cannot be typed."""

    account: dict[str, int] | None = None


class Number(Options):
    """The option of the queue as a number."""

    account: int = 0


class Common(Options):
    """An option that `submit` has itself."""

    seed: str = ""


def described(model: type, name: str = "mine") -> Executor:
    return Executor(name=name, executor="x:y", options=f"{model.__module__}:{model.__name__}")


@pytest.mark.parametrize("model", [Required, Untyped])
def test_option_that_the_command_line_cannot_have_is_an_error_of_the_plugin(model: type) -> None:
    with pytest.raises(PluginError, match="the option 'account' of the executor 'mine'"):
        executor_options([described(model)])


@pytest.mark.parametrize("model", [Required, Number, Common])
def test_help_leaves_out_options_that_cannot_be_used(
    model: type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins = plugins_of(QUEUE, described(model, "zz-late"))
    monkeypatch.setattr("benchmarker.discovery.installed", lambda: plugins)
    assert main(["submit", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Options of thread-queue" in out
    assert "zz-late" not in out


def test_class_that_is_no_executor_is_an_error_of_the_plugin() -> None:
    with pytest.raises(PluginError, match="without connected, submit, states, cancel"):
        open_executor(Executor(name="mine", executor="builtins:repr"), {})


def test_commands_of_queues_are_the_programs_own() -> None:
    assert {"submit", "status", "cancel"} <= set(cli.commands_from)


def job(folder: Path, *, name: str = "cells", number: str = "7") -> BatchJob:
    return BatchJob(name=name, number=number, tasks=(("a", "b"), ("c",)), folder=folder)


def test_submissions_are_kept_in_the_study(tmp_path: Path) -> None:
    first, second = new_folder(tmp_path), new_folder(tmp_path)
    assert [first.name, second.name] == ["1", "2"]
    log = SubmissionLog(folder=first, executor="mine")
    log(job(first))
    log(job(first, name="cells-2", number="8"))
    assert list(read_jobs(tmp_path)) == [("mine", job(first)), ("mine", job(first, name="cells-2", number="8"))]
    assert job(first).log(2) == first / "cells-2.txt"
    for wrong in ('{"jobs": [{}]}', '{"executor": "mine", "jobs": [{"name": "../x", "number": "1", "tasks": []}]}'):
        (second / "submission.json").write_text(wrong)
        with pytest.raises(StorageError, match="no record of a submission"):
            list(read_jobs(tmp_path))


def test_job_with_a_name_that_leaves_the_folder_is_an_error_of_the_plugin(tmp_path: Path) -> None:
    log = SubmissionLog(folder=tmp_path, executor="mine")
    with pytest.raises(PluginError, match="'mine' reports a job that is wrong"):
        log(job(tmp_path, name="../cells"))


def test_following_ends_with_the_last_task_and_says_what_was_lost(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = planned.folder
    assert main(["submit", "mine.yaml", "-p", str(folder), "--executor", "thread-queue", "--hold"]) == 0
    assert f"benchmarker status {folder} --follow" in capsys.readouterr().out
    looks: list[float] = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            planned.finish(planned.cells[0], 0.9)
        else:
            ThreadQueue.running.clear()

    monkeypatch.setattr("time.sleep", look)
    assert main(["status", str(folder), "--follow"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "3 queued"
    assert [line.split()[:3] for line in out[1:4]] == [
        ["[1/3]", "finished", "first/real/1"],
        ["[1/3]", "lost", "first/real/2"],
        ["[1/3]", "lost", "first/real/3"],
    ]
    assert out[4:] == [f"{folder}: 1 finished, 2 lost"]
    assert len(looks) == 3  # a look more than seems needed: a shared disk may show what has finished later
    assert min(looks) >= 5.0


def test_following_waits_for_the_repetition_of_a_failed_run(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for cell in planned.cells:
        planned.fail(cell, "crashed", "killed")
    command = ["submit", "mine.yaml", "-p", str(planned.folder), "--executor", "thread-queue", "--hold"]
    assert main([*command, "--retry-failed"]) == 0
    looks = 0

    def look(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 5:
            ThreadQueue.running.clear()

    monkeypatch.setattr("time.sleep", look)
    assert main(["status", str(planned.folder), "--follow"]) == 1
    assert looks > 5
    assert "first/real/1   crashed   its task is queued" in capsys.readouterr().out


def test_interrupted_following_leaves_the_tasks(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["submit", "mine.yaml", "-p", str(planned.folder), "--executor", "thread-queue", "--hold"]) == 0

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    assert main(["status", str(planned.folder), "--follow"]) == 130
    assert f"The tasks go on.\nFollow:   benchmarker status {planned.folder} --follow\n" in capsys.readouterr().err
    assert len(ThreadQueue.running) == 3


def test_class_must_say_whether_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ThreadQueue, "stays")
    with pytest.raises(PluginError, match=r"stays = True or False\. Received: 'nothing'"):
        open_executor(QUEUE, {})


def test_tasks_run_the_registry_and_the_images_of_their_submission(
    planned: StudyFiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A later submission replaces the study's copy, and paths in a registry start at the folder that it was in."""
    monkeypatch.chdir(planned.folder)
    monkeypatch.setenv("BENCHMARKER_CACHE", "cache")
    monkeypatch.setenv("BENCHMARKER_HOST", "login node")
    planned.plan["source"] = {"path": "../images", "options": {}, "preparation": {}}
    planned.keep_registry(REGISTRY.replace("[1, 2, 3]", "[2, 3]"))
    works: list[Work] = []

    def submit(_: ThreadQueue, work: Work, report: object) -> int:  # noqa: ARG001
        works.append(work)
        return 0

    monkeypatch.setattr(ThreadQueue, "submit", submit)
    assert main(["submit", "mine.yaml", "-p", str(planned.folder), "--executor", "thread-queue"]) == 0
    assert "1 run of other registries or seeds of this study left out" in capsys.readouterr().out
    (work,) = works
    assert [task.keys for task in work.cells] == [(cell["key"],) for cell in planned.cells[1:]]
    command = work.cells[0].command
    assert work.registry == planned.folder / "cluster" / "1" / "registry.yaml"
    assert str(work.registry) in command
    assert command[command.index("-d") + 1] == str(planned.folder.parent / "images")
    assert work.options[:2] == ("-d", str(planned.folder.parent / "images"))
    assert work.environment["BENCHMARKER_CACHE"] == str(planned.folder / "cache")
    assert work.environment["KERAS_BACKEND"] == "tensorflow"
    assert "BENCHMARKER_HOST" not in work.environment
    (planned.folder / "registry.yaml").write_text("changed")
    with pytest.raises(StorageError, match="another command has changed the study"):
        keep_registry(read_study(planned.folder), planned.folder / "cluster" / "1")


def test_one_executor_that_cannot_be_asked_leaves_no_task_of_others(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = new_folder(planned.folder)
    SubmissionLog(folder=gone, executor="gone")(job(gone))
    assert main(["submit", "mine.yaml", "-p", str(planned.folder), "--executor", "thread-queue", "--hold"]) == 0
    capsys.readouterr()
    assert main(["cancel", str(planned.folder)]) == 1
    out, err = capsys.readouterr()
    assert "3 tasks cancelled" in out
    assert "the tasks of gone cannot be cancelled: no executor is called 'gone'" in err


def test_following_ends_where_no_queue_says_what_is_running(
    planned: StudyFiles, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that was submitted to this machine, and interrupted."""
    folder = new_folder(planned.folder)
    keys = tuple((cell["key"],) for cell in planned.cells)
    log = SubmissionLog(folder=folder, executor="local")
    log(BatchJob(name="cells", number="", tasks=keys, folder=folder))
    looks: list[float] = []
    monkeypatch.setattr("time.sleep", looks.append)
    assert main(["status", str(planned.folder), "--follow"]) == 1
    assert "3 submitted" in capsys.readouterr().out
    assert sum(looks) >= 50


def test_folder_with_a_number_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cluster" / "999999").mkdir(parents=True)
    with pytest.raises(StorageError, match="holds a folder 999999; remove it"):
        new_folder(tmp_path)


def test_registry_has_its_own_runs_and_their_generators(study: StudyFiles) -> None:
    """A study may hold cells of an earlier registry, and of generators that only these use."""
    old = study.cell("old", 1, epochs=3)
    arms = [study.generated_arm(label, seed, 0.5) for label, seed in (("mine", 1), ("other", 2))]
    cells = [study.cell(model, 1, arm=model) for model in ("first", "second")]
    for cell, arm in zip(cells, arms, strict=True):
        cell["spec"]["arm"] = arm
        cell["key"] = digest_json(cell["spec"])
        cell["configuration"] = digest_json({name: value for name, value in cell["spec"].items() if name != "seed"})
    study.plan["earlier"] = [
        {"name": "old.yaml", "sha256": "1" * 64, "configurations": [old["configuration"], cells[1]["configuration"]]}
    ]
    study.write_plan()
    read = read_study(study.folder)
    found = of_registry(read, [*read.generators, *read.cells], {1})
    assert [record.name for record in found] == ["mine/generator/1", "first/first/1"]
    assert of_registry(read, list(read.cells), {2}) == []


def test_run_whose_executor_stayed_is_in_no_queue(planned: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """One executor may do both: Ray on a cluster, and on this machine."""
    folder = new_folder(planned.folder)
    log = SubmissionLog(folder=folder, executor="thread-queue")
    for number, name, cell in zip(("7", ""), ("cells-1", "cells-2"), planned.cells, strict=False):
        log(BatchJob(name=name, number=number, tasks=((cell["key"],),), folder=folder))
    asked: list[str] = []

    def states(_: ThreadQueue, jobs: Sequence[BatchJob]) -> dict[TaskId, TaskState]:
        asked.extend(job.number for job in jobs)
        return {}

    monkeypatch.setattr(ThreadQueue, "states", states)
    found, _ = look(planned.folder, plugins_of(QUEUE, LOCAL))
    assert [state.word for state in found] == ["lost", "submitted", "not submitted"]
    assert asked == ["7"]


@pytest.mark.parametrize(("age", "n_looks"), [(60.0, 30), (3600.0, 11)])
def test_following_waits_for_runs_that_have_begun_but_not_for_silent_ones(
    planned: StudyFiles, age: float, n_looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = RunPaths.of(planned.folder, planned.cells[0]["key"]).working
    working.mkdir(parents=True)
    events = working / EVENTS_FILE
    events.write_text(json.dumps(EpochDone(epoch=1, epochs=9, values={"loss": 0.5}).to_json()) + "\n")
    os.utime(events, (time.time() - age,) * 2)
    looks: list[float] = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", wait)
    assert main(["status", str(planned.folder), "--follow"]) == (130 if n_looks == 30 else 1)
    assert len(looks) == n_looks


def test_following_looks_less_often_at_what_takes_long_to_read(
    planned: StudyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=10.0)
    looks: list[float] = []
    slow = SimpleNamespace(monotonic=lambda: next(clock), sleep=looks.append)
    monkeypatch.setattr("benchmarker.cli.following.time", slow)
    main(["status", str(planned.folder), "--follow"])
    assert looks == [50.0]


def test_a_task_gets_seeds_that_share_a_program(study: StudyFiles) -> None:
    """A plan lists all that is trained under a seed first."""
    cells = []
    for seed, batch_size, at_once in itertools.product((1, 2), (8, 16), (1, 2)):
        training = Training(batch_size=batch_size, seeds_at_once=at_once)
        spec = planned_cell(seed=seed).spec.model_copy(update={"training": training})
        cells.append(PlannedCell.of(spec, model="mcrgnet", arm="real", line=1))
    alone, together = cells[::2], cells[1::2]
    study.folder.mkdir()
    (study.folder / "registry.yaml").write_text(REGISTRY)
    registry = RegistryRecord.of("tiny.yaml", REGISTRY.encode(), overridden=False)
    for planned, expected in ((alone, [(1, 1), (2, 2)]), (together, [(1, 2), (1, 2)])):
        plan = write_plan(study.folder, planned).model_copy(update={"registry": registry})
        plan.write(study.folder / PLAN_FILE)
        read = read_study(study.folder)
        work = make_work(read, read.cells, folder=new_folder(study.folder), cells_per_task=2)
        seeds = {cell.key: cell.seed for cell in planned}
        assert [tuple(seeds[key] for key in task.keys) for task in work.cells] == expected
        advice = advise_on_programs(read.cells, 1)
        assert ("compute 4 programs" in advice and "where 2 would do: --cells-per-task 2" in advice) is (
            planned is together
        )
        assert advise_on_programs(read.cells, 2) == ""
