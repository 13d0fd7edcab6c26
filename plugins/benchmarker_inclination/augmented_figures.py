"""Figures of the augmented training sets: inclinations before and after, and examples."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from benchmarker_inclination.batch_files import Report, read_pools
from benchmarker_inclination.figures import draw_examples, draw_labels
from benchmarker_inclination.npz import iterate_images, read_arrays

_EXAMPLES = 49


def draw_training_sets(samples: Path, size: int, output: Path, *, n_subsamples: int, report: Report) -> None:
    """Draw the inclinations of each training set and of its first batch file, and images of that file.

    The figures are ``Uset_<set>_labels.png`` and ``Uset_<set>_examples.png``; those that are there already are kept.

    Parameters
    ----------
    samples, size : Path, int
        As for `read_pools`.
    output : Path
        Folder of the batch files.
    n_subsamples : int
        Number of sub-samples, beside the whole training part.
    report : callable
        Called with a sentence for each figure.
    """
    for number in range(n_subsamples + 1):
        name = f"Uset_{number:03d}"
        batch = output / f"{name}_npz" / f"{size}x{size}_train_aug_01.npz"
        labels, pgc, letters = read_arrays(batch, "labels", "pgcIDs", "filter")
        target = output / f"{name}_labels.png"
        if not target.is_file():
            before = np.concatenate([pool.labels for pool in read_pools(samples, size, number)])
            draw_labels(before, labels, target)
            report(f"{target} ... saved.")
        target = output / f"{name}_examples.png"
        if not target.is_file():
            shown = zip(pgc.tolist(), labels.tolist(), letters.tolist(), strict=True)
            titles = [f"PGC {galaxy}\n{label} deg, {letter.decode()}" for galaxy, label, letter in shown]
            draw_examples(titles[:_EXAMPLES], list(islice(iterate_images(batch), _EXAMPLES)), target)
            report(f"{target} ... saved.")
