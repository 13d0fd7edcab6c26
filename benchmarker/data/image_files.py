"""Read pictures (PNG, JPEG, TIFF), and any image file by its content: FITS, picture or NumPy array."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from benchmarker.contracts.sky import SkyImage
from benchmarker.data.fits import Planes, read_fits
from benchmarker.data.folders import Member
from benchmarker.data.npz import load_npy
from benchmarker.errors import UnreadableImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as PillowImage

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
FITS_SUFFIXES = tuple(
    f"{suffix}{packed}" for suffix in (".fits", ".fit", ".fts") for packed in ("", ".gz", ".fz", ".bz2")
)
ARRAY_SUFFIXES = (".npy",)
IMAGE_SUFFIXES = (*PICTURE_SUFFIXES, *FITS_SUFFIXES, *ARRAY_SUFFIXES)
"""Endings of the files that `read_image` reads."""

_MOST_PIXELS = 1 << 25
_BLOCK = 1 << 22


Colour = Literal["as-it-is", "grey", "radio-framework"]
"""What becomes of the colours of an image; see `read_image`."""


@contextmanager
def open_picture(source: Path | IO[bytes], *, formats: tuple[str, ...] | None = None) -> Iterator[PillowImage]:
    """Return a context with a stranger's picture, which Pillow decodes where it is used.

    Parameters
    ----------
    source : Path or binary stream
        The picture.
    formats : tuple of str, optional
        Formats that may be tried, by the names of Pillow; all by default.

    Raises
    ------
    UnreadableImageError
        If it is not a picture, is damaged, or is larger than 33 million pixels; also for what its use raises.
    """
    from PIL import Image

    try:
        with Image.open(source, formats=formats) as image:
            _check_size(image)
            yield image
    except (UnreadableImageError, MemoryError):
        raise
    # Broad on purpose: for damaged pictures, the plugins of Pillow raise errors of many kinds, which all mean the same.
    # Their messages quote the unnamed stream, so the type of the error says more than its text.
    except Exception as error:
        raise UnreadableImageError(f"not a readable image ({type(error).__name__})") from error


def _check_size(image: PillowImage) -> None:
    if image.width * image.height > _MOST_PIXELS:
        raise UnreadableImageError(f"{image.width} x {image.height} pixels exceed the limit")


def read_picture(content: bytes, *, colour: Colour = "as-it-is") -> NDArray[Any]:
    """Read a PNG, JPEG or TIFF image.

    Parameters
    ----------
    content : bytes
        Content of the file.
    colour : {"as-it-is", "grey", "radio-framework"}
        What becomes of colours, as for `read_image`.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3)
        Pixels in the type of the file, float64 for the rule of the radio framework; transparency and palettes are
        resolved.

    Raises
    ------
    UnreadableImageError
        If it is not an image, or too large.
    """
    pixels = _pixels(content, grey=colour == "grey")
    return framework_grey(pixels) if colour == "radio-framework" else pixels


def _pixels(content: bytes, *, grey: bool) -> NDArray[Any]:
    """Return the pixels of a picture; what Pillow holds of it is gone afterwards."""
    import numpy as np

    with open_picture(io.BytesIO(content)) as image:
        return np.array(_resolved(image, grey=grey))


def framework_grey(image: NDArray[Any]) -> NDArray[Any]:
    """Reduce an image to one channel as the radio framework does.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, channels)
        Pixels in any unit.

    Returns
    -------
    ndarray of shape (height, width)
        0.3 R + 0.59 G + 0.11 B of three channels, float64; the mean of any other number of channels; an image without
        channels as it is.

    References
    ----------
    Becker et al. 2021, MNRAS 503, 1828, doi:10.1093/mnras/stab325, and its code.

    Examples
    --------
    >>> import numpy as np
    >>> framework_grey(np.array([[[100, 200, 0]]], dtype=np.uint8))
    array([[148.]])
    """
    import numpy as np

    if image.ndim != 3:
        return image
    weights = np.array([0.3, 0.59, 0.11])

    def grey(block: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(block @ weights if block.shape[-1] == 3 else block.mean(axis=-1))

    # In blocks of rows, so that no copy of a large image in double precision is made.
    rows = max(1, _BLOCK // max(1, image[:1].size))
    found = np.empty(image.shape[:2], grey(image[:1]).dtype)
    for k in range(0, len(image), rows):
        found[k : k + rows] = grey(image[k : k + rows])
    return found


def _resolved(image: Any, *, grey: bool) -> Any:
    """Return the image without transparency and palette."""
    if image.mode in {"1", "LA"}:
        image = image.convert("L")
    elif image.mode in {"P", "PA", "RGBA", "CMYK", "YCbCr", "LAB", "HSV"}:
        image = image.convert("RGB")
    return image.convert("L") if grey and image.mode == "RGB" else image


def read_image(
    member: Member, *, hdu: int | str | None = None, planes: Planes = None, colour: Colour = "as-it-is"
) -> NDArray[Any]:
    """Read an image file of any kind, recognised by its name.

    Parameters
    ----------
    member : Member
        File with one of the endings in `IMAGE_SUFFIXES`.
    hdu : int or str, optional
        HDU of a FITS image, as for `read_fits_image`.
    planes : "all" or tuple of int, optional
        Planes of a FITS cube that become channels, as for `read_fits_image`.
    colour : {"as-it-is", "grey", "radio-framework"}
        `as-it-is`: three channels for a colour picture. `grey`: its luminance, rounded to whole numbers (ITU-R BT.601).
        `radio-framework`: 0.3 R + 0.59 G + 0.11 B of three channels, the mean of others, also of FITS cubes.

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
    pixels: NDArray[Any] = read_sky_image(member, hdu=hdu, planes=planes, colour=colour).pixels
    return pixels


def read_sky_image(
    member: Member, *, hdu: int | str | None = None, planes: Planes = None, colour: Colour = "as-it-is"
) -> SkyImage:
    """Read an image file of any kind, with what its header says about the sky if it is a FITS file.

    Parameters
    ----------
    member, hdu, planes, colour
        As for `read_image`.

    Returns
    -------
    SkyImage
        Pixels as `read_image` returns them; without facts about the sky for other files than FITS.

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
    >>> read_sky_image(Member(name="a.npy", read=stream.getvalue)).sky is None
    True
    """
    name = member.name.lower()
    if name.endswith(FITS_SUFFIXES):
        image = read_fits(member.read(), hdu=hdu, planes=planes, name=member.name)
        return replace(image, pixels=framework_grey(image.pixels)) if colour == "radio-framework" else image
    if name.endswith(PICTURE_SUFFIXES):
        return SkyImage(pixels=read_picture(member.read(), colour=colour))
    if name.endswith(ARRAY_SUFFIXES):
        return SkyImage(pixels=_read_array(member.read()))
    raise UnreadableImageError(f"not an image file; names end in one of: {', '.join(IMAGE_SUFFIXES)}")


def _read_array(content: bytes) -> NDArray[Any]:
    try:
        return load_npy(content)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableImageError("not a readable NumPy array") from error
