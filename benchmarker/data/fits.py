"""Read the image of a FITS file: any HDU, any pixel type, with or without degenerate axes."""

from __future__ import annotations

import gzip
import io
import logging
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.errors import UnreadableImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_GZIP = b"\x1f\x8b"
_FITS = b"SIMPLE"
# Cut-outs are small; these limits only stop a broken or hostile header from filling the memory.
_MAXIMUM_BYTES = 1 << 32
_MAXIMUM_UNPACKED_BYTES = 1 << 28
_PIECE_BYTES = 1 << 20
_MAXIMUM_PIXELS = 1 << 28


def read_fits_image(source: Path | bytes) -> NDArray[np.float32]:
    """Read the first image of a FITS file.

    The image may be in any HDU, tile-compressed or not, in any byte order, with additional axes of length 1 (Stokes,
    frequency), which are dropped. ``BSCALE`` and ``BZERO`` are applied: physical value = ``BZERO`` + ``BSCALE`` x
    stored value; pixels with the value ``BLANK`` become NaN. The file may be compressed with gzip, and is closed
    afterwards.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.

    Returns
    -------
    ndarray of shape (height, width), float32
        Pixels in the unit of the file (``BUNIT``), in native byte order; NaN where the file has no value. Row 0 is the
        first row of the file, the southernmost one of an image with north up.

    Raises
    ------
    UnreadableImageError
        With a short reason: not a FITS file, truncated, no image, no pixels, more than two axes longer than 1, or a
        checksum that does not match.

    Notes
    -----
    An image whose ``DATASUM`` does not match is refused, since its pixels are not those that were written. ``CHECKSUM``
    is ignored: it also covers the header, and becomes stale whenever a tool edits a keyword. ``DATASUM`` of
    tile-compressed images is ignored as well, since it belongs to their table. World coordinates are not read.

    float32 keeps 24 bits, so integers above 2**24 are rounded.

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
    data = _decompress(_read(source) if isinstance(source, Path) else source)
    if not data:
        raise UnreadableImageError("the file is empty")
    if not data.startswith(_FITS):
        raise UnreadableImageError("not a FITS file")
    # Imported before warnings are recorded: importing astropy redirects warnings to its log, which ends a recording.
    from astropy.io import fits  # noqa: F401

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = _first_image(data)
    for warning in caught:
        logger.debug("%s: %s", source if isinstance(source, Path) else "FITS", str(warning.message).strip())
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
    if not data.startswith(_GZIP):
        return data
    unpacked = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            # Piece by piece: a stream that is asked for 256 MiB reserves them, however small the file is.
            while piece := stream.read(_PIECE_BYTES):
                unpacked.write(piece)
                if unpacked.tell() > _MAXIMUM_UNPACKED_BYTES:
                    raise UnreadableImageError(f"larger than {_MAXIMUM_UNPACKED_BYTES >> 20} MiB when unpacked")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableImageError("truncated or damaged gzip file") from error
    return unpacked.getvalue()


def _first_image(data: bytes) -> NDArray[np.float32]:
    from astropy.io import fits

    try:
        # uint=False: unsigned integers come as scaled floats, in which BLANK pixels are NaN.
        with fits.open(io.BytesIO(data), mode="readonly", memmap=False, uint=False) as hdus:
            return _search(hdus, len(data))
    except UnreadableImageError:
        raise
    # Broad on purpose: damaged headers, tables and tiles make astropy raise many kinds of errors, and that of its
    # decompressor is not a public class. The file is skipped with the reason in any case.
    except Exception as error:
        message = " ".join(str(error).split())[:100] or type(error).__name__
        if "Empty or corrupt" in message or "missing END" in message:
            raise UnreadableImageError(f"truncated or damaged header ({len(data)} bytes in all)") from error
        raise UnreadableImageError(f"damaged FITS file: {message}") from error


def _search(hdus: Any, file_size: int) -> NDArray[np.float32]:
    """Return the pixels of the first image among the HDUs."""
    from astropy.io import fits

    kinds = []
    for hdu in hdus:
        if isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)) and hdu.header["NAXIS"] > 0:
            return _pixels(hdu, file_size)
        kinds.append(type(hdu).__name__)
    raise UnreadableImageError(_why_no_image(kinds, file_size))


def _why_no_image(kinds: list[str], size: int) -> str:
    if size % 2880:
        return f"truncated: {size} bytes are not a whole number of FITS blocks and hold no image"
    if any("Table" in kind for kind in kinds):
        return "no image in it, only tables"
    return "no image in it"


def _pixels(hdu: Any, file_size: int) -> NDArray[np.float32]:
    import numpy as np
    from astropy.io import fits

    shape = tuple(int(hdu.header[f"NAXIS{axis}"]) for axis in range(hdu.header["NAXIS"], 0, -1))
    height, width = _plane(shape)
    if not isinstance(hdu, fits.CompImageHDU):
        end = hdu.fileinfo()["datLoc"] + hdu.size
        if end > file_size:
            raise UnreadableImageError(f"truncated: {file_size} of {end} bytes")
        if hdu.verify_datasum() == 0:
            raise UnreadableImageError("the pixels do not match their checksum (DATASUM)")
    values = hdu.data
    if values is None or values.size != height * width:
        raise UnreadableImageError("truncated: fewer pixels than the header says")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values.reshape(height, width), dtype=np.float32)


def _plane(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of the one plane that an array of this shape holds."""
    if any(length <= 0 for length in shape):
        raise UnreadableImageError(f"no pixels: axes of shape {_times(shape)}")
    long = [length for length in shape if length > 1]
    if len(shape) == 1 or len(shape) > 5:
        raise UnreadableImageError(f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'}: expected 2 to 5")
    if len(long) > 2:
        raise UnreadableImageError(f"{len(shape)} axes of shape {_times(shape)}, more than two are longer than 1")
    height, width = long if len(long) == 2 else shape[-2:]
    if height * width > _MAXIMUM_PIXELS:
        raise UnreadableImageError(f"{height} x {width} pixels are more than {_MAXIMUM_PIXELS}")
    return height, width


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
