"""Dataset `fits-manifest`: manifests in the variants that users write, and files in any state."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from benchmarker import Classification, ConfigurationError, DataError, DatasetContents, ImageRecord, SkippedImage
from benchmarker.data.loading import Context
from benchmarker.data.remarks import collect_remarks
from benchmarker.digests import canonical_json
from benchmarker_radio.fits_manifest import FitsManifestOptions, load


def _load(folder: Path | None, **options: object) -> DatasetContents:
    return load(FitsManifestOptions.model_validate(options), Context(dataset="fits-manifest", path=folder))


def _image(path: Path, value: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    fits.PrimaryHDU(np.full((4, 4), value, dtype="float32")).writeto(stream)
    path.write_bytes(stream.getvalue())


def _classes(contents: DatasetContents) -> tuple[str, ...]:
    assert isinstance(contents.task, Classification)
    return contents.task.classes


def _read(contents: DatasetContents) -> tuple[dict[str, str], dict[str, str]]:
    """Return the class of each source, and the reason for each file or source that is skipped."""
    used, skipped = {}, {}
    for record in contents.records():
        if isinstance(record, SkippedImage):
            assert record.name not in skipped
            skipped[record.name] = record.reason
        else:
            assert isinstance(record.target, int)
            used[record.source_id] = _classes(contents)[record.target]
    return used, skipped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two FRI and two FRII with a manifest."""
    for value, name in enumerate(("FRI/a", "FRI/b.1", "FRII/c+1", "FRII/d")):
        _image(tmp_path / f"{name}.fits", value)
    (tmp_path / "manifest.csv").write_text("Name,Type\na,2\nb.1,2\nc+1,3\nd,3\n")
    return tmp_path


@pytest.mark.shared
def test_forty_real_images_are_read(shared_data: Path) -> None:
    contents = _load(shared_data / "first_fits")
    records = list(contents.records())
    assert contents.count == len(records) == 40
    assert _classes(contents) == ("FRI", "FRII")
    images = [record for record in records if isinstance(record, ImageRecord)]
    assert len(images) == 40
    assert {record.image.shape for record in images} == {(150, 150)}
    rows = (shared_data / "first_fits" / "manifest.csv").read_text().splitlines()[1:]
    expected = {name: {"2": 0, "3": 1}[kind] for name, kind in (row.split(",") for row in rows)}
    assert {record.source_id: record.target for record in images} == expected


@pytest.mark.shared
def test_unreadable_files_in_class_folders_are_skipped_with_reasons(shared_data: Path, tmp_path: Path) -> None:
    shutil.copytree(shared_data / "first_fits", tmp_path, dirs_exist_ok=True)
    (tmp_path / "manifest.csv").chmod(0o644)
    (tmp_path / "FRI").chmod(0o755)
    edge_cases = sorted((shared_data / "fits_edge_cases").iterdir())
    for path in edge_cases:
        shutil.copy(path, tmp_path / "FRI" / path.name)
    listed = ("truncated", "not_a_fits_file", "table", "zerowidth", "checksum_false", "small_4D")
    with (tmp_path / "manifest.csv").open("a") as stream:
        stream.writelines(f"{name},2\n" for name in listed)
    used, skipped = _read(_load(tmp_path))
    assert len(used) == 42
    assert used["small_4D"] == used["checksum_false"] == "FRI"
    assert set(skipped) == {f"FRI/{path.name}" for path in edge_cases if path.stem not in used}
    assert skipped["FRI/scale.fits"] == "not in the manifest"
    assert skipped["FRI/not_a_fits_file.fits"] == "not a FITS file"
    assert skipped["FRI/table.fits"] == "no image in it, only tables"
    assert skipped["FRI/zerowidth.fits"].startswith("no pixels")
    assert skipped["FRI/truncated.fits"].startswith("truncated")


@pytest.mark.shared
def test_folder_without_classes_lists_the_first_files(shared_data: Path) -> None:
    with pytest.raises(DataError) as caught:
        _load(shared_data / "fits_edge_cases")
    lines = str(caught.value).splitlines()
    names = [path.name for path in sorted((shared_data / "fits_edge_cases").iterdir())]
    assert [line.split(": ")[0].strip() for line in lines[1:-1]] == names[:10]
    assert lines[-1].strip() == f"... and {len(names) - 10} more"
    assert "sub-folder for each class" in lines[0]
    reasons = dict(line.strip().split(": ", 1) for line in lines[1:-1])
    assert reasons["m13_rice.fits"].startswith("no class")
    assert reasons["blank.fits"] == "every pixel is NaN"


