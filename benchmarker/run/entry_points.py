"""Where running begins: a whole study, or only its generators."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarker.claims import Share
from benchmarker.data.cache import held
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import make_folder, require_possible
from benchmarker.registry import LoadedRegistry
from benchmarker.run.choosing import Chosen
from benchmarker.run.placement import place_cells
from benchmarker.run.policy import Policy
from benchmarker.run.pool import Pool
from benchmarker.run.prepare import PreparedStudy, prepare_study
from benchmarker.run.rounds import Judge, is_open, next_round, planned_generators
from benchmarker.run.run_folders import ExistingRuns
from benchmarker.run.runner import Runner
from benchmarker.study.claims import joined
from benchmarker.study.layout import RUNS_FOLDER
from benchmarker.study.observer import CellOutcome, Observer
from benchmarker.study.plan import Planned, PlannedCell


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOutcome:
    """How the cells of a registry ended.

    Parameters
    ----------
    ok, failed, pending : int
        Numbers of cells that add up to those of the registry.
    reused : int
        How many of the ok ones have runs of an earlier call.
    failed_before : int
        How many of the failed ones failed in an earlier call and were not run again.
    generators_failed : int
        Generators that failed; if the first failure ends the run, their cells are pending.
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
    chosen: Chosen | None = None,
    judge: Judge | None = None,
) -> StudyOutcome:
    """Plan a registry's cells, and run those that have not finished.

    Several calls may work on one study at once, in one process or in several. Each cell is run by one of them, and all
    return when every cell of their registry has ended.

    Parameters
    ----------
    loaded : LoadedRegistry
        Registry to run.
    results : Path
        Folder of the study; created if need be.
    observer : Observer
        Receives the progress of the run.
    plugins : Plugins
        Plugins to look names up in.
    force : bool
        Run cells again that have ended.
    offline : bool
        Never use the network.
    test_only : bool
        Test saved weights instead of training. A finished run is never replaced by such a test: its predictions are
        compared with the new ones.
    models_folder : Path, optional
        Folder that weights are also saved to, or read from with ``test_only``.
    policy : Policy, optional
        Jobs, time limit, retries; by default as many jobs as the machine has room for.
    chosen : Chosen, optional
        Which cells to run, of all that are planned; by default all. The outcome counts only these.
    judge : Judge, optional
        Judges the comparisons after each round of a registry with ``until_decided``. Without it, and with ``chosen`` or
        ``test_only``, the rounds that are planned are run and no more are added.

    Raises
    ------
    ConfigurationError, DataError
        Before anything is trained.
    StorageError
        If the results cannot be written; finished cells stay.
    KeyboardInterrupt
        On Ctrl-C; finished cells stay, the others are pending and continue from their snapshots.
    """
    policy = policy or Policy()
    joining = chosen not in {None, Chosen()}
    with _prepared(loaded, results, observer=observer, plugins=plugins, offline=offline, joining=joining) as study:
        started = functools.partial(
            Runner, observer=observer, policy=policy, force=force, test_only=test_only, models_folder=models_folder
        )
        growing = None if test_only or joining else judge
        ended: dict[str, CellOutcome] = {}
        for part in _rounds(study, growing, observer, ended):
            cells, generators = (chosen or Chosen()).of(part.cells, part.needed_generators, where=str(results))
            everything: list[Planned] = [*([] if test_only else generators), *cells]
            planned = [each for each in everything if each.key not in ended]
            runner = started(part, planned, ended=ended)
            _run_all(runner, policy)
            ended |= runner.outcomes
        return _summary(ended, cells)


def _rounds(
    study: PreparedStudy, judge: Judge | None, observer: Observer, ended: Mapping[str, CellOutcome]
) -> Iterator[PreparedStudy]:
    """Yield a study, and again with each further round once all cells of the last one have ended."""
    yield study
    while judge is not None and is_open(study) and all(cell.key in ended for cell in study.cells):
        study = next_round(study, judge, observer)
        yield study


