"""Registered radio data sets: names, licences, references, downloads and checksums.

Every start of the command line imports this module, so it imports nothing but the façade.
"""

from __future__ import annotations

from benchmarker import Classification, Dataset, Download

FIRST_RADIO_GALAXIES = Download(
    filename="galaxy_data.zip",
    urls=(
        "https://zenodo.org/records/7689127/files/galaxy_data.zip?download=1",
        "https://zenodo.org/api/records/7689127/files/galaxy_data.zip/content",
    ),
    checksum="md5:79bc5dfae745fce0186a7e686e99dac8",
)


def _fold_file(name: str, md5: str) -> Download:
    filename = f"galaxy_data_crossvalid_{name}_h5.zip"
    return Download(
        filename=filename,
        urls=(
            f"https://zenodo.org/records/7689127/files/{filename}?download=1",
            f"https://zenodo.org/api/records/7689127/files/{filename}/content",
        ),
        checksum=f"md5:{md5}",
    )


FIRST_RADIO_GALAXIES_FOLDS = (
    _fold_file("0", "32c9f877e858e3ecca617bf9067ff624"),
    _fold_file("1", "1f7d40ca12cd71099d0d186300ea49d2"),
    _fold_file("2", "1af356cfebd8d134698c5ec98a20ed3f"),
    _fold_file("3", "7bc42465a46bed3a8df8d3b6713f92ab"),
    _fold_file("4", "a082a1113ff19035953fd3a6a8b54e9e"),
)
FIRST_RADIO_GALAXIES_FOLDS_TEST = _fold_file("test", "dcf6dc0a7f492a2d9d762a993c7c6db0")

FR_DEEP = Download(
    filename="FIRST_PNG_dataset.tar.gz",
    urls=(
        "https://www.jb.man.ac.uk/research/ascaife/FIRST_PNG_dataset.tar.gz",
        "http://www.jb.man.ac.uk/research/ascaife/FIRST_PNG_dataset.tar.gz",
    ),
    checksum="md5:2f39461e6c62fb45289559915106013a",
)

MIRABEST = Download(
    filename="MiraBest_F_batches.tar.gz",
    urls=(
        "https://www.jb.man.ac.uk/research/MiraBest/MiraBest_F/MiraBest_F_batches.tar.gz",
        "http://www.jb.man.ac.uk/research/MiraBest/MiraBest_F/MiraBest_F_batches.tar.gz",
    ),
    checksum="md5:7d4e3a623d29db7204bce81676ee8ce2",
)

DATASETS = (
    Dataset(
        name="fits-manifest",
        loader="benchmarker_radio.fits_manifest:load",
        reader="benchmarker_radio.fits_manifest:read_image",
        licence="that of your images",
        citation="that of your images",
        options="benchmarker_radio.fits_manifest:FitsManifestOptions",
        default_preparation={"clip_sigma": 3.0},
        default_split={"train": 250, "validation": 100},
        shortcuts={"manifest": "manifest"},
        default_for=("text-list-with-data",),
        summary="Your own FITS images: one folder per class, and a manifest with the columns Name and Type",
    ),
    Dataset(
        name="synthetic-radio",
        loader="benchmarker_radio.synthetic_radio:load",
        licence="MIT, as this package",
        citation="this package; pixels, beam and noise as in 1995ApJ...450..559B",
        task=Classification(classes=("COMP", "FRI", "FRII", "BENT")),
        options="benchmarker_radio.synthetic_radio:SyntheticRadioOptions",
        default_preparation={"clip_sigma": 3.0},
        default_split={"train": 0.6, "validation": 0.2},
        simulated=True,
        shortcuts={"image_size": "size"},
        default_for=("text-list",),
        summary="Synthetic compact, FRI, FRII and bent sources as FIRST would see them; nothing to download",
    ),
    Dataset(
        name="first-radio-galaxies",
        loader="benchmarker_radio.first_radio_galaxies:load",
        licence="MIT; FIRST images for scholarly, educational and non-commercial use",
        citation="doi:10.1016/j.dib.2023.108974",
        homepage="https://doi.org/10.5281/zenodo.7120632",
        task=Classification(classes=("FRI", "FRII", "Compact", "Bent")),
        downloads=(FIRST_RADIO_GALAXIES,),
        summary="2,158 FIRST images of 300 x 300 pixels in four classes, with the published split",
    ),
    Dataset(
        name="first-radio-galaxies-folds",
        loader="benchmarker_radio.first_radio_galaxies:load_fold",
        licence="MIT; FIRST images for scholarly, educational and non-commercial use",
        citation="doi:10.1016/j.dib.2023.108974",
        homepage="https://doi.org/10.5281/zenodo.7120632",
        task=Classification(classes=("FRI", "FRII", "Compact", "Bent")),
        downloads=(*FIRST_RADIO_GALAXIES_FOLDS, FIRST_RADIO_GALAXIES_FOLDS_TEST),
        options="benchmarker_radio.first_radio_galaxies:FoldOptions",
        summary="One of five published folds of first-radio-galaxies (1,405 + 353), and their test part of 400",
    ),
    Dataset(
        name="fr-deep",
        loader="benchmarker_radio.pickled_batches:load_fr_deep",
        licence="none given",
        citation="doi:10.1093/mnras/stz1883",
        homepage="https://www.jb.man.ac.uk/research/ascaife/",
        task=Classification(classes=("FRI", "FRII")),
        downloads=(FR_DEEP,),
        summary="FR-DEEP-F: 600 FIRST images of 150 x 150 pixels, FRI and FRII, with the published test part",
    ),
    Dataset(
        name="mirabest",
        loader="benchmarker_radio.pickled_batches:load_mirabest",
        licence="none given with the batches; see the homepage",
        citation="arXiv:2305.11108",
        homepage="https://doi.org/10.5281/zenodo.4288837",
        downloads=(MIRABEST,),
        options="benchmarker_radio.pickled_batches:MiraBestOptions",
        summary="MiraBest: FIRST or NVSS images of 150 x 150 pixels in ten sub-classes, with the published test part",
    ),
)
