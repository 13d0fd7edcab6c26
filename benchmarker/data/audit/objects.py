"""Findings about copies, neighbours on the sky, and objects with two labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.tasks import Classification
from benchmarker.data.audit.copies import CopySearch, Match
from benchmarker.data.audit.findings import Finding, Pair, Severity, Subject
from benchmarker.data.positions import pairs_within, separation

SAME_OBJECT = 5.0
"""Positions closer than this, in arcsec, are taken for the same object."""

_FIELD = 3600.0
"""Images of positions farther apart than this, in arcsec, do not show the same sky."""

IndexPair = tuple[int, int]


def apart_on_the_sky(search: CopySearch, where: NDArray[np.float64] | None) -> CopySearch:
    """Return a search in which near copies that are known to lie far from each other on the sky are look-alikes."""
    if where is None:
        return search
    matches = tuple(
        replace(match, kind="look-alike")
        if match.kind == "near" and separation(where[match.first], where[match.second]) > _FIELD
        else match
        for match in search.matches
    )
    return replace(search, matches=matches)


def copy_findings(subject: Subject, search: CopySearch) -> Iterator[Finding]:
    """Yield what copies mean: across parts, and within one."""
    sure = [match for match in search.matches if match.kind != "look-alike"]
    across = [match for match in sure if subject.apart(match.first, match.second)]
    within = [match for match in sure if not subject.apart(match.first, match.second)]
    alike = [match for match in search.matches if match.kind == "look-alike"]
    if across:
        yield _of_matches(
            subject, "copies-across-parts", "error", across,
            f"{_kinds(across)} are in different parts: networks are tested or selected on images that they were "
            "trained on. Give both the same source, or remove one",
        )  # fmt: skip
    if within:
        yield _of_matches(
            subject, "copies-within-parts", "warning", within,
            f"{_kinds(within)} are within one part, where the image counts more than once",
        )  # fmt: skip
    apart = sum(subject.apart(match.first, match.second) for match in alike)
    if alike:
        yield _of_matches(
            subject, "look-alikes", "note", alike,
            f"{len(alike)} pair(s) of images, {apart} of them across parts, look the same but are too simple to tell a "
            "copy from another object; look at the pictures",
        )  # fmt: skip


def sky_findings(
    subject: Subject, where: NDArray[np.float64] | None, radius: float
) -> tuple[list[Finding], dict[IndexPair, float]]:
    """Return findings about neighbours on the sky, and the separation of each pair of positions of one object."""
    if where is None:
        return [], {}
    pairs, separations = pairs_within(where, max(radius, SAME_OBJECT))
    found = {
        (first, second): arcsec for (first, second), arcsec in zip(pairs.tolist(), separations.tolist(), strict=True)
    }
    across = {pair: arcsec for pair, arcsec in found.items() if subject.apart(*pair) and arcsec <= radius}
    findings = []
    if across:
        tested = {index for pair in across for index in pair if subject.part[index] == "test"}
        n_test = int((subject.part == "test").sum())
        findings.append(
            Finding(
                check="neighbours-across-parts",
                severity="error" if min(across.values()) <= SAME_OBJECT else "warning",
                text=f"{len(tested)} of {n_test} test images lie within {radius:g} arcsec of an image in another part, "
                f"and {len(across)} pair(s) across parts in all: their images may show the same sky. "
                f"`split: {{group: position, radius: {radius:g} arcsec}}` keeps neighbours in one part",
                count=len(across),
                pairs=tuple(
                    subject.pair(first, second, "position", separation=arcsec)
                    for (first, second), arcsec in sorted(across.items(), key=lambda each: each[1])
                ),
            )
        )
    same = {pair: arcsec for pair, arcsec in found.items() if arcsec <= SAME_OBJECT}
    repeated = {
        (first, second): arcsec
        for (first, second), arcsec in same.items()
        if subject.data.source_ids[first] != subject.data.source_ids[second]
    }
    if repeated:
        findings.append(
            Finding(
                check="one-object-two-names",
                severity="warning",
                text=f"{len(repeated)} pair(s) of sources with different names lie within {SAME_OBJECT:g} arcsec of "
                "each other, so they are probably the same object, which a split by source may separate",
                count=len(repeated),
                pairs=tuple(
                    subject.pair(first, second, "position", separation=arcsec)
                    for (first, second), arcsec in repeated.items()
                ),
            )
        )
    return findings, same


def label_findings(
    subject: Subject, matches: Sequence[Match], same_position: Mapping[IndexPair, float]
) -> Iterator[Finding]:
    """Yield the objects that have two labels, and what they say about the accuracy that any network can reach."""
    if not isinstance(subject.data.task, Classification):
        return
    why: dict[IndexPair, str] = dict.fromkeys(_same_name(subject.data.source_ids), "name")
    why |= dict.fromkeys(same_position, "position")
    why |= {(match.first, match.second): match.kind for match in matches if match.kind != "look-alike"}
    differing = [pair for pair in sorted(why) if subject.differ(*pair)]
    if differing:
        yield Finding(
            check="one-object-two-labels",
            severity="error",
            text=f"{len(differing)} of {len(why)} pair(s) of images of one object have different classes. "
            + label_ceiling(len(differing), len(why), len(subject.data.task.classes)),
            count=len(differing),
            pairs=tuple(_labelled(subject, pair, why[pair], same_position) for pair in differing),
        )


def label_ceiling(differing: int, pairs: int, classes: int) -> str:
    r"""Return in a sentence what repeated labels say about the accuracy that any network can reach.

    If every label is wrong with probability :math:`e`, independently, and then equally likely to be any of the
    :math:`K - 1` others, two labels of one object differ with probability :math:`d = 2 e - e^2 K / (K - 1)`, so that

    .. math:: e = \frac{K - 1}{K} \left(1 - \sqrt{1 - \frac{K}{K - 1} d}\right).

    A network that knows the true class agrees with a fraction :math:`1 - e` of such labels.

    Parameters
    ----------
    differing : int
        Pairs of labels of one object that differ.
    pairs : int
        All pairs of labels of one object.
    classes : int
        Number of classes :math:`K`.

    Returns
    -------
    str
        The estimate with Wilson's 95 % interval of :math:`d` carried over, or why there is none.

    Notes
    -----
    The objects that a set repeats by accident are not a random sample of it: catalogues overlap where sources are bright,
    and only one label of a corrected pair may be wrong. Take the ceiling for a rough guide.

    References
    ----------
    Wilson 1927, J. Am. Stat. Assoc. 22, 209, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> label_ceiling(10, 100, 2)
    'If every label were wrong independently and as often as these, no network could agree with more than 94.7 % of the labels (95 % interval 90.4 to 97.2 %).'
    """  # noqa: E501 - the sentence is one line of output
    if pairs < 10:
        return "That is too few to estimate how many labels of the set are wrong."
    middle = differing / pairs
    z = 1.959964
    centre = (middle + z**2 / (2 * pairs)) / (1 + z**2 / pairs)
    half = z / (1 + z**2 / pairs) * math.sqrt(middle * (1 - middle) / pairs + z**2 / (4 * pairs**2))
    best, low, high = (100 * (1 - _error_rate(rate, classes)) for rate in (middle, centre + half, centre - half))
    return (
        "If every label were wrong independently and as often as these, no network could agree with more than "
        f"{best:.1f} % of the labels (95 % interval {low:.1f} to {high:.1f} %)."
    )


def _error_rate(differing: float, classes: int) -> float:
    share = (classes - 1) / classes
    return share * (1 - math.sqrt(max(0.0, 1 - differing / share)))


def _same_name(sources: Sequence[str]) -> Iterator[IndexPair]:
    """Yield each image of a source with the source's first image."""
    first: dict[str, int] = {}
    for index, source in enumerate(sources):
        if first.setdefault(source, index) != index:
            yield first[source], index


def _labelled(subject: Subject, pair: IndexPair, why: str, separations: Mapping[IndexPair, float]) -> Pair:
    return subject.pair(*pair, why, separation=separations.get(pair))


def _of_matches(subject: Subject, check: str, severity: Severity, matches: Sequence[Match], text: str) -> Finding:
    return Finding(
        check=check,
        severity=severity,
        text=text,
        count=len(matches),
        pairs=tuple(subject.pair(m.first, m.second, m.kind, similarity=m.similarity) for m in matches),
    )


def _kinds(matches: Iterable[Match]) -> str:
    words = {"equal": "with equal pixels", "turned": "equal after a turn or mirror image", "near": "near copies"}
    counts = {kind: sum(match.kind == kind for match in matches) for kind in words}
    named = ", ".join(f"{count} {words[kind]}" for kind, count in counts.items() if count)
    return f"{sum(counts.values())} pair(s) of images ({named})"
