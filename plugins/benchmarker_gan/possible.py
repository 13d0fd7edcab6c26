"""What the GANs can be built for; `benchmarker validate` asks before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarker import ConditionSpace, ConfigurationError
from benchmarker_gan.image_sizes import check_multiple_of_8, side_of_square, start_and_doublings
from benchmarker_gan.presets import CganOptions, DcganOptions

CLASS = "class"
SMALLEST_CGAN = 16
"""Height and width in pixels of the smallest images that ``cgan`` makes."""


def names(conditions: ConditionSpace) -> tuple[str, ...]:
    """Return the names of conditions as a registry gives them."""
    return (*((CLASS,) if conditions.classes else ()), *conditions.attributes)


def check_dcgan(conditions: Sequence[str], image_size: tuple[int, int] | None, options: DcganOptions) -> None:
    """Check that ``dcgan`` can be built.

    Parameters
    ----------
    conditions : sequence of str
        Names of the conditions; ``"class"`` is the class.
    image_size : tuple of int, optional
        Height and width in pixels; None if they are unknown.
    options : DcganOptions
        Options with the preset.

    Raises
    ------
    ConfigurationError
        If there are continuous conditions, or the networks cannot generate images of this size.

    Examples
    --------
    >>> check_dcgan(("class",), (48, 48), DcganOptions())
    >>> check_dcgan(("class", "redshift"), None, DcganOptions())
    Traceback (most recent call last):
        ...
    benchmarker.errors.ConfigurationError: dcgan generates images of classes or unconditional ones; for continuous \
    conditions use cgan, or leave the conditions out. Received: conditions redshift
    """
    continuous = [name for name in conditions if name != CLASS]
    if continuous:
        raise ConfigurationError(
            "dcgan generates images of classes or unconditional ones; for continuous conditions use cgan, or leave the "
            f"conditions out. Received: conditions {', '.join(continuous)}"
        )
    if image_size is None:
        return
    try:
        check = check_multiple_of_8 if options.preset == "radio" else start_and_doublings
        check(side_of_square(image_size))
    except ConfigurationError as error:
        raise ConfigurationError(f"dcgan with preset {options.preset!r}: {error}") from error


def check_cgan(conditions: Sequence[str], image_size: tuple[int, int] | None, options: CganOptions) -> None:  # noqa: ARG001 - part of the contract
    """Check that ``cgan`` can be built; the parameters are those of `check_dcgan`.

    Raises
    ------
    ConfigurationError
        If there are no conditions, or the networks cannot generate images of this size.

    Examples
    --------
    >>> check_cgan(("redshift",), (50, 50), CganOptions())
    >>> check_cgan(("redshift",), (12, 12), CganOptions())
    Traceback (most recent call last):
        ...
    benchmarker.errors.ConfigurationError: cgan generates images of 16 pixels or more. Received: 12 pixels
    """
    if not conditions:
        raise ConfigurationError("cgan needs classes or attributes as conditions; use dcgan for unconditional images")
    if image_size is not None and (size := side_of_square(image_size)) < SMALLEST_CGAN:
        raise ConfigurationError(f"cgan generates images of {SMALLEST_CGAN} pixels or more. Received: {size} pixels")
