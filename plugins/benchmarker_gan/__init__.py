"""Generative adversarial networks for galaxies, and measures of the quality of generated images."""

from __future__ import annotations

from benchmarker import Generator, Registrar, hookimpl

_QUALITY = "benchmarker_gan.quality:measure"


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the generators."""
    registrar.generator(
        Generator(
            name="dcgan",
            builder="benchmarker_gan.dcgan:build",
            check="benchmarker_gan.possible:check_dcgan",
            options="benchmarker_gan.presets:DcganOptions",
            quality=_QUALITY,
            citation="arXiv:1511.06434",
            summary="Deep convolutional GAN: one per class, or a single unconditional one",
        )
    )
    registrar.generator(
        Generator(
            name="cgan",
            builder="benchmarker_gan.cgan:build",
            check="benchmarker_gan.possible:check_cgan",
            options="benchmarker_gan.presets:CganOptions",
            quality=_QUALITY,
            citation="arXiv:1802.05637",
            summary="Conditional GAN for classes and continuous conditions such as redshift and stellar mass",
        )
    )
