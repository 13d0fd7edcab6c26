"""What labels, parts and quantities in arrays and tables mean: shared by all readers that take them from columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarker import DataError, Options, Part

PARTS: Mapping[str, Part] = {
    "train": "train", "training": "train", "valid": "validation", "val": "validation", "validation": "validation",
    "test": "test",
}  # fmt: skip
_NAMED = 8

Label = str | int
Classes = tuple[str, ...] | Mapping[str, str] | None


class TargetOptions(Options):
    """The quantity of a regression."""

    name: str
    """Name of the array with its values, and of the quantity."""

    minimum: float
    """Lower limit of the quantity, in its unit; images with a smaller value stop the run."""

    maximum: float
    """Upper limit of the quantity, in its unit."""

    unit: str = ""
    """Unit in the notation of `astropy.units`; empty for a pure number."""


def plain(label: Any) -> Any:
    """Return a label as Python has it; whole numbers in other types than integers count as such.

    >>> import numpy as np
    >>> plain(np.float32(2.0)), plain(np.bytes_(b"FRI "))
    (2, 'FRI')
    """
    value = label.item() if hasattr(label, "item") else label
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value


def from_texts(texts: Sequence[str]) -> list[Label]:
    """Return the labels of a table: whole numbers where all texts that are not empty are such, otherwise the texts.

    >>> from_texts(["1", "2.0", ""]), from_texts(["1", "1F"])
    ([1, 2, ''], ['1', '1F'])
    """
    known = [text for text in texts if text]
    if known and all(text.removesuffix(".0").lstrip("+-").isdecimal() for text in known):
        return [int(text.removesuffix(".0")) if text else "" for text in texts]
    return list(texts)


def class_codes(counts: Mapping[Any, int], classes: Classes, place: str) -> tuple[tuple[str, ...], dict[Label, int]]:
    """Return the names of the classes, and the index of the class that each label means.

    Parameters
    ----------
    counts : mapping
        Number of images with each label.
    classes : sequence or mapping of str, optional
        Names of the classes of the numbers 0, 1, ..., or the texts to use; or the class of each label. Without it the
        classes are the texts, sorted; numbers are never given names by guessing.
    place : str
        Where the labels are, for messages.

    Raises
    ------
    DataError
        If numbers have no names, a number has no class, or a class has no image.
    """
    shown = ", ".join(f"{label} ({count})" for label, count in sorted(counts.items(), key=str)[:_NAMED])
    if not all(isinstance(label, str) for label in counts) and not all(isinstance(label, int) for label in counts):
        raise DataError(f"{place} must hold texts or whole numbers. Received: {shown}")
    numbers = bool(counts) and isinstance(next(iter(counts)), int)
    if numbers and classes is None:
        raise DataError(f"{place} holds numbers; name their classes in `classes`. Received: {shown}")
    if isinstance(classes, Mapping):
        names = tuple(dict.fromkeys(classes.values()))
        codes = {label: names.index(classes[str(label)]) for label in counts if str(label) in classes}
        wanted = ", ".join(f"{label} {name}" for label, name in classes.items())
    else:
        names = tuple(classes) if classes is not None else tuple(sorted(map(str, counts)))
        codes = {index if numbers else name: index for index, name in enumerate(names)}
        wanted = ", ".join(
            f"{label} {name}" if label != name else name for label, name in zip(codes, names, strict=True)
        )
    unknown = set(counts) - set(codes)
    absent = set(range(len(names))) - {codes[label] for label in counts if label in codes}
    if absent or len(names) < 2 or (unknown and numbers and not isinstance(classes, Mapping)):
        raise DataError(f"the labels in {place} should be {wanted}. Received: {shown or 'none'}")
    return names, codes


def two_classes(classes: Iterable[str] | None) -> None:
    """Refuse a list of fewer than two classes, or with a repeated one."""
    if classes is not None and len(set(classes)) < max(2, len(list(classes))):
        raise ValueError("'classes' needs two or more different names")
