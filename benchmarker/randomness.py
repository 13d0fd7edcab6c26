"""Named streams of random numbers: the only source of randomness in the benchmarker.

A stream is named by what it is for and by the axes that it may depend on. Its key is the SHA-256 of the canonical JSON
of that name, so it depends on nothing else: not on import order, on installed plugins, on what was trained before or on
how many jobs run side by side.

>>> Stream("order", seed=8901, epoch=3).generator().permutation(4).tolist() == Stream(
...     "order", epoch=3, seed=8901
... ).generator().permutation(4).tolist()
True
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarker.digests import digest_json

if TYPE_CHECKING:
    from numpy.random import Generator

    # The type for annotations elsewhere: nobody else names `numpy.random`.
    RandomGenerator = Generator


class Stream:
    """A stream of random numbers, named by a purpose and its axes.

    Parameters
    ----------
    purpose : str
        What the numbers are for, for example ``"split"``.
    **axes : JSON values
        Everything that the numbers may depend on, for example ``seed=8901, epoch=3``.
    """

    __slots__ = ("axes", "purpose")

    def __init__(self, purpose: str, /, **axes: Any) -> None:
        self.purpose = purpose
        self.axes = axes

    def __repr__(self) -> str:
        axes = ", ".join(f"{name}={value!r}" for name, value in sorted(self.axes.items()))
        return f"Stream({self.purpose!r}, {axes})"

    def key(self) -> str:
        """Return the 64 hexadecimal digits that the stream's numbers come from."""
        return digest_json({"purpose": self.purpose, "axes": self.axes})

    def child(self, purpose: str, /, **axes: Any) -> Stream:
        """Return the stream of a part of this purpose, with further axes."""
        return Stream(f"{self.purpose}/{purpose}", **self.axes, **axes)

    def seed(self) -> int:
        """Return a seed in [0, 2**31), for libraries that take an integer."""
        return int(self.key()[:8], 16) & 0x7FFFFFFF

    def generator(self) -> Generator:
        """Return a fresh counter-based generator (Philox 4x64) at the start of the stream."""
        import numpy as np

        return np.random.Generator(np.random.Philox(key=int(self.key()[:32], 16)))


def layer_seeds(seed: int) -> Iterator[int]:
    """Yield the seeds of a network's initialisers and dropouts, one after the other, without end.

    Parameters
    ----------
    seed : int
        The seed that a builder was called with.

    Yields
    ------
    int
        In [0, 2**31); the k-th seed depends on ``seed`` and k alone.
    """
    k = 0
    while True:
        yield Stream("layer", seed=seed, position=k).seed()
        k += 1
