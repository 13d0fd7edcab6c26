"""Images and embeddings in Parquet files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    ImageRecord,
    Regression,
    SkippedImage,
    Stream,
)
from benchmarker.data.loading import Context
from benchmarker_images.parquet import ParquetOptions, load

pyarrow: Any = pytest.importorskip("pyarrow")
parquet: Any = pytest.importorskip("pyarrow.parquet")

N = 5
COLOUR = Stream("test").generator().integers(0, 255, (N, 6, 7, 3)).astype(np.uint8)
FLUX = Stream("test").generator().normal(size=(N, 3, 6, 7)).astype(np.float32)
BANDS = ["g", "r", "z"]


def png(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def write(path: Path, metadata: dict[bytes, bytes] | None = None, **columns: Any) -> Path:
    known = {"label": ["round", "disc", "round", "disc", "round"], "object_id": [f"G{i}" for i in range(N)]}
    table = pyarrow.table(known | {"redshift": [0.1, 0.2, None, 0.4, 0.5]} | columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata(metadata), path, row_group_size=2)
    return path


def read(path: Path | None, **options: Any) -> DatasetContents:
    return load(ParquetOptions.model_validate(options), Context(dataset="parquet", path=path))


def images(contents: DatasetContents) -> list[ImageRecord]:
    return [record for record in contents.records() if isinstance(record, ImageRecord)]


@pytest.mark.parametrize("kind", ["bytes", "structure", "lists", "flat"])
def test_images_of_every_form_keep_their_pixels(kind: str, tmp_path: Path) -> None:
    cells: dict[str, Any] = {
        "bytes": [png(image) for image in COLOUR],
        "structure": [{"bytes": png(image), "path": None} for image in COLOUR],
        "lists": COLOUR.tolist(),
        "flat": COLOUR.reshape(N, -1).tolist(),
    }
    file = write(tmp_path / "a.parquet", image=cells[kind])
    contents = read(
        file, identifiers="object_id", attributes={"redshift": ""}, shape=[6, 7, 3] if kind == "flat" else None
    )
    assert contents.task == Classification(classes=("disc", "round"))
    assert contents.count == N
    found = images(contents)
    assert [record.source_id for record in found] == [f"G{i}" for i in range(N)]
    assert [record.target for record in found] == [1, 0, 1, 0, 1]
    assert all(np.array_equal(record.image, pixels) for record, pixels in zip(found, COLOUR, strict=True))
    assert np.isnan(found[2].attributes["redshift"])


@pytest.mark.parametrize("kind", ["list of structures", "structure of lists"])
def test_bands_of_the_multimodal_universe_become_channels(kind: str, tmp_path: Path) -> None:
    if kind == "list of structures":
        cells: list[Any] = [
            [{"band": band, "flux": plane.tolist()} for band, plane in zip(BANDS, cube, strict=True)] for cube in FLUX
        ]
    else:
        cells = [{"band": BANDS, "flux": cube.tolist()} for cube in FLUX]
    file = write(tmp_path / "a.parquet", image=cells)
    np.testing.assert_allclose(images(read(file))[1].image, np.moveaxis(FLUX[1], 0, -1))
    np.testing.assert_allclose(images(read(file, bands=["z", "g"]))[4].image, FLUX[4][[2, 0]].transpose(1, 2, 0))
    (first, *_) = read(file, bands=["y"]).records()
    assert isinstance(first, SkippedImage)
    assert "no band y" in first.reason


def test_embeddings_become_images_of_one_row(tmp_path: Path) -> None:
    vectors = FLUX.reshape(N, -1)
    file = write(tmp_path / "a.parquet", embedding=pyarrow.array(list(vectors), pyarrow.list_(pyarrow.float32(), 126)))
    found = images(read(file, images="embedding"))
    assert found[3].image.shape == (1, 126)
    assert np.array_equal(found[3].image[0], vectors[3])


def test_names_of_files_are_the_published_split(tmp_path: Path) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        write(tmp_path / "data" / f"{name}.parquet", image=COLOUR.tolist())
    found = images(read(tmp_path))
    assert [record.part for record in found] == ["test"] * N + ["train"] * 2 * N
    assert [record.source_id for record in found] == [str(number) for number in range(3 * N)]
    write(tmp_path / "more.parquet", image=COLOUR.tolist())
    assert {record.part for record in images(read(tmp_path))} == {None}


def test_numbers_take_their_names_from_the_file_or_the_registry(tmp_path: Path) -> None:
    numbers = [0, 1, 0, 1, 0]
    file = write(tmp_path / "a.parquet", image=COLOUR.tolist(), label=numbers)
    with pytest.raises(DataError, match="`classes`"):
        read(file)
    assert read(file, classes=["round", "disc"]).task == Classification(classes=("round", "disc"))
    features = {"info": {"features": {"label": {"names": ["smooth", "edge-on"], "_type": "ClassLabel"}}}}
    file = write(
        tmp_path / "b.parquet", {b"huggingface": json.dumps(features).encode()}, image=COLOUR.tolist(), label=numbers
    )
    assert read(file).task == Classification(classes=("smooth", "edge-on"))


def test_a_quantity_can_be_the_target(tmp_path: Path) -> None:
    contents = read(
        write(tmp_path / "a.parquet", image=COLOUR.tolist(), mass=[9.0, 9.5, 10.0, 10.5, 11.0]),
        target={"name": "mass", "minimum": 8, "maximum": 12, "unit": "dex(solMass)"},
    )
    assert isinstance(contents.task, Regression)
    assert [record.target for record in images(contents)] == [[9.0], [9.5], [10.0], [10.5], [11.0]]


def test_rows_without_an_image_or_label_are_left_out_with_the_reason(tmp_path: Path) -> None:
    cells = [png(COLOUR[0]), b"broken", None, png(COLOUR[3]), png(COLOUR[4])]
    file = write(tmp_path / "a.parquet", image=cells, label=["round", "disc", "disc", "disc", None])
    reasons = [record.reason for record in read(file).records() if isinstance(record, SkippedImage)]
    assert len(reasons) == 3
    assert reasons[1:] == ["the cell of its image is empty", "it has no label"]
    ragged = write(tmp_path / "b.parquet", image=[[[1.0, 2.0], [3.0]]] * N)
    assert {type(record) for record in read(ragged).records()} == {SkippedImage}


def test_mistakes_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="-d FOLDER"):
        read(None)
    with pytest.raises(DataError, match="parquet"):
        read(tmp_path)
    file = write(tmp_path / "a.parquet", picture=COLOUR.tolist())
    with pytest.raises(DataError, match="picture"):
        read(file)
    (tmp_path / "b.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(DataError, match="Parquet"):
        read(tmp_path / "b.parquet")
