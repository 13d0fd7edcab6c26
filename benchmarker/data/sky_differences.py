"""Images of one set that differ in unit, beam or pixel scale, so that networks could tell surveys apart by them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.sky import SkyColumns

Quantity = Literal["unit", "beam", "pixel"]
NAMES: dict[Quantity, str] = {"unit": "unit of the pixels", "beam": "beam", "pixel": "pixel scale"}

_TOLERANCE = 0.01
_MOST_GROUPS = 20
_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Images that are alike in one quantity.

    Parameters
    ----------
    label : str
        Their common value, with its unit.
    indices : ndarray of shape (n,), int64
        Which images they are.
    """

    label: str
    indices: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A quantity in which images of a set differ.

    Parameters
    ----------
    quantity : {"unit", "beam", "pixel"}
        Which quantity.
    groups : tuple of Group
        At least two groups of images, the largest first; images without a known value belong to none.
    """

    quantity: Quantity
    groups: tuple[Group, ...]

    def text(self) -> str:
        """Return what differs, in one sentence without its full stop."""
        shown = ", ".join(f"{group.label} ({len(group.indices):,})" for group in self.groups[:_SHOWN])
        hidden = len(self.groups) - _SHOWN
        more = f" and {hidden} more" if hidden > 0 else ""
        return f"images differ in the {NAMES[self.quantity]}: {shown}{more}"


def sky_differences(sky: SkyColumns | None) -> list[Difference]:
    """Return the quantities in which the images of a set differ.

    Parameters
    ----------
    sky : SkyColumns, optional
        What FITS headers say about the images.

    Returns
    -------
    list of Difference
        Empty if all images that have a value have the same one.

    Notes
    -----
    Units are the same if they are equal quantities: ``JY/BEAM`` is ``Jy beam-1``, but not ``mJy/beam``. Axes of beams
    and sides of pixels are the same within 1 %.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import SkyColumns
    >>> sky = SkyColumns(
    ...     from_fits=np.ones(3, bool), pixel=np.full(3, 1.8), north=np.zeros(3), mirrored=np.zeros(3, bool),
    ...     unit=np.array(["JY/BEAM", "Jy beam-1", "mJy/beam"]), beam=np.full((3, 3), np.nan),
    ... )
    >>> [each.text() for each in sky_differences(sky)]
    ['images differ in the unit of the pixels: JY/BEAM (2), mJy/beam (1)']
    """
    if sky is None:
        return []
    found: list[tuple[Quantity, list[Group]]] = [
        ("unit", _units(np.asarray(sky.unit))),
        ("beam", list(_alike(np.asarray(sky.beam)[:, :2], "{:.3g} x {:.3g} arcsec"))),
        ("pixel", list(_alike(np.asarray(sky.pixel)[:, None], "{:.4g} arcsec"))),
    ]
    return [
        Difference(quantity=quantity, groups=tuple(sorted(groups, key=lambda group: -len(group.indices))))
        for quantity, groups in found
        if len(groups) > 1
    ]


def _units(texts: NDArray[np.str_]) -> list[Group]:
    labels: dict[str, str] = {}
    members: dict[str, list[NDArray[np.int64]]] = {}
    for text in np.unique(texts[texts != ""]).tolist():
        key = _same_unit(text)
        labels.setdefault(key, text)
        members.setdefault(key, []).append(np.flatnonzero(texts == text))
    return [Group(label=labels[key], indices=np.sort(np.concatenate(some))) for key, some in members.items()]


def _same_unit(text: str) -> str:
    """Return a text that is the same for equal units; the text itself, without case, if it is no known unit."""
    from astropy import units

    # Old headers are in capitals. MJY may be a mega- or a millijansky, and stays what it is.
    spelled = re.sub(r"(?<![A-Za-z])JY\b", "Jy", text)
    spelled = re.sub(r"\bBEAM\b", "beam", spelled)
    spelled = re.sub(r"\bPIXEL\b", "pixel", spelled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(units.Unit(spelled).decompose())
        except (ValueError, TypeError, OverflowError):
            return spelled.casefold()


def _alike(values: NDArray[np.float64], form: str) -> Iterator[Group]:
    """Yield groups of images whose positive values are alike; the last of many groups holds all others."""
    left: NDArray[np.bool_] = np.asarray((np.isfinite(values) & (values > 0)).all(axis=1))
    for number in range(_MOST_GROUPS):
        indices = np.flatnonzero(left)
        if not len(indices):
            return
        if number == _MOST_GROUPS - 1:
            yield Group(label="other values", indices=indices)
            return
        typical = np.array([_middle(column) for column in values[indices].T])
        nearest = values[indices[np.abs(np.log(values[indices] / typical)).max(axis=1).argmin()]]
        close = left & (np.abs(np.log(np.where(left[:, None], values, 1.0) / nearest)) <= _TOLERANCE).all(axis=1)
        yield Group(label=form.format(*nearest), indices=np.flatnonzero(close))
        left &= ~close


def _middle(column: NDArray[np.float64]) -> float:
    """Return the most frequent value of a column, to about a part in a thousand."""
    rounded = np.round(np.log(column), 3)
    found, counts = np.unique(rounded, return_counts=True)
    return float(np.exp(found[counts.argmax()]))


def difference_remarks(sky: SkyColumns | None, sources: Sequence[str]) -> tuple[str, ...]:
    """Return a remark for each quantity in which images differ, with an image of the smallest group."""
    return tuple(f"{each.text()}, such as {sources[int(each.groups[-1].indices[0])]}" for each in sky_differences(sky))
