"""A damaged plan hides no run: odd entries are left out by name, and running the registry again writes another plan."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker.cli import main
from benchmarker.cli.progress import PlainObserver
from benchmarker.discovery import installed
from benchmarker.errors import DamagedPlanError
from benchmarker.registry import load_registry
from benchmarker.results.study import read_study
from benchmarker.run.prepare import prepare_study
from benchmarker.study.links import CellLink, write_trail
from benchmarker.study.plan import Plan, PlannedCell, read_plan
from benchmarker.trail import Trail
from tests.conftest import FINGERPRINT
from tests.statistics.material import finish

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def filled(study: StudyFiles) -> StudyFiles:
    """A study of two networks under two seeds; one cell failed."""
    for model in ("convxpress", "mcrgnet"):
        for seed in (1, 2):
            finish(study, study.cell(model, seed), 0.9)
    study.fail(study.cell("mcrgnet", 3), "diverged", "the loss is NaN")
    return study


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    path.write_text("[1, 2]")


def headless(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["dataset"]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [cut, empty, other, headless])
@pytest.mark.parametrize("command", ["leaderboard", "show", "report", "audit", "power"])
def test_commands_list_the_runs_of_a_damaged_plan(
    damage: Callable[[Path], None], command: str, filled: StudyFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(filled.folder / "plan.json")
    (filled.folder / "registry.yaml").write_text("dataset: mnist\n")
    assert main([command, str(filled.folder)]) == (2 if command == "audit" else 1)
    said = capsys.readouterr().err
    assert "plan.json" in said
    assert f"benchmarker run {filled.folder}/registry.yaml -p {filled.folder}" in said
    assert "5 run(s) can be read:" in said
    for name in ("convxpress/real/1, ok", "mcrgnet/real/2, ok", "mcrgnet/real/3, failed, diverged"):
        assert name in said


@pytest.mark.parametrize("change", [{"seed": "one"}, {"spec": None}, {"key": 5}])
def test_odd_entry_of_a_plan_is_left_out_by_name(
    change: dict[str, Any], filled: StudyFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    path = filled.folder / "plan.json"
    content = json.loads(path.read_text())
    content["cells"][1].update(change)
    path.write_text(json.dumps(content))
    assert main(["show", str(filled.folder)]) == 0
    shown = capsys.readouterr()
    assert f"cells.1.{next(iter(change))}" in shown.out + shown.err
    study = read_study(filled.folder)
    assert [(cell.name, cell.status) for cell in study.cells] == [
        ("convxpress/real/1", "ok"), ("mcrgnet/real/1", "ok"), ("mcrgnet/real/2", "ok"), ("mcrgnet/real/3", "failed"),
    ]  # fmt: skip


def test_plan_of_another_version_is_never_written_anew(filled: StudyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    path = filled.folder / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    assert main(["show", str(filled.folder)]) == 1
    assert "format 1 was expected" in capsys.readouterr().err
    with pytest.raises(Exception, match="format 1") as caught:
        read_plan(filled.folder)
    assert not isinstance(caught.value, DamagedPlanError)


class Listening(PlainObserver):
    """Keeps the messages of a command."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def message(self, text: str) -> None:
        self._said.append(text)


class Planner:
    """Plans a registry with different seeds in one folder, and lays down finished runs without training."""

    def __init__(self, folder: Path, registry: Callable[..., Path]) -> None:
        self.study = folder / "study"
        self.said: list[str] = []
        self._registry = registry

    def plan(self, *seeds: int) -> Plan:
        loaded = load_registry(self._registry(seeds=list(seeds)))
        prepare_study(
            loaded,
            self.study,
            observer=Listening(self.said),
            plugins=installed(),
            offline=True,
            open_folder=lambda: self.study.mkdir(exist_ok=True),
        )
        plan = read_plan(self.study)
        assert plan is not None
        return plan

    def finish(self, cell: PlannedCell) -> Path:
        run = self.study / "runs" / cell.run_name
        run.mkdir(parents=True)
        named = cell.model_dump(include={"key", "configuration", "model", "architecture", "arm", "seed"})
        times = dict.fromkeys(("started", "finished"), "2026-01-02T03:04:05+00:00")
        rest = {"status": "ok", "trained": True, "fingerprint": FINGERPRINT, "digests": {}}
        (run / "manifest.json").write_text(json.dumps(named | times | rest))
        trail = Trail()
        trail.add("cell", CellLink(key=cell.key, spec=cell.spec).to_json())
        write_trail(run, trail)
        return run


@pytest.fixture
def planner(tmp_path: Path, registry: Callable[..., Path]) -> Planner:
    return Planner(tmp_path, registry)


def test_damaged_plan_is_written_anew_from_the_registry_and_the_runs(planner: Planner) -> None:
    first = planner.plan(1, 2)
    done = next(cell for cell in first.cells if cell.seed == 2)
    planner.finish(done)
    cut(planner.study / "plan.json")
    damaged = (planner.study / "plan.json").read_bytes()
    again = planner.plan(1)
    assert {cell.key for cell in again.cells} == {cell.key for cell in first.cells}
    assert (planner.study / "plan.json.damaged").read_bytes() == damaged
    (said,) = (message for message in planner.said if "plan.json.damaged" in message)
    assert "1 cell(s)" in said


def test_readable_entries_of_a_damaged_plan_are_kept(planner: Planner) -> None:
    first = planner.plan(1, 2)
    path = planner.study / "plan.json"
    content = json.loads(path.read_text())
    del content["primary"]
    path.write_text(json.dumps(content))
    assert {cell.key for cell in planner.plan(1).cells} == {cell.key for cell in first.cells}


def test_run_that_contradicts_its_trail_is_not_recovered(planner: Planner) -> None:
    first = planner.plan(1, 2)
    one, two = sorted(first.cells, key=lambda cell: cell.seed)
    run = planner.finish(two)
    shutil.copyfile(planner.finish(one) / "trail.json", run / "trail.json")
    empty(planner.study / "plan.json")
    assert [cell.seed for cell in planner.plan(1).cells] == [1]
