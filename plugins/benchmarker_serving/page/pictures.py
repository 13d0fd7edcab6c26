"""Images as the page shows them and gives them away: PNG by a colour map, and FITS with what they were made for."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAPS = ("magma", "gray", "viridis", "inferno", "cividis")
SENTENCE = "These images are synthetic: a generator drew them, no telescope saw them."


def shown(image: NDArray[np.float32], low: float, high: float, colours: str) -> NDArray[np.uint8]:
    """Return an image as red, green and blue.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels)
        Pixels; three channels are colours already, of others the first is shown by the colour map.
    low, high : float
        Pixel values of the darkest and the brightest colour.
    colours : str
        Name of a colour map of matplotlib.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
    """
    import matplotlib
    import numpy as np

    scaled = np.clip((image - low) / ((high - low) or 1.0), 0, 1)
    rgb = scaled if image.shape[-1] == 3 else matplotlib.colormaps[colours](scaled[..., 0])[..., :3]
    found: NDArray[np.uint8] = np.round(255 * rgb).astype(np.uint8)
    return found


def png(image: NDArray[np.uint8], facts: Mapping[str, Any]) -> bytes:
    """Return a PNG file of 8 bits with the facts as text."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    described = PngInfo()
    for name, value in {"Comment": SENTENCE, **facts}.items():
        described.add_text(str(name), str(value))
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG", pnginfo=described)
    return stream.getvalue()


def fits_file(image: NDArray[np.float32], facts: Mapping[str, Any]) -> bytes:
    """Return a FITS file, height x width or channels x height x width, with the facts in its header."""
    import numpy as np
    from astropy.io import fits

    planes = np.moveaxis(image, -1, 0).astype(">f4")
    hdu = fits.PrimaryHDU(planes[0] if len(planes) == 1 else planes)
    hdu.header["SYNTHET"] = (True, "generated, not observed")
    hdu.header["COMMENT"] = SENTENCE
    for name, value in facts.items():
        hdu.header[f"HIERARCH {str(name).upper()}"] = value if isinstance(value, int | float) else str(value)[:60]
    stream = io.BytesIO()
    hdu.writeto(stream)
    return stream.getvalue()


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of files by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as found:
        for name, content in files.items():
            found.writestr(name, content)
    return stream.getvalue()
