"""Classical augmentations: rotations and repeats as expansions; flips, shifts and quarter turns as transforms."""

from __future__ import annotations

from benchmarker import Augmentation, Registrar, hookimpl


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the augmentations."""
    registrar.augmentation(
        Augmentation(
            name="rotations",
            kind="expansion",
            builder="benchmarker_transforms.rotations:expand",
            options="benchmarker_transforms.rotations:RotationOptions",
            shortcuts={"rotation": "step"},
            stands_for=("text-list",),
            citation="2021MNRAS.503.1828B",
            summary="Every image at every multiple of a step in angle, rendered when it is needed",
        )
    )
    registrar.augmentation(
        Augmentation(
            name="repeats",
            kind="expansion",
            builder="benchmarker_transforms.repeats:expand",
            options="benchmarker_transforms.repeats:RepeatOptions",
            summary="Images once more, as control for the gradient steps of generated ones",
        )
    )
    registrar.augmentation(
        Augmentation(
            name="flips",
            kind="transform",
            builder="benchmarker_transforms.flips:flip",
            options="benchmarker_transforms.flips:FlipOptions",
            draws_per_image=2,
            summary="Mirror left-right and up-down, each with probability one half",
        )
    )
    registrar.augmentation(
        Augmentation(
            name="shifts",
            kind="transform",
            builder="benchmarker_transforms.shifts:shift",
            options="benchmarker_transforms.shifts:ShiftOptions",
            draws_per_image=2,
            summary="Move by whole pixels along both axes; zeros come in",
        )
    )
    registrar.augmentation(
        Augmentation(
            name="quarter-turns",
            kind="transform",
            builder="benchmarker_transforms.quarter_turns:turn",
            draws_per_image=1,
            summary="Rotate by 0, 90, 180 or 270 degrees, each with probability one quarter",
        )
    )
