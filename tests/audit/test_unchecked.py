"""What an audit could not compare is unchecked, never wrong, and does not keep the rest from being checked."""

from __future__ import annotations

import errno
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarker.audit import audit, audit_study, weights
from benchmarker.audit.run_check import check_run
from benchmarker.audit.verdicts import DIFFERS, INTACT, UNCHECKED, AuditReport, is_unreadable
from benchmarker.audit.weights import WeightsDigest, WeightsJob, weight_digests
from benchmarker.cli import main
from benchmarker.discovery import Plugins, installed
from benchmarker.errors import StorageError
from benchmarker.results.study import CellRecord, read_study
from tests.audit.conftest import CHECKPOINTS, WrittenRun
from tests.registries import plugins_of


@pytest.fixture
def intact(written: WrittenRun, monkeypatch: pytest.MonkeyPatch) -> WrittenRun:
    """A run whose weights are what its trail covers, with its plan's source."""

    def digests(_dataset: object, cells: list[CellRecord]) -> dict[str, dict[str, WeightsDigest]]:
        return {
            cell.key: {
                name: WeightsDigest(key=cell.key, checkpoint=name, digest=written.weights[name]) for name in CHECKPOINTS
            }
            for cell in cells
        }

    monkeypatch.setattr(audit, "weight_digests", digests)
    written.fingerprint["plugins"] = {"architecture convxpress": "galaxy-nets 1.2"}
    written.study.plan["source"] = {"path": None, "options": {}, "preparation": {}}
    written.write()
    return written


def audited(run: WrittenRun, plugins: Plugins | None = None, **options: Any) -> AuditReport:
    return audit_study(Path(run.study.folder), plugins=plugins or installed(), **options)


def test_missing_plugin_is_named_with_its_distribution(intact: WrittenRun) -> None:
    """Offline, too: without the network its weights cannot be read, but everything else is."""
    report = audited(intact, plugins_of())
    assert (report.verdict, report.exit_code) == (UNCHECKED, 2)
    assert (
        "the architecture 'convxpress' is missing; the run used the one of galaxy-nets 1.2" in report.cells[0].summary
    )
    report = audited(intact, plugins_of(), train=False)
    assert (report.verdict, report.exit_code) == (UNCHECKED, 2)
    assert [finding.compared for finding in report.cells[0].findings] == [False, False]
    intact.replace("history.csv", "0.001", "0.002")
    assert audited(intact, plugins_of(), train=False).verdict == DIFFERS


def test_plugins_of_other_kinds_are_not_needed_for_files(intact: WrittenRun) -> None:
    network = installed().architecture("convxpress")
    assert audited(intact, plugins_of(network), train=False).verdict == INTACT
    report = audited(intact, plugins_of(network))
    assert report.verdict == UNCHECKED
    assert "the dataset 'synthetic-radio' is missing" in report.cells[0].summary


def test_images_that_cannot_be_prepared_leave_cells_unchecked(
    intact: WrittenRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(audit, "prepare", fail)
    report = audited(intact)
    assert report.cells[0].summary == "could not be checked: the images cannot be prepared: MemoryError"
    intact.study.plan["source"]["path"] = "../gone"
    intact.study.write_plan()
    assert main(["audit", str(intact.study.folder), "--format", "json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == UNCHECKED
    assert "gone" in found["cells"][0]["summary"]


def test_one_cell_that_cannot_be_compared_does_not_hide_the_others(
    intact: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = intact.study.cell("mcrgnet", 8901)
    intact.study.finish(other, 90)
    check = check_run

    def check_some(cell: CellRecord, *arguments: Any) -> Any:
        if cell.model == "mcrgnet":
            raise DeprecationWarning("turned into an error by -W error")
        return check(cell, *arguments)

    monkeypatch.setattr(audit, "check_run", check_some)
    report = audited(intact, train=False)
    assert {cell.name: cell.verdict for cell in report.cells} == {
        "convxpress/real/8901": INTACT,
        "mcrgnet/real/8901": UNCHECKED,
    }
    assert report.exit_code == 2


def test_network_that_exhausts_memory_does_not_hide_the_others(
    written: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that reads weights is killed at the second of three networks, and the third is read by another."""
    for name in ("mcrgnet", "vgg16"):
        written.study.finish(written.study.cell(name, 8901), 90)
    study = read_study(Path(written.study.folder))

    def process(*_arguments: Any, **options: Any) -> subprocess.CompletedProcess[bytes]:
        jobs = [WeightsJob.model_validate(job) for job in json.loads(options["input"])["jobs"]]
        read: list[WeightsJob] = []
        for job in jobs:
            if job.spec.model.architecture == "mcrgnet":
                break
            read.append(job)
        answers = [
            WeightsDigest(key=job.key, checkpoint=name, digest="1" * 64).model_dump_json()
            for job in read
            for name in CHECKPOINTS
        ]
        code = 0 if read == jobs else -9
        return subprocess.CompletedProcess([], code, "\n".join(answers).encode(), b"")

    monkeypatch.setattr(subprocess, "run", process)
    found = weight_digests(study.dataset, study.cells)
    problems = {cell.model: found[cell.key]["best"].problem for cell in study.cells}
    assert problems["convxpress"] == problems["vgg16"] == ""
    assert "memory ran out" in problems["mcrgnet"]
    assert not found[next(cell.key for cell in study.cells if cell.model == "mcrgnet")]["best"].damaged


@pytest.mark.parametrize(
    ("error", "edited", "damaged"),
    [
        (OSError("file signature not found"), False, True),
        (ValueError("a layer expected 2 variables"), False, True),
        (ValueError("a layer expected 2 variables"), True, False),
        (MemoryError(), False, False),
        (DeprecationWarning("np.bool"), False, False),
        (PermissionError(errno.EACCES, "Permission denied"), False, False),
    ],
)
def test_weights_are_blamed_only_for_what_is_in_their_file(
    error: Exception, edited: bool, damaged: bool, written: WrittenRun
) -> None:
    (cell,) = read_study(Path(written.study.folder)).cells
    path = written.folder / "weights_best.weights.h5"
    path.touch()
    job = WeightsJob(key=cell.key, spec=cell.spec, files={"best": path}, code="1" * 64)
    answer = weights._unread(job, "best", error, edited=edited)
    assert answer.damaged is damaged
    path.unlink()
    assert weights._unread(job, "best", error, edited=edited).damaged is True


def test_file_that_the_system_does_not_let_be_read_is_unchecked() -> None:
    def wrapped(number: int) -> StorageError:
        error = StorageError("cannot be read")
        error.__cause__ = OSError(number, "")
        return error

    assert is_unreadable(wrapped(errno.EACCES))
    assert is_unreadable(OSError(errno.EIO, ""))
    assert not is_unreadable(wrapped(errno.ENOENT))
    assert not is_unreadable(ValueError("not JSON"))
