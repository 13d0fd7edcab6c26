"""What an audit found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarker.audit.bands import MetricComparison
from benchmarker.audit.compare import Difference, Entry

BITWISE = "bitwise"
TOLERATED = "within tolerance"
DIFFERS = "differs"
INTACT = "intact"  # of files alone: nothing was trained
UNDECIDED = "no verdict"  # the re-run did not end, which says nothing about the results

EXIT_CODES: Mapping[str, int] = {BITWISE: 0, INTACT: 0, TOLERATED: 3, UNDECIDED: 2, DIFFERS: 1}
_FROM_WORST = (DIFFERS, UNDECIDED, TOLERATED, INTACT, BITWISE)
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A file of a study that is not what its trail covers.

    Parameters
    ----------
    link : str
        The link of the trail that it contradicts.
    file : str
        Its name.
    text : str
        What is wrong.
    """

    link: str
    file: str
    text: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return {"link": self.link, "file": self.file, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAudit:
    """What an audit found about one cell.

    Parameters
    ----------
    name, key : str
        Model, arm and seed, and the digest of the settings.
    verdict : {"bitwise", "within tolerance", "differs", "intact", "no verdict"}
        ``"intact"`` where nothing was trained, ``"no verdict"`` where a re-run did not end.
    summary : str
        The verdict in a sentence.
    environment : tuple of Entry
        Entries of the fingerprint that differ.
    difference : Difference or None
        The first link in which the trails part, that of the fingerprint aside.
    metrics : tuple of MetricComparison
        Compared where the environments differ.
    findings : tuple of Finding
        What is wrong with the files, in the order of the trail.
    """

    name: str
    key: str
    verdict: str
    summary: str
    environment: tuple[Entry, ...] = ()
    difference: Difference | None = None
    metrics: tuple[MetricComparison, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def first_link(self) -> str:
        """The first link that differs, with its part; empty if none does."""
        if self.findings:
            return self.findings[0].link
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
            "usual_causes": list(difference.causes) if difference else [],
            "metrics": [comparison.to_json() for comparison in self.metrics],
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found about a study.

    Parameters
    ----------
    title, dataset : str
        Of the study.
    trained : bool
        Whether cells were run again, or files checked alone.
    planned, finished : int
        Cells of the plan, and how many of them have finished.
    selection : str
        How the audited cells were chosen.
    cells : tuple of CellAudit
        In the order of the plan.
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
        """The worst verdict of any cell."""
        found = {cell.verdict for cell in self.cells} | ({DIFFERS} if self.findings else set())
        return next(verdict for verdict in _FROM_WORST if verdict in found)

    @property
    def exit_code(self) -> int:
        """0 for bitwise or intact, 3 within tolerance, 1 if anything differs, 2 if a re-run did not end."""
        return EXIT_CODES[self.verdict]

    def counts(self) -> dict[str, int]:
        """Return how many cells have each verdict, the worst first."""
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
