"""Measures the quality of a generator: all measures, each next to its value for real images."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError, Stream, digest_arrays
from benchmarker_gan.quality import condition_fidelity, image_statistics, memorisation, quality_table
from benchmarker_gan.quality.quality_table import DescribedImages

if TYPE_CHECKING:
    from benchmarker import QualityRequest
    from benchmarker_gan.quality.feature_network import FeatureNetwork

LARGEST_SAMPLE = 600
"""Largest number of held-out images to compare with, and of generated images."""

_SMALLEST_SAMPLE = 4

# Real images are read in batches of this size whatever the batch size of the generator, on which the feature network
# must not depend.
_BLOCK = 32

logger = logging.getLogger(__name__)


def measure(request: QualityRequest) -> Mapping[str, Any]:
    """Measure the quality of generated images against held-out real ones.

    One image is generated for the condition of each held-out image, and both sets are compared in random halves, see
    `benchmarker_gan.quality.quality_table`. The feature network and the halves depend only on the real images:
    generators of the same split are measured in the same way and can be compared.

    Parameters
    ----------
    request : QualityRequest
        Real images, samples of the generator, and random numbers.

    Returns
    -------
    mapping of str to JSON value
        ``n_samples``, ``n_held_out`` and ``n_train``; ``rows`` with a `QualityRow` each; ``statistics`` with
        percentiles; ``memorisation``; ``fidelity`` with a `FidelityCurve` for each continuous condition and property;
        and ``feature_network`` with its score. The page on quality explains all fields.

    Raises
    ------
    DataError
        If generated images are not finite, or their number is wrong.
    """
    from benchmarker_gan.quality.feature_network import FeatureNetwork

    stream = Stream("generator-quality", data=_digest(request))
    known = _with_known_conditions(request)
    chosen = np.sort(stream.child("held-out").generator().permutation(known)[:LARGEST_SAMPLE])
    counts = {"n_samples": len(chosen), "n_held_out": len(request.held_out), "n_train": len(request.train)}
    curves = _fidelity_curves(request, chosen)
    if len(chosen) < _SMALLEST_SAMPLE:
        logger.warning("no table of quality: %d held-out images are too few", len(chosen))
        return {**counts, "rows": [], "statistics": {}, "memorisation": {}, "fidelity": curves, "feature_network": {}}
    network = FeatureNetwork(request.train, stream.child("features"))
    conditions = _encoded(request, chosen)
    real = _described(_real_batches(request, chosen), network)
    generated = _described(_generated_batches(request, conditions, request.stream.child("quality-samples")), network)
    halves = list(quality_table.random_halves(len(chosen), stream.child("halves")))
    rows = quality_table.feature_rows(real, generated, halves)
    if network.classifies and request.conditions.classes:
        rows += quality_table.class_rows(real, generated, request.conditions.class_indices(conditions), halves)
    rows += quality_table.statistics_rows(real, generated, halves)
    return {
        **counts,
        "rows": [asdict(row) for row in rows],
        "statistics": _percentiles(real, generated),
        "memorisation": _memorisation(request, real, generated),
        "fidelity": curves,
        "feature_network": asdict(network.score(request.held_out, chosen, real.outputs)),
    }


def _digest(request: QualityRequest) -> str:
    """Return the digest of the real training images and their targets."""

    def arrays() -> Iterator[tuple[str, NDArray[Any]]]:
        yield "targets", np.asarray(request.train.targets)
        for start in range(0, len(request.train), _BLOCK):
            yield "images", request.train.batch(np.arange(start, min(start + _BLOCK, len(request.train))))

    return digest_arrays(arrays())


def _with_known_conditions(request: QualityRequest) -> NDArray[np.int64]:
    """Return the indices of the held-out images with known values of all conditions."""
    known = np.ones(len(request.held_out), dtype=bool)
    for name in request.conditions.attributes:
        known &= np.isfinite(request.held_out.attributes[name])
    return np.flatnonzero(known).astype(np.int64)


def _encoded(request: QualityRequest, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the encoded conditions of held-out images."""
    attributes = {name: request.held_out.attributes[name][indices] for name in request.conditions.attributes}
    return request.conditions.encode(request.held_out.targets[indices], attributes)


def _real_batches(request: QualityRequest, indices: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(indices), _BLOCK):
        yield request.held_out.batch(indices[start : start + _BLOCK])


def _generated_batches(
    request: QualityRequest, conditions: NDArray[np.float32], stream: Stream
) -> Iterator[NDArray[np.float32]]:
    """Yield generated images in batches, and check that they are finite and complete."""
    n = 0
    for batch in request.sample(conditions, stream):
        images = np.asarray(batch, dtype=np.float32)
        if not np.isfinite(images).all():
            raise DataError("the generator returned images with pixels that are not finite")
        n += len(images)
        yield images
    if n != len(conditions):
        raise DataError(f"the generator should return {len(conditions)} images. Received: {n}")


