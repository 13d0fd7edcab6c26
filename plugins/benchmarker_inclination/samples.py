"""The third step: a test part that all bands share, and sub-samples of the rest for bagging.

The galaxies of the *main band* (the first of r, i, g and RGB that is there) with an inclination of at least 45 degrees
are permuted, 15 % of them are set aside for testing, and each sub-sample draws two thirds of the rest; what it leaves
out is *out of bag*. The other bands follow the main band galaxy by galaxy. The random generators and seeds are
those of the original, so the same catalogue gives the same parts.

In the original the out-of-bag files of the other bands also hold the galaxies of the test part. That is corrected here;
``leak=True`` brings it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError
from benchmarker_inclination.catalogue import SMALLEST_INCLINATION
from benchmarker_inclination.npz import image_shape, iterate_images, read_arrays, write_npz

ORDER = ("r", "i", "g", "RGB")
"""Bands in the order in which the main band is looked for."""

TEST_SHARE = 0.15
_PERMUTATION_SEED = 0
_TEST_SEED = 100
_SUBSAMPLE_SEED = 100

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Which galaxies are in which part, by PGC number, in the order in which the files hold them.

    Parameters
    ----------
    test, train : tuple of int
        Test part and everything else.
    subsamples, out_of_bag : tuple of tuple of int
        Two thirds of the training part for each sub-sample, and the other third.
    """

    test: tuple[int, ...]
    train: tuple[int, ...]
    subsamples: tuple[tuple[int, ...], ...]
    out_of_bag: tuple[tuple[int, ...], ...]

    def parts(self) -> dict[str, tuple[int, ...]]:
        """Return the galaxies of each file: ``test_000``, ``train_000``, ``train_001``, ``test_001`` ..."""
        found = {"test_000": self.test, "train_000": self.train}
        for number, (drawn, left) in enumerate(zip(self.subsamples, self.out_of_bag, strict=True), start=1):
            found |= {f"train_{number:03d}": drawn, f"test_{number:03d}": left}
        return found


def make_partition(pgc: NDArray[np.integer], codes: NDArray[np.integer], n_subsamples: int) -> Partition:
    """Divide the galaxies of the main band.

    Parameters
    ----------
    pgc, codes : ndarray of shape (n,), integer
        Number and label code of each galaxy. Rejected galaxies and those below 45 degrees are left out.
    n_subsamples : int
        Number of sub-samples.

    Raises
    ------
    DataError
        If fewer than two galaxies are left, or one number occurs twice.

    Examples
    --------
    >>> import numpy as np
    >>> partition = make_partition(np.arange(100, 110), np.full(10, 60), 1)
    >>> len(partition.test), len(partition.train), len(partition.subsamples[0])
    (2, 8, 5)
    >>> set(partition.test) & set(partition.train)
    set()
    """
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state

    used = np.asarray(pgc)[np.asarray(codes) >= SMALLEST_INCLINATION]
    if len(np.unique(used)) != len(used):
        raise DataError("a PGC number occurs twice in the main band; every galaxy has one image in each band")
    if len(used) < 2:
        raise DataError(f"at least two galaxies inclined by 45 degrees or more were expected. Received: {len(used)}")
    permuted = used[check_random_state(_PERMUTATION_SEED).permutation(len(used))]
    train, test = train_test_split(permuted, test_size=TEST_SHARE, random_state=_TEST_SEED)
    drawn, left = [], []
    for number in range(1, n_subsamples + 1):
        order = train[check_random_state(_SUBSAMPLE_SEED * number).permutation(len(train))]
        size = math.floor(2 * len(train) / 3)
        drawn.append(tuple(map(int, order[:size])))
        left.append(tuple(map(int, order[size:])))
    return Partition(
        test=tuple(map(int, test)), train=tuple(map(int, train)), subsamples=tuple(drawn), out_of_bag=tuple(left)
    )


