"""Read pictures (PNG, JPEG, TIFF), and any image file by its content: FITS, picture or NumPy array."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from benchmarker.data.fits import read_fits_image
from benchmarker.data.folders import Member
from benchmarker.errors import UnreadableImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
FITS_SUFFIXES = tuple(
    f"{suffix}{packed}" for suffix in (".fits", ".fit", ".fts") for packed in ("", ".gz", ".fz", ".bz2")
)
ARRAY_SUFFIXES = (".npy",)
IMAGE_SUFFIXES = (*PICTURE_SUFFIXES, *FITS_SUFFIXES, *ARRAY_SUFFIXES)
"""Endings of the files that `read_image` reads."""

_MOST_PIXELS = 1 << 26


def read_picture(content: bytes, *, grey: bool = False) -> NDArray[Any]:
    """Read a PNG, JPEG or TIFF image.

    Parameters
    ----------
    content : bytes
        Content of the file.
    grey : bool
        Whether colour images are reduced to their luminance.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3)
        Pixels in the type of the file; transparency and palettes are resolved.

    Raises
    ------
    UnreadableImageError
        If it is not an image, or too large.
    """
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise UnreadableImageError(f"{image.width} x {image.height} pixels exceed the limit")
            return np.array(_resolved(image, grey=grey))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow's messages quote the unnamed stream, so the type of the error says more than its text.
        raise UnreadableImageError(f"not a readable image ({type(error).__name__})") from error


def _resolved(image: Any, *, grey: bool) -> Any:
    """Return the image without transparency and palette."""
    if image.mode in {"1", "LA"}:
        image = image.convert("L")
    elif image.mode in {"P", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "HSV"}:
        image = image.convert("RGB")
    return image.convert("L") if grey and image.mode == "RGB" else image


def read_image(member: Member, *, hdu: int | str | None = None, grey: bool = False) -> NDArray[Any]:
    """Read an image file of any kind, recognised by its name.

    Parameters
    ----------
    member : Member
        File with one of the endings in `IMAGE_SUFFIXES`.
    hdu : int or str, optional
        HDU of a FITS image, as for `read_fits_image`.
    grey : bool
        Whether colour pictures are reduced to their luminance.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, channels)
        Pixels in the unit of the file.

    Raises
    ------
    UnreadableImageError
        If the file cannot be read as an image.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> stream = io.BytesIO()
    >>> np.save(stream, np.eye(2))
    >>> read_image(Member(name="a.npy", read=stream.getvalue))
    array([[1., 0.],
           [0., 1.]])
    """
    name = member.name.lower()
    if name.endswith(FITS_SUFFIXES):
        return read_fits_image(member.read(), hdu=hdu)
    if name.endswith(PICTURE_SUFFIXES):
        return read_picture(member.read(), grey=grey)
    if name.endswith(ARRAY_SUFFIXES):
        return _read_array(member.read())
    raise UnreadableImageError(f"not an image file; names end in one of: {', '.join(IMAGE_SUFFIXES)}")


def _read_array(content: bytes) -> NDArray[Any]:
    import numpy as np

    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableImageError("not a readable NumPy array") from error
    if not isinstance(array, np.ndarray):
        raise UnreadableImageError("an archive of arrays, not one array")
    return array
