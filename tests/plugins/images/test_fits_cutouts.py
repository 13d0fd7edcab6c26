"""Images that a catalogue lists."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table as AstropyTable
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

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
from benchmarker_images.fits_cutouts import FitsCutoutsOptions, load

COLUMNS = {"id": "Name", "label": "Type", "ra": "RA", "dec": "Dec", "attributes": {"redshift": "z"}}


def pixels(name: str, *shape: int) -> NDArray[Any]:
    return Stream("test", name=name).generator().normal(size=shape or (8, 9)).astype(np.float32)


def save(path: Path, image: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(image).writeto(path)


def read(path: Path | None, **options: Any) -> DatasetContents:
    given = {"catalogue": "sources.csv", "columns": COLUMNS} | options
    return load(FitsCutoutsOptions.model_validate(given), Context(dataset="fits-cutouts", path=path))


def images(contents: DatasetContents) -> dict[str, ImageRecord]:
    return {record.source_id: record for record in contents.records() if isinstance(record, ImageRecord)}


def reasons(contents: DatasetContents) -> Counter[str]:
    return Counter(record.reason for record in contents.records() if isinstance(record, SkippedImage))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "cutouts"
    for name in ("A", "B", "C", "D"):
        save(root / "images" / f"{name}.fits", pixels(name))
    (root / "sources.csv").write_text(
        "Name,Type,RA,Dec,z\nA,FRI,10.5,-1.25,0.1\nB,FRII,20,2,0.2\nC,FRI,30,3,\nD,FRII,40,4,<1\nE,FRI,50,5,0.5\n"
    )
    return root


def test_labels_positions_and_attributes_come_from_the_catalogue(folder: Path) -> None:
    contents = read(folder)
    assert contents.task == Classification(classes=("FRI", "FRII"))
    assert contents.attribute_units == {"ra": "deg", "dec": "deg", "redshift": ""}
    found = images(contents)
    assert {name: record.target for name, record in found.items()} == {"A": 0, "B": 1, "C": 0, "D": 1}
    assert all(np.array_equal(record.image, pixels(name)) for name, record in found.items())
    assert found["A"].attributes == {"ra": 10.5, "dec": -1.25, "redshift": 0.1}
    assert np.isnan(found["C"].attributes["redshift"])
    assert np.isnan(found["D"].attributes["redshift"])
    assert reasons(contents) == {"there is no such file": 1}
    assert contents.count == 5


@pytest.mark.parametrize("kind", ["ecsv", "vot", "fits", "parquet"])
def test_catalogues_of_every_kind_keep_their_units(kind: str, folder: Path) -> None:
    table = AstropyTable.read(folder / "sources.csv", format="ascii.csv", include_names=["Name", "Type", "z"])
    table["RA"] = np.radians(np.arange(5)) if kind == "fits" else np.arange(5) / 15.0
    table["RA"].unit = "rad" if kind == "fits" else "hourangle"
    table["Dec"] = np.arange(5.0)
    table["Dec"].unit = "deg"
    table["S"] = np.arange(5.0)
    table["S"].unit = "mJy"
    file = folder / f"sources.{kind}"
    table.write(file, format={"ecsv": "ascii.ecsv", "vot": "votable"}.get(kind, kind))
    contents = read(folder, catalogue=file.name, columns=COLUMNS | {"attributes": {"flux": "S"}})
    assert contents.attribute_units["flux"] == "mJy"
    assert images(contents)["C"].attributes == pytest.approx({"ra": 2.0, "dec": 2.0, "flux": 2.0})


def test_sexagesimal_positions_become_degrees(folder: Path) -> None:
    (folder / "sources.csv").write_text(
        "Name;Type;RA;Dec\nA;FRI;12:46:46.7;+22:45:54\nB;FRII;00 41 48.22;-09 17 03.1\nC;FRI;1h30m;-0d30m\n"
    )
    found = images(read(folder, columns=COLUMNS | {"attributes": {}}))
    assert found["A"].attributes == pytest.approx({"ra": 191.694583, "dec": 22.765})
    assert found["B"].attributes == pytest.approx({"ra": 10.450917, "dec": -9.284194})
    assert found["C"].attributes == pytest.approx({"ra": 22.5, "dec": -0.5})


def test_impossible_positions_name_their_row(folder: Path) -> None:
    (folder / "sources.csv").write_text("Name,Type,RA,Dec,z\nA,FRI,10,1,0\nB,FRII,20,99,0\n")
    with pytest.raises(DataError, match="row 2"):
        read(folder)


def test_rows_that_cannot_be_used_are_counted_by_reason(folder: Path) -> None:
    (folder / "sources.csv").write_text(
        "Name,Type,part\nA,FRI,train\nA,FRI,train\nB,FRII,test\nC,FRI,test\nC,FRII,test\n,FRI,test\nD,,test\n"
        "X,Bent,test\nY,Bent,test\nZ,FRI,nowhere\n"
    )
    contents = read(folder, columns={"id": "Name", "label": "Type", "part": "part"}, classes=["FRI", "FRII"])
    assert {name: record.part for name, record in images(contents).items()} == {"A": "train", "B": "test"}
    assert reasons(contents) == {
        "an earlier row lists the same source and file": 1,
        "the catalogue gives its source the labels FRI and FRII": 2,
        "the catalogue gives it no identifier": 1,
        "the catalogue gives it no label": 1,
        "the class Bent is not in `classes`": 2,
        "its part is 'nowhere', not train, validation or test": 1,
    }


def test_numbers_are_given_classes_by_the_registry_alone(folder: Path) -> None:
    (folder / "sources.csv").write_text("Name,Type\nA,1\nB,2\nC,1.0\nD,3\n")
    columns = {"id": "Name", "label": "Type"}
    with pytest.raises(DataError, match="`classes`"):
        read(folder, columns=columns)
    contents = read(folder, columns=columns, classes={"1": "FRI", "2": "FRII"})
    assert contents.task == Classification(classes=("FRI", "FRII"))
    assert {name: record.target for name, record in images(contents).items()} == {"A": 0, "B": 1, "C": 0}
    assert reasons(contents) == {"the class 3 is not in `classes`": 1}


def test_a_quantity_of_the_catalogue_can_be_the_target(folder: Path) -> None:
    contents = read(folder, columns={"id": "Name"}, target={"name": "redshift", "column": "z"}, units={"redshift": ""})
    assert isinstance(contents.task, Regression)
    (target,) = contents.task.targets
    assert (target.name, target.minimum, target.maximum) == ("redshift", 0.1, 0.5)
    assert {name: record.target for name, record in images(contents).items()} == {"A": (0.1,), "B": (0.2,)}
    assert reasons(contents) == {"the catalogue gives it no redshift": 2, "there is no such file": 1}


def test_files_are_found_with_or_without_folder_and_extension(folder: Path) -> None:
    save(folder / "images" / "Cr\u00e9mi\u00e8re.fits.gz", pixels("accents"))
    (folder / "sources.csv").write_text(
        "File,Type\nA,FRI\nB.fits,FRII\nimages/C,FRI\n./images/D.fits,FRII\nCre\u0301mie\u0300re,FRI\n"
    )
    found = images(read(folder, columns={"file": "File", "label": "Type"}))
    assert list(found) == ["A", "B", "images/C", "./images/D", "Cr\u00e9mi\u00e8re"]
    save(folder / "more" / "A.fits", pixels("other"))
    assert reasons(read(folder, columns={"file": "File", "label": "Type"})) == {
        "several files have its name; give the folder or the extension, too": 1
    }


def test_one_file_for_each_band_becomes_a_channel(folder: Path) -> None:
    for name in "AB":
        for band in "gr":
            save(folder / "bands" / f"{name}_{band}.fits", pixels(name + band))
    (folder / "sources.csv").write_text(
        "Name,Type,G,R\nA,FRI,A_g,A_r\nB,FRII,B_g.fits,B_r.fits\nC,FRI,images/C,A_r\nD,FRI,images/D,\n"
    )
    save(folder / "bands" / "C_g.fits", pixels("C", 3, 3))
    by_pattern = read(folder, columns={"id": "Name", "label": "Type"}, files=["{id}_g", "bands/{id}_r.fits"])
    by_column = read(folder, columns={"id": "Name", "label": "Type", "file": ["G", "R"]})
    for contents in (by_pattern, by_column):
        record = images(contents)["A"]
        assert np.array_equal(record.image, np.stack([pixels("Ag"), pixels("Ar")], axis=-1))
    assert reasons(by_column) == {"the catalogue gives it no file": 1}
    assert reasons(by_pattern) == {"there is no such file": 2}
    (folder / "sources.csv").write_text("Name,Type,G,R\nA,FRI,A_g,A_r\nB,FRII,B_g,B_r\nC,FRI,C_g,A_r\n")
    assert reasons(read(folder, columns={"id": "Name", "label": "Type", "file": ["G", "R"]})) == {
        "its bands have different sizes: 3 x 3, 8 x 9": 1
    }


def test_planes_of_cubes_become_channels(folder: Path) -> None:
    save(folder / "cubes" / "A.fits", pixels("cube", 3, 8, 9))
    save(folder / "cubes" / "B.fits", pixels("other", 1, 2, 8, 9))
    (folder / "sources.csv").write_text("Name,Type\nA,FRI\nB,FRII\n")
    given: dict[str, Any] = {"columns": {"id": "Name", "label": "Type"}, "files": "cubes/{id}"}
    every = images(read(folder, planes="all", **given))
    assert np.array_equal(every["A"].image, np.moveaxis(pixels("cube", 3, 8, 9), 0, -1))
    assert every["B"].image.shape == (8, 9, 2)
    chosen = read(folder, planes=[2], **given)
    assert np.array_equal(images(chosen)["A"].image[..., 0], pixels("cube", 3, 8, 9)[2])
    assert reasons(chosen) == {"no plane 2; it has 2": 1}
    grey = images(read(folder, planes="all", colour="radio-framework", **given))["A"].image
    np.testing.assert_allclose(grey, np.tensordot([0.3, 0.59, 0.11], pixels("cube", 3, 8, 9), axes=1), rtol=1e-6)
    assert all("planes" in reason for reason in reasons(read(folder, **given)))


def test_colours_of_pictures_follow_the_rule_of_the_radio_framework(folder: Path) -> None:
    colour = Stream("test").generator().integers(0, 255, (8, 9, 3)).astype(np.uint8)
    for name in "AB":
        Image.fromarray(colour).save(folder / f"{name}.png")
    (folder / "sources.csv").write_text("File,Type\nA.png,FRI\nB.png,FRII\n")
    columns = {"file": "File", "label": "Type"}
    assert np.array_equal(images(read(folder, columns=columns))["A"].image, colour)
    grey = images(read(folder, columns=columns, colour="radio-framework"))["A"].image
    np.testing.assert_allclose(grey, 0.3 * colour[..., 0] + 0.59 * colour[..., 1] + 0.11 * colour[..., 2])


def test_another_catalogue_is_joined_by_identifier(folder: Path) -> None:
    (folder / "more.csv").write_text("object|mass|kind\nA|10.5|x\nC|11|y\nC|12|y\nD|9|y\nD|9|y\n")
    join = {"catalogue": "more.csv", "id": "object", "attributes": {"mass": "mass"}}
    contents = read(folder, joins=[join], units={"mass": "dex(solMass)"})
    assert contents.attribute_units["mass"] == "dex(solMass)"
    found = images(contents)
    assert found["A"].attributes["mass"] == 10.5
    assert np.isnan(found["B"].attributes["mass"])
    assert found["D"].attributes["mass"] == 9.0
    assert reasons(contents) == {"more.csv has several different rows for it": 1, "there is no such file": 1}
    assert reasons(read(folder, joins=[join | {"required": True}]))["more.csv has no row for it"] == 2


def test_another_catalogue_is_joined_by_the_nearest_position(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "more.csv").write_text(
        "ra;dec;mass;kind\n10.5;-1.2505;1;bent\n10.5;-1.2501;2;bent\n20.001;2;3;straight\n30;3.002;4;straight\n"
    )
    join = {"catalogue": "more.csv", "ra": "ra", "dec": "dec", "radius": "5 arcsec"}
    with caplog.at_level(logging.WARNING):
        contents = read(folder, joins=[join | {"attributes": {"mass": "mass"}}])
    assert "1 source(s) have several partners" in caplog.text
    masses = {name: record.attributes["mass"] for name, record in images(contents).items()}
    assert masses == pytest.approx({"A": 2.0, "B": 3.0, "C": np.nan, "D": np.nan}, nan_ok=True)
    columns = {"id": "Name", "ra": "RA", "dec": "Dec"}
    labelled = read(folder, columns=columns, joins=[join | {"label": "kind", "required": True}])
    assert {name: record.target for name, record in images(labelled).items()} == {"A": 0, "B": 1}
    assert reasons(labelled) == {"more.csv has no source within 5 arcsec": 3}


def test_positions_near_ra_0_are_joined_across_it(folder: Path) -> None:
    (folder / "sources.csv").write_text("Name,Type,RA,Dec\nA,FRI,359.9999,60\nB,FRII,180,89.9999\n")
    (folder / "more.csv").write_text("ra,dec,mass\n0.0001,60,1\n0,89.9999,2\n")
    join = {"catalogue": "more.csv", "ra": "ra", "dec": "dec", "radius": "1 arcsec", "attributes": {"mass": "mass"}}
    found = images(read(folder, columns=COLUMNS | {"attributes": {}}, joins=[join]))
    assert {name: record.attributes["mass"] for name, record in found.items()} == {"A": 1.0, "B": 2.0}


def test_an_archive_of_the_images_is_read(folder: Path, tmp_path: Path) -> None:
    import shutil

    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "gztar", folder / "images"))
    shutil.copy(folder / "sources.csv", tmp_path)
    assert set(images(read(archive))) == {"A", "B", "C", "D"}


def test_mistakes_are_refused_with_what_to_do(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="-d FOLDER"):
        read(None)
    with pytest.raises(ConfigurationError, match=r"nothing\.vot"):
        read(folder, catalogue="nothing.vot")
    with pytest.raises(DataError, match=r"A_cutout\.fits"):
        read(folder, files="{id}_cutout.fits")
    with pytest.raises(DataError, match="Class"):
        read(folder, columns={"id": "Name", "label": "Class"})
    with pytest.raises(DataError, match="7 a, 8 b"):
        read(folder, columns=COLUMNS | {"label": "z"}, classes={"7": "a", "8": "b"})
    (folder / "sources.csv").write_text("Name,Type\nA,\nB,\n")
    with pytest.raises(DataError, match="no label"):
        read(folder, columns={"id": "Name", "label": "Type"})


def test_a_position_in_another_unit_than_an_angle_is_refused(folder: Path) -> None:
    table = AstropyTable.read(folder / "sources.csv", format="ascii.csv")
    table["RA"].unit = "mJy"
    table.write(folder / "sources.ecsv", format="ascii.ecsv")
    with pytest.raises(DataError, match="RA"):
        read(folder, catalogue="sources.ecsv")


@pytest.mark.parametrize(
    "options",
    [
        {"columns": {"label": "Type"}},
        {"columns": {"id": "Name"}},
        {"columns": {"id": "Name", "label": "Type", "ra": "RA"}},
        {"target": {"name": "z"}},
        {"files": "image.fits"},
        {"classes": ["FRI"]},
        {"joins": [{"catalogue": "more.csv"}]},
        {"joins": [{"catalogue": "more.csv", "ra": "ra", "dec": "dec"}]},
        {"joins": [{"catalogue": "m", "id": "a", "ra": "ra", "dec": "dec", "radius": 5}]},
        {"columns": {"id": "n", "label": "t"}, "joins": [{"catalogue": "m", "ra": "a", "dec": "d", "radius": 5}]},
    ],
)
def test_options_that_do_not_belong_together_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FitsCutoutsOptions.model_validate({"catalogue": "sources.csv", "columns": COLUMNS} | options)
