"""Optical galaxies of known redshift and stellar mass: synthetic ones, and tables like that of galaxyCGAN."""

from __future__ import annotations

from benchmarker import Architecture, Dataset, Registrar, Report, hookimpl

_SYNTHETIC_OPTICAL = Dataset(
    name="synthetic-optical",
    loader="benchmarker_optical.synthetic_optical:load",
    licence="MIT, as this package",
    citation=(
        "this package; relations of 2003MNRAS.343..978S, 2003ApJS..149..289B and 2018ApJS..236...47W, "
        "stretch of 2004PASP..116..133L"
    ),
    options="benchmarker_optical.synthetic_optical:SyntheticOpticalOptions",
    # Normalising each image separately would destroy the apparent brightness, which is the point of this data set.
    default_preparation={"normalise": False},
    default_split={"train": 0.6, "validation": 0.2},
    simulated=True,
    summary="Synthetic galaxies in g, r and i whose flux, colour and size follow redshift and stellar mass",
)

_HSC_GALAXIES = Dataset(
    name="hsc-galaxies",
    loader="benchmarker_optical.hsc_table:load",
    licence="that of your images",
    citation="https://github.com/egentry/galaxyCGAN",
    options="benchmarker_optical.hsc_table:HscOptions",
    # The logarithm of the flux tells near from distant galaxies; normalising each image would remove it.
    default_preparation={"normalise": False},
    default_split={"train": 0.66, "validation": 0.17},
    summary="Your own galaxies as arrays of images and identifiers with a table of redshift and stellar mass",
)


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register data sets, network and report."""
    registrar.dataset(_SYNTHETIC_OPTICAL)
    registrar.dataset(_HSC_GALAXIES)
    registrar.architecture(
        Architecture(
            name="simple_classifier",
            builder="benchmarker_optical.simple_classifier:build",
            citation="https://github.com/egentry/galaxyCGAN",
            minimum_size=8,
            summary="Three pooled convolutions of growing kernels, for dwarf galaxies in 50 x 50 pixels",
        )
    )
    registrar.report(
        Report(
            name="redshift",
            renderer="benchmarker_optical.redshift_report:render",
            suffix=".md",
            summary="redshifts: bias, normalised median absolute deviation and outliers of runs and ensembles",
        )
    )