def follow(partition: Partition, pgc: NDArray[np.integer], codes: NDArray[np.integer], *, leak: bool) -> Partition:
    """Divide the galaxies of another band as the main band is divided, in the order of that band's file.

    Galaxies that the main band does not have join the training part, and the out-of-bag part of every sub-sample.

    Parameters
    ----------
    partition : Partition
        Partition of the main band.
    pgc, codes : ndarray of shape (n,), integer
        Galaxies of the band.
    leak : bool
        Put the test part into every out-of-bag part too, as the original does.
    """
    used = [int(number) for number, code in zip(pgc, codes, strict=True) if code >= SMALLEST_INCLINATION]
    held_out = set(partition.test)
    train = tuple(number for number in used if number not in held_out)
    drawn = [set(subsample) for subsample in partition.subsamples]
    pool = used if leak else train
    return Partition(
        test=tuple(number for number in used if number in held_out),
        train=train,
        subsamples=tuple(tuple(number for number in train if number in chosen) for chosen in drawn),
        out_of_bag=tuple(tuple(number for number in pool if number not in chosen) for chosen in drawn),
    )


def split_bands(
    folder: Path, size: int, output: Path, *, n_subsamples: int, report: Report, leak: bool = False
) -> Partition:
    """Write the parts of all bands, and return the partition of the main band.

    Files are called ``<band>_<size>x<size>_{train,test}_<number>.npz`` and hold ``images``, ndarray of shape (n, size,
    size, 3), uint8, ``labels`` and ``pgcIDs``, ndarray of shape (n,), big-endian int32.

    Parameters
    ----------
    folder : Path
        Folder of the files that `compress_folder` wrote.
    size : int
        Height and width of the images in pixels.
    output : Path
        Folder of the parts.
    n_subsamples : int
        Number of sub-samples.
    report : callable
        Called with a sentence for each file.
    leak : bool
        As for `follow`.

    Raises
    ------
    DataError
        If no band is there.
    """
    bands = {band: path for band in ORDER if (path := folder / f"{size}x{size}_{band}.npz").is_file()}
    if not bands:
        raise DataError(
            f"{folder}: holds none of {', '.join(f'{size}x{size}_{band}.npz' for band in ORDER)}; run `compress` first"
        )
    output.mkdir(parents=True, exist_ok=True)
    labels = {band: read_arrays(path, "labels")[0] for band, path in bands.items()}
    first = next(iter(bands))
    main = make_partition(labels[first][0], labels[first][1], n_subsamples)
    for band, path in bands.items():
        pgc, codes = labels[band]
        divided = main if band == first else follow(main, pgc, codes, leak=leak)
        by_number = dict(zip(map(int, pgc), map(int, codes), strict=True))
        for written in _write_parts(path, output / f"{band}_{size}x{size}", divided.parts(), by_number):
            report(f"created ... {written}")
    return main


def _write_parts(
    source: Path, stem: Path, parts: Mapping[str, tuple[int, ...]], codes: Mapping[int, int]
) -> Iterator[Path]:
    """Write the parts of one band; its pixels pass through one file of bytes on the disk, not through memory."""
    shape = image_shape(source)
    numbers = read_arrays(source, "labels")[0][0]
    row = {int(number): k for k, number in enumerate(numbers)}
    scratch = stem.with_name(f".{stem.name}.pixels.partial")
    try:
        pixels = np.memmap(scratch, dtype=np.uint8, mode="w+", shape=shape)
        for k, image in enumerate(iterate_images(source)):
            pixels[k] = image
        for name, galaxies in parts.items():
            path = stem.with_name(f"{stem.name}_{name}.npz")
            arrays = {
                "labels": np.array([codes[number] for number in galaxies], dtype=">i4"),
                "pgcIDs": np.array(galaxies, dtype=">i4"),
            }
            chosen = (pixels[row[number]] for number in galaxies)
            write_npz(path, chosen, shape=(len(galaxies), *shape[1:]), dtype=np.uint8, arrays=arrays)
            yield path
    finally:
        scratch.unlink(missing_ok=True)
