"""Figures: every one in three formats, the same bytes each time, and names that are no formulas."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarker import ReportOptions, open_results
from benchmarker_reports.content.charts import Panel, Series, as_floats
from benchmarker_reports.formats import figures as drawing

MAGIC = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def files(study_folder: Path) -> dict[str, bytes]:
    return drawing.render(open_results(study_folder), ReportOptions())


def test_each_figure_has_three_formats(files: dict[str, bytes]) -> None:
    names = {name.rpartition(".")[0] for name in files}
    assert names == {
        "leaderboard", "comparisons_arms", "comparisons_networks", "learning_loss", "learning_accuracy", "confusion",
        "roc", "precision_recall", "calibration", "costs", "fidelity",
    }  # fmt: skip
    for name, content in files.items():
        assert content.startswith(MAGIC[name.rpartition(".")[2]]), name
        assert len(content) > 5_000, name


def test_no_file_says_when_or_with_what_it_was_made(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        assert not re.search(rb"CreationDate|ModDate|<dc:date>|[Mm]atplotlib v|Software", content), name


def test_same_numbers_same_bytes_and_names_are_text() -> None:
    def panel() -> Panel:
        series = Series(name="$\\frac{1}{0}$ <b>", x=as_floats([1, 2, 3]), y=as_floats([0.5, 0.6, 0.7]))
        return Panel(title="$x_{", series=(series, series), x_label="epoch", y_label="loss\n%$")

    import matplotlib as mpl

    found = []
    for _ in range(2):
        with mpl.rc_context(drawing._STYLE):
            figure = drawing.panel_figure([panel()])
            found.append([drawing.saved(figure, suffix) for suffix in drawing.FORMATS])
    assert found[0] == found[1]


def test_a_study_without_results_has_no_figures(tmp_path: Path) -> None:
    from tests.reports.material import DocumentStudy

    study = DocumentStudy(tmp_path / "empty").pending("convxpress", 1)
    assert drawing.render(open_results(study.folder), ReportOptions()) == {}
