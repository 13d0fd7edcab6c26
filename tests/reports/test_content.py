"""The content of reports, checked against independent computations."""

from __future__ import annotations

import doctest
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import stats
from sklearn import metrics

from benchmarker import (
    Comparisons,
    History,
    RatioPoint,
    RatioResponse,
    ReportOptions,
    Stream,
    StudyResults,
    open_results,
)
from benchmarker.data.sky_columns import SkyRow
from benchmarker_reports.content import curves
from benchmarker_reports.content.charts import Floats, as_floats
from benchmarker_reports.content.comparisons import ratio_charts
from benchmarker_reports.content.drawing import draw_images
from benchmarker_reports.content.learning import MOST_POINTS, average_histories
from benchmarker_reports.content.pictures import bar_label, png
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.content.values import signed, t_quantile, written_p
from benchmarker_reports.formats.html import render as html_report
from benchmarker_reports.formats.html_charts import domain_of
from benchmarker_reports.formats.json import render as json_report
from tests.data.test_orientation import columns
from tests.reports.material import DocumentStudy

Scored = tuple[Floats, NDArray[np.bool_]]


def content_of(folder: Path) -> StudyContent:
    return StudyContent(open_results(folder), ReportOptions())


@pytest.fixture
def scored() -> Scored:
    """Scores with many ties, and whether each is of the class."""
    draws = Stream("curves").generator()
    truth = draws.random(300) < 0.3
    scores = as_floats(np.round(np.clip(draws.normal(0.3 + 0.3 * truth, 0.2), 0, 1), 2))
    return scores, truth


def test_docstrings_of_curves_are_right() -> None:
    attempted = doctest.testmod(curves)
    assert attempted.attempted > 5
    assert attempted.failed == 0


def test_curves_are_those_of_scikit_learn(scored: Scored) -> None:
    scores, truth = scored
    x, y, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(curves.roc(truth, scores), (x, y))
    assert curves.area_under_roc(truth, scores) == pytest.approx(metrics.roc_auc_score(truth, scores))
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    np.testing.assert_allclose(curves.precision_recall(truth, scores), (recall[::-1], precision[::-1]))
    assert curves.average_precision(truth, scores) == pytest.approx(metrics.average_precision_score(truth, scores))


def test_calibration_is_that_computed_by_hand() -> None:
    truth = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.85, 0.15], [0.7, 0.3], [0.35, 0.65]])
    found = curves.reliability(truth, probabilities)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 2, 0]
    np.testing.assert_allclose(found.accuracy[[6, 8]], [0.5, 1.0])
    np.testing.assert_allclose(found.confidence[[6, 8]], [0.675, 0.875])
    assert found.error == pytest.approx(0.5 * 0.175 + 0.5 * 0.125)
    one = metrics.brier_score_loss(truth == 1, probabilities[:, 1])
    assert curves.brier_score(truth, probabilities) == pytest.approx(2 * one)


