"""Image sizes that the networks of the GANs can generate."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarker import ConfigurationError

_BASES = (4, 5, 6, 7)


def side_of_square(image_size: tuple[int, int]) -> int:
    """Return the height and width of square images in pixels.

    Raises
    ------
    ConfigurationError
        If the images are not square.

    Examples
    --------
    >>> side_of_square((64, 64))
    64
    """
    height, width = image_size
    if height != width:
        raise ConfigurationError(
            f"GANs generate square images; set preparation.crop of the dataset. Received: {height} x {width} pixels"
        )
    return height


def start_and_doublings(size: int) -> tuple[int, int]:
    """Return the smallest start of at least 4 pixels, and the number of doublings from it to a size.

    Parameters
    ----------
    size : int
        Height and width in pixels.

    Returns
    -------
    tuple of int
        ``(start, doublings)`` with ``start * 2**doublings == size`` and a start of 4, 5, 6 or 7 pixels.

    Raises
    ------
    ConfigurationError
        If there is no such start or no doubling; the message lists the nearest possible sizes.

    Examples
    --------
    >>> start_and_doublings(96)
    (6, 4)
    """
    start, doublings = size, 0
    while start % 2 == 0 and start // 2 >= _BASES[0]:
        start, doublings = start // 2, doublings + 1
    if doublings and start in _BASES:
        return start, doublings
    possible = [base * 2**k for base in _BASES for k in range(1, 12)]
    raise _impossible_size("a power of two times 4, 5, 6 or 7 pixels", possible, size)


def check_multiple_of_8(size: int) -> None:
    """Check that a size can be halved three times.

    Raises
    ------
    ConfigurationError
        If it cannot; the message lists the nearest possible sizes.
    """
    if size % 8:
        raise _impossible_size("a multiple of 8 pixels", range(8, size + 9, 8), size)


def halvings(size: int, smallest: int) -> list[int]:
    """Return a size and its halves, rounded up, down to the first of at most ``smallest`` pixels.

    Examples
    --------
    >>> halvings(50, 8)
    [50, 25, 13, 7]
    """
    sizes = [size]
    while sizes[-1] > smallest:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _impossible_size(rule: str, possible: Iterable[int], size: int) -> ConfigurationError:
    ordered = sorted(possible)
    nearest = [each for each in ordered if each < size][-1:] + [each for each in ordered if each > size][:1]
    return ConfigurationError(
        f"the image size must be {rule}; the nearest are {' and '.join(map(str, nearest))}. "
        f"Received: {size} pixels; set preparation.crop or preparation.resize of the dataset"
    )
