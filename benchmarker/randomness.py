"""Named streams of random numbers: the only source of randomness in the benchmarker.

A stream is named by its purpose and by the axes that it may depend on. Its key is the SHA-256 of the canonical JSON of
that name, so it depends on nothing else: not on the order of imports, on the installed plugins, on what was trained
before, or on the number of jobs that run side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarker.digests import digest_json

if TYPE_CHECKING:
    from numpy.random import Generator

    # The type for annotations in other modules, which must not import `numpy.random`.
    RandomGenerator = Generator


class Stream:
    """A stream of random numbers, named by its purpose and its axes.

    Parameters
    ----------
    purpose : str
        What the numbers are used for, for example ``"split"``.
    **axes : JSON values
        Everything that the numbers may depend on, for example ``seed=8901, epoch=3``.

    References
    ----------
    Salmon, Moraes, Dror & Shaw 2011, SC11, doi:10.1145/2063384.2063405 (the Philox generator).

    Examples
    --------
    The order of the axes does not matter, their values do:

    >>> from benchmarker import Stream
    >>> order = Stream("order", seed=8901, epoch=3)
    >>> order.key() == Stream("order", epoch=3, seed=8901).key()
    True
    >>> order.key() == Stream("order", seed=8901, epoch=4).key()
    False
    >>> sorted(order.generator().permutation(4).tolist())
    [0, 1, 2, 3]
    """

    __slots__ = ("axes", "purpose")

    def __init__(self, purpose: str, /, **axes: Any) -> None:
        self.purpose = purpose
        self.axes = axes

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}={value!r}" for name, value in sorted(self.axes.items()))
        return f"Stream({self.purpose!r}, {axes})"

    def key(self) -> str:
        """Return the 64 hexadecimal digits that determine the numbers of the stream."""
        return digest_json({"purpose": self.purpose, "axes": self.axes})

    def child(self, purpose: str, /, **axes: Any) -> Stream:
        """Return the stream for a part of this purpose, with further axes."""
        return Stream(f"{self.purpose}/{purpose}", **self.axes, **axes)

    def seed(self) -> int:
        """Return a seed in [0, 2**31), for libraries that need an integer."""
        return int(self.key()[:8], 16) & 0x7FFFFFFF

    def generator(self) -> Generator:
        """Return a new counter-based generator (Philox 4x64) at the start of the stream."""
        import numpy as np

        return np.random.Generator(np.random.Philox(key=int(self.key()[:32], 16)))


def layer_seeds(seed: int) -> Iterator[int]:
    """Yield seeds for the initialisers and dropouts of a network, one after the other, without end.

    Parameters
    ----------
    seed : int
        Seed that the builder was called with.

    Yields
    ------
    int
        In [0, 2**31); the k-th seed depends on ``seed`` and k only.

    Examples
    --------
    >>> from benchmarker import layer_seeds
    >>> seeds, again = layer_seeds(8901), layer_seeds(8901)
    >>> [next(seeds), next(seeds)] == [next(again), next(again)]
    True
    """
    k = 0
    while True:
        yield Stream("layer", seed=seed, position=k).seed()
        k += 1


def python_shuffle(n: int, seed: int) -> list[int]:
    """Return the numbers from 0 to ``n - 1`` in the order of Python's own shuffle, as a study of that order needs.

    The same as ``random.seed(seed); random.shuffle(numbers)`` (Mersenne Twister; the order is that of every Python 3),
    without touching Python's global state. Everything else takes its randomness from a `Stream`.

    Parameters
    ----------
    n, seed : int
        Number of things to shuffle, and seed.

    Examples
    --------
    >>> sorted(python_shuffle(5, 8901))
    [0, 1, 2, 3, 4]
    """
    import random

    numbers = list(range(n))
    random.Random(seed).shuffle(numbers)  # noqa: S311 - not for secrets
    return numbers
