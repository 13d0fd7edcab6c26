"""Images of galaxies as PNG files, by a choice of stretch, with a bar that gives their scale."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, get_args

from benchmarker import Stretch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as PillowImage

STRETCHES: tuple[Stretch, ...] = get_args(Stretch)
"""How pixels become shades; the first one is the default."""

SMALLEST_SIDE = 96

_BARS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000)
"""Lengths of bars in arcsec."""
_LONGEST_BAR = 0.4
_MARGIN = 5


def stretched(image: NDArray[np.float32], stretch: Stretch = "auto") -> NDArray[np.float64]:
    r"""Return an image between 0 (black) and 1 (white).

    With x the pixel scaled linearly to [0, 1] between the lowest and the highest finite value, ``"sqrt"`` is
    :math:`\sqrt{x}`, ``"log"`` is :math:`\log(1000 x + 1) / \log 1001`, and ``"asinh"`` is
    :math:`\operatorname{arsinh}(x / 0.1) / \operatorname{arsinh} 10`. ``"zscale"`` is linear between the limits that
    the algorithm of IRAF finds around the median, so that the sky is grey and bright cores are white. ``"auto"`` is the
    square root for one channel, because a linear scale would lose the faint structure of radio sources, and linear for
    colours.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels), float32
        Pixels in any unit; NaN is drawn black.
    stretch : {"auto", "linear", "sqrt", "log", "asinh", "zscale"}
        Which stretch to use.

    Returns
    -------
    ndarray of shape (height, width, channels), float64

    Notes
    -----
    All channels share one scale, so that colours keep their meaning.

    References
    ----------
    Lupton et al. 1999, AJ 118, 1406, doi:10.1086/301004 (the inverse hyperbolic sine as a magnitude scale); astropy's
    `astropy.visualization` computes the stretches and the limits.

    Examples
    --------
    >>> import numpy as np
    >>> stretched(np.array([[[0.0], [1.0], [4.0]]], np.float32), "sqrt").ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    import numpy as np

    known = image[np.isfinite(image)].astype(np.float64)
    if not known.size or known.min() == known.max():
        return np.zeros(image.shape)
    chosen = ("sqrt" if image.shape[-1] == 1 else "linear") if stretch == "auto" else stretch
    low, high = float(known.min()), float(known.max())
    if chosen == "zscale":
        from astropy.visualization import ZScaleInterval

        limits = ZScaleInterval().get_limits(known)
        low, high = (float(limits[0]), float(limits[1])) if limits[1] > limits[0] else (low, high)
    scaled = np.clip((np.nan_to_num(image, nan=low, posinf=high, neginf=low) - low) / (high - low), 0, 1)
    if chosen == "sqrt":
        return np.asarray(np.sqrt(scaled), np.float64)
    if chosen in {"log", "asinh"}:
        from astropy.visualization import AsinhStretch, LogStretch

        curve = LogStretch(1000) if chosen == "log" else AsinhStretch(0.1)
        return np.asarray(curve(scaled.astype(np.float64)), np.float64)
    return np.asarray(scaled, np.float64)


def png(
    image: NDArray[np.float32],
    smallest_side: int = SMALLEST_SIDE,
    stretch: Stretch = "auto",
    *,
    arcsec: float | None = None,
) -> bytes:
    """Return an image as PNG; the same pixels give the same bytes.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels), float32
        One channel is shown in grey, three or more as red, green and blue.
    smallest_side : int
        Pixels are repeated until the image is at least this wide.
    stretch : {"auto", "linear", "sqrt", "log", "asinh", "zscale"}
        How pixels become shades, as for `stretched`.
    arcsec : float, optional
        Side of a pixel on the sky in arcsec, for a bar with its length; none is drawn where it is unknown.
    """
    import numpy as np
    from PIL import Image

    values = (stretched(image, stretch)[..., :3] * 255).round().astype(np.uint8)
    values = values[..., 0] if values.shape[-1] < 3 else values
    factor = max(1, -(-smallest_side // values.shape[1]))
    picture = Image.fromarray(values.repeat(factor, axis=0).repeat(factor, axis=1))
    if arcsec is not None:
        _draw_bar(picture, arcsec / factor)
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _draw_bar(picture: PillowImage, arcsec: float) -> None:
    """Draw a bar and its length into the lower left corner of a picture, whose pixels have a side of so many arcsec."""
    from PIL import ImageDraw

    lengths = [length for length in _BARS if length / arcsec <= _LONGEST_BAR * picture.width]
    if not lengths:
        return
    pixels = round(lengths[-1] / arcsec)
    bottom = picture.height - _MARGIN
    pen = ImageDraw.Draw(picture)
    black, white = (0, 255) if picture.mode == "L" else ("black", "white")
    pen.rectangle((_MARGIN - 1, bottom - 3, _MARGIN + pixels, bottom), fill=black)
    pen.rectangle((_MARGIN, bottom - 2, _MARGIN + pixels - 1, bottom - 1), fill=white)
    pen.text((_MARGIN, bottom - 4), bar_label(lengths[-1]), fill=white, stroke_fill=black, stroke_width=1, anchor="lb")


def bar_label(arcsec: float) -> str:
    """Return the length of a bar in the unit that suits it.

    Examples
    --------
    >>> [bar_label(length) for length in (0.5, 30, 120, 3600)]
    ['0.5"', '30"', "2'", '1 deg']
    """
    if arcsec < 60:
        return f'{arcsec:g}"'
    return f"{arcsec / 60:g}'" if arcsec < 3600 else f"{arcsec / 3600:g} deg"
