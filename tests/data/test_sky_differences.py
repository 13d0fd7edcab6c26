"""Sets whose images come from several surveys: other units, beams or pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import Beam, Preparation, SkyFacts
from benchmarker.contracts.sky import SkyColumns
from benchmarker.data.audit.findings import Subject
from benchmarker.data.audit.surveys import survey_findings
from benchmarker.data.caveats import data_caveats
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare
from benchmarker.data.sky_differences import sky_differences
from benchmarker.data.splits import Parts
from benchmarker.discovery import installed, options_model
from tests.data.skies import Sky, prepare_sky, record
from tests.data.test_sky_facts import header


def columns(**given: Any) -> SkyColumns:
    n = len(next(iter(given.values())))
    unknown: dict[str, Any] = {
        "from_fits": np.ones(n, bool),
        "pixel": np.full(n, np.nan),
        "north": np.full(n, np.nan),
        "mirrored": np.zeros(n, bool),
        "unit": np.full(n, "", dtype="<U20"),
        "beam": np.full((n, 3), np.nan),
    }
    return SkyColumns(**unknown | {name: np.array(value) for name, value in given.items()})


def texts(**given: Any) -> list[str]:
    return [each.text() for each in sky_differences(columns(**given))]


@pytest.mark.parametrize(
    "units",
    [
        ["JY/BEAM", "Jy/beam", "Jy beam-1", "JY BEAM-1"],
        ["adu", "ADU"],
        ["counts of something", "COUNTS OF SOMETHING"],
        ["mJy", ""],
        ["MJy/sr", "MJy sr-1"],
        ["1e-3 Jy", "mJy"],
    ],
)
def test_spellings_of_one_unit_do_not_differ(units: list[str]) -> None:
    assert texts(unit=units) == []


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        (["Jy/beam", "mJy/beam", "JY/BEAM"], "JY/BEAM (2), mJy/beam (1)"),
        (["MJY/SR", "Jy/sr", "Jy/sr"], "Jy/sr (2), MJY/SR (1)"),
        (["Jy/beam", "Jy/pixel", "Jy/pixel"], "Jy/pixel (2), Jy/beam (1)"),
        (["K", "???", "???"], "??? (2), K (1)"),
    ],
)
def test_units_that_differ_are_named_with_their_number(units: list[str], shown: str) -> None:
    assert texts(unit=units) == [f"images differ in the unit of the pixels: {shown}"]


def test_beams_and_scales_are_the_same_within_a_hundredth() -> None:
    beam = [[5.4, 5.4, 0.0], [5.43, 5.38, 90.0], [np.nan] * 3]
    assert texts(beam=beam, pixel=[1.8, 1.8001, np.nan]) == []
    assert texts(beam=[*beam, [14.0, 12.5, 10.0]]) == [
        "images differ in the beam: 5.4 x 5.4 arcsec (2), 14 x 12.5 arcsec (1)"
    ]
    assert texts(pixel=[1.8, 0.0, -1.0, 1.5, 1.8]) == [
        "images differ in the pixel scale: 1.8 arcsec (2), 1.5 arcsec (1)"
    ]


def test_no_image_is_lost_where_all_beams_differ() -> None:
    beam = [[1.05**k, 1.05**k, 0.0] for k in range(60)]
    (found,) = sky_differences(columns(beam=beam))
    assert sorted(np.concatenate([group.indices for group in found.groups])) == list(range(60))
    assert len(found.groups) == 20
    assert found.text().endswith(" and 16 more")


@pytest.mark.usefixtures("isolated_cache")
def test_audit_and_remarks_name_units_and_values_that_only_test_images_have(sky: Sky) -> None:
    def facts(k: int) -> SkyFacts:
        beam = Beam(major=5.4, minor=5.4) if k < 4 else Beam(major=45.0, minor=45.0)
        return SkyFacts(shape=(16, 16), cards=dict(header()), unit="mJy/beam" if k == 1 else "Jy/beam", beam=beam)

    sky.records = [record(k, sky=facts(k)) for k in range(6)]
    data = prepare_sky(preparation=Preparation())
    parts = Parts(train=np.arange(3), validation=np.array([3]), test=np.array([4, 5]), digest="")
    found = {each.check: each for each in survey_findings(Subject(data, parts))}
    assert found.keys() == {"units-differ", "beams-differ"}
    assert found["units-differ"].images == ("J0001",)
    assert "no training images, have" not in found["units-differ"].text
    assert "no training images, have 45 x 45 arcsec" in found["beams-differ"].text
    remarks = data_caveats(data, [parts])
    assert any("Jy/beam (5), mJy/beam (1), such as J0001" in each for each in remarks)


@pytest.mark.shared
@pytest.mark.usefixtures("isolated_cache")
def test_real_images_of_one_survey_do_not_differ(shared_data: Path) -> None:
    dataset = installed().dataset("images-folder")
    model = options_model(dataset)
    assert model is not None
    context = Context(dataset="images-folder", path=shared_data / "mirabest_fits")
    data, _ = prepare(dataset, model.model_validate({}), Preparation(), context)
    assert data.sky is not None
    assert np.isfinite(data.sky.pixel).all()
    assert sky_differences(data.sky) == []
