"""Preparing datasets: once, naming every skipped image, with a digest that depends on the contents only."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    ImageRecord,
    Options,
    PluginError,
    Preparation,
    Regression,
    RegressionTarget,
    SkippedImage,
)
from benchmarker.data.caveats import data_caveats
from benchmarker.data.loading import Context
from benchmarker.data.prepared import open_measured, open_prepared, prepare
from benchmarker.data.remarks import remark
from benchmarker.data.splits import Parts
from benchmarker.disk import MARGIN_BYTES
from benchmarker.errors import StorageError
from tests.data.skies import SKY, TASK, Sky, noise_image, prepare_sky, record

INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
pytestmark = pytest.mark.usefixtures("isolated_cache")


def test_prepared_images_targets_and_sources_are_in_order(sky: Sky) -> None:
    sky.records[2] = record(2, part="test")
    data = prepare_sky()
    assert len(data) == 6
    assert data.task == TASK
    assert data.images.shape == (6, 16, 16, 1)
    assert data.images.dtype == np.float32
    assert data.targets.dtype == np.int64
    assert data.targets.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.source_ids == ("J0000", "J0001", "J0002", "J0003", "J0004", "J0005")
    assert data.parts == (None, None, "test", None, None, None)
    assert data.skipped == ()
    for number in range(6):
        raw = noise_image(number)
        scaled = ((raw - raw.min()) / (raw.max() - raw.min())).astype(np.float32)
        np.testing.assert_array_equal(data.images[number, :, :, 0], scaled)


def test_prepared_images_are_memory_mapped_and_read_only(sky: Sky) -> None:
    data = prepare_sky()
    assert sky.asked == 1
    assert isinstance(data.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        data.images[0, 0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        data.targets[0] = 1


def test_prepare_reads_a_dataset_once(sky: Sky) -> None:
    first = prepare_sky()
    second = prepare_sky()
    assert sky.asked == 1
    assert second.digest == first.digest
    np.testing.assert_array_equal(second.images, first.images)
    assert (second.source_ids, second.parts, second.skipped) == (first.source_ids, first.parts, first.skipped)


class SkyOptions(Options):
    """Options of the fake dataset."""

    depth: int = 1
    """How deep."""


@pytest.mark.parametrize("change", ["options", "preparation", "signature", "dataset"])
def test_prepare_reads_again_when_anything_that_matters_changes(change: str, sky: Sky) -> None:
    prepare_sky(SkyOptions())
    prepare_sky(SkyOptions())
    assert sky.asked == 1
    if change == "options":
        prepare_sky(SkyOptions(depth=2))
    elif change == "preparation":
        prepare_sky(SkyOptions(), Preparation(crop=8))
    elif change == "signature":
        sky.signature = "two"
        prepare_sky(SkyOptions())
    else:
        prepare(replace(SKY, name="sea"), SkyOptions(), Preparation(), Context(dataset="sea"))
    assert sky.asked == 2


def test_edited_loader_prepares_its_images_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "edited_sky.py"
    source = """
import numpy as np
from benchmarker import Classification, DatasetContents, ImageRecord

def load(options, context):
    records = [ImageRecord(image=np.eye(16) * BRIGHT + k, target=k % 2, source_id=f"J{k}") for k in range(4)]
    task = Classification(classes=("compact", "FRI"))
    return DatasetContents(task=task, records=lambda: records, signature="unchanged")
