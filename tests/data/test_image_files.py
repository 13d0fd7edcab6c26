"""Pictures: their colours, in one piece or in blocks of rows, and what is too large."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarker import UnreadableImageError, read_picture
from benchmarker.data import image_files


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_colours_in_blocks_of_rows_are_those_of_one_piece(
    channels: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.arange(7 * 5 * channels).reshape(7, 5, channels).astype(dtype)
    whole = image_files.framework_grey(image)
    monkeypatch.setattr(image_files, "_BLOCK", 2 * 5 * channels)  # three blocks of two rows, and one of one
    found = image_files.framework_grey(image)
    assert found.dtype == whole.dtype
    np.testing.assert_array_equal(found, whole)


def test_picture_with_too_many_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG")
    assert read_picture(stream.getvalue()).shape == (4, 4, 3)
    monkeypatch.setattr(image_files, "_MOST_PIXELS", 15)
    with pytest.raises(UnreadableImageError, match="4 x 4 pixels exceed the limit"):
        read_picture(stream.getvalue())