def _described(batches: Iterable[NDArray[np.float32]], network: FeatureNetwork) -> DescribedImages:
    """Measure images batch by batch, without keeping them."""
    features, outputs, small = [], [], []
    statistics: dict[str, list[NDArray[np.float64]]] = {}
    for images in batches:
        batch_features, batch_outputs = network(images)
        features.append(batch_features)
        outputs.append(batch_outputs)
        small.append(memorisation.shrink(images))
        if min(images.shape[1:3]) >= image_statistics.SMALLEST_IMAGE:
            for name, values in image_statistics.statistics(images).items():
                statistics.setdefault(name, []).append(values)
    return DescribedImages(
        features=np.concatenate(features),
        outputs=np.concatenate(outputs),
        statistics={name: np.concatenate(values) for name, values in statistics.items()},
        small=np.concatenate(small),
    )


def _percentiles(real: DescribedImages, generated: DescribedImages) -> dict[str, Any]:
    """Return percentiles of each physical statistic for figures."""

    def percentiles(values: NDArray[np.float64]) -> dict[str, Any]:
        known = values[np.isfinite(values).all(axis=1)] if values.ndim == 2 else values[np.isfinite(values)]
        n = len(known)
        low, middle, high = np.percentile(known, (16, 50, 84), axis=0).tolist() if n else (None, None, None)
        return {"p16": low, "median": middle, "p84": high, "n": n}

    found: dict[str, Any] = {}
    for name, values in real.statistics.items():
        found[name] = {
            "label": image_statistics.LABELS[name],
            "unit": image_statistics.UNITS[name],
            "held_out": percentiles(values),
            "generated": percentiles(generated.statistics[name]),
        }
    if found:
        found["power_spectrum"] |= {
            "frequencies": image_statistics.frequencies().tolist(),
            "frequency_unit": "1 / pix",
        }
    return found


def _memorisation(request: QualityRequest, real: DescribedImages, generated: DescribedImages) -> dict[str, Any]:
    """Return the summary of the distances from the training part, with the generated image that is nearest to it."""

    def training() -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(request.train), request.batch_size):
            yield request.train.batch(np.arange(start, min(start + request.batch_size, len(request.train))))

    distances, indices = memorisation.nearest(np.concatenate([generated.small, real.small]), training())
    n = len(generated.small)
    closest = int(distances[:n].argmin())
    return {
        **asdict(memorisation.summarise(distances[:n], distances[n:])),
        "unit": "image unit, root mean square over pixels",
        "closest": {
            "sample": closest,
            "training_image": int(indices[closest]),
            "distance": float(distances[closest]),
        },
    }


def _fidelity_curves(request: QualityRequest, chosen: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return a curve for each continuous condition and property, with the other conditions at their means."""
    space = request.conditions
    if not (space.attributes and len(chosen)):
        return []
    properties = condition_fidelity.fluxes(request.train.image_shape[2])
    points = np.linspace(0, len(chosen) - 1, min(condition_fidelity.POINTS, len(chosen))).astype(np.int64)
    base = _encoded(request, chosen[points])
    base[:, len(space.classes) :] = 0
    pieces = [{name: of(images) for name, of in properties.items()} for images in _real_batches(request, chosen)]
    real = {name: np.concatenate([piece[name] for piece in pieces]) for name in properties}
    # Every value of the condition uses the same stream, so that the latent points stay fixed while the condition
    # changes.
    stream = request.stream.child("quality-fidelity")
    curves = []
    for index, (name, unit) in enumerate(zip(space.attributes, space.units, strict=True)):
        requested = condition_fidelity.grid(np.asarray(request.train.attributes[name], dtype=np.float64))
        encoded = (requested - space.means[index]) / (space.deviations[index] or 1.0)
        traced = condition_fidelity.trace(
            lambda conditions: _generated_batches(request, conditions, stream),
            base,
            len(space.classes) + index,
            encoded,
            properties,
        )
        truth = np.asarray(request.held_out.attributes[name], dtype=np.float64)[chosen]
        for measured, values in traced.items():
            curves.append(
                {
                    "condition": name,
                    "condition_unit": unit,
                    "property": measured,
                    "property_unit": "pix",
                    **asdict(condition_fidelity.summarise(requested, values)),
                    "real_rank_correlation": condition_fidelity.rank_correlation(truth, real[measured]),
                    "n_real": len(chosen),
                }
            )
    return curves
