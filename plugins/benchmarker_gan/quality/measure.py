"""A generator's quality: everything that its table shows, next to what real images give of themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError, Stream, digest_arrays
from benchmarker_gan.quality import fidelity, memorisation, physics, rows
from benchmarker_gan.quality.rows import Seen

if TYPE_CHECKING:
    from benchmarker import QualityRequest
    from benchmarker_gan.quality.features import FeatureNetwork

LARGEST_SAMPLE = 600
"""Held-out images that are looked at, and generated ones for them, one each."""

_SMALLEST_IMAGE = 8

# Real images are read so many at a time whatever a generator's batch is: the ruler must not depend on the generator.
_BLOCK = 32

logger = logging.getLogger(__name__)


def measure(request: QualityRequest) -> Mapping[str, Any]:
    """Measure the quality of generated images against held-out real ones.

    One image is generated for the condition of each held-out image looked at. These are halved again and again: the
    value of a row compares the generated images of one half with the real images of the other, and its floor the real
    images of both halves, so that both have the same number of images and the same mixture of conditions.

    Parameters
    ----------
    request : QualityRequest
        Real images, the generator's samples and the stream. The feature network and the halves depend on the real
        images alone: generators of one split are measured with one ruler.

    Returns
    -------
    mapping of str to JSON value
        ``n_samples``, ``n_held_out``, ``n_train``, ``rows``, ``statistics``, ``memorisation``, ``fidelity`` and
        ``feature_network``, as the page on quality says.

    Raises
    ------
    DataError
        If generated images are not finite, or not as many as were asked for.
    """
    from benchmarker_gan.quality.features import FeatureNetwork

    ruler = Stream("generator-quality", data=_digest(request))
    known = _known(request)
    chosen = np.sort(ruler.child("held-out").generator().permutation(known)[:LARGEST_SAMPLE])
    counts = {"n_samples": len(chosen), "n_held_out": len(request.held_out), "n_train": len(request.train)}
    curves = _fidelity(request, chosen)
    if len(chosen) < 4:
        logger.warning("%d held-out images are too few for a table of quality", len(chosen))
        return {**counts, "rows": [], "statistics": {}, "memorisation": {}, "fidelity": curves, "feature_network": {}}
    network = FeatureNetwork(request.train, ruler.child("features"))
    conditions = _encoded(request, chosen)
    asked = request.conditions.class_indices(conditions) if request.conditions.classes else None
    real = _seen(_rendered(request, chosen), network)
    generated = _seen(_sampled(request, conditions, request.stream.child("quality-samples")), network)
    pairs = list(rows.halves(len(chosen), ruler.child("halves")))
    return {
        **counts,
        "rows": [
            *rows.feature_rows(real, generated, pairs),
            *(rows.class_rows(real, generated, asked, pairs) if network.classifies and asked is not None else ()),
            *rows.physical_rows(real, generated, pairs),
        ],
        "statistics": _described(real, generated),
        "memorisation": _memorisation(request, real, generated),
        "fidelity": curves,
        "feature_network": network.score(request.held_out, chosen, real.answers),
    }


def _digest(request: QualityRequest) -> str:
    def arrays() -> Iterator[tuple[str, NDArray[Any]]]:
        yield "targets", np.asarray(request.train.targets)
        for start in range(0, len(request.train), _BLOCK):
            yield "images", request.train.batch(np.arange(start, min(start + _BLOCK, len(request.train))))

    return digest_arrays(arrays())


def _known(request: QualityRequest) -> NDArray[np.int64]:
    """Return which held-out images have every condition that a generator is asked for."""
    known = np.ones(len(request.held_out), dtype=bool)
    for name in request.conditions.attributes:
        known &= np.isfinite(request.held_out.attributes[name])
    return np.flatnonzero(known).astype(np.int64)


def _encoded(request: QualityRequest, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    attributes = {name: request.held_out.attributes[name][indices] for name in request.conditions.attributes}
    return request.conditions.encode(request.held_out.targets[indices], attributes)


def _rendered(request: QualityRequest, indices: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(indices), _BLOCK):
        yield request.held_out.batch(indices[start : start + _BLOCK])


def _sampled(request: QualityRequest, conditions: NDArray[np.float32], stream: Stream) -> Iterator[NDArray[np.float32]]:
    """Yield generated images in batches, and make sure that they are images and that none is missing."""
    n = 0
    for batch in request.sample(conditions, stream):
        images = np.asarray(batch, dtype=np.float32)
        if not np.isfinite(images).all():
            raise DataError("generated images hold numbers that are not finite")
        n += len(images)
        yield images
    if n != len(conditions):
        raise DataError(f"{len(conditions)} generated images were asked for. Received: {n}")


def _seen(batches: Iterable[NDArray[np.float32]], network: FeatureNetwork) -> Seen:
    """Keep of each batch what is needed: the images themselves are let go."""
    features, answers, small = [], [], []
    statistics: dict[str, list[NDArray[np.float64]]] = {}
    for images in batches:
        described, answered = network(images)
        features.append(described)
        answers.append(answered)
        small.append(memorisation.shrink(images))
        if min(images.shape[1:3]) >= _SMALLEST_IMAGE:
            for name, values in physics.statistics(images).items():
                statistics.setdefault(name, []).append(values)
    return Seen(
        features=np.concatenate(features),
        answers=np.concatenate(answers),
        statistics={name: np.concatenate(values) for name, values in statistics.items()},
        small=np.concatenate(small),
    )


def _described(real: Seen, generated: Seen) -> dict[str, Any]:
    """Return percentiles of each statistic, for figures."""

    def percentiles(values: NDArray[np.float64]) -> dict[str, Any]:
        known = values[np.isfinite(values).all(axis=1)] if values.ndim == 2 else values[np.isfinite(values)]
        n = len(known)
        low, middle, high = np.percentile(known, (16, 50, 84), axis=0).tolist() if n else (None, None, None)
        return {"p16": low, "median": middle, "p84": high, "n": n}

    found: dict[str, Any] = {}
    for name, values in real.statistics.items():
        found[name] = {
            "label": physics.LABELS[name],
            "unit": physics.UNITS[name],
            "held_out": percentiles(values),
            "generated": percentiles(generated.statistics[name]),
        }
    if found:
        found["power_spectrum"] |= {"frequencies": physics.frequencies().tolist(), "frequency_unit": "1 / pix"}
    return found


def _memorisation(request: QualityRequest, real: Seen, generated: Seen) -> dict[str, Any]:
    def training() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(request.train), request.batch_size):
            yield request.train.batch(np.arange(start, min(start + request.batch_size, len(request.train))))

    both, indices = memorisation.nearest(np.concatenate([generated.small, real.small]), training())
    n = len(generated.small)
    closest = int(both[:n].argmin())
    return {
        **memorisation.summarise(both[:n], both[n:]),
        "unit": "image unit, root mean square over pixels",
        "closest": {"sample": closest, "training_image": int(indices[closest]), "distance": float(both[closest])},
    }


def _fidelity(request: QualityRequest, chosen: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return a curve for each continuous condition and property, the other continuous conditions at their means."""
    space = request.conditions
    if not (space.attributes and len(chosen)):
        return []
    measures = fidelity.fluxes(request.train.image_shape[2])
    stream = request.stream.child("quality-fidelity")
    points = chosen[np.linspace(0, len(chosen) - 1, min(fidelity.POINTS, len(chosen))).astype(np.int64)]
    base = _encoded(request, points)
    base[:, len(space.classes) :] = 0
    pieces = [{name: of(images) for name, of in measures.items()} for images in _rendered(request, chosen)]
    real = {name: np.concatenate([piece[name] for piece in pieces]) for name in measures}
    curves = []
    for index, (name, unit) in enumerate(zip(space.attributes, space.units, strict=True)):
        requested = fidelity.grid(np.asarray(request.train.attributes[name], dtype=np.float64))
        encoded = (requested - space.means[index]) / (space.deviations[index] or 1.0)
        column = len(space.classes) + index
        # The same stream again and again: the latent points stay while the condition moves.
        traced = fidelity.trace(lambda asked: _sampled(request, asked, stream), base, column, encoded, measures)
        truth = np.asarray(request.held_out.attributes[name], dtype=np.float64)[chosen]
        for measured, values in traced.items():
            curves.append(
                {
                    "condition": name,
                    "condition_unit": unit,
                    "property": measured,
                    "property_unit": "pix",
                    **fidelity.summarise(requested, values),
                    "real_rank_correlation": fidelity.rank_correlation(truth, real[measured]),
                    "n_real": len(chosen),
                }
            )
    return curves
