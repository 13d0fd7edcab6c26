"""How ``synthetic-optical`` is registered: light, since every start of the command line reads it."""

from __future__ import annotations

from benchmarker import Dataset

SYNTHETIC_OPTICAL = Dataset(
    name="synthetic-optical",
    loader="benchmarker_optical.synthetic:load",
    licence="MIT, as this package",
    citation=(
        "this package; relations of 2003MNRAS.343..978S, 2003ApJS..149..289B and 2018ApJS..236...47W, "
        "stretch of 2004PASP..116..133L"
    ),
    options="benchmarker_optical.synthetic:SyntheticOpticalOptions",
    # Scaling each image by its own extremes would throw away how bright the galaxy is, which is what this set is for.
    default_preparation={"normalise": False},
    default_split={"train": 0.6, "validation": 0.2},
    drawn=True,
    summary="synthetic galaxies in g, r and i whose flux, colour and size follow redshift and stellar mass",
)
