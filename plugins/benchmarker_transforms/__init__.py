"""Classical augmentations: rotations and repeats as expansions; flips, shifts and quarter turns as transforms."""

from __future__ import annotations

from benchmarker import Augmentation, Registrar, hookimpl

_AUGMENTATIONS = (
    Augmentation(
        name="rotations",
        kind="expansion",
        builder="benchmarker_transforms.rotations:expand",
        options="benchmarker_transforms.rotations:RotationOptions",
        shortcuts={"rotation": "step"},
        default_for=("text-list",),
        citation="2021MNRAS.503.1828B",
        summary="Rotated copies of every image at all multiples of an angle, rendered on demand",
    ),
    Augmentation(
        name="repeats",
        kind="expansion",
        builder="benchmarker_transforms.repeats:expand",
        options="benchmarker_transforms.repeats:RepeatOptions",
        summary="Repeated real images: a control with as many gradient steps as an arm with generated images",
    ),
    Augmentation(
        name="flips",
        kind="transform",
        builder="benchmarker_transforms.random_transforms:flip",
        options="benchmarker_transforms.random_transforms:FlipOptions",
        draws_per_image=2,
        summary="Mirror left-right and up-down, each with probability 1/2",
    ),
    Augmentation(
        name="shifts",
        kind="transform",
        builder="benchmarker_transforms.random_transforms:shift",
        options="benchmarker_transforms.random_transforms:ShiftOptions",
        draws_per_image=2,
        summary="Shift by whole pixels along both axes, filling with zeros",
    ),
    Augmentation(
        name="quarter-turns",
        kind="transform",
        builder="benchmarker_transforms.random_transforms:quarter_turn",
        draws_per_image=1,
        summary="Rotate by 0, 90, 180 or 270 degrees with equal probability",
    ),
)


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the augmentations."""
    for augmentation in _AUGMENTATIONS:
        registrar.augmentation(augmentation)
