"""Images as they are seen on the sky: upright, with north up and east to the left where that is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.sky import SkyColumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UPRIGHT = 0.5
"""Images that are turned by less than this, in degrees, are not interpolated."""


def upright(image: NDArray[Any], sky: SkyColumns | None, number: int) -> NDArray[Any]:
    """Return an image as it is drawn on the sky, with its first row at the top.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels)
        The image as it was prepared.
    sky : SkyColumns, optional
        What FITS headers say about the images of its dataset.
    number : int
        Number of the image in the dataset.

    Returns
    -------
    ndarray of shape (height, width, channels)
        An image from a FITS file with its first row at the bottom, as the standard has it; with coordinates, turned and
        mirrored so that north is up and east to the left. Any other image as it is. NaN where nothing is known.

    Notes
    -----
    Turns by less than half a degree are left out, and those by nearly a right angle interpolate nothing. Others are
    bilinear, for pictures only; corners that a turn moves out of the image are cut off.

    Examples
    --------
    >>> import numpy as np
    >>> upright(np.arange(4).reshape(2, 2, 1), None, 0)[..., 0].tolist()
    [[0, 1], [2, 3]]
    """
    import numpy as np

    if sky is None or not bool(sky.from_fits[number]):
        return image
    turned = image[::-1]
    north = float(sky.north[number])
    if not math.isfinite(north):
        return turned
    quarters = round(north / 90)
    turned = np.rot90(turned, quarters)
    rest = north - 90 * quarters
    if abs(rest) >= _UPRIGHT:
        from scipy.ndimage import rotate

        turned = rotate(turned.astype(np.float32), rest, reshape=False, order=1, cval=np.nan)
    return turned[:, ::-1] if bool(sky.mirrored[number]) else turned


def pixel_side(sky: SkyColumns | None, number: int) -> float | None:
    """Return the side of a pixel of an image in arcsec; None where it is unknown."""
    side = math.nan if sky is None else float(sky.pixel[number])
    return side if math.isfinite(side) and side > 0 else None


def north_is_known(sky: SkyColumns | None, number: int) -> bool:
    """Whether `upright` draws an image with north up."""
    return sky is not None and math.isfinite(float(sky.north[number]))