def plan_study(
    loaded: LoadedRegistry,
    results: Path,
    *,
    observer: Observer,
    plugins: Plugins,
    force: bool = False,
    offline: bool = False,
    policy: Policy | None = None,
    judge: Judge | None = None,
) -> int:
    """Prepare the data of a registry and write its plan; return the number of its cells.

    Of a registry with ``until_decided``, the plan has the next round where all cells of the last one have ended.

    Parameters
    ----------
    loaded, results, observer, plugins, force, offline, judge
        As `run_study` takes them.
    policy : Policy, optional
        How the cells would be run: report how many of them this machine would run at once, and why.

    Raises
    ------
    ConfigurationError, DataError, StorageError
        As `run_study` raises them before anything is trained.
    """
    with _prepared(loaded, results, observer=observer, plugins=plugins, offline=offline) as prepared:
        study = prepared
        existing = ExistingRuns(study.folder, observer.message, plugins, study.uses)
        if judge is not None and is_open(study) and all(existing.outcome_at_rest(cell) for cell in study.cells):
            study = next_round(study, judge, observer)
        if policy is not None:
            left = _left(study, finished=force, failed=force or policy.retry_failed)
            for remark in place_cells(policy, study, left).remarks:
                observer.message(f"on this machine, {remark}")
        return len(study.cells)


def _left(study: PreparedStudy, *, finished: bool, failed: bool) -> list[Planned]:
    """Return what of a study a run would begin: also what has finished or failed, where that is to be repeated."""
    existing = ExistingRuns(study.folder, lambda _: None, uses=study.uses)
    everything: list[Planned] = [*study.needed_generators, *study.cells]
    existing.disregard(everything, finished=finished, failed=failed)
    return [each for each in everything if existing.outcome_at_rest(each) is None]


def train_generators(
    loaded: LoadedRegistry,
    results: Path,
    *,
    observer: Observer,
    plugins: Plugins,
    policy: Policy,
    force: bool = False,
    offline: bool = False,
) -> int:
    """Train all generators of a registry, whether an arm uses them or not, and no networks; return how many failed.

    Parameters
    ----------
    loaded, results, observer, plugins, policy, force, offline
        As `run_study` takes them.

    Raises
    ------
    ConfigurationError
        If the registry has no generators.
    """
    if not loaded.registry.generators:
        raise ConfigurationError(
            f"{loaded.path.name}: has no 'generators'; docs/reference/registry.md says how to add one"
        )
    with _prepared(loaded, results, observer=observer, plugins=plugins, offline=offline, standalone=True) as study:
        runner = Runner(study, planned_generators(study), observer, policy, force=force)
        _run_all(runner, policy)
    return sum(outcome.status != "ok" for outcome in runner.outcomes.values())


@contextlib.contextmanager
def _prepared(
    loaded: LoadedRegistry,
    results: Path,
    *,
    observer: Observer,
    plugins: Plugins,
    offline: bool,
    standalone: bool = False,
    joining: bool = False,
) -> Iterator[PreparedStudy]:
    """Prepare a study, and keep its folder and its data from being merged or removed while it is run."""
    require_possible(results)
    with contextlib.ExitStack() as opened:

        def open_folder() -> Share:
            make_folder(results / RUNS_FOLDER)
            return opened.enter_context(joined(results))

        study = prepare_study(
            loaded,
            results,
            observer=observer,
            plugins=plugins,
            offline=offline,
            open_folder=open_folder,
            standalone=standalone,
            joining=joining,
        )
        data = opened.enter_context(held(study.prepared))
        if not study.prepared.is_dir():  # it was not held before
            raise StorageError(f"{study.prepared}: was removed by `benchmarker gc`; run the same command again")
        yield study if data is None else replace(study, uses=(*study.uses, data))


def _run_all(runner: Runner, policy: Policy) -> None:
    """Run everything of a runner that has not ended, as many jobs at once as the policy says."""
    left, threads = runner.begin()
    pool = Pool(left, runner.work, runner.report_waiting, runner.workers)
    runner.on_failure = pool.stop if policy.fail_fast else None
    try:
        pool.run(threads)
    finally:
        runner.workers.close()


def _summary(ended: Mapping[str, CellOutcome], cells: Sequence[PlannedCell]) -> StudyOutcome:
    outcomes = [ended[cell.key] for cell in cells if cell.key in ended]
    ok = [outcome for outcome in outcomes if outcome.status == "ok"]
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    failures = sum(outcome.status == "failed" for outcome in ended.values())
    return StudyOutcome(
        ok=len(ok),
        failed=len(failed),
        pending=len(cells) - len(ok) - len(failed),
        reused=sum(outcome.reused for outcome in ok),
        failed_before=sum(outcome.reused for outcome in failed),
        generators_failed=failures - len(failed),
    )
