"""The sets that are not downloaded: a user's own FITS images, and the embedded synthetic sources."""

from __future__ import annotations

from benchmarker import Classification, Dataset

OWN = (
    Dataset(
        name="fits-manifest",
        loader="benchmarker_radio.fits_manifest:load",
        licence="that of your images",
        citation="that of your images",
        options="benchmarker_radio.fits_manifest:FitsManifestOptions",
        default_preparation={"clip_sigma": 3.0},
        default_split={"train": 250, "validation": 100},
        shortcuts={"manifest": "manifest"},
        stands_for=("text-list-with-data",),
        summary="your own FITS images: a folder for each class, and a manifest with the columns Name and Type",
    ),
    Dataset(
        name="synthetic-radio",
        loader="benchmarker_radio.synthetic:load",
        licence="MIT, as this package",
        citation="this package; pixels, beam and noise as in 1995ApJ...450..559B",
        task=Classification(classes=("COMP", "FRI", "FRII", "BENT")),
        options="benchmarker_radio.synthetic:SyntheticRadioOptions",
        default_preparation={"clip_sigma": 3.0},
        default_split={"train": 0.6, "validation": 0.2},
        drawn=True,
        shortcuts={"image_size": "size"},
        stands_for=("text-list",),
        summary="synthetic compact, FRI, FRII and bent sources as FIRST would see them; nothing to download",
    ),
)
