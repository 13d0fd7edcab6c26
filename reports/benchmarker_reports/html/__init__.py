"""Studies as one HTML file that works without a network."""

from __future__ import annotations

from benchmarker import ReportOptions, StudyResults


def render(results: StudyResults, options: ReportOptions) -> str:
    """Return a study as one HTML page: no other file, no network, no time stamp; the same study gives the same bytes.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.
    """
    from benchmarker_reports.html.collecting import build_page
    from benchmarker_reports.html.rendering import render_page

    return render_page(build_page(results, options), refresh=options.refresh_seconds)