@pytest.mark.parametrize(
    "text",
    [
        "Name,Type\r\na,2\r\nb.1,2\r\nc+1,3\r\nd,3\r\n",
        "\ufeffname,Type-Lit\nd,3\n\nc+1,3\nb.1,2\na,2",
        "TYPE-MAN , NAME\n 2,a\n2, b.1\n 3 ,c+1\n3,d\n",
        '"Name","ra","Type"\n"a",1,2.0\n"b.1",1,2.0\n"c+1",1,3.0\n"d",1,3.0\n',
        "Name,class\na.fits,FRI\nb.1.fits,FR I\nc+1,FR-II\nd,fr2\n",
        "Name,Type\na,2\na,2\nb.1,2\nc+1,3\nd,3\nd,3\n",
        "Name;Type;remark\na;2;bent, or not\nb.1;2;\nc+1;3;\nd;3;\n",
        "Name\tType\na\t2\nb.1\t2\nc+1\t3\nd\t3\n",
        "# by eye\n| Name | Type |\n| a | 2 |\n| b.1 | 2 |\n| c+1 | 3 |\n| d | 3 |\n",
        "# Name Type\na   2\nb.1 2\nc+1 3\nd   3\n",
    ],
)
def test_manifest_variants_are_understood(folder: Path, text: str) -> None:
    (folder / "manifest.csv").write_bytes(text.encode())
    contents = _load(folder)
    assert _classes(contents) == ("FRI", "FRII")
    assert _read(contents) == ({"a": "FRI", "b.1": "FRI", "c+1": "FRII", "d": "FRII"}, {})


def test_separator_is_an_option_that_leaves_other_keys_as_they_were(folder: Path) -> None:
    (folder / "manifest.csv").write_text("Name~Type\na~2\nb.1~2\nc+1~3\nd~3\n")
    assert len(_read(_load(folder, separator="~"))[0]) == 4
    with pytest.raises(DataError, match="separator"):
        _load(folder, separator="~~")
    assert "separator" not in FitsManifestOptions().model_dump()


def test_unusable_rows_are_skipped_with_reasons(folder: Path) -> None:
    text = "Name,Type\na,2\nb.1,1F\nc+1,3\nd,3\nd,2\ne,4\nf,9\n,2\n"
    (folder / "manifest.csv").write_text(text)
    contents = _load(folder)
    used, skipped = _read(contents)
    types = "expected a name and one of the types 1 COMP, 2 FRI, 3 FRII, 4 BENT"
    assert used == {"a": "FRI", "c+1": "FRII"}
    assert skipped == {
        "b.1": "sub-class 1F (FR0) is left out",
        "d": "the manifest gives it the types 2 and 3",
        "e": "in the manifest (type 4), but there is no file BENT/e.fits",
        "f": f"line 8 of the manifest: {types}. Received: 'f,9'",
        "line 9": f"line 9 of the manifest: {types}. Received: ',2'",
    }
    assert contents.count == 7


def test_files_outside_the_manifest_are_skipped_with_reasons(folder: Path) -> None:
    for name in ("FRI/extra.fits", "loose.fits", "other/x.fits.gz"):
        _image(folder / name)
    (folder / "FRII" / "notes.txt").write_text("seen by eye")
    (folder / "README.md").write_text("mine")
    used, skipped = _read(_load(folder))
    assert len(used) == 4
    assert skipped == {
        "FRI/extra.fits": "not in the manifest",
        "loose.fits": "not in the manifest",
        "other/x.fits.gz": "not in the manifest",
        "FRII/notes.txt": "no FITS extension in its name",
    }


def test_other_spellings_of_folders_and_files_are_understood(tmp_path: Path) -> None:
    for name in ("Compact/a.fit", "fr1/b.FITS", "FR-II/c.fits.gz", "wat/d.fts", "e.fits"):
        _image(tmp_path / name)
    (tmp_path / "manifest.csv").write_text("Name,Type\na,1\nb,2\nc,3\nd,4\ne,4\n")
    used, skipped = _read(_load(tmp_path))
    assert used == {"a": "COMP", "b": "FRI", "c": "FRII", "d": "BENT", "e": "BENT"}
    assert not skipped


def test_source_in_the_folder_of_another_class_is_not_used(folder: Path) -> None:
    (folder / "FRI" / "a.fits").rename(folder / "FRII" / "a.fits")
    used, skipped = _read(_load(folder))
    assert "a" not in used
    assert skipped == {
        "a": "in the manifest (type 2), but there is no file FRI/a.fits",
        "FRII/a.fits": "not in the manifest",
    }


