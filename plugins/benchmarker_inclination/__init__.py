"""Inclinations of spiral galaxies: the pipeline of Kourkchi's inclination networks, step by step."""

from __future__ import annotations

from benchmarker import Architecture, Command, Registrar, hookimpl

_CITATION = "github.com/ekourkchi/inclinet_project"


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the three networks and the command."""
    for number, minimum, summary in (
        (4, 20, "Two blocks of 16 and 32 filters for inclinations at 128 px"),
        (5, 76, "Three blocks of 128, 256 and 256 filters for inclinations at 128 px"),
        (6, 20, "Two blocks of 32 and 64 filters for inclinations at 128 px"),
    ):
        registrar.architecture(
            Architecture(
                name=f"inclinet_model{number}",
                builder=f"benchmarker_inclination.networks:model{number}",
                citation=_CITATION,
                minimum_size=minimum,
                summary=summary,
            )
        )
    registrar.command(
        Command(
            name="inclination",
            command="benchmarker_inclination.commands:inclination",
            summary="Prepare, split, augment, train and evaluate images of spirals, as the inclination pipeline does",
        )
    )
