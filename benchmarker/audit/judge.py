"""The verdict on one cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarker.audit.bands import MetricComparison
from benchmarker.audit.causes import usual_causes
from benchmarker.audit.compare import FINGERPRINT, Difference, Entry, fingerprint_differences, first_difference
from benchmarker.audit.report import BITWISE, DIFFERS, INTACT, TOLERATED, UNDECIDED, CellAudit, Finding
from benchmarker.errors import DivergedError
from benchmarker.results.study import CellRecord
from benchmarker.trail import Trail

# What goes into a training is the same in every environment.
_INPUTS = ("cell", "data", "split")


def judge(
    cell: CellRecord, recorded: Trail, rerun: Trail, metrics: Callable[[], tuple[MetricComparison, ...]]
) -> CellAudit:
    """Compare the trail of a run with that of its re-run.

    Parameters
    ----------
    cell : CellRecord
        Whose trails they are.
    recorded, rerun : Trail
        Of the study, and of the audit.
    metrics : callable
        Compares the metrics; called only where the environments differ.
    """
    environment = fingerprint_differences(recorded, rerun)
    if not environment:
        difference = first_difference(recorded, rerun)
        if difference is None:
            return _audit(cell, BITWISE, f"all {len(recorded.links)} links are equal, bit for bit")
        return _audit(cell, DIFFERS, f"first at {difference.name}, in an equal environment", difference=difference)
    difference = first_difference(recorded, rerun, passing_over=FINGERPRINT)
    if difference is None:
        return _audit(
            cell, TOLERATED, "in another environment; every other link is equal, bit for bit", environment=environment
        )
    found: dict[str, Any] = {"environment": environment, "difference": difference}
    if difference.link in _INPUTS:
        return _audit(cell, DIFFERS, f"first at {difference.name}: not the same training", **found)
    compared = metrics()
    outside = [f"{each.metric} ({each.checkpoint})" for each in compared if not each.within]
    if outside:
        summary = f"in another environment, outside the band: {', '.join(outside)}; bits part at {difference.name}"
        return _audit(cell, DIFFERS, summary, metrics=compared, **found)
    summary = f"in another environment, all {len(compared)} metrics in their bands; bits part at {difference.name}"
    return _audit(cell, TOLERATED, summary, metrics=compared, **found)


def judge_files(cell: CellRecord, findings: tuple[Finding, ...]) -> CellAudit:
    """Say whether the files of a run are what its trail covers."""
    if not findings:
        return _audit(cell, INTACT, "all files are what the trail covers")
    first = findings[0]
    return CellAudit(
        name=cell.name,
        key=cell.key,
        verdict=DIFFERS,
        summary=f"its files are not what its run wrote: {first.file} contradicts the link {first.link!r}",
        findings=findings,
    )


def other_data(cell: CellRecord, digest: str) -> CellAudit:
    """Say that the images are not those of the run, which nothing else needs to be compared for."""
    recorded = str(cell.spec["dataset"]["digest"])
    entry = Entry(name="digest", recorded=recorded, rerun=digest)
    difference = Difference(link="data", entries=(entry,), causes=usual_causes("data"))
    return _audit(cell, DIFFERS, "first at data: these are other images, so nothing was trained", difference=difference)


def failed(cell: CellRecord, kind: str, message: str) -> CellAudit:
    """Say that a cell that once finished could not be run again: only of a training that diverged is that a result."""
    verdict = DIFFERS if kind == DivergedError.kind else UNDECIDED
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
        metrics=metrics,
    )