def test_averaged_curves_start_in_their_corner() -> None:
    steep = (np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.5, 1.0]))
    mean, low, high = curves.averaged([steep, (np.array([0.0, 1.0]), np.array([0.0, 1.0]))], np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(mean, [0.25, 0.625, 1.0])
    np.testing.assert_allclose(low, [0, 0.5, 1])
    np.testing.assert_allclose(high, [0.5, 0.75, 1])


def test_histories_average_over_those_that_reached_the_epoch() -> None:
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


def test_lines_know_their_runs_and_intervals(study_folder: Path) -> None:
    lines = content_of(study_folder).lines
    assert [line.first.n for line in lines] == [3] * 8 + [0]
    for line in lines[:-1]:
        assert {run.seed for run in line.runs} == set(line.values)
        assert {run.arm for run in line.runs} == {line.arm}
        assert line.estimate is not None
        assert line.estimate.covers_sources
        low, high = line.estimate.ends
        assert 0 < low < line.estimate.mean < high < 100
        # Ten sources of each class alone leave this much open (Wilson 1927), whatever the seeds show.
        assert high - low > 10
    low, high = domain_of(lines)
    assert low < min(value for line in lines for value in line.values.values()) < high


def test_examples_are_those_that_all_or_none_classify_correctly(study_folder: Path) -> None:
    content = content_of(study_folder)
    found = content.examples
    assert found is not None
    correct = np.array(
        [
            tested.correct
            for line in content.finished
            for run in line.runs
            if (tested := content.results.predictions(run)) is not None
        ]
    )
    assert found.n_always == correct.all(axis=0).sum() > 0
    assert found.n_never == (~correct).all(axis=0).sum() > 0
    assert found.n_images == correct.shape[1]
    assert all(picture.correct == picture.runs == 24 for picture in found.always)
    assert all(picture.correct == 0 and picture.predicted != picture.truth for picture in found.never)


def test_pictures_are_the_same_png_each_time() -> None:
    image = np.linspace(0, 1, 16 * 16, dtype=np.float32).reshape(16, 16, 1)
    assert png(image) == png(image.copy())
    assert png(image).startswith(b"\x89PNG")
    for flat in (np.zeros((4, 4, 3), np.float32), np.full((4, 4, 1), np.nan, np.float32)):
        assert png(flat).startswith(b"\x89PNG")


def test_images_of_a_study_are_drawn_upright_with_their_scale() -> None:
    image = np.linspace(0, 1, 40 * 40, dtype=np.float32).reshape(40, 40, 1)
    data = SimpleNamespace(sky=columns(SkyRow(north=0.0, pixel=2.0)))
    results = SimpleNamespace(images=lambda _numbers: image[None], prepared=data)
    assert draw_images(cast("StudyResults", results), [0]) == [png(image[::-1], arcsec=2.0)]


@pytest.mark.parametrize(("arcsec", "label"), [(1.8, '30"'), (0.4, '5"'), (20.0, "5'"), (1e-4, "")])
def test_bar_is_as_long_as_its_label_says(arcsec: float, label: str) -> None:
    image = np.zeros((60, 60, 1), np.float32)
    drawn = np.array(Image.open(io.BytesIO(png(image, 60, arcsec=arcsec))))
    bar = drawn[60 - 5 - 1] == 255
    lengths = {bar_label(length): length for length in (5.0, 30.0, 300.0)}
    assert bar.sum() == (round(lengths[label] / arcsec) if label else 0)


def test_differences_and_p_values_are_written_briefly() -> None:
    minus = "\N{MINUS SIGN}"
    written = [signed(value) for value in (0.0, -1.25, 12.34, 0.0123)]
    assert written == ["0.000", f"{minus}1.25", "+12.3", "+0.012"]
    assert [written_p(value) for value in (None, 0.0001, 0.25)] == ["-", "< 0.001", "0.250"]


@pytest.mark.parametrize("degrees_of_freedom", [1, 2, 3, 9, 40])
@pytest.mark.parametrize("confidence", [0.68, 0.95, 0.999])
def test_t_quantile_is_that_of_scipy(degrees_of_freedom: int, confidence: float) -> None:
    expected = stats.t.ppf((1 + confidence) / 2, degrees_of_freedom)
    assert t_quantile(degrees_of_freedom, confidence) == pytest.approx(expected)


def test_variants_of_one_network_keep_their_own_runs(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "variants")
    for epochs, skill in ((10, 0.9), (20, 0.2)):
        for seed in (1, 2):
            study.finish(study.cell("convxpress", "real", seed, epochs=epochs), skill=skill, cost=1.0)
    lines = content_of(study.write()).lines
    assert [line.label for line in lines] == ["convxpress (epochs=10)", "convxpress (epochs=20)"]
    for line, epochs in zip(lines, (10, 20), strict=True):
        assert {run.spec.model.epochs for run in line.runs} == {epochs}
        assert [run.seed for run in line.runs] == [1, 2]


def test_other_averages_are_those_of_scipy(study_folder: Path) -> None:
    content = content_of(study_folder)
    found = content.averages
    assert [each.line for each in found] == [line for line in content.lines if line.first.n > 1]
    for each in found:
        values = list(each.line.values.values())
        assert each.interquartile_mean == pytest.approx(stats.trim_mean(values, 0.25))
        if each.t is not None and np.ptp(values) > 0:
            expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
            assert (each.t.low, each.t.high) == pytest.approx(expected)
    bootstrapped = [each for each in found if each.bca is not None]
    assert bootstrapped
    for each in bootstrapped:
        assert each.bca is not None
        values = list(each.line.values.values())
        assert min(values) <= each.bca.low <= each.bca.high <= max(values)


def test_page_and_json_show_other_averages(study_folder: Path) -> None:
    results = open_results(study_folder)
    page = html_report(results, ReportOptions())
    assert "Other averages and intervals" in page
    assert "interquartile mean" in page
    value = json.loads(json_report(results, ReportOptions()))
    assert len(value["averages"]) == 8
    assert value["averages"][0]["bca_interval"] is None or len(value["averages"][0]["bca_interval"]) == 2


def test_precision_between_thresholds_is_that_of_davis_and_goadrich() -> None:
    """Their example of 2006: of 20 images of the class, 5 hits with 5 false alarms, then 10 hits with 30."""
    truth = np.array([True] * 5 + [False] * 5 + [True] * 5 + [False] * 25 + [True] * 10)
    scores = np.repeat([0.9, 0.5, 0.1], [10, 30, 10])
    recall = np.arange(5, 11) / 20
    expected = [0.5, 6 / 16, 7 / 22, 8 / 28, 9 / 34, 0.25]
    assert curves.precision_at(truth, scores, recall) == pytest.approx(expected)
    line = np.interp(recall, [0.25, 0.5], [0.5, 0.25])
    assert (line[1:-1] > curves.precision_at(truth, scores, recall)[1:-1]).all()


def test_pareto_front_leaves_out_rows_without_a_rank(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study").add(("slow", "fast"), (1, 2))
    study.finish(study.cell("partial", "real", 1), skill=0.99, cost=0.01)  # the best and the cheapest, of one seed
    study.pending("partial", 2)
    content = content_of(study.write())
    assert {each.line.label for each in content.pareto} == {"slow", "fast"}
    assert all(
        point.on_front is False for chart in content.cost_charts for point in chart.points if point.number == "-"
    )


def test_a_class_without_test_images_has_no_recall(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study", truth=np.arange(30) % 3).add(("a", "b"), (1, 2))
    content = content_of(study.write())
    assert set(content.class_scores[0].scores) == {"COMP", "FRI", "FRII"}  # not BENT
    assert "recall_BENT" not in content.lines[0].first.metrics


def test_ratio_charts_show_one_generator_each_on_one_scale() -> None:
    def response(network: str, generator: str, means: list[float]) -> RatioResponse:
        points = tuple(
            RatioPoint(ratio=ratio, arm=f"{generator}-{ratio}", mean=mean, standard_deviation=1.0, comparison=None)
            for ratio, mean in zip((0.0, 0.5, 1.0), means, strict=True)
        )
        return RatioResponse(
            network=network, generator=generator, points=points, slope=1.0, low=0.5, high=1.5, p=0.01, n=3
        )

    ratios = (
        *(response(f"network-{k}", "dcgan", [70.0 + k, 72.0 + k, 74.0 + k]) for k in range(10)),
        response("network-0", "cgan", [70.0, 60.0, 50.0]),
    )
    found = SimpleNamespace(ratios=ratios, metric="mean_per_class_accuracy", unit="pp", level=0.95)
    charts = ratio_charts(cast("Comparisons", found))
    assert [(chart.title, len(chart.panel.series)) for chart in charts] == [("dcgan", 8), ("dcgan", 2), ("cgan", 1)]
    (scale,) = {chart.panel.y_range for chart in charts}
    assert scale is not None
    assert scale[0] < 49
    assert scale[1] > 84
    assert all(words.startswith("network-") for chart in charts for words in chart.words)