def test_folders_are_classes_without_a_manifest(folder: Path) -> None:
    (folder / "manifest.csv").unlink()
    _image(folder / "X-shaped" / "x.fits")
    _image(folder / "loose.fits")
    (folder / "broken.fits").write_text("nothing")
    _image(folder / "FRI" / "d.fits")
    contents = _load(folder)
    assert _classes(contents) == ("FRI", "FRII", "X-shaped")
    used, skipped = _read(contents)
    # Equal names in the folders of two classes are two sources: catalogues number the sources of each class.
    assert used == {
        "FRI/a": "FRI",
        "FRI/b.1": "FRI",
        "FRI/d": "FRI",
        "FRII/c+1": "FRII",
        "FRII/d": "FRII",
        "X-shaped/x": "X-shaped",
    }
    assert skipped == {
        "loose.fits": "no class: neither in the folder of a class nor in a manifest",
        "broken.fits": "not a FITS file",
    }


def test_file_beside_its_compressed_copy_is_the_same_source(folder: Path) -> None:
    (folder / "manifest.csv").unlink()
    _image(folder / "FRI" / "a.fits.gz")
    used, skipped = _read(_load(folder))
    assert "FRI/a" not in used
    assert set(skipped) == {"FRI/a.fits", "FRI/a.fits.gz"}


def test_manifest_may_name_sources_by_their_paths(folder: Path) -> None:
    _image(folder / "FRI" / "d.fits")
    (folder / "manifest.csv").write_text("Name,Type\nFRI/d,2\nFRII/d.fits,3\na,2\na.fits,2\n")
    used, _ = _read(_load(folder))
    assert used == {"FRI/d": "FRI", "FRII/d": "FRII", "a": "FRI"}


def test_exact_column_names_come_before_similar_ones(folder: Path) -> None:
    manifest = folder / "manifest.csv"
    manifest.write_text("Name,Label_source,Type\na,3,2\nc+1,2,3\n")
    assert _read(_load(folder))[0] == {"a": "FRI", "c+1": "FRII"}
    manifest.write_text("Name,Class,Type\na,2,3\nc+1,3,2\n")
    with pytest.raises(DataError, match=r"manifest.csv:1: Class and Type .*type_column"):
        _load(folder)
    assert _read(_load(folder, type_column="class"))[0] == {"a": "FRI", "c+1": "FRII"}
    with pytest.raises(DataError, match="the column host"):
        _load(folder, name_column="host")


def test_class_without_a_readable_image_stops_with_the_files(folder: Path) -> None:
    for path in (folder / "FRII").iterdir():
        path.write_text("nothing")
    with pytest.raises(DataError, match=r"(?s)class FRII .*FRII/c\+1.fits: not a FITS file"):
        _read(_load(folder))


def test_file_whose_name_is_not_utf8_is_skipped_by_name(folder: Path) -> None:
    (folder / "FRI" / os.fsdecode(b"M\xe9.fits")).write_bytes((folder / "FRI" / "a.fits").read_bytes())
    contents = _load(folder)
    assert _read(contents)[1] == {"FRI/M\\xe9.fits": "its name is not UTF-8; rename it"}
    canonical_json(contents.signature)


def test_names_match_in_both_spellings_of_an_accent(folder: Path) -> None:
    _image(folder / "FRI" / "e\u0301toile.fits")
    (folder / "manifest.csv").write_text("Name,Type\n\u00e9toile,2\nc+1,3\n", encoding="utf-8")
    assert _read(_load(folder))[0] == {"\u00e9toile": "FRI", "c+1": "FRII"}


def test_extension_with_a_dot_is_taken_as_it_stands(folder: Path) -> None:
    (folder / "FRI" / "a.fits").rename(folder / "FRI" / "a_cutout.fits")
    (folder / "FRII" / "d.fits").rename(folder / "FRII" / "d_cutout.fits")
    (folder / "manifest.csv").write_text("Name,Type\na,2\nd,3\n")
    assert _read(_load(folder, extension="_cutout.fits"))[0] == {"a": "FRI", "d": "FRII"}


def test_long_lists_of_files_are_cut(tmp_path: Path) -> None:
    for number in range(14):
        _image(tmp_path / f"{number:02d}.fits")
    with pytest.raises(DataError, match=r"09\.fits.*\n  \.\.\. and 4 more$"):
        _load(tmp_path)


def test_option_hdu_names_the_image(folder: Path) -> None:
    (folder / "manifest.csv").write_text("Name,Type\na,2\nd,3\n")
    hdus = [fits.PrimaryHDU(np.eye(9)), fits.ImageHDU(2 * np.eye(9), name="CLEAN")]
    fits.HDUList(hdus).writeto(folder / "FRI" / "a.fits", overwrite=True)
    fits.HDUList(hdus).writeto(folder / "FRII" / "d.fits", overwrite=True)
    records = [record for record in _load(folder, hdu="CLEAN").records() if isinstance(record, ImageRecord)]
    assert [record.image.max() for record in records] == [2.0, 2.0]


