"""Studies as LaTeX: a document that compiles, its tables, and one macro for each number."""

from __future__ import annotations

from benchmarker import ReportOptions, StudyResults


def render(results: StudyResults, options: ReportOptions) -> dict[str, str]:
    r"""Return a study as LaTeX files: a document, tables to ``\input``, and macros for every number.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.

    Returns
    -------
    dict of str to str
        ``report.tex`` compiles by itself; ``table_leaderboard.tex``, ``table_per_class.tex`` and
        ``table_comparisons.tex`` are for the reader's own document, and ``numbers.tex`` holds the macros.
    """
    from benchmarker_reports.latex.document import build_files

    return build_files(results, options)
