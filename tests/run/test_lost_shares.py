"""A run that was given up loses its share of the study: it neither plans, nor judges a round, nor reports old runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarker.claims import LostClaimError
from benchmarker.discovery import installed
from benchmarker.paths import cache_folder
from benchmarker.registry import load_registry
from benchmarker.run import CellOutcome, Policy, entry_points, plan_study, prepare, rounds, run_study, runner
from benchmarker.run.run_folders import ExistingRuns, record_failure
from benchmarker.study.claims import joined
from benchmarker.study.layout import PLAN_FILE, RUNS_FOLDER, RunPaths, replaced_path
from benchmarker.study.plan import read_plan
from benchmarker.study.protocol import Job
from benchmarker.study.rounds import Look
from tests.run.test_reuse import Silent
from tests.study.material import planned_cell

CELL = planned_cell("one")
NETWORKS = (("a", 0.001), ("b", 0.002))


class Failing:
    """A study in rounds whose cells all fail at once, and whose comparisons stay open.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    registry : Path
        Its registry.
    monkeypatch : MonkeyPatch
        Of the test.
    """

    def __init__(self, folder: Path, registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.n_judged = 0
        self._monkeypatch = monkeypatch
        self._given: dict[str, Any] = {
            "observer": Silent(),
            "plugins": installed(),
            "judge": self._judge,
        }
        self._loaded = load_registry(registry)

        def launch(job: Job, **_: Any) -> CellOutcome:
            return record_failure(job.planned, job.paths, "plugin", "no", job.require_claim)

        monkeypatch.setattr(runner, "launch", launch)

    def run(self, **options: Any) -> None:
        """Run it as far as its seeds go."""
        run_study(self._loaded, self.folder, policy=Policy(jobs=1), **self._given | options)

    def plan(self, **options: Any) -> None:
        """Plan it, or its next round."""
        plan_study(self._loaded, self.folder, **self._given | options)

    def _judge(self, _: Path) -> Look:
        self.n_judged += 1
        return Look(pairs=1, decided=0, rows=frozenset({"a/real", "b/real"}))

    def lose_share_before(self, module: ModuleType, name: str, shared: Path | None = None) -> None:
        """Let another command take this run for dead just before it calls a function: of its study, or of its data."""
        function = getattr(module, name)

        def call(*arguments: Any, **named: Any) -> Any:
            files = list((shared or self.folder).rglob("*.shared-*"))
            assert files
            for file in files:
                file.unlink()
            return function(*arguments, **named)

        self._monkeypatch.setattr(module, name, call)

    @property
    def seeds(self) -> int:
        """Seeds of the last round in the plan; 0 without a plan."""
        plan = read_plan(self.folder)
        return 0 if plan is None or plan.until_decided is None else plan.until_decided.rounds[-1].seeds


@pytest.fixture
def failing(tmp_path: Path, registry: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Failing:
    models = [{"architecture": "mcrgnet", "name": name, "learning_rate": rate, "epochs": 1} for name, rate in NETWORKS]
    written = registry(models=models, seeds=[1, 2], until_decided={"at_least": 2, "at_most": 4})
    return Failing(tmp_path / "study", written, monkeypatch)


def test_preparation_without_its_share_writes_no_plan(failing: Failing) -> None:
    failing.lose_share_before(prepare, "planning")
    with pytest.raises(LostClaimError):
        failing.plan()
    assert not (failing.folder / PLAN_FILE).exists()


def test_round_is_not_judged_without_the_share(failing: Failing) -> None:
    failing.plan(judge=None)
    failing.lose_share_before(rounds, "planning")
    with pytest.raises(LostClaimError):
        failing.run()
    assert failing.seeds == 2
    with pytest.raises(LostClaimError):
        failing.plan()
    assert failing.seeds == 2


@pytest.mark.parametrize("command", ["run", "plan the next round", "plan with remarks"])
def test_failed_runs_are_not_reported_without_the_share(failing: Failing, command: str) -> None:
    """They may be those of a study that was merged meanwhile."""
    failing.run(judge=None)
    failing.lose_share_before(entry_points, "held")
    commands: dict[str, Callable[[], None]] = {
        "run": partial(failing.run, judge=None),
        "plan the next round": failing.plan,
        "plan with remarks": partial(failing.plan, judge=None, policy=Policy(jobs=1)),
    }
    judged = failing.n_judged
    with pytest.raises(LostClaimError):
        commands[command]()
    assert failing.n_judged == judged


def test_failed_runs_are_not_reported_without_the_data(failing: Failing) -> None:
    failing.run(judge=None)
    failing.lose_share_before(entry_points, "Runner", cache_folder())
    with pytest.raises(LostClaimError):
        failing.run(judge=None)


def test_run_that_lies_aside_is_not_restored_without_the_share(tmp_path: Path) -> None:
    (tmp_path / RUNS_FOLDER).mkdir()
    aside = replaced_path(RunPaths.of(tmp_path, CELL.key).finished, "e" * 16)
    aside.mkdir()
    with joined(tmp_path) as share:
        found = ExistingRuns(tmp_path, print, uses=[share])
        share.file.unlink()
        with pytest.raises(LostClaimError):
            found.restore_replaced()
    assert aside.is_dir()