"""
    monkeypatch.syspath_prepend(tmp_path)
    dataset = replace(SKY, loader="edited_sky:load")
    found = []
    for bright in ("1.0", "2.0"):
        module.write_text(source.replace("BRIGHT", bright))
        monkeypatch.delitem(sys.modules, "edited_sky", raising=False)
        importlib.invalidate_caches()
        plain = Preparation(normalise=False)
        found.append(prepare(dataset, None, plain, Context(dataset="sky"))[0].images[0, 0, 0, 0])
    assert found == [1.0, 2.0]


def test_loader_receives_options_and_context(sky: Sky) -> None:
    context = Context(dataset="sky", offline=True)
    prepare(SKY, SkyOptions(depth=7), Preparation(), context)
    assert sky.received == (SkyOptions(depth=7), context)


def test_skipped_images_are_named_with_reasons(sky: Sky) -> None:
    sky.records[1] = SkippedImage(name="truncated.fits", reason="the file ends early")
    sky.records[3] = record(3, image=np.full((16, 16), np.nan))
    sky.records[4] = record(4, image=noise_image(4, size=15))
    data = prepare_sky()
    assert data.source_ids == ("J0000", "J0002", "J0005")
    assert data.images.shape == (3, 16, 16, 1)
    assert [(skipped.name, skipped.reason) for skipped in data.skipped] == [
        ("truncated.fits", "the file ends early"),
        ("J0003", "every pixel is NaN"),
        ("J0004", "its shape is 15 x 15 x 1; most images are 16 x 16 x 1"),
    ]
    raw = noise_image(5)
    scaled = ((raw - raw.min()) / (raw.max() - raw.min())).astype(np.float32)
    np.testing.assert_array_equal(data.images[2, :, :, 0], scaled)


def test_dataset_without_usable_images_is_an_error_that_names_them(sky: Sky) -> None:
    sky.records = [record(k, image=np.zeros((16, 16))) for k in range(60)]
    with pytest.raises(DataError) as caught:
        prepare_sky()
    message = str(caught.value)
    assert message.startswith("no image of 'sky' can be used; 60 were skipped:\n  J0000: every pixel has the same")
    assert "J0009" in message
    assert "J0010" not in message
    assert message.endswith("... and 50 more")
    with pytest.raises(DataError):  # nothing was cached
        prepare_sky()
    assert sky.asked == 2


def test_empty_dataset_is_an_error(sky: Sky) -> None:
    sky.records = []
    with pytest.raises(DataError, match="no image of 'sky' can be used; 0 were skipped"):
        prepare_sky()


@pytest.mark.parametrize("target", [2, -1, 0.5, "FRI", None])
def test_target_that_is_not_a_class_is_a_plugin_error(target: Any, sky: Sky) -> None:
    sky.records[1] = record(1, target=target)
    with pytest.raises(PluginError, match=r"'J0001' must be a class index from 0 to 1\. Received: "):
        prepare_sky()


def test_numpy_integers_are_class_indices(sky: Sky) -> None:
    sky.records[0] = record(0, target=np.int32(1))
    assert prepare_sky().targets[0] == 1


def test_regression_targets_keep_their_values(sky: Sky) -> None:
    sky.task = INCLINATION
    sky.records = [
        record(0, target=[50.5]),
        record(1, target=(np.nan,)),
        record(2, target=[61, 2]),
        record(3, target=70),
    ]
    data = prepare_sky()
    assert data.targets.dtype == np.float64
    assert data.targets.tolist() == [[50.5], [70.0]]
    assert [skipped.name for skipped in data.skipped] == ["J0001", "J0002"]
    assert data.skipped[1].reason == "its target is [61.0, 2.0], not 1 finite number(s)"


def test_attributes_keep_units_and_unknown_values(sky: Sky) -> None:
    sky.units = {"redshift": "", "flux": "mJy"}
    sky.records = [
        record(0, attributes={"redshift": 0.25, "flux": 3.0}),
        record(1, attributes={"redshift": float("nan")}),
        record(2, attributes={"redshift": np.float32(0.5)}),
    ]
    data = prepare_sky()
    assert {name: attribute.unit for name, attribute in data.attributes.items()} == {"redshift": "", "flux": "mJy"}
    np.testing.assert_array_equal(data.attributes["redshift"].values, [0.25, np.nan, 0.5])
    np.testing.assert_array_equal(data.attributes["flux"].values, [3.0, np.nan, np.nan])


def _digest_of(sky: Sky, signature: str) -> str:
    sky.signature = signature  # another folder in the cache
    return prepare_sky().digest


def test_digest_does_not_depend_on_the_place_of_the_files(sky: Sky, tmp_path: Path) -> None:
    first, folder = prepare(SKY, None, Preparation(), Context(dataset="sky"))
    sky.signature = "touched"
    second, other = prepare(SKY, None, Preparation(), Context(dataset="sky", path=tmp_path))
    assert folder != other
    assert sky.asked == 2
    assert second.digest == first.digest
    assert open_prepared(folder.rename(tmp_path / "moved")).digest == first.digest


@pytest.mark.parametrize("name", ["prepared.json", "targets.npy", "images.f32"])
@pytest.mark.parametrize("left", [None, 10])
@pytest.mark.usefixtures("sky")
def test_damaged_folder_is_a_storage_error_with_advice(name: str, left: int | None) -> None:
    _, folder = prepare(SKY, None, Preparation(), Context(dataset="sky"))
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if left is not None:
        (folder / name).write_bytes(content[:left])
    with pytest.raises(StorageError, match="remove the folder and run the same command again"):
        prepare_sky()


def test_digest_does_not_depend_on_skipped_images(sky: Sky) -> None:
    before = _digest_of(sky, "before")
    sky.records.insert(3, SkippedImage(name="bad.fits", reason="bad"))
    assert _digest_of(sky, "after") == before


def test_digest_depends_on_every_part_of_the_contents(sky: Sky) -> None:
    pixels = noise_image(1)
    pixels[3, 4] += 1e-3
    original = list(sky.records)
    changes: dict[str, list[ImageRecord | SkippedImage]] = {
        "original": original,
        "pixel": [original[0], record(1, image=pixels), *original[2:]],
        "target": [original[0], record(1, target=0), *original[2:]],
        "source": [original[0], record(1, source_id="J9999"), *original[2:]],
        "part": [original[0], record(1, part="test"), *original[2:]],
        "attribute": [original[0], record(1, attributes={"redshift": 0.1}), *original[2:]],
        "order": [original[1], original[0], *original[2:]],
        "fewer": original[1:],
    }
    digests = {}
    for name, records in changes.items():
        sky.records = records
        digests[name] = _digest_of(sky, name)
    sky.records, sky.task = original, Classification(classes=("compact", "FRII"))
    digests["class"] = _digest_of(sky, "class")
    assert len(set(digests.values())) == len(digests)


def test_progress_receives_the_number_of_images(sky: Sky) -> None:
    received: list[tuple[str, int, int | None]] = []

    def progress(description: str, done: int, total: int | None) -> None:
        received.append((description, done, total))

    prepare(SKY, None, Preparation(), Context(dataset="sky"), progress)
    assert sky.asked == 1
    assert received[0] == ("preparing sky", 0, 6)
    assert [done for _, done, _ in received] == list(range(len(received)))
    assert len(received) >= 6


@pytest.mark.parametrize("target", ["steep", [[1.0], [2.0, 3.0]], 1j])
def test_target_of_a_regression_that_is_no_number_is_a_plugin_error(sky: Sky, target: Any) -> None:
    sky.task = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=2),))
    sky.records = [record(0, target=[0.5]), record(1, target=target)]
    with pytest.raises(PluginError, match=r"the target of 'J0001' must be 1 number"):
        prepare_sky()


@pytest.mark.parametrize("value", [-0.1, 2.5])
def test_target_outside_its_range_is_refused(sky: Sky, value: float) -> None:
    sky.task = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=2),))
    sky.records = [record(0, target=[0.5]), record(1, target=[value])]
    with pytest.raises(DataError, match=rf"redshift of 'J0001' must lie in its range, 0 to 2\. Received: {value}"):
        prepare_sky()


SIZE, COUNT = 16, 1000
BYTES = 4 * SIZE * SIZE * COUNT


@pytest.mark.parametrize(("free", "fits"), [(BYTES - 1, False), (BYTES, True)])
def test_dataset_that_does_not_fit_on_the_disk_fails_at_the_first_image(
    sky: Sky, free: int, fits: bool, isolated_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sky.records = [record(number, image=noise_image(number, SIZE)) for number in range(COUNT)]
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free + MARGIN_BYTES))
    if fits:
        assert len(prepare_sky()) == COUNT
        return
    seen: list[int] = []
    with pytest.raises(StorageError, match=r"1,000 prepared images need\(s\) about 1\.0 MB"):
        prepare(SKY, None, Preparation(), Context(dataset="sky"), lambda _description, done, _total: seen.append(done))
    assert seen == [0]
    assert not list(isolated_cache.rglob("*.partial"))


def test_files_that_change_while_they_are_read_are_not_kept(sky: Sky, isolated_cache: Path) -> None:
    """Otherwise the old files would be found under the name of the new ones, or the other way round, for ever."""

    def edit(_description: str, done: int, _total: int | None) -> None:
        sky.signature = "two" if done == 3 else sky.signature

    with pytest.raises(DataError, match="were changed while they were read"):
        prepare(SKY, None, Preparation(), Context(dataset="sky"), edit)
    assert not list(isolated_cache.rglob("prepared.json"))
    assert len(prepare_sky()) == 6


@pytest.mark.parametrize(("call", "kept"), [(1, True), (2, False), (3, False)])
def test_table_that_is_edited_between_its_reading_and_its_signature_is_never_mixed_up(
    call: int, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated_cache: Path
) -> None:
    """A loader may read its table first and sign it afterwards; in between, somebody may edit it."""
    table, calls = tmp_path / "table.txt", tmp_path / "calls"
    table.write_text("0 1 0 1")
    (tmp_path / "hasty_sky.py").write_text(f"""
