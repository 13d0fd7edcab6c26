"""Figures: each in three formats, with the same bytes each time and names that are not formulas."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarker import ReportOptions, figure_style, open_results
from benchmarker_reports.content.charts import Panel, Series, as_floats
from benchmarker_reports.formats import figures as drawing

MAGIC = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def files(study_folder: Path) -> dict[str, bytes]:
    return drawing.render(open_results(study_folder), ReportOptions())


def test_figures_have_three_formats(files: dict[str, bytes]) -> None:
    names = {name.rpartition(".")[0] for name in files}
    assert names == {
        "leaderboard", "comparisons_arms", "comparisons_networks", "learning_loss", "learning_accuracy", "confusion",
        "roc", "precision_recall", "density", "calibration", "costs", "fidelity",
    }  # fmt: skip
    for name, content in files.items():
        assert content.startswith(MAGIC[name.rpartition(".")[2]]), name
        assert len(content) > 5_000, name


def test_figures_have_no_dates_or_versions(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        assert not re.search(rb"CreationDate|ModDate|<dc:date>|[Mm]atplotlib v|Software", content), name


def test_figures_have_the_same_bytes_and_show_names_as_text() -> None:
    def panel() -> Panel:
        series = Series(name="$\\frac{1}{0}$ <b>", x=as_floats([1, 2, 3]), y=as_floats([0.5, 0.6, 0.7]))
        return Panel(title="$x_{", series=(series, series), x_label="epoch", y_label="loss\n%$")

    found = []
    for _ in range(2):
        with figure_style(drawing.STYLE):
            figure = drawing.panel_figure([panel()])
            found.append([drawing.saved(figure, suffix) for suffix in drawing.FORMATS])
    assert found[0] == found[1]


def test_figures_of_a_study_without_results_are_none(tmp_path: Path) -> None:
    from tests.reports.material import DocumentStudy

    study = DocumentStudy(tmp_path / "empty").pending("convxpress", 1)
    assert drawing.render(open_results(study.folder), ReportOptions()) == {}


@pytest.mark.filterwarnings("error")
def test_figures_of_one_epoch_and_of_other_scripts_draw_without_warnings() -> None:
    series = Series(name="星系", x=as_floats([1]), y=as_floats([0.5]))
    panel = Panel(title="спираль 星", series=(series, series), x_range=(1.0, 1.0), y_range=(0.5, 0.5))
    with figure_style(drawing.STYLE):
        figure = drawing.panel_figure([panel])
        assert all(drawing.saved(figure, suffix) for suffix in drawing.FORMATS)
    axes = figure.axes[0]
    assert axes.get_xlim()[0] < 1 < axes.get_xlim()[1]
    assert axes.get_title() == r"спираль \u661f"


def test_figures_do_not_depend_on_a_matplotlibrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    from tests.reports.material import DocumentStudy

    panel = Panel(title="loss", series=(Series(name="train", x=as_floats([1, 2]), y=as_floats([0.5, 0.6])),))
    monkeypatch.setattr(drawing, "figures", lambda _content, _journal: {"learning": drawing.panel_figure([panel])})
    results = open_results(DocumentStudy(tmp_path / "study").pending("convxpress", 1).folder)
    plain = drawing.render(results, ReportOptions())
    with mpl.rc_context({"text.usetex": True, "axes.facecolor": "red", "axes.linewidth": 3}):
        assert drawing.render(results, ReportOptions()) == plain
