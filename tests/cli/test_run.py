"""``benchmarker run``: options, exit codes and the end of its output. Training is tested in tests/run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker.cli import main, quickstart
from benchmarker.discovery import BrokenPlugin, Plugins, installed
from benchmarker.registry import LoadedRegistry
from benchmarker.run import StudyOutcome
from tests.registries import model, write_registry

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


class FakeRun:
    """Replaces `benchmarker.run.run_study` and records how it is called."""

    def __init__(self, study: StudyFiles) -> None:
        self.study = study
        self.outcome = StudyOutcome(ok=2, failed=0, pending=0, reused=1)
        self.error: BaseException | None = None
        self.loaded: LoadedRegistry
        self.results: Path
        self.options: dict[str, Any] = {}

    def __call__(self, loaded: LoadedRegistry, results: Path, **options: Any) -> StudyOutcome:
        self.loaded, self.results, self.options = loaded, results, options
        options["observer"].message("working")
        if self.error is not None:
            raise self.error
        self.study.folder = results
        for seed in (1, 2):
            self.study.finish(self.study.cell("convxpress", seed), 90 + seed)
        return self.outcome


@pytest.fixture
def run(study: StudyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun(study)
    monkeypatch.setattr("benchmarker.run.run_study", fake)
    monkeypatch.chdir(tmp_path)
    write_registry(
        tmp_path / "mine.yaml",
        arms=["real", {"name": "turned", "augmentations": ["rotations"]}],
        models=[model("convxpress")],
    )
    return fake


@pytest.mark.usefixtures("run")
def test_run_ends_its_log_with_the_leaderboard(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "mine.yaml"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "note: working"
    assert "mine.yaml: 2 of 2 cells ok (1 finished before)" in lines
    assert "Results:  results/mine" in lines
    assert "2 of 2 cells finished." in lines
    assert lines[-1].split()[:2] == ["1", "convxpress"]
    assert out.index("Results:") < out.index("MPCA %")
    assert "\x1b" not in out


def test_legacy_outputs_are_written_before_the_leaderboard(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "mine.yaml", "--legacy-outputs"]) == 0
    assert (run.results / "legacy" / "convxpress_final.csv").is_file()
    assert (run.results / "legacy" / "MPCA.pdf").is_file()
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["1", "convxpress"]


def test_run_options_reach_the_registry_and_the_study(run: FakeRun, tmp_path: Path) -> None:
    data = tmp_path / "images"
    data.mkdir()
    arguments = ["-s", "8901", "-s", "1826,4915", "-i", "20", "-r", "90", "-t", "10", "-v", "5", "-d", str(data)]
    folders = ["-m", "weights", "-p", "elsewhere/study"]
    assert quickstart(["-a", "mine.yaml", *arguments, *folders, "-o", "--force", "--offline"]) == 0
    registry = run.loaded.registry
    assert registry.seeds == (8901, 1826, 4915)
    assert registry.dataset.preparation is not None
    assert registry.dataset.preparation.crop == 20
    assert registry.dataset.split is not None
    assert (registry.dataset.split.train, registry.dataset.split.validation) == (10, 5)
    assert registry.arms[1].augmentations[0].options == {"step": 90}
    assert registry.dataset.path == str(data)
    assert run.results == Path("elsewhere/study")
    asked = {name: run.options[name] for name in ("force", "offline", "test_only", "models_folder")}
    assert asked == {"force": True, "offline": True, "test_only": True, "models_folder": Path("weights")}


def test_quickstart_runs_the_shipped_registry_by_default(run: FakeRun) -> None:
    assert quickstart([]) == 0
    assert run.loaded.path.name == "quickstart.yaml"
    assert run.results == Path("results/quickstart")
    assert not run.options["force"]


def test_mnist_has_a_different_default_folder(run: FakeRun) -> None:
    assert quickstart(["-X"]) == 0
    assert run.loaded.registry.dataset.name == "mnist"
    assert run.results == Path("results/quickstart-mnist")


def test_quickstart_accepts_text_lists(run: FakeRun, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# the paper's\nconvXpress,1e-4,16\n")
    assert quickstart(["-a", "list.txt"]) == 0
    (entry,) = run.loaded.registry.models
    assert (entry.learning_rate, entry.epochs) == (1e-4, 16)
    assert run.results == Path("results/list")


def test_run_with_failed_cells_exits_with_1(run: FakeRun) -> None:
    run.outcome = StudyOutcome(ok=1, failed=1, pending=0, reused=0)
    assert main(["run", "mine.yaml"]) == 1


def test_ctrl_c_prints_one_line_and_exits_with_130(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run.error = KeyboardInterrupt()
    assert main(["run", "mine.yaml"]) == 130
    assert capsys.readouterr().err.splitlines() == [
        "interrupted: finished cells are kept; run the same command again to resume the others"
    ]


def test_repeated_seed_is_refused(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "mine.yaml", "-s", "8901,8901"]) == 2
    assert "-s/--seed" in capsys.readouterr().err
    assert not run.options


def test_strict_refuses_broken_plugins(
    run: FakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    working = installed()
    monkeypatch.setattr(
        "benchmarker.discovery.installed",
        lambda: Plugins(
            {kind: {e.plugin.name: [e] for e in working.all(kind)} for kind in working._registered},
            [BrokenPlugin(name="bad", distribution="bad-plugin 0.2", error="ImportError: no")],
        ),
    )
    assert main(["run", "mine.yaml", "--strict"]) == 1
    assert "bad from bad-plugin 0.2: ImportError: no" in capsys.readouterr().err
    assert not run.options
    assert main(["run", "mine.yaml"]) == 0
