"""Accuracy against quantities of the sources, and doubts about labels, checked against independent computations."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarker import Attribute, ReportOptions, StudyResults, open_results
from benchmarker_reports.content.attributes import BINS
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats.html import render
from tests.reports.material import CLASSES, DocumentStudy

N_TEST = 60
DOUBTFUL = (3, 10)


class _Prepared(SimpleNamespace):
    """Prepared images of which only attributes are known."""

    def __len__(self) -> int:
        return N_TEST


def _mislabelled(text: str) -> str:
    """Return predictions that give two images another class than theirs with a probability of 0.97."""
    table = pd.read_csv(io.StringIO(text))
    for image in DOUBTFUL:
        other = CLASSES[(CLASSES.index(table.loc[image, "true"]) + 1) % len(CLASSES)]
        table.loc[image, [f"p_{name}" for name in CLASSES]] = [0.97 if name == other else 0.01 for name in CLASSES]
        table.loc[image, "predicted"] = other
    return table.to_csv(index=False)


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyContent:
    """A study of two networks whose dataset knows positions, redshifts with gaps, and a quantity that never varies."""
    study = DocumentStudy(tmp_path / "study", n_test=N_TEST).add(("convxpress", "mcrgnet"), (1, 2, 3))
    for path in study.folder.glob("runs/*/predictions_best.csv"):
        path.write_text(_mislabelled(path.read_text(encoding="utf-8")), encoding="utf-8")
    redshift = np.linspace(0.01, 0.9, N_TEST) ** 2
    redshift[7] = np.nan
    attributes = {
        "ra": Attribute(values=np.linspace(10, 20, N_TEST), unit="deg"),
        "dec": Attribute(values=np.linspace(-5, 5, N_TEST), unit="deg"),
        "redshift": Attribute(values=redshift, unit=""),
        "distance": Attribute(values=redshift * 4000, unit="Mpc"),
        "band": Attribute(values=np.ones(N_TEST), unit=""),
    }
    monkeypatch.setattr(StudyResults, "prepared", _Prepared(attributes=attributes))
    monkeypatch.setattr(StudyResults, "images", lambda _self, _numbers: None)
    return StudyContent(open_results(study.folder), ReportOptions(checkpoints=("best",)))


def test_accuracy_by_attribute_is_that_of_pandas(content: StudyContent) -> None:
    assert [panel.title for panel in content.attributes] == ["redshift", "distance"]
    assert [panel.x_label for panel in content.attributes] == ["redshift", "distance [Mpc]"]
    line, panel = content.finished[0], content.attributes[0]
    values = content.results.prepared.attributes["redshift"].values  # type: ignore[union-attr]
    rows = []
    for run in line.runs:
        found = content.results.predictions(run)
        assert found is not None
        rows += [(run.seed, values[k], right) for k, right in zip(found.images, found.correct, strict=True)]
    table = pd.DataFrame(rows, columns=["seed", "redshift", "correct"]).dropna()
    edges = np.quantile(values[np.isfinite(values)], np.linspace(0, 1, BINS + 1))
    table["bin"] = pd.cut(table["redshift"], edges.tolist(), right=False, labels=False).fillna(BINS - 1)
    shares = table.groupby(["seed", "bin"])["correct"].mean().unstack()
    (series, _) = panel.series
    assert series.name == line.label
    assert series.y == pytest.approx(shares.mean(axis=0).to_numpy())
    assert series.low == pytest.approx(shares.min(axis=0).to_numpy())
    assert series.x == pytest.approx(table.groupby("bin")["redshift"].median().to_numpy())


def test_page_draws_attributes_with_their_units(content: StudyContent) -> None:
    html = render(content.results, content.options)
    assert 'id="attributes"' in html
    assert "distance [Mpc]" in html


def test_label_doubts_are_the_images_on_which_all_runs_agree_against_the_label(content: StudyContent) -> None:
    runs = [found for run in content.results.cells if (found := content.results.predictions(run)) is not None]
    predicted = np.stack([run.predicted for run in runs])
    agreed = (predicted == predicted[0]).all(axis=0) & (predicted[0] != runs[0].truth)
    assert {each.image for each in content.label_doubts} == set(np.flatnonzero(agreed))
    assert set(DOUBTFUL) <= {each.image for each in content.label_doubts}
    html = render(content.results, content.options)
    assert 'id="doubts"' in html
    assert html.count('rel="noreferrer"') == 2 * len(content.label_doubts)
    assert "https://aladin.cds.unistra.fr/" in html
    assert "https://ned.ipac.caltech.edu/" in html
