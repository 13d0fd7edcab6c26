"""What an audit found, and the verdict on each cell."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarker.audit.bands import MetricComparison
from benchmarker.audit.causes import difference_causes
from benchmarker.errors import DivergedError
from benchmarker.results.study import CellRecord
from benchmarker.results.trails import FINGERPRINT, Difference, Entry, fingerprint_differences, first_difference
from benchmarker.trail import Trail

BITWISE = "bitwise"
TOLERATED = "within tolerance"
DIFFERS = "differs"
INTACT = "intact"
"""Verdict on files alone: nothing was trained."""

UNCHECKED = "unchecked"
"""Something could not be compared: a plugin or memory was missing, or a re-run did not finish. That is no fault."""

EXIT_CODES: Mapping[str, int] = {BITWISE: 0, INTACT: 0, TOLERATED: 3, UNCHECKED: 2, DIFFERS: 1}
_FROM_WORST = (DIFFERS, UNCHECKED, TOLERATED, INTACT, BITWISE)
FORMAT = 1
# Links before any training, which are the same in every environment.
_INPUTS = ("cell", "data", "split")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A file of a study that contradicts the trail of its run, or that could not be compared with it.

    Parameters
    ----------
    link : str
        Link of the trail that the file contradicts.
    file : str
        Name of the file.
    text : str
        What is wrong with it, or why it could not be compared.
    compared : bool
        Whether it was compared; otherwise it is neither right nor wrong.
    """

    link: str
    file: str
    text: str
    compared: bool = True

    def to_json(self) -> dict[str, str | bool]:
        """Return the finding as JSON."""
        return {"link": self.link, "file": self.file, "text": self.text, "compared": self.compared}


def is_unreadable(error: BaseException) -> bool:
    """Whether an error, or its cause, says that a file exists but the system does not let it be read."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return isinstance(cause, OSError) and cause.errno not in {None, errno.ENOENT, errno.ENOTDIR}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAudit:
    """What an audit found about one cell.

    Parameters
    ----------
    name, key : str
        Model, arm and seed, and digest of the settings.
    verdict : {"bitwise", "within tolerance", "differs", "intact", "unchecked"}
        ``"intact"`` where nothing was trained, ``"unchecked"`` where something could not be compared.
    summary : str
        Verdict in one sentence.
    environment : tuple of Entry
        Entries of the fingerprint that differ.
    difference : Difference or None
        First link in which the trails differ, not counting the fingerprint.
    causes : tuple of str
        Usual causes of that difference, the most frequent one first.
    metrics : tuple of MetricComparison
        Metrics, compared where the environments differ.
    findings : tuple of Finding
        What is wrong with the files, in the order of the trail.
    """

    name: str
    key: str
    verdict: str
    summary: str
    environment: tuple[Entry, ...] = ()
    difference: Difference | None = None
    causes: tuple[str, ...] = ()
    metrics: tuple[MetricComparison, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def first_link(self) -> str:
        """First link that differs, with its part; empty if none does."""
        if contradicted := [finding for finding in self.findings if finding.compared]:
            return contradicted[0].link
        return self.difference.name if self.difference else ""

    def to_json(self) -> dict[str, Any]:
        """Return the cell as JSON."""
        difference = self.difference
        return {
            "name": self.name,
            "key": self.key,
            "verdict": self.verdict,
            "summary": self.summary,
            "environment": [entry.to_json() for entry in self.environment],
            "first_link": self.first_link,
            "entries": [entry.to_json() for entry in difference.entries] if difference else [],
            "usual_causes": list(self.causes),
            "metrics": [comparison.to_json() for comparison in self.metrics],
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found about a study.

    Parameters
    ----------
    title, dataset : str
        Title of the study, and name of its dataset.
    trained : bool
        Whether cells were run again; otherwise only files were checked.
    planned, finished : int
        Number of cells in the plan, and how many of them have finished.
    selection : str
        How the audited cells were chosen.
    cells : tuple of CellAudit
        Audited cells in the order of the plan.
    findings : tuple of Finding
        What is wrong with the files of the study itself.
    """

    title: str
    dataset: str
    trained: bool
    planned: int
    finished: int
    selection: str
    cells: tuple[CellAudit, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> str:
        """Worst verdict of any cell."""
        found = {cell.verdict for cell in self.cells}
        found |= {DIFFERS if finding.compared else UNCHECKED for finding in self.findings}
        return next(verdict for verdict in _FROM_WORST if verdict in found)

    @property
    def exit_code(self) -> int:
        """0 for bitwise or intact, 3 within tolerance, 1 if anything differs, 2 if something is unchecked."""
        return EXIT_CODES[self.verdict]

    def counts(self) -> dict[str, int]:
        """Return the number of cells with each verdict, the worst first."""
        verdicts = [cell.verdict for cell in self.cells]
        return {verdict: verdicts.count(verdict) for verdict in _FROM_WORST if verdict in verdicts}

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "format": FORMAT,
            "title": self.title,
            "dataset": self.dataset,
            "mode": "re-run" if self.trained else "files",
            "verdict": self.verdict,
            "planned": self.planned,
            "finished": self.finished,
            "audited": len(self.cells),
            "selection": self.selection,
            "findings": [finding.to_json() for finding in self.findings],
            "cells": [cell.to_json() for cell in self.cells],
        }


