"""Read the image of a FITS file: any HDU, any pixel type, with or without degenerate axes."""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import math
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarker.contracts.sky import SkyImage
from benchmarker.data.remarks import remark
from benchmarker.data.sky_facts import header_facts
from benchmarker.errors import UnreadableImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_GZIP = b"\x1f\x8b"
_BZIP2 = b"BZh"
_FITS = b"SIMPLE"
# Cut-outs are small; these limits only stop a broken or hostile header from filling the memory.
_MAXIMUM_BYTES = 1 << 32
_MAXIMUM_UNPACKED_BYTES = 1 << 28
_PIECE_BYTES = 1 << 20
_MAXIMUM_PIXELS = 1 << 28

_MOST_PLANES = 64
_MOST_COLOURS = 4

Planes = Literal["all"] | tuple[int, ...] | None
"""Planes of a FITS cube that become channels: all of them, those with these numbers, or None for no cubes."""

_SCIENCE = {"SCI", "SCIENCE", "IMAGE"}
_AUXILIARY = (
    "MASK",
    "DQ",
    "FLAG",
    "WHT",
    "WEIGHT",
    "ERR",
    "VAR",
    "IVAR",
    "INVVAR",
    "RMS",
    "NOISE",
    "PSF",
    "EXP",
    "CTX",
)