def test_options_change_manifest_classes_and_extension(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("lists") / "mine.csv"
    elsewhere.write_text("Name,Type\na,x\nc+1,y\n")
    contents = _load(folder, manifest=str(elsewhere), classes={"y": "FRII", "x": "FRI"})
    assert _classes(contents) == ("FRII", "FRI")
    assert _read(contents)[0] == {"a": "FRI", "c+1": "FRII"}
    (folder / "FRI" / "a.fits").rename(folder / "FRI" / "a.img")
    used, skipped = _read(_load(folder, extension="img"))
    assert used == {"a": "FRI"}
    assert {"b.1", "c+1", "d"} < set(skipped)


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give `-d FOLDER`"):
        _load(None)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(ConfigurationError, match="is not a folder"):
        _load(tmp_path / "a.csv")
    with pytest.raises(DataError, match="no FITS files"):
        _load(tmp_path)


def test_unusable_manifest_is_reported(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no manifest .*list\.csv"):
        _load(folder, manifest="list.csv")
    for text, message in (
        (b"", "Received: an empty file"),
        (b"a,2\nb,3\n", "expected a header with the columns Name and Type. Received: a,2"),
        (b"Name,Type\n", "lists no source"),
        (b"Name,Type\n\xff\xfe,2\n", "UTF-8"),
        (b"Name,Type\na,1F\n", "lists no source that can be used"),
    ):
        (folder / "manifest.csv").write_bytes(text)
        with pytest.raises(DataError, match=message):
            _load(folder)


def test_manifest_of_missing_files_is_an_error_that_names_the_folder(folder: Path) -> None:
    (folder / "manifest.csv").write_text("Name,Type\nx,2\ny,3\n")
    with pytest.raises(DataError, match=r"none of the 2 sources .* expected for example FRI/x.fits") as caught:
        _load(folder)
    assert str(folder) in str(caught.value)


def test_signature_depends_on_files_and_manifest_but_not_on_the_path(folder: Path, tmp_path: Path) -> None:
    first = _load(folder).signature
    assert str(tmp_path) not in str(first)
    _image(folder / "FRI" / "extra.fits")
    second = _load(folder).signature
    (folder / "manifest.csv").write_text("Name,Type\na,2\nb.1,2\nc+1,3\n")
    third = _load(folder).signature
    assert first != second != third
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("copy"))
    assert _load(copied).signature == third


def test_order_of_records_does_not_depend_on_the_order_of_rows(folder: Path) -> None:
    before = [record.source_id for record in _load(folder).records() if isinstance(record, ImageRecord)]
    (folder / "manifest.csv").write_text("Name,Type\nd,3\nb.1,2\nc+1,3\na,2\n")
    assert [r.source_id for r in _load(folder).records() if isinstance(r, ImageRecord)] == before


def test_manifest_order_gives_the_place_of_each_source(folder: Path) -> None:
    (folder / "manifest.csv").write_text("Name,Type\nd,3\nleft,1F\nlost,2\na,2\n")
    places = {
        record.source_id: dict(record.attributes)
        for record in _load(folder, manifest_order=True).records()
        if isinstance(record, ImageRecord)
    }
    assert places == {
        "d": {"manifest_row": 0, "manifest_rows": 3},
        "a": {"manifest_row": 2, "manifest_rows": 3},
    }
    assert not any(record.attributes for record in _load(folder).records() if isinstance(record, ImageRecord))


def test_numbers_without_folders_or_classes_are_remarked_on(folder: Path) -> None:
    def remarked(**options: object) -> list[str]:
        with collect_remarks() as remarks:
            _read(_load(folder, **options))
        return [text for text in remarks if "classes" in text]

    assert remarked() == [], "the folders confirm the classes"
    for path in [*folder.glob("FRI/*.fits"), *folder.glob("FRII/*.fits")]:
        path.rename(folder / path.name)
    (told,) = remarked()
    assert "2 FRI" in told
    assert remarked(classes={"2": "FRI", "3": "FRII"}) == []
    (folder / "manifest.csv").write_text("Name,Type\na,FRI\nb.1,FRI\nc+1,FRII\nd,FRII\n")
    assert remarked() == []


def test_planes_of_cubes_follow_the_rule_of_the_radio_framework(tmp_path: Path) -> None:
    cube = np.arange(3 * 8 * 9, dtype=np.float32).reshape(3, 8, 9)
    for name in ("FRI/a", "FRII/b"):
        (tmp_path / name).parent.mkdir()
        fits.PrimaryHDU(cube).writeto(tmp_path / f"{name}.fits")
    (record, _) = _load(tmp_path, planes="all", colour="radio-framework").records()
    assert isinstance(record, ImageRecord)
    np.testing.assert_allclose(record.image, 0.3 * cube[0] + 0.59 * cube[1] + 0.11 * cube[2], rtol=1e-6)
    assert not {"planes", "colour"} & set(FitsManifestOptions().model_dump())
