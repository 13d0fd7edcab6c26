"""Dataset `mnist`: reading, limits, download and messages."""

from __future__ import annotations

import io
import threading
import zipfile
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarker import DataError, Dataset, DatasetContents, Download, ImageRecord, Stream, digest_file
from benchmarker.contracts.settings import Preparation
from benchmarker.data.loading import Context
from benchmarker.data.preparation import prepare_image
from benchmarker.discovery import discover
from benchmarker_mnist import digits
from benchmarker_mnist.digits import MnistOptions


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


def arrays(**changes: Any) -> dict[str, Any]:
    labels = np.arange(30, dtype=np.uint8) % 10
    images = np.arange(30, dtype=np.uint8)[:, None, None] + np.zeros((30, 28, 28), np.uint8)
    return {"x_train": images, "y_train": labels, "x_test": images[:20] + 100, "y_test": labels[:20], **changes}


def npz(path: Path, **changes: Any) -> Path:
    np.savez(path, **arrays(**changes))
    return path


def load(path: Path | None, **options: Any) -> DatasetContents:
    return digits.load(MnistOptions(**options), Context(dataset="mnist", path=path, progress=False))


def records(contents: DatasetContents) -> list[ImageRecord]:
    return [record for record in contents.records() if isinstance(record, ImageRecord)]


@pytest.mark.parametrize("folder", [False, True])
def test_mnist_reads_a_local_file_or_folder(folder: bool, tmp_path: Path) -> None:
    path = npz(tmp_path / "mnist.npz")
    found = records(load(tmp_path if folder else path))
    assert Counter(record.part for record in found) == {"train": 30, "test": 20}
    assert [(r.source_id, r.target) for r in found[28:32]] == [
        ("train/28", 8),
        ("train/29", 9),
        ("test/0", 0),
        ("test/1", 1),
    ]
    assert found[31].image.shape == (28, 28)
    assert found[31].image.dtype == np.uint8
    assert (found[31].image == 101).all()


def test_mnist_limit_applies_to_each_digit_and_part(tmp_path: Path) -> None:
    path = npz(tmp_path / "mnist.npz")
    found = records(load(path, limit=1))
    assert Counter((record.part, record.target) for record in found) == {
        (part, digit): 1 for part in ("train", "test") for digit in range(10)
    }
    assert load(path, limit=1).signature != load(path).signature
    for wrong in (0, -1, 1.5, "3"):
        with pytest.raises(ValidationError):
            MnistOptions(limit=wrong)


def test_first_training_images_validate_on_request(tmp_path: Path) -> None:
    found = records(load(npz(tmp_path / "mnist.npz"), validation=3))
    assert [record.source_id for record in found if record.part == "validation"] == ["train/0", "train/1", "train/2"]
    assert Counter(record.part for record in found) == {"train": 27, "validation": 3, "test": 20}


def test_pixels_are_divided_by_255_on_request(tmp_path: Path) -> None:
    drawn = Stream("test").generator().integers(0, 200, (30, 28, 28), dtype=np.uint8)
    path = npz(tmp_path / "mnist.npz", x_train=drawn)
    # The images of the test part have one value each here, which no preparation takes.
    scaled, given = (records(load(path, scaled=scaled))[: len(drawn)] for scaled in (True, False))
    for record, raw in zip(scaled, given, strict=True):
        assert record.image.dtype == np.float32
        np.testing.assert_array_equal(record.image, raw.image / np.float32(255))
        kept = prepare_image(record.image, Preparation(normalise=False))
        np.testing.assert_array_equal(kept[..., 0], record.image)  # neither stretched nor clipped
    assert "scaled" not in MnistOptions().model_dump(mode="json")
    assert load(path, scaled=True).signature != load(path).signature


def test_mnist_is_downloaded_once(tmp_path: Path, isolated_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path / "mnist.npz")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/mnist.npz"
        download = Download(filename="mnist.npz", urls=(url,), checksum=f"sha256:{digest_file(path)}")
        monkeypatch.setattr(digits, "MNIST", download)
        first = records(load(None))
        server.shutdown()
        thread.join()
    again = records(load(None))
    assert [record.source_id for record in again] == [record.source_id for record in first]
    assert len(first) == 50
    assert list(isolated_cache.rglob("mnist.npz"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": np.array(["a"] * 30, dtype=object)}, "x_train"),
        ({"y_train": np.zeros(29, np.uint8)}, r"y_train.*\(30, 28, 28\)"),
        ({"y_train": np.zeros(30)}, "y_train.*float64"),
        ({"y_train": np.full(30, 10)}, "y_train.*10 to 10"),
        ({"x_train": np.zeros(30)}, "x_train"),
    ],
)
def test_mnist_names_the_array_that_has_another_layout(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(load(npz(tmp_path / "mnist.npz", **changes)).records())


@pytest.mark.parametrize("content", [b"", b"not an npz", None])
def test_mnist_names_a_file_that_is_no_npz(content: bytes | None, tmp_path: Path) -> None:
    if content is None:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("x_train.npy", "nonsense")
        content = stream.getvalue()
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"mine\.npz"):
        list(load(path).records())


def test_mnist_names_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mnist\.npz"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["mnist", "first-radio-galaxies", "first-radio-galaxies-folds", "fr-deep", "mirabest"])
def test_public_datasets_are_registered_with_licence_and_checksum(name: str) -> None:
    dataset: Dataset = discover().dataset(name)
    assert dataset.licence
    assert dataset.citation
    assert dataset.homepage
    assert dataset.summary
    for download in dataset.downloads:
        algorithm, _, digest = download.checksum.partition(":")
        assert algorithm == "sha256" or name == "mirabest"  # whose authors publish nothing else
        assert len(digest) == {"md5": 32, "sha256": 64}[algorithm]
        assert all(url.startswith("https://") for url in download.urls)