def read_fits_image(
    source: Path | bytes, *, hdu: int | str | None = None, planes: Planes = None, name: str = "FITS"
) -> NDArray[np.floating[Any]]:
    """Read the science image of a FITS file.

    The image may be in any HDU, tile-compressed or not, in any byte order, with additional axes of length 1 (Stokes,
    frequency), which are dropped. ``BSCALE`` and ``BZERO`` are applied: physical value = ``BZERO`` + ``BSCALE`` x
    stored value; pixels with the value ``BLANK`` become NaN. The file may be compressed with gzip or bzip2, and is
    closed afterwards.

    If the file contains several images and `hdu` is not given, the image is chosen by these rules, and the choice is
    remarked on:

    1. the first extension named SCI, SCIENCE or IMAGE;
    2. otherwise the image with the most pixels, so that a preview is passed over; of equal ones the first;
    3. images whose names begin with MASK, DQ, FLAG, WHT, WEIGHT, ERR, VAR, IVAR, INVVAR, RMS, NOISE, PSF, EXP or CTX
       are only used if there are no others.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.
    hdu : int or str, optional
        Number of the HDU that holds the image, counted from 0 for the primary one, or its EXTNAME.
    planes : "all" or tuple of int, optional
        Planes of a cube that become channels, counted from 0 along the first axis of the array (``NAXIS3``); along the
        last one (``NAXIS1``) if that has at most 4 pixels and the first more than 64, as in some colour images. By
        default a cube is refused.
    name : str
        Name of the file in remarks where only its content is given.

    Returns
    -------
    ndarray of shape (height, width), or (height, width, planes) of a cube, float32 or float64
        Pixels in the unit of the file (``BUNIT``), in native byte order; NaN where the file has no value. float64 if
        the file holds float64, or integers of 32 or 64 bits, whose values float32 would round. Row 0 is the first row
        of the file, the southernmost one of an image with north up.

    Raises
    ------
    UnreadableImageError
        With a short reason: not a FITS file, truncated, no image, no such HDU, no pixels, or more than two axes longer
        than 1 (with `planes`, more than three, or more than 64 planes).

    Notes
    -----
    An image whose ``DATASUM`` does not match is read and remarked on: a cut-out usually inherits the header of its
    mosaic, and with it a checksum of other pixels. ``CHECKSUM`` also covers the header, and becomes stale whenever a
    tool edits a keyword, so it is ignored. So is ``DATASUM`` of tile-compressed images, which belongs to their table.

    float64 keeps 53 bits, so integers above 2**53 are rounded.

    References
    ----------
    Pence et al. 2010, A&A 524, A42, doi:10.1051/0004-6361/201015362 (definition of FITS 3.0).

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from astropy.io import fits
    >>> stream = io.BytesIO()
    >>> fits.PrimaryHDU(np.array([[[1, 2], [3, 4]]], dtype=">i2")).writeto(stream)
    >>> read_fits_image(stream.getvalue())
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    pixels: NDArray[np.floating[Any]] = read_fits(source, hdu=hdu, planes=planes, name=name).pixels
    return pixels


def read_fits(
    source: Path | bytes, *, hdu: int | str | None = None, planes: Planes = None, name: str = "FITS"
) -> SkyImage:
    """Read the science image of a FITS file, and what its header says about the sky.

    Parameters
    ----------
    source, hdu, planes, name
        As for `read_fits_image`.

    Returns
    -------
    SkyImage
        Pixels as `read_fits_image` returns them, with celestial coordinates, unit and beam where the header of this HDU
        gives them.

    Raises
    ------
    UnreadableImageError
        As `read_fits_image` does. A header without coordinates, or with wrong ones, is no reason.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from astropy.io import fits
    >>> stream = io.BytesIO()
    >>> fits.PrimaryHDU(np.eye(2), fits.Header({"BUNIT": "JY/BEAM", "BMAJ": 0.0015})).writeto(stream)
    >>> image = read_fits(stream.getvalue())
    >>> image.sky.unit, round(image.sky.beam.major, 3)
    ('JY/BEAM', 5.4)
    """
    data = _decompress(_read(source) if isinstance(source, Path) else source)
    name = str(source) if isinstance(source, Path) else name
    if not data:
        raise UnreadableImageError("the file is empty")
    if not data.startswith(_FITS):
        raise UnreadableImageError("not a FITS file")
    # Imported before warnings are recorded: importing astropy redirects warnings to its log, which ends a recording.
    from astropy.io import fits  # noqa: F401

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = _science_image(data, name, hdu, planes)
    for warning in caught:
        logger.debug("%s: %s", name, str(warning.message).strip())
    return image


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise UnreadableImageError(f"larger than {_MAXIMUM_BYTES >> 30} GiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableImageError("the file does not exist") from None
    except OSError as error:
        raise UnreadableImageError(f"the file cannot be opened: {error.strerror}") from error


def _decompress(data: bytes) -> bytes:
    if not data.startswith((_GZIP, _BZIP2)):
        return data
    kind = "gzip" if data.startswith(_GZIP) else "bzip2"
    packed = io.BytesIO(data)
    unpacked = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=packed) if kind == "gzip" else bz2.BZ2File(packed) as stream:
            # Piece by piece: a stream that is asked for 256 MiB reserves them, however small the file is.
            while piece := stream.read(_PIECE_BYTES):
                unpacked.write(piece)
                if unpacked.tell() > _MAXIMUM_UNPACKED_BYTES:
                    raise UnreadableImageError(f"larger than {_MAXIMUM_UNPACKED_BYTES >> 20} MiB when unpacked")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableImageError(f"truncated or damaged {kind} file") from error
    return unpacked.getvalue()


def _science_image(data: bytes, name: str, wanted: int | str | None, planes: Planes) -> SkyImage:
    from astropy.io import fits

    try:
        # uint=False: unsigned integers come as scaled floats, in which BLANK pixels are NaN.
        with fits.open(io.BytesIO(data), mode="readonly", memmap=False, uint=False) as hdus:
            chosen = _choose(hdus, name, len(data)) if wanted is None else _select(hdus, wanted)
            pixels = _pixels(chosen, name, len(data), planes)
            height, width = pixels.shape[:2]
            return SkyImage(pixels=pixels, sky=header_facts(chosen.header, (height, width)))
    except UnreadableImageError:
        raise
    # Broad on purpose: damaged headers, tables and tiles make astropy raise many kinds of errors, and that of its
    # decompressor is not a public class. The file is skipped with the reason in any case.
    except Exception as error:
        message = " ".join(str(error).split())[:100] or type(error).__name__
        if "Empty or corrupt" in message or "missing END" in message:
            raise UnreadableImageError(f"truncated or damaged header ({len(data)} bytes in all)") from error
        raise UnreadableImageError(f"damaged FITS file: {message}") from error


def _is_image(hdu: Any) -> bool:
    from astropy.io import fits

    return isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU) and hdu.header["NAXIS"] > 0


def _select(hdus: Any, wanted: int | str) -> Any:
    """Return the HDU that the user named."""
    try:
        hdu = hdus[wanted]
    except (KeyError, IndexError):
        known = ", ".join(f"{number} {hdu.name}".strip() for number, hdu in enumerate(hdus))
        raise UnreadableImageError(f"no HDU {wanted!r}; there are: {known}") from None
    if not _is_image(hdu):
        raise UnreadableImageError(f"the HDU {wanted!r} is not an image")
    return hdu


def _choose(hdus: Any, name: str, file_size: int) -> Any:
    """Return the HDU with the science image."""
    images = [(number, hdu) for number, hdu in enumerate(hdus) if _is_image(hdu)]
    if not images:
        raise UnreadableImageError(_why_no_image([type(hdu).__name__ for hdu in hdus], file_size))
    if len(images) == 1:
        return images[0][1]
    number, chosen = min(images, key=_rank)
    label = f"HDU {number}" + (f" ({chosen.name})" if chosen.name else "")
    remark(f"{len(images)} images in the file; {label} is used, which the option `hdu` changes", name)
    return chosen


def _rank(entry: tuple[int, Any]) -> tuple[int, int, int]:
    """Return how far an image is from being the science image: kind of its name, pixels, number of its HDU."""
    number, hdu = entry
    name = hdu.name.upper()
    kind = 0 if name in _SCIENCE else 2 if name.startswith(_AUXILIARY) else 1
    pixels = math.prod(int(hdu.header[f"NAXIS{axis}"]) for axis in range(1, hdu.header["NAXIS"] + 1))
    return kind, 0 if kind == 0 else -pixels, number


def _why_no_image(kinds: list[str], size: int) -> str:
    if size % 2880:
        return f"truncated: {size} bytes are not a whole number of FITS blocks and hold no image"
    if any("Table" in kind for kind in kinds):
        return "no image in it, only tables"
    return "no image in it"


def _pixels(hdu: Any, name: str, file_size: int, planes: Planes) -> NDArray[np.floating[Any]]:
    import numpy as np
    from astropy.io import fits

    shape = _short_shape(tuple(int(hdu.header[f"NAXIS{axis}"]) for axis in range(hdu.header["NAXIS"], 0, -1)), planes)
    if not isinstance(hdu, fits.CompImageHDU):
        end = hdu.fileinfo()["datLoc"] + hdu.size
        if end > file_size:
            raise UnreadableImageError(f"truncated: {file_size} of {end} bytes")
        if hdu.verify_datasum() == 0:
            remark("the checksum DATASUM of the header is not that of the pixels", name)
    values = hdu.data
    if values is None or values.size != math.prod(shape):
        raise UnreadableImageError("truncated: fewer pixels than the header says")
    # float32 keeps 24 bits: it holds every integer of 16 bits, and not every one of 32.
    exact = np.can_cast(values.dtype, np.float32)
    image = _chosen_planes(values.reshape(shape), planes)
    return np.ascontiguousarray(image, dtype=np.float32 if exact else np.float64)


def _short_shape(shape: tuple[int, ...], planes: Planes) -> tuple[int, ...]:
    """Return height and width of the one plane that an array of this shape holds, or its planes, height and width."""
    if any(length <= 0 for length in shape):
        raise UnreadableImageError(f"no pixels: axes of shape {_times(shape)}")
    long = tuple(length for length in shape if length > 1)
    if len(shape) == 1 or len(shape) > 5:
        raise UnreadableImageError(f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}: expected 2 to 5")
    if math.prod(shape) > _MAXIMUM_PIXELS:
        raise UnreadableImageError(f"{_times(shape)} pixels are more than {_MAXIMUM_PIXELS}")
    if len(long) == 3 and planes is not None:
        return long
    if len(long) > 2:
        most = "two" if planes is None else "three"
        hint = "; the option `planes` makes channels" if planes is None and len(long) == 3 else ""
        raise UnreadableImageError(
            f"{len(shape)} axes of shape {_times(shape)}, more than {most} are longer than 1{hint}"
        )
    return long if len(long) == 2 else shape[-2:]


def _chosen_planes(values: NDArray[Any], planes: Planes) -> NDArray[Any]:
    """Return the chosen planes of an array of one plane, or of planes, height and width, as channels."""
    import numpy as np

    if planes is None or (values.ndim == 2 and planes in {"all", (0,)}):
        return values
    is_last = values.ndim == 3 and values.shape[-1] <= _MOST_COLOURS and values.shape[0] > _MOST_PLANES
    cube = values[..., np.newaxis] if values.ndim == 2 else values if is_last else np.moveaxis(values, 0, -1)
    if cube.shape[-1] > _MOST_PLANES and planes == "all":
        raise UnreadableImageError(f"{cube.shape[-1]} planes, more than {_MOST_PLANES}; choose some of them")
    if planes == "all":
        return cube
    if max(planes) >= cube.shape[-1]:
        raise UnreadableImageError(f"no plane {max(planes)}; it has {cube.shape[-1]}")
    return cube[..., list(planes)]


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
