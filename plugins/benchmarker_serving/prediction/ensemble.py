"""Networks of one configuration under several seeds as one predictor, calibrated on images that none was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarker import (
    Classification,
    Stream,
    StudyImages,
    Task,
    TrainedNetwork,
    TrainingSet,
    decode_outputs,
    load_network,
    network_outputs,
)
from benchmarker_serving.prediction.calibration import (
    Neighbours,
    class_thresholds,
    fit_temperature,
    interval_widths,
    prediction_sets,
    tempered,
    unlike_threshold,
)
from benchmarker_serving.prediction.job import Calibration

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

_MOST_NEIGHBOURS = 2000
_BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Predictions of several images.

    Parameters
    ----------
    values : ndarray of shape (n, n_outputs), float64
        Probabilities, or values in the units of the task: means over the networks.
    spread : ndarray of shape (n, n_outputs), float64
        Standard deviations over the networks (n - 1 in the denominator); NaN for a single one.
    sets : ndarray of shape (n, n_classes), bool, or None
        Classes of the conformal set; None for a regression, or without calibration.
    unlike : ndarray of shape (n,), float64, or None
        Score of unlikeness in units of its threshold: above 1 the image is flagged.
    """

    values: NDArray[np.float64]
    spread: NDArray[np.float64]
    sets: NDArray[np.bool_] | None = None
    unlike: NDArray[np.float64] | None = None


