"""The next round of a study that runs until its comparisons are decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarker.claims import Claim
from benchmarker.errors import StorageError
from benchmarker.files import write_json
from benchmarker.printing import counted
from benchmarker.run.prepare import PreparedStudy
from benchmarker.study.claims import planning
from benchmarker.study.layout import PLAN_FILE
from benchmarker.study.observer import Observer
from benchmarker.study.plan import Plan, PlannedGenerator, read_plan
from benchmarker.study.plan_growth import in_rounds, merge_cells, merge_generators
from benchmarker.study.rounds import Look, RoundsRecord

Judge = Callable[[Path], Look]
"""Reads a study back, and says which rows take part in a comparison that more seeds may decide."""


def is_open(study: PreparedStudy) -> bool:
    """Return whether a study may get another round."""
    return study.rounds is not None and study.rounds.stopped is None


def planned_generators(study: PreparedStudy) -> list[PlannedGenerator]:
    """Return the generators of the rounds so far, or all of them where a study has no rounds."""
    if study.rounds is None or study.whole is None:
        return list(study.generators.values())
    return list(in_rounds(study.whole, study.rounds).generators)


def next_round(study: PreparedStudy, judge: Judge, observer: Observer) -> PreparedStudy:
    """Judge a study all of whose cells have ended, write the outcome into its plan, and return it with its next round.

    Several commands may come here at once: the first one judges, and the others go on with what it wrote.

    Parameters
    ----------
    study : PreparedStudy
        Study whose rounds are not over.
    judge : Judge
        Judges the comparisons of the study.
    observer : Observer
        Receives the outcome of the round.

    Raises
    ------
    StorageError
        If the plan was removed meanwhile, or cannot be written.
    """
    with planning(study.folder, study.uses) as claim:
        plan = read_plan(study.folder)
        if plan is None or plan.until_decided is None or study.whole is None:
            raise StorageError(f"{study.folder / PLAN_FILE}: its rounds were removed while it was run; run it again")
        rounds = plan.until_decided
        if rounds.rounds == (study.rounds and study.rounds.rounds) and rounds.stopped is None:
            rounds = rounds.after(judge(study.folder))
            _write(study.folder, plan, in_rounds(study.whole, rounds), claim)
    observer.message(_report(rounds))
    return replace(study, rounds=rounds, cells=in_rounds(study.whole, rounds).cells)


def _write(folder: Path, existing: Plan, ours: Plan, claim: Claim) -> None:
    cells, superseded = merge_cells(ours.cells, existing.cells)
    generators = merge_generators(ours.generators, existing.generators, cells, superseded)
    merged = existing.model_copy(
        update={"cells": tuple(cells), "generators": tuple(generators), "until_decided": ours.until_decided}
    )
    write_json(folder / PLAN_FILE, merged.to_json(), confirm=claim.require)


def _report(rounds: RoundsRecord) -> str:
    """Return what the last round that has ended decided, and how the study goes on."""
    judged = [each for each in rounds.rounds if each.pairs is not None][-1]
    decided = f"after {counted(judged.seeds, 'seed')}, {judged.decided} of {counted(judged.pairs or 0, 'pair')} decided"
    if judged.out_of_reach:
        decided += f", {judged.out_of_reach} out of reach"
    if rounds.stopped is not None:
        return f"{decided}. {rounds.summary}"
    last = rounds.rounds[-1]
    return f"{decided}; {counted(len(last.rows), 'row')} go on with seed {last.seeds} of at most {len(rounds.seeds)}"
