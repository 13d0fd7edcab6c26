"""Generative adversarial networks: deep convolutional ones, and conditional ones."""

from __future__ import annotations

from benchmarker import Generator, Registrar, hookimpl

_QUALITY = "benchmarker_gan.quality:measure"


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the GANs."""
    registrar.generator(
        Generator(
            name="dcgan",
            builder="benchmarker_gan.dcgan:build",
            options="benchmarker_gan.options:DcganOptions",
            quality=_QUALITY,
            citation="arXiv:1511.06434",
            summary="Deep convolutional GAN, one for each class or one for all",
        )
    )
    registrar.generator(
        Generator(
            name="cgan",
            builder="benchmarker_gan.cgan:build",
            options="benchmarker_gan.options:CganOptions",
            quality=_QUALITY,
            citation="arXiv:1802.05637",
            summary="GAN that is told a class, redshift, mass or other conditions, and follows them",
        )
    )
