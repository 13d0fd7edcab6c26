"""Find copies of images: equal pixels, quarter turns and mirror images, and near copies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import LabelledImages
from benchmarker.data.audit.features import Features, measure, workers
from benchmarker.data.audit.matching import similarity
from benchmarker.data.audit.neighbours import nearest_pairs
from benchmarker.data.audit.rings import correlate_pairs
from benchmarker.randomness import Stream

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251 - a type, not a source of numbers

MatchKind = Literal["equal", "turned", "near", "look-alike"]

PLANTED = 100
_SMALLEST_SET = 20
"""With fewer images there is nothing to compare a pair with, so only exact copies are looked for."""
_SIMILAR = 0.9
_COMPARED = 6
_RINGS_ALIKE = 0.7
_LEAST_COMPARED = 4
_STANDS_OUT = 0.25
_HALF_STANDS_OUT = 0.5
_RICH = 40.0
_COMMON = 0.97
_RICH_ENOUGH = 50.0
_UNCOMMON = 0.93
_LARGEST_ZOOM = np.log(1.4)
_ZOOM = np.log(1.25)
_DETAIL_CHUNK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Two images that show the same thing.

    Parameters
    ----------
    first, second : int
        Indices of the images, the lower one first.
    kind : {"equal", "turned", "near", "look-alike"}
        Equal pixels; equal after quarter turns and a mirror image; equal details after a turn by any angle, a mirror
        image, a small shift and a small zoom; or details that are too simple to tell a copy from another object.
    similarity : float
        Correlation of the details, 1 for exact copies.
    """

    first: int
    second: int
    kind: MatchKind
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySearch:
    """The copies in a set, and how many planted copies the search found.

    Parameters
    ----------
    matches : tuple of Match
        Copies, the surest first.
    recognisable : int
        Number of images that a near copy would stand out for. The others hold too little, or two further images look
        nearly the same; near copies of them are not listed.
    planted, found : int
        Number of turned, mirrored, shifted and rescaled copies of recognisable images that were added to the set for
        the search, and how many of them it found: the share of such near copies that a reader may expect to be listed.
    """

    matches: tuple[Match, ...]
    recognisable: int
    planted: int
    found: int


def find_copies(
    data: LabelledImages,
    images: NDArray[Any],
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
    *,
    planted: int = PLANTED,
    stream: Stream | None = None,
) -> CopySearch:
    """Find all copies in a set.

    Parameters
    ----------
    data : LabelledImages
        The set.
    images : ndarray of shape (n, height, width, channels)
        The same images as far as possible without clipping, since it is noise that tells one faint, compact source from
        another.
    progress : callable
        Called with a description, the number of steps done and of all steps.
    planted : int
        Number of copies to plant, at most half as many as there are images.
    stream : Stream, optional
        Source of the planted copies; by default that of every audit.

    Returns
    -------
    CopySearch
        Every pair once, with the strictest kind that applies.

    Notes
    -----
    Near copies are searched in three steps. The images with the nearest descriptors, up to some hundreds, are
    compared ring by ring over all angles. The six best pairs of each image are laid onto each other, and the
    correlation r of their details is measured. A pair is a near copy if r is at least 0.9, and 1 - r is at most a
    quarter of what it is for the second best of the other candidates of *both* images; with half of that of *one* of
    them it is a look-alike. In a near copy, the details of both images fill at least 40 reduced pixels, and r of the
    second best other candidate is at most 0.97: a copy that was resampled has about 0.98 itself, or more.

    An image is recognisable if its details fill at least 50 reduced pixels, and r of its second best candidate is at
    most 0.93. Compact sources of a clipped set, which all look the same, are thus not reported as copies of each other,
    and copies in groups of more than three may be missed.
    """
    exact = {(m.first, m.second): m for m in (*_equal(data.equal_pixels), *_turned(data.images, data.equal_pixels))}
    if len(data) < _SMALLEST_SET:
        return CopySearch(matches=_sorted(exact.values()), recognisable=0, planted=0, found=0)
    from threadpoolctl import threadpool_limits

    chosen, copies = _plant(images, planted, stream or Stream("audit-planted"))
    n = len(images)
    progress("measuring images", 0, None)
    # Threads of the BLAS library round sums by their number. Those of the search do not, and keep the cores busy.
    with threadpool_limits(1, user_api="blas"):
        features = measure(_Joined(images, copies))
        near, recognisable = _near(features, n, progress)
    truth = {(int(index), n + number) for number, index in enumerate(chosen) if recognisable[index]}
    found = sum(1 for match in near if match.kind == "near" and (match.first, match.second) in truth)
    for match in near:
        if match.second < n:
            exact.setdefault((match.first, match.second), match)
    return CopySearch(
        matches=_sorted(exact.values()), recognisable=int(recognisable[:n].sum()), planted=len(truth), found=found
    )