@dataclass(slots=True, kw_only=True)
class _Member:
    network: TrainedNetwork
    model: keras.Model
    """Its outputs are predictions, and features where the network has any."""

    temperature: float = 1.0
    neighbours: Neighbours | None = None
    ordinary: float = 1.0
    """Median score of its own validation part, which makes the scores of several networks comparable."""

    def outputs(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
        found = network_outputs(self.model, images, self.network.batch_size)
        return decode_outputs(self.network.task, found[0]), found[1] if len(found) > 1 else None


class Ensemble:
    """One or more networks of one configuration.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        Networks; loaded here, so this belongs into a process of their backend.
    """

    def __init__(self, networks: Sequence[TrainedNetwork]) -> None:
        self._members = [_Member(network=network, model=_with_features(load_network(network))) for network in networks]
        self._thresholds: NDArray[np.float64] | None = None
        self._unlike = 1.0

    @property
    def task(self) -> Task:
        """What the networks predict."""
        return self._members[0].network.task

    def calibrate(self, images: StudyImages, *, coverage: float, per_class: bool, level: float) -> Calibration:
        """Fit temperatures, conformal thresholds and the threshold of unlike images.

        The temperature of a network is fitted on its own validation part. The rest is measured on the images that at
        least one network was validated on and none was trained on. Conformal scores come from the probabilities before
        temperature scaling, so that the images are not used twice.

        Parameters
        ----------
        images : StudyImages
            Images of the study.
        coverage : float
            Fraction of images whose set or interval should hold the truth.
        per_class : bool
            Whether that should hold within each class.
        level : float
            Fraction of ordinary images that may be flagged as unlike.
        """
        for member in self._members:
            _calibrate_member(member, images)
        indices = _unseen(images, [member.network for member in self._members])
        held_out = images.chosen(indices)
        raw, scores = self._measure(held_out)
        targets = held_out.targets
        if isinstance(self.task, Classification):
            self._thresholds = class_thresholds(raw, targets, coverage, per_class=per_class)
        else:
            self._thresholds = interval_widths(raw, targets, coverage)
        self._unlike, attained = unlike_threshold(scores, level)
        classes = isinstance(self.task, Classification)
        return Calibration(
            images=len(indices),
            temperatures=tuple(member.temperature for member in self._members) if classes else (),
            thresholds=tuple(self._thresholds.tolist()),
            unlike_level=attained,
        )

    def predict(self, images: NDArray[np.float32]) -> Predicted:
        """Return the predictions of prepared images, ndarray of shape (n, height, width, channels)."""
        import numpy as np

        outputs = [member.outputs(images) for member in self._members]
        raw = np.stack([values for values, _ in outputs])
        classes = isinstance(self.task, Classification)
        shown = raw
        if classes:
            pairs = zip(self._members, raw, strict=True)
            shown = np.stack([_scaled(values, member.temperature) for member, values in pairs])
        several = len(shown) > 1
        spread = shown.std(axis=0, ddof=1) if several else np.full(shown.shape[1:], np.nan)
        sets = unlike = None
        if self._thresholds is not None:
            sets = prediction_sets(raw.mean(axis=0), self._thresholds) if classes else None
            unlike = self._scores([features for _, features in outputs], len(images)) / self._unlike
        return Predicted(values=shown.mean(axis=0), spread=spread, sets=sets, unlike=unlike)

    def _measure(self, held_out: TrainingSet) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean predictions before temperature scaling, and scores of unlikeness."""
        import numpy as np

        values, scores = [np.empty((0, self.task.n_outputs))], [np.empty(0)]
        for batch in _batches(held_out):
            outputs = [member.outputs(batch) for member in self._members]
            values.append(np.mean([each for each, _ in outputs], axis=0))
            scores.append(self._scores([features for _, features in outputs], len(batch)))
        return np.concatenate(values), np.concatenate(scores)

    def _scores(self, features: Sequence[NDArray[np.float32] | None], n: int) -> NDArray[np.float64]:
        import numpy as np

        found = [
            member.neighbours(each) / member.ordinary
            for member, each in zip(self._members, features, strict=True)
            if member.neighbours is not None and each is not None
        ]
        return np.mean(found, axis=0) if found else np.zeros(n)


def _scaled(values: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    return values if temperature == 1.0 else tempered(values, temperature)


def _with_features(model: keras.Model) -> keras.Model:
    """Return a model that also gives the inputs of the last dense layer, where the network has such a layer."""
    import keras

    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    if not dense or not getattr(model, "inputs", None):
        return model
    try:
        return keras.Model(model.inputs, [*model.outputs, dense[-1].input])
    except (AttributeError, ValueError):  # a layer that is used twice, or hidden in a layer of its own
        return model


def _calibrate_member(member: _Member, images: StudyImages) -> None:
    import numpy as np

    parts = images.parts(member.network)
    validation = images.chosen(parts.validation)
    outputs = [member.outputs(batch) for batch in _batches(validation)]
    if isinstance(member.network.task, Classification):
        member.temperature = fit_temperature(np.concatenate([values for values, _ in outputs]), validation.targets)
    if any(features is None for _, features in outputs):
        return
    chosen = parts.train
    if len(chosen) > _MOST_NEIGHBOURS:
        rng = Stream("unlike-images", seed=member.network.seed).generator()
        chosen = np.sort(rng.choice(chosen, size=_MOST_NEIGHBOURS, replace=False))
    known = [member.outputs(batch)[1] for batch in _batches(images.chosen(chosen))]
    member.neighbours = Neighbours(np.concatenate([features for features in known if features is not None]))
    scores = member.neighbours(np.concatenate([features for _, features in outputs if features is not None]))
    member.ordinary = float(np.median(scores)) or 1.0


def _unseen(images: StudyImages, networks: Sequence[TrainedNetwork]) -> NDArray[np.int64]:
    """Return the images that a network was validated on and no network was trained on, in ascending order."""
    import numpy as np

    parts = [images.parts(network) for network in networks]
    validated = np.unique(np.concatenate([each.validation for each in parts]))
    trained = np.unique(np.concatenate([each.train for each in parts]))
    found: NDArray[Any] = np.setdiff1d(validated, trained)
    return found.astype(np.int64)


def _batches(part: TrainingSet) -> Iterator[NDArray[np.float32]]:
    import numpy as np

    for start in range(0, len(part), _BATCH):
        yield part.batch(np.arange(start, min(start + _BATCH, len(part))))
