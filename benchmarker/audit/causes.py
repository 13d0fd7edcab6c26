"""What usually makes a link of a trail differ, by the link and the part of it."""

from __future__ import annotations

from collections.abc import Mapping

# For an epoch: the part of its content that differs, in the order in which one follows from the other.
EPOCH_PARTS = ("order", "draws", "random_state", "weights", "variables", "optimiser", "metrics")

CAUSES: Mapping[str, tuple[str, ...]] = {
    "cell": (
        "the plan was edited, or the run belongs to another cell: another seed, learning rate, split or network",
        "another version of the benchmarker writes the settings of a cell in another way",
    ),
    "fingerprint": ("the run was made in another environment: compare the entries that are named",),
    "data": (
        "a byte of the images, of the manifest or of the catalogue is another, or an image was added or removed",
        "another version of the library that reads or prepares the images",
    ),
    "split": (
        "the names of the sources, their classes or the published split are others",
        "another version of the benchmarker divides sources in another way",
    ),
    "generator": (
        "the generator was trained to other weights: its own trail, compared first, says where they part",
        "another number of threads, another instruction set or device, or another version of the generator's package",
        "the run of the generator that the study holds is not the one that its cells were trained with",
    ),
    "training part": ("an image or a label of the training part is another, or the split is",),
    "conditions": ("a class or an attribute of the training part is another, or the split is",),
    "training set": (
        "an augmentation renders other images: another version of its package, or of the library that it draws with",
        "an augmentation draws from something else than the stream that it is given",
    ),
    "initial weights": (
        "an initialiser without a seed, in a builder that draws from the system's entropy, the clock or the process",
        "another version of the network's package, or of the library that draws the weights",
    ),
    "order": ("another seed, or another version of the library that draws the order",),
    "draws": ("another seed, or a transform that asks for another number of draws",),
    "random_state": (
        "dropout or another random layer has another seed, or drew another number of times",
        "a training that was resumed without the state of its random layers",
    ),
    "weights, first epoch": (
        "another number of threads, another instruction set or another device",
        "an operation that is not deterministic: a custom layer, or a switch of determinism that a plugin turned off",
        "images that are rendered differently each time, or a plugin that changes how networks are trained",
    ),
    "weights, later epoch": (
        "an operation that is seldom not deterministic: another number of threads, another instruction set or device",
        "a training that was resumed without all of its state",
        "a learning rate that was lowered at another time",
    ),
    "optimiser": ("another optimiser or learning rate, or a training that was resumed without the optimiser's state",),
    "metrics, epoch": (
        "the loss or the validation part was computed in another way, while the weights are equal",
        "an expansion of the validation part that renders other images",
    ),
    "best weights": ("another epoch was found to be the best: see the metrics of the epochs",),
    "final weights": ("the training ended at another epoch, or something changed the weights after it",),
    "predictions": (
        "an operation that is not deterministic when networks predict",
        "predictions that were written in another way or by another version",
    ),
    "metrics": (
        "the metrics were computed by another version of the benchmarker or of scikit-learn",
        "the network's scores on the training or validation part differ, while those on the test part do not",
    ),
    "end": ("the training was stopped at another epoch, or the trail was cut off",),
}

UNKNOWN = ("a link that this version of the benchmarker does not know",)


def usual_causes(link: str, part: str = "") -> tuple[str, ...]:
    """Return what usually makes a link differ, the most frequent cause first.

    Parameters
    ----------
    link : str
        Its name, for example ``"epoch 3"``; ``"end"`` where one trail is longer.
    part : str
        For an epoch, the part of its content.
    """
    if not link.startswith("epoch "):
        return CAUSES.get(link, UNKNOWN)
    if part in {"weights", "variables"}:  # of a network, of a generator
        part = "weights, first epoch" if link == "epoch 1" else "weights, later epoch"
    return CAUSES.get("metrics, epoch" if part == "metrics" else part, UNKNOWN)
