"""The steps of the inclination pipeline before training, against what the original scripts wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarker import DataError, Stream
from benchmarker_inclination.batch_files import Pool, bins_of, draw_batch, pick_batch, write_batches
from benchmarker_inclination.catalogue import read_catalogue
from benchmarker_inclination.npz import iterate_images, read_arrays, write_npz
from benchmarker_inclination.samples import follow, make_partition, split_bands
from benchmarker_inclination.small_images import BANDS, band_name, compress_folder, prepare_band
from benchmarker_inclination.transforms import Recipe, transform

LABELS = {44182: "61", 676: "71", 118: "F", 129: "0", 2148: "80", 56987: "F", 6864: "81", 354: "56"}


@pytest.fixture(scope="session")
def spirals(shared_data: Path) -> Path:
    """Folder of the eight spirals and of what the original wrote for them."""
    return shared_data / "inclination"


def quiet(_text: str) -> None:
    """Report nothing."""


def test_catalogue_gives_the_labels_of_the_original(spirals: Path) -> None:
    assert {galaxy.pgc: galaxy.label for galaxy in read_catalogue(spirals / "catalog.csv")} == LABELS


@pytest.mark.parametrize(
    ("content", "place"),
    [("pgc|inc\n1|50\n", "inc_flg"), ("pgc|inc|inc_flg|fon|inc_note\n1|fifty|0||\n", "line 2")],
)
def test_catalogue_that_is_wrong_is_refused_at_its_place(tmp_path: Path, content: str, place: str) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=place):
        read_catalogue(path)


@pytest.mark.parametrize("band", BANDS)
def test_prepared_images_are_those_of_the_original(spirals: Path, tmp_path: Path, band: str) -> None:
    galaxies = read_catalogue(spirals / "catalog.csv")
    prepare_band(galaxies, spirals / "galaxies", root="d25x2_rot", band=band, size=128, output=tmp_path, report=quiet)
    name = f"128x128_{band_name(band)}"
    theirs = sorted((spirals / "original" / name).glob("*.jpg"))
    assert [path.name for path in theirs] == sorted(path.name for path in (tmp_path / name).iterdir())
    for path in theirs:
        with Image.open(path) as one, Image.open(tmp_path / name / path.name) as other:
            difference = np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int))
        # Colour images were decoded from JPEG by another version of the library: rounding, then compressed again.
        assert difference.max() <= (20 if band == "gri" else 0)
        assert difference.mean() < 1


def test_compressed_images_have_the_arrays_of_the_original(spirals: Path, tmp_path: Path) -> None:
    path = compress_folder(spirals / "original" / "128x128_r", 128, tmp_path)
    images, labels = read_arrays(path, "images", "labels")
    theirs, their_labels = read_arrays(spirals / "original" / "compressed" / "128x128_r.npz", "images", "labels")
    assert (images.dtype, labels.dtype) == (theirs.dtype, their_labels.dtype)
    order = np.argsort(their_labels[0])  # theirs are in the order of the directory
    np.testing.assert_array_equal(labels, their_labels[:, order])
    np.testing.assert_array_equal(images, theirs[order])


def test_parts_are_those_of_the_original_bit_for_bit(spirals: Path, tmp_path: Path) -> None:
    split_bands(spirals / "original" / "compressed", 128, tmp_path, n_subsamples=3, report=quiet, leak=True)
    theirs = sorted((spirals / "original" / "samples").glob("*.npz"))
    assert [path.name for path in theirs] == sorted(path.name for path in tmp_path.iterdir())
    for path in theirs:
        names = ("images", "labels", "pgcIDs")
        for mine, their in zip(read_arrays(tmp_path / path.name, *names), read_arrays(path, *names), strict=True):
            assert mine.dtype == their.dtype
            np.testing.assert_array_equal(mine, their)


def test_test_galaxies_are_in_no_other_part_by_default() -> None:
    pgc = np.arange(1000, 1040)
    main = make_partition(pgc, np.full(40, 60), 3)
    other = follow(main, np.arange(995, 1040), np.full(45, 60), leak=False)
    assert set(other.test) == set(main.test)
    assert len(main.test) == 6  # the smallest whole number above 15 %
    assert [len(drawn) for drawn in main.subsamples] == [22, 22, 22]  # two thirds of 34, rounded down
    for drawn, left in zip(other.subsamples, other.out_of_bag, strict=True):
        assert not set(main.test) & (set(drawn) | set(left))
        assert set(drawn) | set(left) == set(other.train)
    assert set(follow(main, pgc, np.full(40, 60), leak=True).out_of_bag[0]) >= set(main.test)


def test_split_leaves_out_rejected_galaxies_and_those_below_45_degrees() -> None:
    partition = make_partition(np.arange(6), np.array([0, 1, 44, 45, 70, 90]), 1)
    assert sorted(partition.test + partition.train) == [3, 4, 5]


def test_bins_hold_their_upper_edge() -> None:
    assert bins_of(np.array([45, 46, 50, 51, 85, 86, 90])).tolist() == [0, 0, 0, 1, 7, 8, 8]


def pool(labels: list[int], letter: str) -> Pool:
    """Return a pool of small images, each of one grey level."""
    n = len(labels)
    images = np.full((n, 16, 16, 3), 100, np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    pgc, letters = np.arange(n, dtype=np.int32), np.full(n, letter, "S1")
    return Pool(images=images, labels=np.array(labels, np.int32), pgc=pgc, letters=letters)


def test_batch_holds_as_many_grey_as_colour_images_and_inverts_half_of_the_grey() -> None:
    colour, grey = pool([47, 47, 47, 88], "c"), pool([47, 88, 88], "g")
    picks = pick_batch(colour, grey, 5, Stream("test", seed=1))
    coloured = [each for owner, each in picks if owner is colour]
    greys = [each for owner, each in picks if owner is grey]
    assert len(coloured) == len(greys) == 10  # two bins of five
    assert [sum(each.bin == number for each in coloured) for number in (0, 8)] == [5, 5]
    assert sum(each.inverted for each in greys) == 5
    assert not any(each.inverted for each in coloured)


def test_colour_images_get_the_recipe_of_grey_ones_on_request_only() -> None:
    """The original gives it to all; the recipe for colours alone changes brightness, by up to a fifth."""
    colour, grey = pool([47] * 12, "c"), pool([], "g")
    stream = Stream("test", seed=3)
    picks = pick_batch(colour, grey, 12, stream)

    def drawn(*, grey_recipe: bool) -> list[int]:
        made = draw_batch(picks, grey, stream, keep_shape=False, grey_recipe=grey_recipe)
        before = [int(owner.images[each.index][8, 8, 0]) for owner, each in picks]
        return [abs(int(np.median(image)) - level) for image, level in zip(made, before, strict=True)]

    own = [Recipe(colour=False, keep_shape=False), Recipe(colour=True, keep_shape=False)]
    for recipe, asked in zip(own, (True, False), strict=True):
        images = list(draw_batch(picks, grey, stream, keep_shape=False, grey_recipe=asked))
        for image, (owner, each) in zip(images, picks, strict=True):
            seeds = stream.child("transform", kind="colour", bin=each.bin, round=each.round)
            (expected,) = transform([owner.images[each.index]], recipe, seeds, numbers=[each.index])
            np.testing.assert_array_equal(image, expected)
    assert np.mean(drawn(grey_recipe=False)) > np.mean(drawn(grey_recipe=True))


def test_batch_files_have_the_arrays_of_the_original_and_repeat_their_bits(spirals: Path, tmp_path: Path) -> None:
    samples = spirals / "original" / "samples"
    for folder in ("first", "second"):
        write_batches(samples, 128, tmp_path / folder, n_subsamples=1, n_batches=1, batch_size=3, seed=1, report=quiet)
    for number in (0, 1):
        name = Path(f"Uset_{number:03d}_npz") / "128x128_train_aug_01.npz"
        theirs = np.load(spirals / "original" / "augmented" / name)
        mine = np.load(tmp_path / "first" / name)
        assert {key: (mine[key].shape, mine[key].dtype) for key in mine.files} == {
            key: (theirs[key].shape, theirs[key].dtype) for key in theirs.files
        }
        assert set(mine["labels"]) == set(theirs["labels"])
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_existing_batch_files_are_kept(spirals: Path, tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        write_batches(
            spirals / "original" / "samples",
            128,
            tmp_path,
            n_subsamples=0,
            n_batches=1,
            batch_size=1,
            seed=1,
            report=said.append,
        )
    assert [text.rpartition(" ")[2] for text in said] == ["saved.", "kept."]


def test_transforms_of_an_image_do_not_depend_on_the_others() -> None:
    images = [np.random.default_rng(k).integers(0, 256, (24, 24, 3), np.uint8) for k in range(3)]  # noqa: TID251
    stream = Stream("test", seed=2)
    together = transform(images, Recipe(colour=True), stream)
    (alone,) = transform([images[2]], Recipe(colour=True), stream, numbers=[2])
    np.testing.assert_array_equal(together[2], alone)
    assert any(not np.array_equal(one, other) for one, other in zip(images, together, strict=True))


def test_kept_shape_keeps_a_disc_round() -> None:
    y, x = np.mgrid[:64, :64] - 31.5
    disc = np.repeat(np.where(np.hypot(x, y) < 12, 255, 0).astype(np.uint8)[..., None], 3, axis=2)

    def elongations(recipe: Recipe) -> list[float]:
        found = []
        for seed in range(12):
            (image,) = transform([disc], recipe, Stream("test", seed=seed))
            weight = image[..., 0] > 128
            coordinates = np.argwhere(weight)
            rim = np.concatenate([weight[0], weight[-1], weight[:, 0], weight[:, -1]])
            if rim.any() or len(coordinates) < 50:
                continue  # the fill mode made light elsewhere
            small, large = np.sqrt(np.linalg.eigvalsh(np.cov(coordinates.T)))
            found.append(large / small)
        return found

    assert max(elongations(Recipe(colour=True, keep_shape=True))) < 1.06
    assert max(elongations(Recipe(colour=True))) > 1.1


def test_npz_files_are_written_and_read_image_by_image(tmp_path: Path) -> None:
    images = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    path = tmp_path / "images.npz"
    write_npz(path, images, shape=images.shape, dtype=">i4", arrays={"labels": np.arange(5)})
    np.testing.assert_array_equal(np.load(path)["images"], images)
    np.testing.assert_array_equal(np.stack(list(iterate_images(path))), images)
    with pytest.raises(ValueError, match="5 images"):
        write_npz(path, images[:4], shape=images.shape, dtype=np.uint8, arrays={})
    assert len(list(tmp_path.iterdir())) == 1


def test_truncated_npz_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"broken\.npz"):
        read_arrays(path, "images")
