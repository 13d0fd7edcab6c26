"""Comparisons for documents, which also compare the networks of a single arm."""

from __future__ import annotations

from dataclasses import replace

from benchmarker import ReportOptions, StudyResults
from benchmarker_reports.facts import Facts, gather
from benchmarker_reports.statistics.tables import comparisons

MOST_COMPARED = 120
"""Networks and arms; the pairs of more of them nobody reads, and they cost minutes."""


def gather_all(results: StudyResults, options: ReportOptions) -> Facts:
    """Collect what all formats show, with comparisons wherever there are two lines to compare.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    """
    facts = gather(results, options, most=MOST_COMPARED)
    if facts.comparisons is not None or not 1 < len(facts.board.at(options.checkpoint)) <= MOST_COMPARED:
        return facts
    found = comparisons(
        results,
        checkpoint=options.checkpoint,
        reference=options.reference,
        level=options.confidence,
        margin=options.equivalence,
    )
    return replace(facts, comparisons=found)