def judge(
    cell: CellRecord, recorded: Trail, rerun: Trail, metrics: Callable[[], tuple[MetricComparison, ...]]
) -> CellAudit:
    """Compare the trail of a run with that of its re-run.

    Parameters
    ----------
    cell : CellRecord
        Cell that both runs belong to.
    recorded, rerun : Trail
        Trails of the study's run and of the re-run.
    metrics : callable
        Function that compares the metrics; called only where the environments differ.
    """
    environment = fingerprint_differences(recorded, rerun)
    difference = first_difference(recorded, rerun, passing_over=FINGERPRINT if environment else "")
    if difference is None and not environment:
        return _audit(cell, BITWISE, f"all {len(recorded.links)} links are equal, bit for bit")
    if difference is None:
        summary = "in another environment; every other link is equal, bit for bit"
        return _audit(cell, TOLERATED, summary, environment=environment)
    if not environment:
        summary = f"first at {difference.name}, in an equal environment"
        return _audit(cell, DIFFERS, summary, difference=difference)
    if difference.link in _INPUTS:
        summary = f"first at {difference.name}: not the same training"
        return _audit(cell, DIFFERS, summary, environment=environment, difference=difference)
    compared = metrics()
    outside = [f"{each.metric} ({each.checkpoint})" for each in compared if not each.within]
    within = f"all {len(compared)} metrics within their bands"
    found = f"outside the band: {', '.join(outside)}" if outside else within
    return _audit(
        cell,
        DIFFERS if outside else TOLERATED,
        f"in another environment, {found}; bits differ from {difference.name} on",
        environment=environment,
        difference=difference,
        metrics=compared,
    )


def judge_files(cell: CellRecord, findings: tuple[Finding, ...]) -> CellAudit:
    """Return the verdict on the files of a run alone."""
    if not findings:
        return _audit(cell, INTACT, "all files are what the trail covers")
    first = next((finding for finding in findings if finding.compared), None)
    if first is None:
        return judge_unchecked(cell, f"{findings[0].file}: {findings[0].text}", findings)
    return CellAudit(
        name=cell.name,
        key=cell.key,
        verdict=DIFFERS,
        summary=f"its files are not what its run wrote: {first.file} contradicts the link {first.link!r}",
        findings=findings,
    )


def judge_unchecked(cell: CellRecord, reason: str, findings: tuple[Finding, ...] = ()) -> CellAudit:
    """Return the verdict on a cell that could not be compared, which says nothing about its results."""
    summary = f"could not be checked: {' '.join(reason.split())}"
    return CellAudit(name=cell.name, key=cell.key, verdict=UNCHECKED, summary=summary, findings=findings)


def judge_together(files: CellAudit, rerun: CellAudit) -> CellAudit:
    """Return the verdict on a cell whose files, or whose re-run, could not be compared in every part."""
    if rerun.verdict == DIFFERS or files.verdict != UNCHECKED:
        return rerun
    summary = f"{files.summary}; run again, it is {rerun.verdict}"
    return replace(rerun, verdict=UNCHECKED, summary=summary, findings=files.findings)


def judge_other_data(cell: CellRecord, digest: str) -> CellAudit:
    """Return the verdict on a cell whose images are not those of its run, so that training would prove nothing."""
    entry = Entry(name="digest", recorded=cell.spec.dataset.digest, rerun=digest)
    difference = Difference(link="data", entries=(entry,))
    summary = "first at data: the images are different ones, so nothing was trained"
    return _audit(cell, DIFFERS, summary, difference=difference)


def judge_failure(cell: CellRecord, kind: str, message: str) -> CellAudit:
    """Return the verdict on a finished cell whose re-run failed: a result only if the training diverged."""
    verdict = DIFFERS if kind == DivergedError.kind else UNCHECKED
    return _audit(cell, verdict, f"the re-run failed ({kind}): {' '.join(message.split())}")


def _audit(
    cell: CellRecord,
    verdict: str,
    summary: str,
    *,
    metrics: tuple[MetricComparison, ...] = (),
    environment: tuple[Entry, ...] = (),
    difference: Difference | None = None,
) -> CellAudit:
    return CellAudit(
        name=cell.name,
        key=cell.key,
        verdict=verdict,
        summary=summary,
        environment=environment,
        difference=difference,
        causes=difference_causes(difference) if difference is not None else (),
        metrics=metrics,
    )
