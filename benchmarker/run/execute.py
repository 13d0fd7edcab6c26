"""Runs the cells of a study that are not finished yet."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarker.data.cache import held
from benchmarker.discovery import Plugins
from benchmarker.files import make_folder
from benchmarker.registry import LoadedRegistry
from benchmarker.run.policy import Policy, warnings
from benchmarker.run.pool import Pool
from benchmarker.run.prepare import get_ready
from benchmarker.run.runner import Runner
from benchmarker.study.layout import RUNS_FOLDER
from benchmarker.study.locks import joined
from benchmarker.study.observer import Observer
from benchmarker.study.plan import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOutcome:
    """How the cells of a registry ended.

    Parameters
    ----------
    ok, failed, pending : int
        Add up to the cells of the registry.
    reused : int
        Of those that are ok, how many were found finished.
    failed_before : int
        Of those that failed, how many did in an earlier call and were not run again.
    generators_failed : int
        Generators that failed; with the first failure ending the run, their cells are pending.
    """

    ok: int
    failed: int
    pending: int
    reused: int
    failed_before: int = 0
    generators_failed: int = 0


def run_study(
    loaded: LoadedRegistry,
    results: Path,
    *,
    observer: Observer,
    plugins: Plugins,
    force: bool = False,
    offline: bool = False,
    test_only: bool = False,
    models_folder: Path | None = None,
    policy: Policy | None = None,
) -> StudyOutcome:
    """Plan a registry's cells, and run those that are not finished.

    Several calls may work on one study at once, in one process or on several: each cell is run by one of them, and all
    return when every cell of their registry has ended.

    Parameters
    ----------
    loaded : LoadedRegistry
        What to run.
    results : Path
        Folder of the study; created if need be.
    observer : Observer
        Told how it goes.
    plugins : Plugins
        Where names are looked up.
    force : bool
        Run cells again that have ended.
    offline : bool
        Never use the network.
    test_only : bool
        Test saved weights instead of training. A finished run is never replaced by that: its predictions are compared
        with the new ones.
    models_folder : Path, optional
        Where weights are also saved, or read from with ``test_only``.
    policy : Policy, optional
        Jobs, time limit, retries; one job by default.

    Raises
    ------
    ConfigurationError, DataError
        Before anything is trained.
    StorageError
        If the results cannot be written; finished cells stay.
    KeyboardInterrupt
        On Ctrl-C; finished cells stay, the others are pending and go on from their snapshots.
    """
    policy = policy or Policy()
    make_folder(results / RUNS_FOLDER)
    with joined(results), contextlib.ExitStack() as stack:
        ready = get_ready(loaded, results, observer=observer, plugins=plugins, offline=offline)
        stack.enter_context(held(ready.prepared))
        for warning in warnings(policy, ready.threads):
            observer.message(warning)
        runner = Runner(ready, observer, policy, force=force, test_only=test_only, models_folder=models_folder)
        bring_to_end(runner, policy)
        return _summary(runner, ready.cells)


def bring_to_end(runner: Runner, policy: Policy) -> None:
    """Run all cells of a runner that have not ended, so many at once as the policy says."""
    pool = Pool(runner.begin(), runner.work, runner.tell_waiting, runner.workers)
    runner.on_failure = pool.stop if policy.fail_fast else None
    pool.run(policy.jobs)


def _summary(runner: Runner, cells: Sequence[Cell]) -> StudyOutcome:
    outcomes = [runner.outcomes[cell.key] for cell in cells if cell.key in runner.outcomes]
    ok = [outcome for outcome in outcomes if outcome.status == "ok"]
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    failures = sum(outcome.status == "failed" for outcome in runner.outcomes.values())
    return StudyOutcome(
        ok=len(ok),
        failed=len(failed),
        pending=len(cells) - len(ok) - len(failed),
        reused=sum(outcome.reused for outcome in ok),
        failed_before=sum(outcome.reused for outcome in failed),
        generators_failed=failures - len(failed),
    )
