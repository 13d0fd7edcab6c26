"""The contract of loaders: whatever breaks it is the plugin's fault, and the message says what it is."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import (
    Classification,
    DatasetContents,
    DatasetContext,
    Options,
    PluginError,
    Preparation,
    Regression,
    RegressionTarget,
    SkippedImage,
)
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare
from tests.data.skies import SKY, Sky, noise_image, prepare_sky, record

pytestmark = pytest.mark.usefixtures("isolated_cache")


@pytest.mark.usefixtures("sky")
def test_missing_loader_is_a_plugin_error() -> None:
    with pytest.raises(PluginError, match="fake_sky:gone"):
        prepare(replace(SKY, loader="fake_sky:gone"), None, Preparation(), Context(dataset="sky"))


@pytest.mark.parametrize("returned", [None, "contents", []])
def test_loader_that_returns_something_else_is_a_plugin_error(
    returned: Any, sky: Sky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["fake_sky"], "load", lambda _options, _context: returned)
    with pytest.raises(PluginError, match=r"fake_sky:load must return DatasetContents\. Received: "):
        prepare_sky()
    assert sky.asked == 0


def test_signature_that_is_not_json_is_a_plugin_error(sky: Sky) -> None:
    sky.signature = {"when": float("nan")}
    with pytest.raises(PluginError, match="signature"):
        prepare_sky()


def test_exception_of_a_loader_is_a_plugin_error(sky: Sky, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_options: Options | None, _context: DatasetContext) -> DatasetContents:
        raise KeyError("beam")

    monkeypatch.setattr(sys.modules["fake_sky"], "load", fails)
    with pytest.raises(PluginError, match=r"'sky' \(fake_sky:load\) failed: KeyError: 'beam'"):
        prepare_sky()
    assert sky.asked == 0


def test_exception_while_reading_an_image_is_a_plugin_error(sky: Sky, isolated_cache: Path) -> None:
    class Faulty(list[Any]):
        def __iter__(self) -> Any:
            yield record(0)
            raise ZeroDivisionError("no beam")

    sky.records = Faulty()
    with pytest.raises(PluginError, match=r"'sky' \(fake_sky:load\) failed: ZeroDivisionError: no beam"):
        prepare_sky()
    assert not [path for path in (isolated_cache / "prepared").iterdir() if path.is_dir()]


def test_records_of_another_type_are_a_plugin_error(sky: Sky) -> None:
    sky.records = [("an image", 0)]  # type: ignore[list-item]
    with pytest.raises(PluginError, match=r"must be ImageRecord or SkippedImage\. Received: \('an image', 0\)"):
        prepare_sky()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"part": "valid"}, r"a part that is not one of 'train', 'validation', 'test' or None .*Received: 'valid'"),
        ({"source_id": 3}, r"a source_id that is not a text\. Received: 3"),
        ({"source_id": ""}, r"a source_id that is not a text\. Received: ''"),
        ({"image": [[0.0, 1.0]]}, r"an image that is not a numpy array .*Received: list"),
        ({"source_id": "\ud800"}, r"a source_id that is not a text"),
        ({"image": np.ma.masked_less(noise_image(1), 0.5)}, r"a masked image"),
        ({"attributes": None}, r"attributes that are not a mapping .*Received: None"),
        ({"attributes": {3: 1.0}}, r"an attribute whose name is not a text"),
        ({"attributes": {"redshift": 10**400}}, r"an attribute 'redshift' that is too large"),
        ({"attributes": {"redshift": "high"}}, r"an attribute 'redshift' that is not a number .*Received: 'high'"),
    ],
)
def test_record_with_a_wrong_value_is_a_plugin_error(sky: Sky, change: dict[str, Any], problem: str) -> None:
    sky.records[1] = record(1, **change)
    with pytest.raises(PluginError, match=f"fake_sky:load: a record has {problem}"):
        prepare_sky()


def test_skipped_image_without_a_text_is_a_plugin_error(sky: Sky) -> None:
    sky.records[1] = SkippedImage(name=3, reason="broken")  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="a name and a reason that are not both texts"):
        prepare_sky()


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0)])
def test_range_of_a_target_needs_a_width(sky: Sky, low: float, high: float) -> None:
    sky.task = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=low, maximum=high),))
    sky.records = [record(k, target=[1.0]) for k in range(2)]
    with pytest.raises(PluginError, match="the range of the target 'redshift' must have a width"):
        prepare_sky()


def target(name: Any = "redshift", **changed: Any) -> RegressionTarget:
    return RegressionTarget(**{"name": name, "unit": "", "minimum": 0.0, "maximum": 1.0} | changed)


@pytest.mark.parametrize(
    ("task", "complaint"),
    [
        (
            Classification(classes=("FRI", "FRII", "FRI")),
            "the names of its classes must differ. Received: FRI, FRII, FRI",
        ),
        (Classification(classes=("FRI", " ")), "the names of its classes must be texts that can be read"),
        (Classification(classes=("FRI", "a\nb")), "the names of its classes must be texts that can be read"),
        (Classification(classes=("FRI", 2)), "the names of its classes must be texts"),  # type: ignore[arg-type]
        (Classification(classes=["FRI", "FRII"]), "its classes must be a tuple"),  # type: ignore[arg-type]
        (Classification(classes=()), "its classes must be a tuple with at least one name"),
        (Regression(targets=()), "its targets must be a tuple with at least one name"),
        (Regression(targets=("redshift",)), "its targets must be a tuple of RegressionTarget"),  # type: ignore[arg-type]
        (
            Regression(targets=(target(), target())),
            "the names of its targets must differ. Received: redshift, redshift",
        ),
        (Regression(targets=(target("class"),)), "a target cannot be called 'class'"),
        (Regression(targets=(target(None),)), "the names of its targets must be texts"),
        (Regression(targets=(target(minimum="0"),)), "the range of the target 'redshift' must have a width"),
        (Regression(targets=(target(unit=None),)), "the unit of the target 'redshift' must be a text"),
    ],
)
def test_task_whose_results_could_not_be_told_apart_is_a_plugin_error(task: Any, complaint: str, sky: Sky) -> None:
    """Two classes of one name would become one in every table."""
    sky.task = task
    with pytest.raises(PluginError) as caught:
        prepare_sky()
    assert f"fake_sky:load: {complaint}" in str(caught.value)
    assert sky.asked == 0


@pytest.mark.parametrize(("fact", "complaint"), [("task", "its task must be"), ("units", "attribute_units")])
def test_facts_of_a_dataset_are_checked(sky: Sky, fact: str, complaint: str) -> None:
    setattr(sky, fact, None)
    with pytest.raises(PluginError, match=f"fake_sky:load: {complaint}"):
        prepare_sky()


def test_units_that_are_not_texts_are_a_plugin_error(sky: Sky) -> None:
    sky.units = {"flux": None}  # type: ignore[dict-item]
    with pytest.raises(PluginError, match="fake_sky:load: attribute_units"):
        prepare_sky()
