"""Inclinations of spiral galaxies: the pipeline of Kourkchi's inclination networks, step by step."""

from __future__ import annotations

from benchmarker import Architecture, Command, Dataset, Registrar, hookimpl

_CITATION = "github.com/ekourkchi/inclinet_project"

_SYNTHETIC_SPIRALS = Dataset(
    name="synthetic-spirals",
    loader="benchmarker_inclination.synthetic_spirals:load",
    licence="MIT, as this package",
    citation="this package; 1981A&A....95..105V, 1999A&A...344..868X, doi:10.1088/0004-637X/737/2/103",
    options="benchmarker_inclination.synthetic_spirals:SyntheticSpiralsOptions",
    # All images share one scale of brightness, which normalising each of them would undo.
    default_preparation={"normalise": False},
    default_split={"train": 0.7, "validation": 0.15},
    simulated=True,
    summary="Synthetic spirals with dust and arms in g, r and i, of known inclination",
)


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the data set, the networks and the command."""
    registrar.dataset(_SYNTHETIC_SPIRALS)
    registrar.architecture(
        Architecture(
            name="axis_ratio",
            builder="benchmarker_inclination.axis_ratio:build",
            citation="1926ApJ....64..321H",
            minimum_size=16,
            summary="Baseline for inclinations: axis ratio from moments, disc of finite thickness, fitted line",
        )
    )
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
