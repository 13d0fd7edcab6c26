"""Misclassified sources as catalogues."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io.votable import parse_single_table
from astropy.table import Table

from benchmarker import Attribute, ReportOptions, StudyResults, open_results
from benchmarker_reports.content.sources import wrong_images
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats.sources import render
from tests.reports.material import DocumentStudy

if TYPE_CHECKING:
    from benchmarker import LabelledImages


@pytest.fixture
def study(tmp_path: Path) -> StudyResults:
    """Two networks and two classes; every seventh image is hard for all."""
    return open_results(
        DocumentStudy(tmp_path / "study", classes=("FRI", "FRII"), n_test=60).add(("good", "poor"), (1, 2)).write()
    )


def test_catalogue_holds_the_images_that_some_run_gets_wrong(study: StudyResults) -> None:
    runs = [study.predictions(cell) for cell in study.cells]
    correct = np.array([run.correct for run in runs if run is not None])
    content = StudyContent(study, ReportOptions())
    wrong = wrong_images(study, content.finished, "best")
    assert {each.image for each in wrong} == set(np.flatnonzero(~correct.all(axis=0)).tolist())
    assert [each.correct for each in wrong] == sorted(correct.sum(axis=0)[[each.image for each in wrong]].tolist())
    for each in wrong:
        named = {run.classes[int(run.predicted[each.image])] for run in runs if run is not None}
        assert each.label_doubt == (len(named) == 1)
    assert any(each.label_doubt for each in wrong)


def test_one_network_alone_raises_no_doubt_about_labels(tmp_path: Path) -> None:
    results = open_results(DocumentStudy(tmp_path / "study").add(("alone",), (1, 2, 3)).write())
    wrong = wrong_images(results, StudyContent(results, ReportOptions()).finished, "best")
    assert wrong
    assert not any(each.label_doubt for each in wrong)


def test_formats_hold_the_same_rows_and_positions_with_links(
    study: StudyResults, radio_images: LabelledImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    ra = Attribute(values=np.linspace(10.0, 11.0, len(radio_images)), unit="deg")
    dec = Attribute(values=np.full(len(radio_images), -5.25), unit="deg")
    placed = replace(radio_images, attributes={"RA": ra, "Dec": dec})
    monkeypatch.setattr(StudyResults, "prepared", placed)
    files = render(study, ReportOptions())
    text = Table.read(files["sources.csv"], format="ascii.csv")
    typed = Table.read(files["sources.ecsv"], format="ascii.ecsv")
    served = parse_single_table(io.BytesIO(files["sources.vot"].encode())).to_table()
    assert list(text["source_id"]) == list(typed["source_id"]) == list(served["source_id"])
    assert str(typed["position_ra"].unit) == "deg"
    first = typed[typed["image"] < len(radio_images)][0]
    assert first["position_dec"] == -5.25
    assert f"target={first['position_ra']:.6f}%20-5.250000" in first["aladin"]
    assert "lat=-5.250000d" in first["ned"]
    assert render(study, ReportOptions()) == files


def test_catalogue_of_a_study_without_positions_has_no_links(study: StudyResults) -> None:
    table = Table.read(render(study, ReportOptions())["sources.ecsv"], format="ascii.ecsv")
    assert "aladin" not in table.colnames
