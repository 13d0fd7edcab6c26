"""Inclinations of spiral galaxies: the pipeline of Kourkchi's inclination networks, step by step."""

from __future__ import annotations

from benchmarker import Architecture, Augmentation, Command, Dataset, Registrar, Report, hookimpl

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

_INCLINATION = Dataset(
    name="inclination",
    loader="benchmarker_inclination.catalogue_images:load",
    reader="benchmarker_inclination.catalogue_images:read_image",
    licence="yours",
    homepage="https://github.com/ekourkchi/inclinet_project",
    citation=_CITATION,
    options="benchmarker_inclination.catalogue_images:InclinationOptions",
    # As the published networks are fed: 8-bit pixels divided by 255.
    default_preparation={"normalise": False},
    default_split={"train": 0.7, "validation": 0.15, "test_seed": 100},
    summary="Your own catalogue of spirals with images in g, r, i and colour: inclinations, or accepted and rejected",
)

_UNIFORM = Augmentation(
    name="inclination-uniform",
    kind="expansion",
    builder="benchmarker_inclination.uniform:expand",
    options="benchmarker_inclination.uniform:UniformOptions",
    citation=_CITATION,
    summary="Transformed images that fill bins of 5 degrees equally: half in colour, half grey and partly inverted",
)


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register data sets, the augmentation, the networks, the report and the command."""
    registrar.dataset(_SYNTHETIC_SPIRALS)
    registrar.dataset(_INCLINATION)
    registrar.augmentation(_UNIFORM)
    registrar.architecture(
        Architecture(
            name="axis_ratio",
            builder="benchmarker_inclination.axis_ratio:build",
            citation="1926ApJ....64..321H",
            minimum_size=16,
            tasks=("regression",),
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
    registrar.report(
        Report(
            name="inclination",
            renderer="benchmarker_inclination.study_report:render",
            suffix=".md",
            summary="residuals of inclinations: members, medians and means, fitted line, bins of 5 degrees, outliers",
        )
    )
    registrar.command(
        Command(
            name="inclination",
            command="benchmarker_inclination.commands:inclination",
            summary="Prepare, split, augment, train and evaluate images of spirals, as the inclination pipeline does",
        )
    )
