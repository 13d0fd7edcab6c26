"""Folds: every source is tested once, and the numbers of cells say which fold is tested.

A registry with ``folds: 5`` and the seed 8901 has five cells for each network and arm, with the seeds 890101 to 890105.
So everything that depends on the seed of a cell, from initial weights to generators, differs from fold to fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarker.errors import SplitError
from benchmarker.randomness import Stream

_FOLDS_OF_A_SEED = 100
PUBLISHED_FOLDS = "fold"
"""Attribute of sources that holds their published fold."""

MOST_FOLDS = 99
LARGEST_SEED = (2**32 - 1 - MOST_FOLDS) // _FOLDS_OF_A_SEED
"""Largest seed whose folds have seeds of their own."""


def fold_seeds(seeds: Iterable[int], folds: int) -> tuple[int, ...]:
    """Return the seeds of all cells of a row: those of the folds of each seed.

    Parameters
    ----------
    seeds : iterable of int
        Seeds of the registry; each divides the sources anew.
    folds : int
        Number of folds.

    Examples
    --------
    >>> fold_seeds([8901, 1826], 2)
    (890101, 890102, 182601, 182602)
    """
    return tuple(seed * _FOLDS_OF_A_SEED + fold for seed in seeds for fold in range(1, folds + 1))


def fold_of(seed: int, folds: int) -> tuple[int, int]:
    """Return the seed of the registry and the number of the fold that the seed of a cell stands for.

    Raises
    ------
    SplitError
        If the seed stands for no fold.

    Examples
    --------
    >>> fold_of(890102, 5)
    (8901, 2)
    """
    base, fold = divmod(seed, _FOLDS_OF_A_SEED)
    if not 1 <= fold <= folds:
        raise SplitError(
            f"split.folds: the seed of a cell ends with the number of its fold, 01 to {folds:02d}. Received: {seed}"
        )
    return base, fold


def listed_seed(seed: int, folds: int | None) -> int:
    """Return the seed in the registry that a cell's seed comes from.

    Examples
    --------
    >>> listed_seed(890102, 5), listed_seed(8901, None)
    (8901, 8901)
    """
    return seed if folds is None else fold_of(seed, folds)[0]


def tested(groups: Mapping[str, Sequence[str]], seed: int, folds: int) -> set[str]:
    """Return the sources that a cell tests: its fold of each class.

    The folds of a class differ by one source at most. Classes begin with different folds, so that small classes do not
    all add to the first.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Sources of each class, in the order of classes.
    seed : int
        Seed of the cell.
    folds : int
        Number of folds.

    Raises
    ------
    SplitError
        If a class has fewer sources than folds.
    """
    base, fold = fold_of(seed, folds)
    small = [f"{label} has {len(sources)}" for label, sources in groups.items() if len(sources) < folds]
    if small:
        raise SplitError(f"split.folds: each class needs a source for each of {folds} folds; {', '.join(small)}")
    chosen: set[str] = set()
    before = 0
    for label, sources in groups.items():
        order = Stream("folds", seed=base, group=label).generator().permutation(len(sources)).tolist()
        chosen |= {sources[k] for place, k in enumerate(order) if (place + before) % folds == fold - 1}
        before += len(sources)
    return chosen
