"""``benchmarker report``: formats into a folder, once or again and again."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker import ReportOptions, StudyResults
from benchmarker.cli import main, output, rendering
from benchmarker.contracts.plugins import Report
from benchmarker.errors import PluginError

if TYPE_CHECKING:
    from tests.conftest import CommandLine, StudyFiles


@pytest.fixture
def filled(study: StudyFiles) -> StudyFiles:
    study.finish(study.cell("convxpress", 8901), 93.0, 91.0)
    study.cell("convxpress", 1826)
    return study


def test_report_writes_files_and_lists_them(
    filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", str(filled.folder), "--format", "csv, tidy,csv", "--out", str(tmp_path / "new" / "out")]
    assert main(arguments) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == ["written", "written", "1"]
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == ["report.csv", "tidy.csv"]
    assert out[-1] == "1 of 2 cells finished"
    assert main(arguments) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["unchanged", "unchanged", "1"]


def test_report_goes_into_the_study_by_default(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(filled.folder), "--format", "markdown"]) == 0
    assert (filled.folder / "report" / "markdown.md").read_text().startswith("## A study of four classes")
    assert "report/markdown.md" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--format", "htlm"], 2, "did you mean 'html'"),
        (["--format", "csv,cvs"], 2, "did you mean 'csv'"),
        (["--format", ","], 2, "names no format"),
        (["--format", "csv", "--sort", "macro_f2"], 2, "did you mean 'macro_f1'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    filled: StudyFiles, arguments: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(filled.folder), *arguments]) == code
    assert complaint in capsys.readouterr().err
    assert not (filled.folder / "report").exists()


def several(_results: StudyResults, _options: ReportOptions) -> dict[str, str | bytes]:
    return {"a.txt": "text", "figures/b.bin": b"\x00"}


def broken(_results: StudyResults, _options: ReportOptions) -> str:
    raise ZeroDivisionError("of nothing")


def install(monkeypatch: pytest.MonkeyPatch, renderer: Any) -> None:
    report = Report(name="mine", renderer="tests:renderer", suffix=".x")
    monkeypatch.setattr(rendering, "find_format", lambda _name: report)
    monkeypatch.setattr("benchmarker.discovery.resolve", lambda _reference: renderer)


def test_format_may_consist_of_several_files(
    filled: StudyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, several)
    assert main(["report", str(filled.folder), "--format", "mine", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "figures" / "b.bin").read_bytes() == b"\x00"
    assert main(["leaderboard", str(filled.folder), "--format", "mine"]) == 2
    assert "benchmarker report STUDY --format mine" in capsys.readouterr().err


def test_failing_format_is_named_and_leaves_the_old_files(
    filled: StudyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.x").write_text("old")
    install(monkeypatch, broken)
    assert main(["report", str(filled.folder), "--format", "mine", "--out", str(tmp_path)]) == 1
    assert "the report 'mine' (tests:renderer) failed: ZeroDivisionError: of nothing" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("*.x")] == ["mine.x"]
    assert (tmp_path / "mine.x").read_text() == "old"


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../b", ""])
def test_format_cannot_write_outside_its_folder(name: str) -> None:
    with pytest.raises(PluginError, match="inside its folder"):
        rendering.as_files({name: "text"}, Report(name="mine", renderer="a:b"))


def test_write_file_keeps_links_and_devices(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert output.write_file(tmp_path / "link.csv", b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
    assert not output.write_file(tmp_path / "link.csv", b"new")
    assert output.write_file(Path("/dev/null"), b"new")
    assert not Path("/dev/null").is_file()


def test_watch_writes_again_and_ends_with_the_last_run(
    filled: StudyFiles, tmp_path: Path, command_line: CommandLine
) -> None:
    out = tmp_path / "out"
    arguments = ("--format", "csv", "--out", out, "--watch", "--interval", "0.1")
    process = command_line.start("report", filled.folder, *arguments, cwd=tmp_path)
    wait_for((out / "report.csv").exists)
    filled.finish(filled.cells[1], 95.0)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "watching; 1 pending (Ctrl-C stops)" in printed
    assert printed.endswith("no cell is pending: done\n")
    assert ",2,2," in (out / "report.csv").read_text()


def test_watch_stops_with_ctrl_c(filled: StudyFiles, tmp_path: Path, command_line: CommandLine) -> None:
    out = tmp_path / "out"
    arguments = ("--format", "csv", "--out", out, "--watch", "--interval", "0.1")
    process = command_line.start("report", filled.folder, *arguments, cwd=tmp_path)
    wait_for((out / "report.csv").exists)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert printed.endswith("stopped; the files stay as they are\n")
    assert [path.name for path in out.iterdir()] == ["report.csv"]


def wait_for(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
