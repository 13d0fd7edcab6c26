"""Generators on their own: train those of a registry without its networks, and find their runs in a study."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from benchmarker.data.cache import held
from benchmarker.discovery import Plugins, spelling
from benchmarker.errors import ConfigurationError
from benchmarker.files import make_folder
from benchmarker.registry import LoadedRegistry
from benchmarker.results.study import read_study
from benchmarker.run.execute import bring_to_end
from benchmarker.run.policy import Policy
from benchmarker.run.prepare import get_ready
from benchmarker.run.runner import Runner
from benchmarker.study.layout import PLAN_FILE, RUNS_FOLDER
from benchmarker.study.locks import joined
from benchmarker.study.observer import Observer


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
    """Train the generators that arms of a registry use, and none of its networks; return how many failed.

    Parameters
    ----------
    loaded, results, observer, plugins, policy, force, offline
        As `benchmarker.run.run_study` takes them.

    Raises
    ------
    ConfigurationError
        If no arm uses a generator.
    """
    make_folder(results / RUNS_FOLDER)
    with joined(results), contextlib.ExitStack() as stack:
        ready = get_ready(loaded, results, observer=observer, plugins=plugins, offline=offline)
        if not ready.generators:
            raise ConfigurationError(
                f"{loaded.path.name}: no arm uses a generator; docs/reference/registry.md says how one does"
            )
        stack.enter_context(held(ready.prepared))
        standalone = replace(ready, cells=list(ready.generators.values()))
        runner = Runner(standalone, observer, policy, force=force, test_only=False, models_folder=None)
        bring_to_end(runner, policy)
    return sum(outcome.status != "ok" for outcome in runner.outcomes.values())


def find_run(place: Path, generator: str | None, seed: int | None) -> Path:
    """Return the folder of the one run that is meant.

    Parameters
    ----------
    place : Path
        A study, or the run itself.
    generator : str, optional
        Its label in the registry.
    seed : int, optional
        That it was trained under.

    Raises
    ------
    ConfigurationError
        If none or several are.
    """
    if not place.is_dir():
        raise ConfigurationError(f"{place}: there is no such folder; give a study, or the run of a generator in it")
    if not (place / PLAN_FILE).exists():
        return place
    known = read_study(place).generators
    found = [
        cell
        for cell in known
        if (generator is None or spelling(cell.model) == spelling(generator)) and (seed is None or cell.seed == seed)
    ]
    finished = [cell for cell in found if cell.status == "ok" and cell.folder is not None]
    if len(finished) == 1 and finished[0].folder is not None:
        return finished[0].folder
    names = ", ".join(f"{cell.model} (seed {cell.seed}, {cell.status})" for cell in known) or "none"
    if not finished:
        raise ConfigurationError(f"{place} has no such trained generator; it has: {names}")
    raise ConfigurationError(f"{place} has several: {names}; choose one by --generator and --seed")
