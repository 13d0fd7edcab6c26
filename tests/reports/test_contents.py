"""What documents show, checked against independent computations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from benchmarker import History, ReportOptions, Stream, open_results
from benchmarker_reports.contents import curves
from benchmarker_reports.contents.averages import averages
from benchmarker_reports.contents.entries import entries
from benchmarker_reports.contents.examples import examples, png
from benchmarker_reports.contents.learning import MOST_POINTS, average_histories
from benchmarker_reports.contents.model import Panel, Series, as_floats
from benchmarker_reports.html import render as html_report
from benchmarker_reports.html.charts import domain_of, line_chart
from benchmarker_reports.html.comparing import probability, signed
from benchmarker_reports.html.svg import Drawing, Scale, number, round_ticks, tick_text
from benchmarker_reports.json_report import render as json_report
from tests.reports.material import DocumentStudy

Scored = tuple[curves.Floats, NDArray[np.bool_]]


@pytest.fixture
def scored() -> Scored:
    """Scores with many ties, and which are of the class."""
    draws = Stream("curves").generator()
    truth = draws.random(300) < 0.3
    scores = as_floats(np.round(np.clip(draws.normal(0.3 + 0.3 * truth, 0.2), 0, 1), 2))
    return scores, truth


def test_curves_are_those_of_scikit_learn(
    scored: Scored,
) -> None:
    scores, truth = scored
    x, y, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(curves.roc(truth, scores), (x, y))
    assert curves.area_under_roc(truth, scores) == pytest.approx(metrics.roc_auc_score(truth, scores))
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    np.testing.assert_allclose(curves.precision_recall(truth, scores), (recall[::-1], precision[::-1]))
    assert curves.average_precision(truth, scores) == pytest.approx(metrics.average_precision_score(truth, scores))


def test_calibration_by_hand() -> None:
    truth = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.85, 0.15], [0.7, 0.3], [0.35, 0.65]])
    found = curves.reliability(truth, probabilities)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 2, 0]
    np.testing.assert_allclose(found.accuracy[[6, 8]], [0.5, 1.0])
    np.testing.assert_allclose(found.confidence[[6, 8]], [0.675, 0.875])
    assert found.error == pytest.approx(0.5 * 0.175 + 0.5 * 0.125)
    one = metrics.brier_score_loss(truth == 1, probabilities[:, 1])
    assert curves.brier_score(truth, probabilities) == pytest.approx(2 * one)


def test_averaged_curves_start_at_their_corner() -> None:
    steep = (np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.5, 1.0]))
    mean, low, high = curves.averaged([steep, (np.array([0.0, 1.0]), np.array([0.0, 1.0]))], np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(mean, [0.25, 0.625, 1.0])
    np.testing.assert_allclose(low, [0, 0.5, 1])
    np.testing.assert_allclose(high, [0.5, 0.75, 1])


def test_histories_of_different_lengths_average_over_those_that_got_there() -> None:
    def history(*values: float) -> History:
        return History(epochs=np.arange(1, len(values) + 1), columns={"loss": as_floats(values)})

    x, mean, low, high = average_histories([history(3, 2, 1), history(5, 4)], "loss")
    assert x.tolist() == [1, 2, 3]
    assert mean.tolist() == [4, 3, 1]
    assert low.tolist() == [3, 2, 1]
    assert high.tolist() == [5, 4, 1]
    long = average_histories([history(*range(1000))], "loss")[0]
    assert len(long) == MOST_POINTS
    assert (long[0], long[-1]) == (1, 1000)
    assert average_histories([history(1)], "accuracy")[0].size == 0


def test_entries_know_their_runs_and_intervals(study_folder: Path) -> None:
    results = open_results(study_folder)
    lines = entries(results, ReportOptions())
    assert [entry.n for entry in lines] == [3] * 8 + [0]
    for entry in lines[:-1]:
        assert {run.seed for run in entry.runs} == set(entry.values)
        assert {run.arm for run in entry.runs} == {entry.arm}
        from scipy import stats

        values = list(entry.values.values())
        if np.ptp(values) > 0:
            expected = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
            assert (entry.low, entry.high) == pytest.approx(expected)
    low, high = domain_of(lines)
    assert low < min(value for entry in lines for value in entry.values.values()) < high


def test_examples_are_those_that_all_or_none_get_right(study_folder: Path) -> None:
    results = open_results(study_folder)
    lines = [entry for entry in entries(results, ReportOptions()) if entry.runs]
    found = examples(results, lines, "best")
    assert found is not None
    right = np.array(
        [tested.correct for entry in lines for run in entry.runs if (tested := results.predictions(run)) is not None]
    )
    assert found.n_everyone == right.all(axis=0).sum() > 0
    assert found.n_nobody == (~right).all(axis=0).sum() > 0
    assert found.n_images == right.shape[1]
    assert all(picture.right == picture.runs == 24 for picture in found.everyone)
    assert all(picture.right == 0 and picture.called != picture.truth for picture in found.nobody)


def test_pictures_are_png_and_the_same_each_time() -> None:
    image = np.linspace(0, 1, 16 * 16, dtype=np.float32).reshape(16, 16, 1)
    assert png(image) == png(image.copy())
    assert png(image).startswith(b"\x89PNG")
    for flat in (np.zeros((4, 4, 3), np.float32), np.full((4, 4, 1), np.nan, np.float32)):
        assert png(flat).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0"), (-0.04, "0"), (1.26, "1.3"), (10.0, "10"), (-3.0, "-3"), (100.04, "100")]
)
def test_coordinates_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_ticks_are_round() -> None:
    assert round_ticks(0, 1) == (0, 0.5, 1)
    assert round_ticks(61.2, 68.9) == (62, 64, 66, 68)
    assert Scale(low=900, high=2_000_000, start=0, end=1, log=True).ticks() == (1e3, 1e4, 1e5, 1e6)
    assert round_ticks(2, 2) == (2,)
    assert [tick_text(value) for value in (0.25, 20, 12_000, 2e6, 3e9)] == ["0.25", "20", "12 k", "2 M", "3 G"]


def test_scale_keeps_within_its_ends() -> None:
    scale = Scale(low=0, high=10, start=100, end=0)
    assert [scale.at(value) for value in (-5, 0, 5, 20)] == [100, 100, 50, 0]


def test_drawings_escape_and_gaps_divide_lines() -> None:
    drawing = Drawing(10, 10, '"><script>')
    drawing.text(1, 1, "<b>&")
    assert str(drawing.markup()) == (
        '<svg class="chart" viewBox="0 0 10 10" role="img" aria-label="&#34;&gt;&lt;script&gt;">'
        '<text x="1" y="1">&lt;b&gt;&amp;</text></svg>'
    )
    values = as_floats([1, 2, np.nan, 3, 4])
    series = Series(name="a", x=as_floats(range(5)), y=values)
    chart = str(line_chart(Panel(title="t", series=(series,), x_label="x", y_label="y")))
    assert chart.count('class="line s0"') == 2
    assert "nan" not in chart


WRITTEN = ["0.000", "\N{MINUS SIGN}1.25", "+12.3", "+0.012"]


def test_differences_and_probabilities_in_words() -> None:
    assert [signed(value) for value in (0.0, -1.25, 12.34, 0.0123)] == [
        "0.000",
        "\N{MINUS SIGN}1.25",
        "+12.3",
        "+0.012",
    ]
    assert [probability(value) for value in (None, 0.0001, 0.25)] == ["-", "< 0.001", "0.250"]


def test_variants_of_one_network_keep_their_own_runs(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "variants")
    for epochs, skill in ((10, 0.9), (20, 0.2)):
        for seed in (1, 2):
            study.finish(study.cell("convxpress", "real", seed, epochs=epochs), skill=skill, cost=1.0)
    lines = entries(open_results(study.write()), ReportOptions())
    assert [entry.label for entry in lines] == ["convxpress (epochs=10)", "convxpress (epochs=20)"]
    for entry, epochs in zip(lines, (10, 20), strict=True):
        assert {run.spec["model"]["epochs"] for run in entry.runs} == {epochs}
        assert [run.seed for run in entry.runs] == [1, 2]


def test_other_averages_are_those_of_scipy(study_folder: Path) -> None:
    from scipy import stats

    board = open_results(study_folder).leaderboard("best")
    found = averages(board, 0.95)
    assert [each.row.label for each in found] == [row.label for row in board.rows if row.n > 1]
    for each in found:
        values = list(each.row.metrics[board.sort].values.values())
        assert each.interquartile == pytest.approx(stats.trim_mean(values, 0.25))
        if each.t is not None and np.ptp(values) > 0:
            expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
            assert (each.t.low, each.t.high) == pytest.approx(expected)
    told = [each for each in found if each.bca is not None]
    assert told
    for each in told:
        assert each.bca is not None
        values = list(each.row.metrics[board.sort].values.values())
        assert min(values) <= each.bca.low <= each.bca.high <= max(values)


def test_the_page_and_json_show_other_averages(study_folder: Path) -> None:
    results = open_results(study_folder)
    page = html_report(results, ReportOptions())
    assert "Other averages and intervals" in page
    assert "interquartile mean" in page
    value = json.loads(json_report(results, ReportOptions()))
    assert len(value["averages"]) == 8
    assert value["averages"][0]["bca_interval"] is None or len(value["averages"][0]["bca_interval"]) == 2
