"""The fourth step: batch files with as many galaxies in every bin of inclination, as large together as one likes.

For every training set, each batch file is made of bins of 5 degrees from 45 to 90. In each bin that is not empty the
images are transformed anew, again and again, until there are enough, permuted, and cut to the same number: N colour
images, and of the three grey bands together as many, half of them inverted. All are permuted and written. The file is
made image by image, so memory holds one sample's images and no more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError, Stream
from benchmarker_inclination.npz import read_arrays, write_npz
from benchmarker_inclination.transforms import Recipe, transform

EDGES = tuple(range(45, 95, 5))
"""Edges of the bins of inclination in degrees; the first bin holds both of its edges, the others their upper one."""

LETTERS = {"g": "g", "r": "r", "i": "i", "RGB": "c"}
"""Letter of each band in the array ``filter``."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Images of one kind, grey or colour, of one training set.

    Parameters
    ----------
    images : sequence of ndarray of shape (size, size, 3), uint8
        Images from 0 to 255.
    labels, pgc : ndarray of shape (n,), int32
        Inclination in degrees and number of the galaxy.
    letters : ndarray of shape (n,), bytes of length 1
        Band: ``g``, ``r``, ``i``, or ``c`` for colour.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    pgc: NDArray[np.int32]
    letters: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One image of a batch file: which image of the pool, transformed by which numbers, and whether it is inverted."""

    index: int
    bin: int
    round: int
    inverted: bool = False


def bins_of(labels: NDArray[np.integer | np.floating]) -> NDArray[np.int64]:
    """Return the bin of each inclination, from 0 for [45, 50] to 8 for (85, 90].

    Examples
    --------
    >>> import numpy as np
    >>> bins_of(np.array([45, 50, 51, 55, 90])).tolist()
    [0, 0, 1, 1, 8]
    """
    found = np.searchsorted(np.array(EDGES), np.asarray(labels), side="left") - 1
    return np.maximum(found, 0)


def pick(labels: NDArray[np.integer | np.floating], per_bin: int, stream: Stream) -> list[Pick]:
    """Choose the images of a pool that fill every bin equally; empty bins are left out.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Inclinations in degrees.
    per_bin : int
        Images of each bin.
    stream : Stream
        Source of the permutations.
    """
    found = []
    bins = bins_of(labels)
    for number in range(len(EDGES) - 1):
        members = np.flatnonzero(bins == number)
        if not len(members):
            continue
        rounds = math.ceil(per_bin / len(members))
        copies = [Pick(index=int(k), bin=number, round=r) for r in range(rounds) for k in members]
        order = stream.child("bin", number=number).generator().permutation(len(copies))[:per_bin]
        found += [copies[k] for k in order]
    return found


def pick_batch(colour: Pool, grey: Pool, batch_size: int, stream: Stream) -> list[tuple[Pool, Pick]]:
    """Choose the images of one batch file: as many grey as colour ones, half of the grey ones inverted.

    Parameters
    ----------
    colour, grey : Pool
        Images of the training set; either may be empty.
    batch_size : int
        Colour images of each bin.
    stream : Stream
        Source of the permutations.
    """
    coloured = pick(colour.labels, batch_size, stream.child("colour"))
    greys = pick(grey.labels, 3 * batch_size, stream.child("grey"))
    order = stream.child("grey/order").generator().permutation(len(greys))
    wanted = len(coloured) if len(colour) else len(greys)
    greys = [greys[k] for k in order[:wanted]]
    half = len(greys) // 2
    greys = [replace(each, inverted=True) for each in greys[:half]] + greys[half:]
    joined = [(colour, each) for each in coloured] + [(grey, each) for each in greys]
    return [joined[k] for k in stream.child("file").generator().permutation(len(joined))]


def draw_batch(
    picks: Sequence[tuple[Pool, Pick]], grey: Pool, stream: Stream, *, keep_shape: bool, grey_recipe: bool
) -> Iterator[NDArray[np.uint8]]:
    """Yield the transformed images of one batch file.

    Parameters
    ----------
    picks : sequence of (Pool, Pick)
        What `pick_batch` chose.
    grey : Pool
        The pool of grey images.
    stream : Stream
        Source of the random numbers.
    keep_shape : bool
        As for `Recipe`.
    grey_recipe : bool
        Give colour images the transforms of grey ones, as the original does by mistake.
    """
    for pool, each in picks:
        colour = pool is not grey
        recipe = Recipe(colour=colour and not grey_recipe, keep_shape=keep_shape)
        own = stream.child("transform", kind="colour" if colour else "grey", bin=each.bin, round=each.round)
        (image,) = transform([pool.images[each.index]], recipe, own, numbers=[each.index])
        yield np.uint8(255) - image if each.inverted else image


def read_pools(folder: Path, size: int, number: int) -> tuple[Pool, Pool]:
    """Return the colour and the grey images of a training set.

    Parameters
    ----------
    folder : Path
        Folder of the parts that `split_bands` wrote.
    size : int
        Height and width of the images in pixels.
    number : int
        0 for the whole training part, 1, 2, ... for a sub-sample.

    Raises
    ------
    DataError
        If no band is there.
    """
    return _read(folder, size, f"train_{number:03d}")


def read_test_pools(folder: Path, size: int) -> tuple[Pool, Pool]:
    """Return the colour and the grey images of the test part; see `read_pools`."""
    return _read(folder, size, "test_000")


def _read(folder: Path, size: int, part: str) -> tuple[Pool, Pool]:
    found = {}
    for band, letter in LETTERS.items():
        path = folder / f"{band}_{size}x{size}_{part}.npz"
        if path.is_file():
            images, labels, pgc = read_arrays(path, "images", "labels", "pgcIDs")
            found[band] = Pool(
                images=images,
                labels=labels.astype(np.int32),
                pgc=pgc.astype(np.int32),
                letters=np.full(len(labels), letter, dtype="S1"),
            )
    if not found:
        raise DataError(f"{folder}: holds no file such as r_{size}x{size}_{part}.npz; run `split` first")
    colour = [found[band] for band in ("RGB",) if band in found]
    grey = [found[band] for band in ("g", "r", "i") if band in found]
    return _join(colour, size), _join(grey, size)


def _join(pools: Sequence[Pool], size: int) -> Pool:
    if not pools:
        nothing = np.zeros(0, np.int32)
        return Pool(
            images=np.zeros((0, size, size, 3), np.uint8), labels=nothing, pgc=nothing, letters=np.zeros(0, "S1")
        )
    return Pool(
        images=np.concatenate([pool.images for pool in pools]),
        labels=np.concatenate([pool.labels for pool in pools]),
        pgc=np.concatenate([pool.pgc for pool in pools]),
        letters=np.concatenate([pool.letters for pool in pools]),
    )


def write_batches(
    folder: Path,
    size: int,
    output: Path,
    *,
    n_subsamples: int,
    n_batches: int,
    batch_size: int,
    seed: int,
    report: Report,
    keep_shape: bool = False,
    grey_recipe: bool = False,
) -> None:
    """Write the batch files of all training sets; those that are there already are kept.

    Files are called ``Uset_<set>_npz/<size>x<size>_train_aug_<batch>.npz`` and hold ``images``, ndarray of shape
    (n, size, size, 3), uint8, ``labels`` (degrees) and ``pgcIDs``, ndarray of shape (n,), int32, and ``filter``, bytes.

    Parameters
    ----------
    folder, size : Path, int
        As for `read_pools`.
    output : Path
        Folder of the batch files.
    n_subsamples, n_batches : int
        Number of sub-samples, beside the whole training part, and of files for each.
    batch_size : int
        Colour images of each bin of a file; a file holds 18 times as many images if no bin is empty.
    seed : int
        Seed of all random choices.
    report : callable
        Called with a sentence for each file.
    keep_shape, grey_recipe : bool
        As for `draw_batch`.
    """
    for number in range(n_subsamples + 1):
        target = output / f"Uset_{number:03d}_npz"
        target.mkdir(parents=True, exist_ok=True)
        colour, grey = read_pools(folder, size, number)
        for batch in range(1, n_batches + 1):
            path = target / f"{size}x{size}_train_aug_{batch:02d}.npz"
            if path.is_file():
                report(f"{path} ... kept.")
                continue
            stream = Stream("inclination-batches", seed=seed, set=number, batch=batch)
            picks = pick_batch(colour, grey, batch_size, stream)
            images = draw_batch(picks, grey, stream, keep_shape=keep_shape, grey_recipe=grey_recipe)
            arrays = {
                "labels": np.array([pool.labels[each.index] for pool, each in picks], np.int32),
                "pgcIDs": np.array([pool.pgc[each.index] for pool, each in picks], np.int32),
                "filter": np.array([pool.letters[each.index] for pool, each in picks], "S1"),
            }
            write_npz(path, images, shape=(len(picks), size, size, 3), dtype=np.uint8, arrays=arrays)
            report(f"{path} ... saved.")
