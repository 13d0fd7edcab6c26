"""Reading FITS images: every variant that real files come in, and every way in which they are broken."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import tracemalloc
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from astropy.io import fits

from benchmarker import Stream, UnreadableImageError, read_fits_image
from benchmarker.data.remarks import collect_remarks

# File of the edge cases -> shape in pixels and number of NaN, or a part of the reason why it is refused.
EDGE_CASES: dict[str, tuple[tuple[int, int], int] | str] = {
    "FIRSTJ124646.7+224554.fits": ((132, 132), 394),
    "blank.fits": ((1, 1), 1),
    "checksum_false.fits": ((40, 30), 0),
    "compressed_with_nan.fits": ((12, 12), 1),
    "first_cutout_server_reply.fits": ((33, 33), 0),
    "m13_rice.fits": ((300, 300), 0),
    "nan_012_percent_200_020.485-000.490_0.4364_0052.49.fits": ((300, 300), 10498),
    "nan_027_percent_210_348.925-000.435_0.0910_0050.37.fits": ((300, 300), 24237),
    "nan_044_percent_200_003.198+000.788_0.1484_0026.82.fits": ((300, 300), 39244),
    "nan_100_percent_200_033.655+000.710_0.2900_0030.76.fits": ((300, 300), 90000),
    "not_a_fits_file.fits": "not a FITS file",
    "o4sp040b0_raw.fits": ((44, 62), 0),
    "scale.fits": ((21, 20), 0),
    "small_3D.fits": ((20, 20), 0),
    "small_4D.fits": ((20, 20), 0),
    "small_5D.fits": ((20, 20), 0),
    "stokes_frequency_axes.fits": ((129, 129), 0),
    "table.fits": "no image in it, only tables",
    "test0.fits": ((40, 40), 0),
    "truncated.fits": "truncated",
    "zerowidth.fits": "no pixels: axes of shape 0 x 777777701",
}


@pytest.mark.shared
def test_table_of_edge_cases_is_complete(shared_data: Path) -> None:
    assert {path.name for path in (shared_data / "fits_edge_cases").iterdir()} == set(EDGE_CASES)


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(EDGE_CASES))
def test_real_file_is_read_or_refused_with_a_reason(
    shared_data: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = shared_data / "fits_edge_cases" / name
    expected = EDGE_CASES[name]
    if isinstance(expected, str):
        with pytest.raises(UnreadableImageError, match=expected) as caught:
            read_fits_image(path)
        assert len(caught.value.reason) < 120
    else:
        image = read_fits_image(path)
        assert image.shape == expected[0]
        assert int(np.isnan(image).sum()) == expected[1]
        assert image.dtype in (np.float32, np.float64)
        assert image.dtype.isnative
    assert capfd.readouterr() == ("", "")


@pytest.mark.shared
def test_bscale_and_bzero_are_applied(shared_data: Path) -> None:
    path = shared_data / "fits_edge_cases" / "scale.fits"
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        header, stored = hdus[0].header, hdus[0].data.astype(np.float64)
    expected = header.get("BZERO", 0.0) + header.get("BSCALE", 1.0) * stored
    assert np.allclose(read_fits_image(path), expected, rtol=1e-6)


def _file(*hdus: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(stream, **options)
    return stream.getvalue()


def _values(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray[Any, Any]:
    return (np.arange(np.prod(shape)).reshape(shape) % 113).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "float32", "float64", "uint16", "uint32", "<f4"])
def test_every_pixel_type_is_read_without_loss(dtype: str) -> None:
    values = _values((5, 7), dtype)
    image = read_fits_image(_file(fits.PrimaryHDU(values)))
    assert image.dtype == np.result_type(np.dtype(dtype), np.float32).newbyteorder("=")
    assert np.array_equal(image, values.astype(np.float32))


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (1, 1, 5, 7), (1, 1, 1, 5, 7), (5, 7, 1), (5, 1, 7), (1, 1, 1)])
def test_axes_of_length_one_are_dropped(shape: tuple[int, ...]) -> None:
    image = read_fits_image(_file(fits.PrimaryHDU(_values(shape))))
    assert image.shape == ((5, 7) if 5 in shape else (1, 1))
    assert np.array_equal(image.ravel(), _values(shape).ravel())


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (
            (1, 3, 4, 5),
            "4 axes of shape 1 x 3 x 4 x 5, more than two are longer than 1; the option `planes` makes channels",
        ),
        ((2, 2, 5, 7), "4 axes of shape 2 x 2 x 5 x 7, more than two are longer than 1"),
        ((9,), "1 axis: expected 2 to 5"),
        ((1, 1, 1, 1, 5, 7), "6 axes: expected 2 to 5"),
        ((5, 0), "no pixels: axes of shape 5 x 0"),
    ],
)
def test_other_axes_are_refused(shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(UnreadableImageError) as caught:
        read_fits_image(_file(fits.PrimaryHDU(_values(shape))))
    assert caught.value.reason == reason


def test_blank_pixels_are_nan() -> None:
    values = _values((4, 4), "int16")
    hdu = fits.PrimaryHDU(values)
    hdu.header["BLANK"] = 3
    image = read_fits_image(_file(hdu))
    assert np.array_equal(np.isnan(image), values == 3)


def test_first_image_is_found_after_an_empty_primary_and_a_table() -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("flux", "E", array=np.ones(3))])
    first, second = _values((5, 7)), -_values((5, 7))
    data = _file(fits.PrimaryHDU(), table, fits.ImageHDU(first), fits.ImageHDU(second))
    assert np.array_equal(read_fits_image(data), first)


def test_compressed_images_are_read() -> None:
    values = _values((32, 32), "int16")
    data = _file(fits.PrimaryHDU(), fits.CompImageHDU(values, compression_type="RICE_1"))
    assert np.array_equal(read_fits_image(data), values)
    assert np.array_equal(read_fits_image(gzip.compress(data)), values)
    with pytest.raises(UnreadableImageError, match="gzip"):
        read_fits_image(gzip.compress(data)[:-40])


def test_stale_datasum_is_remarked_on_and_checksum_is_not() -> None:
    data = _file(fits.PrimaryHDU(_values((5, 7))), checksum=True)
    header_edited = data.replace(b"HDU checksum updated", b"HDU checksum UPDATED")
    assert read_fits_image(header_edited).shape == (5, 7)
    pixels_changed = data[:2880] + bytes([data[2880] ^ 1]) + data[2881:]
    with collect_remarks() as remarks:
        assert read_fits_image(header_edited).shape == (5, 7)
        assert not remarks
        assert read_fits_image(pixels_changed).shape == (5, 7)
        assert read_fits_image(pixels_changed).shape == (5, 7)
    assert remarks == {"the checksum DATASUM of the header is not that of the pixels": ["FITS", "FITS"]}


@pytest.mark.parametrize(
    ("names", "sizes", "expected"),
    [
        (("", "MASK", "SCI"), (0, 6, 6), 2),
        (("", "SCI", "WHT"), (8, 6, 9), 1),
        (("", ""), (2, 6), 1),
        (("", "ERR_1"), (6, 9), 0),
        (("", "second"), (6, 6), 0),
    ],
)
def test_science_image_is_preferred_to_masks_weights_and_previews(
    names: tuple[str, ...], sizes: tuple[int, ...], expected: int
) -> None:
    arrays = [np.full((size, size), number, np.float32) if size else None for number, size in enumerate(sizes)]
    extensions = [fits.ImageHDU(array, name=name) for array, name in zip(arrays[1:], names[1:], strict=True)]
    data = _file(fits.PrimaryHDU(arrays[0]), *extensions)
    with collect_remarks() as remarks:
        assert read_fits_image(data)[0, 0] == expected
    assert [f"HDU {expected}" in text for text in remarks] == [True]
    with collect_remarks() as remarks:
        assert read_fits_image(data, hdu=1)[0, 0] == 1
        if names[1]:
            assert read_fits_image(data, hdu=names[1])[0, 0] == 1
    assert not remarks
    with pytest.raises(UnreadableImageError, match="no HDU 7; there are: 0 PRIMARY, 1"):
        read_fits_image(data, hdu=7)


@pytest.mark.shared
def test_made_files_give_the_science_pixels_of_astropy(shared_data: Path) -> None:
    folder = shared_data / "fits_more"
    for name, hdu in (("cutout_stale_datasum", 0), ("mask_first", 2), ("preview_primary", 1)):
        expected = np.asarray(fits.getdata(folder / f"{name}.fits", hdu))
        with collect_remarks() as remarks:
            assert np.array_equal(read_fits_image(folder / f"{name}.fits"), expected)
        assert len(remarks) == 1


def test_bzip2_is_unpacked() -> None:
    data = _file(fits.PrimaryHDU(_values((5, 7))))
    assert np.array_equal(read_fits_image(bz2.compress(data)), _values((5, 7)))
    with pytest.raises(UnreadableImageError, match="bzip2"):
        read_fits_image(bz2.compress(data)[:-40])


def test_large_integers_keep_their_values() -> None:
    values = np.array([[2**40, 2**40 + 1], [2**40 + 2, 2**40 + 3]], dtype=np.int64)
    assert np.array_equal(read_fits_image(_file(fits.PrimaryHDU(values))), values)


@pytest.mark.parametrize("length", [0, 79, 2000, 2880, 2880 + 4096])
def test_truncated_files_are_refused(length: int) -> None:
    with pytest.raises(UnreadableImageError, match=r"truncated|empty|damaged"):
        read_fits_image(_file(fits.PrimaryHDU(_values((64, 64))))[:length])


def test_missing_padding_is_harmless() -> None:
    values = _values((10, 10))
    assert np.array_equal(read_fits_image(_file(fits.PrimaryHDU(values))[: 2880 + 400]), values)


def test_damaged_files_raise_unreadable_image_error_only() -> None:
    generator = Stream("test", purpose="damage").generator()
    whole = _file(fits.PrimaryHDU(), fits.CompImageHDU(_values((32, 32), "int16"), compression_type="RICE_1"))
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for position in generator.integers(0, len(data), size=8):
            data[position] = int(generator.integers(48, 58))
        try:
            read_fits_image(bytes(data))
        except UnreadableImageError:
            refused += 1
    assert refused > 5


def test_missing_file_and_folder_are_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="does not exist"):
        read_fits_image(tmp_path / "nothing.fits")
    with pytest.raises(UnreadableImageError, match="cannot be opened"):
        read_fits_image(tmp_path)


def test_hostile_header_does_not_fill_the_memory() -> None:
    data = _file(fits.PrimaryHDU(_values((5, 7))))
    huge = data.replace(b"NAXIS1  =                    7", b"NAXIS1  =           7777777777")
    with pytest.raises(UnreadableImageError, match="pixels are more than"):
        read_fits_image(huge)


def test_file_is_closed_after_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(_file(fits.PrimaryHDU(_values((5, 7)))))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        read_fits_image(path)
        gc.collect()
    handles = Path("/proc/self/fd")
    if handles.is_dir():
        assert path not in [link.resolve() for link in handles.iterdir()]


def test_a_small_compressed_file_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(b"SIMPLE" + bytes(1 << 22))
    monkeypatch.setattr("benchmarker.data.fits._MAXIMUM_UNPACKED_BYTES", 1 << 21)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableImageError, match="larger than 2 MiB when unpacked"):
            read_fits_image(packed)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_planes_of_a_cube_become_channels() -> None:
    cube = _values((3, 5, 7))
    file = _file(fits.PrimaryHDU(cube))
    assert np.array_equal(read_fits_image(file, planes="all"), np.moveaxis(cube, 0, -1))
    assert np.array_equal(read_fits_image(file, planes=(2, 0)), np.stack([cube[2], cube[0]], axis=-1))
    assert read_fits_image(_file(fits.PrimaryHDU(_values((1, 2, 1, 5, 7)))), planes="all").shape == (5, 7, 2)
    assert read_fits_image(_file(fits.PrimaryHDU(_values((5, 7)))), planes="all").shape == (5, 7)
    colours_last = _values((70, 72, 3))
    assert np.array_equal(read_fits_image(_file(fits.PrimaryHDU(colours_last)), planes="all"), colours_last)


@pytest.mark.parametrize(
    ("shape", "planes", "told"),
    [((3, 5, 7), (3,), "no plane 3"), ((65, 5, 7), "all", "65 planes"), ((2, 2, 5, 7), "all", "more than three")],
)
def test_planes_that_cannot_be_channels_are_refused(
    shape: tuple[int, ...], planes: Literal["all"] | tuple[int, ...], told: str
) -> None:
    with pytest.raises(UnreadableImageError, match=told):
        read_fits_image(_file(fits.PrimaryHDU(_values(shape))), planes=planes)
