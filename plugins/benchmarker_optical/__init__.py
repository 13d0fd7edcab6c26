"""Synthetic optical galaxies whose brightness, colour and size follow redshift and stellar mass."""

from __future__ import annotations

from benchmarker import Dataset, Registrar, hookimpl

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


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the data set."""
    registrar.dataset(_SYNTHETIC_OPTICAL)
