"""Usual causes of a difference between two trails, by the link and the part of it that differs."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarker.results.trails import Difference

CAUSES: Mapping[str, tuple[str, ...]] = {
    "cell": (
        "the plan was edited, or the run belongs to another cell, with another seed, learning rate, split or network",
        "another version of the benchmarker, which writes the settings of a cell differently",
    ),
    "fingerprint": ("the run was computed in another environment: compare the entries listed",),
    "data": (
        "a byte of the images, the manifest or the catalogue changed, or an image was added or removed",
        "another version of the library that reads or prepares the images",
    ),
    "split": (
        "the names of the sources, their classes or the published split changed",
        "another version of the benchmarker, which divides sources differently",
    ),
    "generator": (
        "the generator was trained to other weights: its own trail shows where the two first differ",
        "another number of threads, another instruction set or device, or another version of the generator's package",
        "the study's run of the generator is not the one that its cells were trained with",
    ),
    "training part": ("an image or a label of the training part changed, or the split did",),
    "conditions": ("a class or an attribute of the training part changed, or the split did",),
    "training set": (
        "an augmentation renders different images: another version of its package, or of a library that it uses",
        "an augmentation draws from something other than the stream that it is given",
    ),
    "initial weights": (
        "an initialiser without a seed, in a builder that draws from the system's entropy, the clock or the process",
        "another version of the network's package, or of the library that draws the weights",
    ),
    "order": ("another seed, or another version of the library that draws the order",),
    "draws": ("another seed, or a transform that asks for another number of draws",),
    "random_state": (
        "dropout or another random layer has a different seed, or drew a different number of times",
        "the training was resumed without the state of its random layers",
    ),
    "weights, first epoch": (
        "another number of threads, another instruction set or another device",
        "an operation that is not deterministic: a custom layer, or a determinism switch that a plugin turned off",
        "images that are rendered differently each time, or a plugin that changes how networks are trained",
    ),
    "weights, later epoch": (
        "an operation that is rarely nondeterministic: another number of threads, another instruction set or device",
        "the training was resumed without all of its state",
        "the learning rate was lowered at a different time",
    ),
    "optimiser": ("another optimiser or learning rate, or a training resumed without the optimiser's state",),
    "metrics, epoch": (
        "the loss or the scores of the validation part were computed differently, while the weights are equal",
        "an expansion of the validation part renders different images",
    ),
    "best weights": ("a different epoch was the best: compare the metrics of the epochs",),
    "final weights": ("the training ended at a different epoch, or the weights were changed after it",),
    "predictions": (
        "an operation that is not deterministic in prediction",
        "predictions were written differently, or by another version",
    ),
    "metrics": (
        "the metrics were computed by another version of the benchmarker or of scikit-learn",
        "the scores on the training or validation part differ, while those on the test part do not",
    ),
    "end": ("the training stopped at a different epoch, or the trail was cut off",),
}

UNKNOWN = ("this version of the benchmarker does not know the link",)


def difference_causes(difference: Difference) -> tuple[str, ...]:
    """Return the usual causes of a difference, the most frequent one first."""
    return usual_causes("end") if difference.ended else usual_causes(difference.link, difference.part)


def usual_causes(link: str, part: str = "") -> tuple[str, ...]:
    """Return the usual causes of a difference in a link, the most frequent one first.

    Parameters
    ----------
    link : str
        Name of the link, such as ``"epoch 3"``; ``"end"`` where one trail is longer.
    part : str
        Part of an epoch's link that differs.
    """
    if not link.startswith("epoch "):
        return CAUSES.get(link, UNKNOWN)
    if part in {"weights", "variables"}:  # of a network, of a generator
        part = "weights, first epoch" if link == "epoch 1" else "weights, later epoch"
    return CAUSES.get("metrics, epoch" if part == "metrics" else part, UNKNOWN)
