"""The audit of a dataset: planted faults are found, and images without faults raise no alarm."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarker import Attribute, Classification, LabelledImages, Stream
from benchmarker.data.audit.auditing import audit_images, write_audit
from benchmarker.data.audit.copies import CopySearch, Match, disturbed, find_copies
from benchmarker.data.audit.features import measure
from benchmarker.data.audit.findings import Audit
from benchmarker.data.audit.matching import similarity
from benchmarker.data.audit.objects import apart_on_the_sky, label_ceiling
from benchmarker.data.positions import named_position, pairs_within
from benchmarker.data.splits import Parts
from benchmarker.discovery import installed
from benchmarker.study.images import open_images

N = 60
FEW = 18
"""Too few to look for near copies, which most tests do not need."""


def noisy_sources(n: int = N, size: int = 64, blobs: int = 2) -> NDArray[np.float32]:
    """Return images of some blobs each, in noise that is as sharp as the beam."""
    generator = Stream("audit-tests").generator()
    images = np.zeros((n, size, size, 1), np.float32)
    rows, columns = np.mgrid[:size, :size]
    for image in images:
        for _ in range(blobs):
            row, column = generator.uniform(0.35 * size, 0.65 * size, 2)
            image[..., 0] += generator.uniform(0.4, 1) * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 18)
        image[..., 0] += 0.15 * gaussian_filter(generator.normal(size=(size, size)), 1.2)
    return images


def dataset(
    images: NDArray[np.float32], *, where: NDArray[np.float64] | None = None, names: list[str] | None = None
) -> LabelledImages:
    """Return images of two classes in turn."""
    n = len(images)
    attributes = {} if where is None else {
        axis: Attribute(values=where[:, k], unit="deg") for k, axis in enumerate(("ra", "dec"))
    }  # fmt: skip
    return LabelledImages(
        task=Classification(classes=("FRI", "FRII")),
        images=images,
        targets=np.arange(n) % 2,
        source_ids=tuple(names or [f"source-{k}" for k in range(n)]),
        parts=(None,) * n,
        attributes=attributes,
        skipped=(),
        digest="0" * 64,
    )


def spread(n: int) -> NDArray[np.float64]:
    """Return positions far from each other, in an order that has nothing to do with the parts."""
    return np.stack([7 * np.arange(n) % n * 300 / n, np.full(n, 60.0)], axis=1)


def thirds(n: int) -> Parts:
    """Return parts that hold neighbouring pairs of classes: training, validation and test images by thirds."""
    train, validation, test = np.array_split(np.arange(n), 3)
    return Parts(train=train, validation=validation, test=test, digest="0" * 64)


def audit(data: LabelledImages, radius: float = 150.0) -> Audit:
    return audit_images(data, thirds(len(data)), dataset="mine", seed=1, radius=radius)


def checks(found: Audit) -> dict[str, int]:
    return {finding.check: finding.count for finding in found.findings}


def test_search_finds_copies_under_any_angle_mirror_shift_and_zoom() -> None:
    images = noisy_sources()
    generator = Stream("audit-copies").generator()
    copies = np.stack([disturbed(image, generator) for image in images[:20]])
    found = find_copies(dataset(np.concatenate([images, copies])), np.concatenate([images, copies]))
    near = {(match.first, match.second) for match in found.matches if match.kind == "near"}
    assert near == {(k, N + k) for k in range(20)}
    assert (found.recognisable, found.planted, found.found) == (80, 40, 40)


def test_disturbed_copies_are_turned_mirrored_shifted_and_rescaled() -> None:
    rows, columns = np.mgrid[:101, :101]
    image = np.zeros((101, 101, 1), np.float32)
    for row, column, height in ((50, 50, 1.0), (50, 80, 2.0), (66, 50, 4.0)):
        image[..., 0] += height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
    generator = Stream("audit-disturbed").generator()
    zooms, parities, shifts = [], set(), []
    for _ in range(40):
        points = []
        copy = disturbed(image, generator)[..., 0]
        for _peak in range(3):  # the brightest first
            point = np.unravel_index(copy.argmax(), copy.shape)
            points.append(np.array(point, dtype=float))
            copy = np.where(np.hypot(rows - point[0], columns - point[1]) < 9, 0, copy)
        low, far, middle = points
        zooms.append(np.linalg.norm(far - middle) / 30)
        one, other = far - middle, low - middle
        parities.add(bool(one[0] * other[1] - one[1] * other[0] > 0))
        shifts.append(np.abs(middle - 50).max())
    assert 0.78 < min(zooms) < 0.9 and 1.1 < max(zooms) < 1.28  # noqa: PT018 - one statement about the range
    assert parities == {True, False}
    assert 2 < max(shifts) <= 4.6


def test_search_finds_copies_of_small_sources_in_large_empty_images() -> None:
    """A source of a few pixels, as clipping leaves it, fills too little of an image that is looked at as a whole."""
    size = 200
    small = noisy_sources(40, 60, blobs=8)
    images = np.zeros((40, size, size, 1), np.float32)
    images[:, 70:130, 70:130] = np.where(small < 0.25, 0, small)
    generator = Stream("audit-small").generator()
    everything = np.concatenate([images, np.stack([disturbed(image, generator) for image in images[:10]])])
    found = find_copies(dataset(everything), everything)
    assert {(m.first, m.second) for m in found.matches if m.kind == "near"} == {(k, 40 + k) for k in range(10)}
    assert found.recognisable > 40


def test_similarity_finds_copies_of_sources_with_distant_lobes() -> None:
    """Neither lobe lies in the middle of the image, and what is looked at may not depend on which of them is found."""
    size, generator = 150, Stream("audit-lobes").generator()
    images = np.zeros((8, size, size, 1), np.float32)
    for image, lobes in zip(images, noisy_sources(16, 40, blobs=8)[..., 0].reshape(8, 2, 40, 40), strict=True):
        angle = generator.uniform(0, np.pi)
        for lobe, side in zip(lobes, (-1, 1), strict=True):
            row, column = (round(55 + side * 42 * f(angle)) for f in (np.sin, np.cos))
            image[row : row + 40, column : column + 40, 0] = np.where(lobe < 0.3, 0, lobe)
    copies = [disturbed(image, generator) for image in images]
    features = measure(np.concatenate([images, copies]))
    found, _ = similarity(features, np.arange(8), np.arange(8, 16))
    assert found.min() > 0.95, found


@pytest.mark.parametrize("zoom", [0.8, 1.1, 1.25])
def test_similarity_finds_the_zoom_of_galaxies_that_fill_their_image(zoom: float) -> None:
    generator = Stream("audit-tests").generator()
    radius = np.hypot(*(np.mgrid[:64, :64] - 31.5))
    texture = np.stack([gaussian_filter(generator.normal(size=(64, 64)), 2.0) for _ in range(6)])
    images = np.exp(-radius / 8) * (1 + 6 * texture)
    copies = [affine_transform(image, np.eye(2) / zoom, 31.5 - 31.5 / zoom, order=1) for image in images]
    features = measure(np.concatenate([images, copies])[..., None].astype(np.float32))
    first = np.arange(6)
    found, zooms = similarity(features, first, first + 6)
    assert found.min() > 0.98
    assert 1 / zooms == pytest.approx(zoom, rel=0.03)
    assert similarity(features, first, np.roll(first, 1) + 6)[0].max() < 0.9


def test_one_of_the_centres_stays_on_the_source_in_the_middle_beside_a_brighter_one() -> None:
    rows, columns = np.mgrid[:64, :64]
    noise = 0.02 * Stream("audit-tests").generator().normal(size=(64, 64))
    beside = np.array([[31, 51], [51, 31], [46, 45]])
    images = np.stack(
        [
            noise
            + np.exp(-((rows - 32) ** 2 + (columns - 30) ** 2) / 12)
            + 3 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 12)
            for row, column in beside
        ]
    )
    centres = measure(images[..., None].astype(np.float32)).centres
    distance = np.linalg.norm(centres - np.array([32, 30]), axis=2)
    assert distance.min(axis=1).max() < 2.0


def test_search_raises_no_alarm_without_copies() -> None:
    images = noisy_sources()
    assert find_copies(dataset(images), images).matches == ()


def test_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of BLAS round sums by their number, so there is one; those of the search share images among them."""
    seen: list[int] = []

    def measured(images: Any) -> Any:
        seen.extend(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return measure(images)

    images, generator = noisy_sources(), Stream("audit-threads").generator()
    everything = np.concatenate([images, np.stack([disturbed(image, generator) for image in images[:10]])])
    monkeypatch.setattr("benchmarker.data.audit.copies.measure", measured)
    found = []
    for cores in (1, 2, 4):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        with threadpool_limits(cores, user_api="blas"):
            found.append(find_copies(dataset(everything), everything))
    assert found[0] == found[1] == found[2]
    assert len(found[0].matches) == 10
    assert set(seen) == {1}


def test_search_tells_quarter_turns_from_near_copies() -> None:
    images = noisy_sources()
    images[7] = np.rot90(images[3][:, ::-1])
    (match,) = find_copies(dataset(images), images).matches
    assert (match.first, match.second, match.kind) == (3, 7, "turned")


def test_search_takes_equal_point_sources_without_noise_for_look_alikes() -> None:
    rows, columns = np.mgrid[:64, :64]
    shifts = Stream("audit-points").generator().uniform(-0.5, 0.5, (N, 2))
    points = np.exp(-((rows - 32 - shifts[:, :1, None]) ** 2 + (columns - 32 - shifts[:, 1:, None]) ** 2) / 2.5)
    images = np.where(points < 0.05, 0, points).astype(np.float32)[..., None]
    assert {match.kind for match in find_copies(dataset(images), images).matches} <= {"look-alike"}


def test_audit_reports_copies_across_parts_and_their_labels() -> None:
    images = noisy_sources(FEW)
    images[FEW - 1] = np.rot90(images[0])  # the training part holds 0, the test part 17, of another class
    found = audit(dataset(images))
    assert checks(found) == {"copies-across-parts": 1, "one-object-two-labels": 1}
    (pair,) = found.findings[0].pairs
    assert (pair.first, pair.second, pair.parts, pair.labels) == (
        "source-0", "source-17", ("train", "test"), ("FRI", "FRII"),
    )  # fmt: skip
    assert found.worst() == "error"


def test_audit_reports_neighbours_within_the_radius_only() -> None:
    where = spread(FEW)
    where[FEW - 1] = where[0] + [0.0, 100 / 3600]
    data = dataset(noisy_sources(FEW), where=where)
    found = audit(data, radius=101.0)
    assert checks(found) == {"neighbours-across-parts": 1}
    assert found.findings[0].severity == "warning"
    assert found.findings[0].pairs[0].separation == pytest.approx(100, abs=1e-3)
    assert "1 of 6 test images" in found.findings[0].text
    assert checks(audit(data, radius=99.0)) == {}


def test_audit_reports_one_object_with_two_names_and_two_labels() -> None:
    where = spread(FEW)
    where[1] = where[0] + [0.0, 3 / 3600]
    found = audit(dataset(noisy_sources(FEW), where=where))
    assert checks(found) == {"one-object-two-labels": 1, "one-object-two-names": 1}


def test_audit_takes_near_copies_at_distant_positions_for_two_objects() -> None:
    search = CopySearch(
        matches=(Match(first=0, second=1, kind="near", similarity=0.99),), recognisable=2, planted=0, found=0
    )
    (match,) = apart_on_the_sky(search, spread(2)).matches
    assert match.kind == "look-alike"
    where = np.array([[10.0, 60.0], [10.1, 60.0]])
    assert apart_on_the_sky(search, where) == search
    assert apart_on_the_sky(search, None) == search


def test_audit_reports_blank_saturated_and_off_centre_images() -> None:
    images = noisy_sources(FEW)
    images[4] = 0
    images[4, 32, 32] = 1
    images[5] = np.minimum(images[5], np.quantile(images[5], 0.95))
    images[6] = np.roll(images[6], 26, axis=0)
    found = {finding.check: finding.images for finding in audit(dataset(images)).findings}
    assert found["blank"] == ("source-4",)
    assert found["saturated"] == ("source-5",)
    assert "source-6" in found["off-centre"]


def test_audit_reports_a_class_that_the_test_part_holds_more_of() -> None:
    data = dataset(noisy_sources(FEW))
    order = np.argsort(data.targets, kind="stable")
    parts = Parts(train=order[:9], validation=order[9:12], test=order[12:], digest="0" * 64)
    (*_, finding) = [f for f in audit_images(data, parts, dataset="mine").findings if f.check == "class-balance"]
    assert "the test part holds more of FRII (100 % against 50 %)" in finding.text


def test_audit_writes_a_page_and_a_picture_of_each_kind(tmp_path: Path) -> None:
    images = noisy_sources(FEW)
    images[FEW - 1] = np.rot90(images[0])
    data = dataset(images)
    written = write_audit(audit(data), data, tmp_path)
    assert Audit.read(tmp_path / "audit.json") == written
    assert {finding.picture for finding in written.findings} == {"copies-across-parts.png", "one-object-two-labels.png"}
    assert all((tmp_path / str(finding.picture)).stat().st_size > 1000 for finding in written.findings)
    assert "| source-0 | source-17 | train, test | FRI, FRII | turned | 1.000 |" in (tmp_path / "audit.md").read_text()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "least"), [("synthetic-radio", 0.99), ("synthetic-optical", 0.98), ("synthetic-spirals", 0.98)]
)
def test_search_raises_no_alarm_on_synthetic_sets_and_finds_planted_copies(name: str, least: float) -> None:
    found = open_images(name, installed())
    unclipped = found.unclipped()
    images = found.data.images if unclipped is None else unclipped
    search = find_copies(found.data, images)
    assert not [match for match in search.matches if match.kind != "look-alike"]
    assert search.recognisable >= 0.9 * len(found.data)
    assert search.found >= least * search.planted


def test_label_ceiling_inverts_the_rate_of_differing_labels() -> None:
    wrong = 0.1  # of labels; two of them differ with probability 2 e (1 - e) = 0.18
    assert "90.0 %" in label_ceiling(180, 1000, 2)
    assert math.isclose(2 * wrong * (1 - wrong), 0.18)
    assert "too few" in label_ceiling(1, 3, 2)


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("J103603.5+000606", (159.0145833, 0.1016667)),
        ("FRII/235959-891500.fits", (359.9958333, -89.25)),
        ("SDSS J0001+0000", (math.nan, math.nan)),
        ("20230115", (math.nan, math.nan)),
    ],
)
def test_named_position_reads_sexagesimal_names(name: str, position: tuple[float, float]) -> None:
    assert named_position(name) == pytest.approx(position, nan_ok=True)


def test_pairs_within_works_at_the_pole_and_across_zero() -> None:
    where = np.array([[0.0, 90.0], [180.0, 89.999], [359.9999, 0.0], [0.0001, 0.0], [np.nan, 0.0]])
    pairs, separations = pairs_within(where, 10.0)
    assert pairs.tolist() == [[0, 1], [2, 3]]
    assert separations == pytest.approx([3.6, 0.72])