import numpy as np
from pathlib import Path
from benchmarker import Classification, DatasetContents, ImageRecord

def load(options, context):
    labels = [int(word) for word in Path({str(table)!r}).read_text().split()]
    calls = Path({str(calls)!r})
    calls.write_text((calls.read_text() if calls.exists() else "") + ".")
    if len(calls.read_text()) == {call}:
        Path({str(table)!r}).write_text("1 0 1 0")
    records = [ImageRecord(image=np.eye(16) + k, target=label, source_id=f"J{{k}}") for k, label in enumerate(labels)]
    task = Classification(classes=("compact", "FRI"))
    return DatasetContents(task=task, records=lambda: records, signature=Path({str(table)!r}).read_text())
""")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hasty_sky", raising=False)
    dataset = replace(SKY, loader="hasty_sky:load")
    if not kept:
        with pytest.raises(DataError, match="were changed while they were read"):
            prepare(dataset, None, Preparation(), Context(dataset="sky"))
        assert not list(isolated_cache.rglob("prepared.json"))
    data, _ = prepare(dataset, None, Preparation(), Context(dataset="sky"))
    assert data.targets.tolist() == [1, 0, 1, 0]


@pytest.mark.usefixtures("sky")
def test_open_measured_notices_pixels_and_facts_changed_in_the_cache() -> None:
    data, folder = prepare(SKY, None, Preparation(), Context(dataset="sky"))
    assert open_measured(folder).digest == data.digest
    images = np.memmap(folder / "images.f32", dtype="<f4", mode="r+")
    images[7] += np.float32(0.001)
    images.flush()
    assert open_measured(folder).digest != data.digest
    assert open_prepared(folder).digest == data.digest  # the folder's own word
    images[7] -= np.float32(0.001)
    description = folder / "prepared.json"
    description.write_text(description.read_text().replace("J0003", "J9999"))
    assert open_measured(folder).digest != data.digest


def test_class_that_loses_all_its_images_is_an_error_that_names_them(sky: Sky) -> None:
    sky.records = [record(k, **({"image": np.zeros((16, 16))} if k % 2 else {})) for k in range(6)]
    with pytest.raises(DataError, match=r"(?s)class 'FRI' .* 3 were skipped:.*J0005: every pixel has the same value"):
        prepare_sky()
    sky.records = [record(k, image=noise_image(k, 16 if k % 2 or k == 6 else 8)) for k in range(5)]
    sky.records += [record(k, image=noise_image(k)) for k in (7, 9)]
    sky.signature = "two"
    with pytest.raises(DataError, match=r"(?s)class 'compact' .*J0004: its shape is 8 x 8 x 1"):
        prepare_sky()


def test_equal_pixels_and_remarks_are_kept(sky: Sky) -> None:
    sky.records[4] = record(4, image=noise_image(1))
    sky.records[5] = record(5, image=2 * noise_image(1))

    def records() -> Iterable[ImageRecord | SkippedImage]:
        for each in sky.records:
            remark("an odd header", "folder/a.fits")
            yield each

    sys.modules["fake_sky"].load = lambda _options, _context: DatasetContents(  # type: ignore[attr-defined]
        task=TASK, records=records, signature="equal"
    )
    data = prepare_sky()
    assert data.equal_pixels == ((1, 4, 5),)
    assert data.remarks == ("6 file(s), such as a.fits: an odd header",)
    parts = Parts(train=np.array([0, 1, 2]), validation=np.array([3]), test=np.array([4, 5]), digest="")
    caveats = data_caveats(data, [parts])
    assert caveats[0] == data.remarks[0]
    assert caveats[1].startswith("2 of 6 images repeat")
    assert caveats[2].startswith("1 group(s)")
    assert "J0001 = J0004 = J0005" in caveats[3]
    apart = Parts(train=np.array([1, 4, 5]), validation=np.array([3]), test=np.array([0, 2]), digest="")
    assert len(data_caveats(data, [apart])) == 3


def test_images_without_a_published_part_are_counted(sky: Sky) -> None:
    sky.records = [record(k, part=None if k == 2 else "train") for k in range(6)]
    assert data_caveats(prepare_sky(), []) == (
        "1 image(s) have no part in the published split and are not used with it: J0002",
    )