def _sorted(matches: Any) -> tuple[Match, ...]:
    order = {"equal": 0, "turned": 1, "near": 2, "look-alike": 3}
    return tuple(sorted(matches, key=lambda match: (order[match.kind], -match.similarity, match.first, match.second)))


def _equal(groups: Sequence[Sequence[int]]) -> Iterator[Match]:
    for first, *others in groups:
        yield from (Match(first=first, second=other, kind="equal", similarity=1.0) for other in others)


def _turned(images: NDArray[Any], equal: Sequence[Sequence[int]]) -> Iterator[Match]:
    """Find images that are equal after quarter turns and a mirror image; one of each equal group is looked at."""
    repeated = {index for group in equal for index in group[1:]}
    alike: dict[tuple[int, int], list[int]] = {}
    for index in range(len(images)):
        if index not in repeated:
            # Neither sum depends on the order of the pixels.
            words = np.ascontiguousarray(images[index], dtype="<f4").view(np.uint32).astype(np.uint64)
            alike.setdefault((int(words.sum()), int((words * words).sum())), []).append(index)
    for group in alike.values():
        seen: dict[bytes, int] = {}
        for index in group if len(group) > 1 else ():
            first = seen.setdefault(_standing(images[index]), index)
            if first != index:
                yield Match(first=first, second=index, kind="turned", similarity=1.0)


def _standing(image: NDArray[Any]) -> bytes:
    """Return a digest that is the same for all quarter turns and mirror images of an image."""
    forms = (np.rot90(side, turns) for side in (image, image[:, ::-1]) for turns in range(4))
    return min(hashlib.blake2b(np.ascontiguousarray(form).data, digest_size=16).digest() for form in forms)


class _Joined:
    """Images followed by others, so that a memory-mapped set need not be copied."""

    def __init__(self, images: NDArray[Any], others: NDArray[Any]) -> None:
        self._images = images
        self._others = others

    def __len__(self) -> int:
        return len(self._images) + len(self._others)

    def __getitem__(self, wanted: slice) -> Any:
        start, stop, _ = wanted.indices(len(self))
        n = len(self._images)
        return [*self._images[start : min(stop, n)], *self._others[max(0, start - n) : max(0, stop - n)]]


