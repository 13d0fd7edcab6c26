"""The figures of a paper, drawn with matplotlib."""

from __future__ import annotations

from benchmarker import ReportOptions, StudyResults


def render(results: StudyResults, options: ReportOptions) -> dict[str, bytes]:
    """Return a study's figures, each as PNG, SVG and PDF; the same study gives the same bytes.

    Parameters
    ----------
    results : StudyResults
        What to show.
    options : ReportOptions
        How to show it.

    Returns
    -------
    dict of str to bytes
        By file name: ``leaderboard``, ``comparisons_networks``, ``comparisons_arms``, ``learning_loss``,
        ``learning_accuracy``, ``confusion``, ``roc``, ``precision_recall``, ``calibration``, ``costs`` and
        ``fidelity``, as far as the study has what they show.
    """
    from benchmarker_reports.figures.drawing import build_files

    return build_files(results, options)