def _plant(images: NDArray[Any], number: int, stream: Stream) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return some images, turned by any angle, and some of them mirrored, shifted and rescaled."""
    generator = stream.generator()
    chosen = generator.choice(len(images), min(number, len(images) // 2), replace=False)
    return chosen, np.stack([disturbed(images[index], generator) for index in chosen])


def disturbed(image: NDArray[Any], generator: Generator) -> NDArray[np.float32]:
    """Return a copy of an image, turned by any angle, and each with probability 1/2 mirrored, shifted and rescaled.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels)
        The image.
    generator : Generator
        Source of the angle, the shift (up to 4 % of the side along each axis) and the zoom (0.8 to 1.25).
    """
    from scipy.ndimage import affine_transform

    angle = generator.uniform(0, 2 * np.pi)
    mirrored = generator.random() < 0.5
    moved, rescaled = generator.random(2) < 0.5
    middle = (np.array(image.shape[:2]) - 1) / 2
    shift = generator.uniform(-0.04, 0.04, 2) * image.shape[:2] * moved
    zoom = np.exp(generator.uniform(-_ZOOM, _ZOOM)) if rescaled else 1.0
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    offset = middle - matrix @ (middle + shift)
    source = image[:, ::-1] if mirrored else image
    planes = [
        affine_transform(plane, matrix, offset, order=1, mode="constant", cval=float(np.median(plane)))
        for plane in np.moveaxis(np.asarray(source, dtype=np.float32), -1, 0)
    ]
    return np.stack(planes, axis=-1).astype(np.float32)


def _near(
    features: Features, n: int, progress: Callable[[str, int, int | None], None]
) -> tuple[list[Match], NDArray[np.bool_]]:
    """Return near copies and look-alikes among all images, of which the first n are the set, and which can be known."""
    progress("comparing images", 0, None)
    pairs, rings = correlate_pairs(features, nearest_pairs(features))
    pairs = pairs[_best_of_each(pairs, rings, len(features))]
    progress("laying images onto each other", 0, len(pairs))
    richness = features.richness()
    detailed = richness >= _RICH
    scores, zooms = _in_chunks(lambda a, b: similarity(features, a, b, detailed), pairs, _DETAIL_CHUNK)
    candidates = _candidates(pairs, scores, len(features), n)
    others = np.array([[_second(candidates[a], b), _second(candidates[b], a)] for a, b in pairs.tolist()]).reshape(
        -1, 2
    )
    high, low = others.max(axis=1), others.min(axis=1)
    alike = (scores >= _SIMILAR) & (np.abs(np.log(zooms)) <= _LARGEST_ZOOM)
    distinct = (richness[pairs].min(axis=1) >= _RICH) & (high <= _COMMON)
    near = alike & distinct & (1 - scores <= _STANDS_OUT * (1 - high))
    look_alike = alike & ~near & (1 - scores <= _HALF_STANDS_OUT * (1 - low))
    kinds: tuple[tuple[MatchKind, NDArray[np.bool_]], ...] = (("near", near), ("look-alike", look_alike))
    matches = [
        Match(first=int(pairs[k, 0]), second=int(pairs[k, 1]), kind=kind, similarity=float(scores[k]))
        for kind, chosen in kinds
        for k in np.flatnonzero(chosen)
    ]
    usual = np.array([_second(each, None) for each in candidates])
    return matches, (richness >= _RICH_ENOUGH) & (usual <= _UNCOMMON)


def _in_chunks(
    function: Callable[[NDArray[np.int64], NDArray[np.int64]], tuple[NDArray[np.float32], ...]],
    pairs: NDArray[np.int64],
    size: int,
) -> tuple[NDArray[np.float32], ...]:
    chunks = [pairs[k : k + size] for k in range(0, max(1, len(pairs)), size)]
    with ThreadPoolExecutor(workers()) as pool:
        found = list(pool.map(lambda chunk: function(chunk[:, 0], chunk[:, 1]), chunks))
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def _best_of_each(pairs: NDArray[np.int64], scores: NDArray[np.float32], n: int) -> NDArray[np.bool_]:
    """Return which pairs are among the best few of at least one of their images: of unlike ones only the best four."""
    taken = [0] * n
    kept = np.zeros(len(pairs), dtype=np.bool_)
    for number in np.argsort(-scores, kind="stable").tolist():
        first, second = pairs[number].tolist()
        if min(taken[first], taken[second]) < (_COMPARED if scores[number] >= _RINGS_ALIKE else _LEAST_COMPARED):
            kept[number] = True
            taken[first] += 1
            taken[second] += 1
    return kept


def _candidates(
    pairs: NDArray[np.int64], scores: NDArray[np.float32], n: int, own: int
) -> list[list[tuple[float, int]]]:
    """Return the scores and indices of the images that each image was compared with, the best first.

    The planted copies, from the index ``own`` on, are no candidates, so that they change no match of the set itself.
    """
    found: list[list[tuple[float, int]]] = [[] for _ in range(n)]
    for (first, second), score in zip(pairs.tolist(), scores.tolist(), strict=True):
        if second < own:
            found[first].append((score, second))
        if first < own:
            found[second].append((score, first))
    return [sorted(each, reverse=True) for each in found]


def _second(candidates: list[tuple[float, int]], without: int | None) -> float:
    """Return the second best score of candidates but one; 0 if there are fewer."""
    scores = [score for score, other in candidates if other != without]
    return max(0.0, scores[1]) if len(scores) > 1 else 0.0
