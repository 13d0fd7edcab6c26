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
    checksum="sha256:d04a5d45a7a84989e9aed31da8a0adb0a9cce3252bce92ed7585efbc8c24f42a",
    # The same images as one HDF5 file, galaxy_data_h5.zip.
    other_checksums=("md5:37659bb2d4bf094fe6ccb9c012d3f163",),
)


def _fold_file(name: str, sha256: str) -> Download:
    filename = f"galaxy_data_crossvalid_{name}_h5.zip"
    return Download(
        filename=filename,
        urls=(
            f"https://zenodo.org/records/7689127/files/{filename}?download=1",
            f"https://zenodo.org/api/records/7689127/files/{filename}/content",
        ),
        checksum=f"sha256:{sha256}",
    )


FIRST_RADIO_GALAXIES_FOLDS = (
    _fold_file("0", "4d8309acd767f83d37e6c5310615d401e7e97f22cfa96082143cef4965920391"),
    _fold_file("1", "39e6b24a9c787e7fd9d95ce465ca10714987830005957c581695c16c0979e4b6"),
    _fold_file("2", "4022d81ce392c65bcfa8253b77ecf9d7cc50e2bbe2fcf29b38560da81013e24f"),
    _fold_file("3", "79c82451d97cf3a59c02107e25dd72c8b5b42ab23ab115af690cbb4d77bbfbc8"),
    _fold_file("4", "31efad6c49579b9435fb889ab950c0e20937cc90b15b40ee4839c9513adbb8db"),
)
FIRST_RADIO_GALAXIES_FOLDS_TEST = _fold_file("test", "66970c76097d24047821f5c0f1b357bff246a5a424ca2d308f47db7b6d10dc91")

FR_DEEP = Download(
    filename="FIRST_PNG_dataset.tar.gz",
    urls=("https://www.jb.man.ac.uk/research/ascaife/FIRST_PNG_dataset.tar.gz",),
    checksum="sha256:9bacbcc771a0b7d373ae1340e290bc1950531ed4fa1fa17d5d3d14295c9b2c48",
)


def _jodrell_bank(path: str, md5: str, *others: str) -> Download:
    # MD5 is the only checksum that the authors publish.
    return Download(
        filename=path.rpartition("/")[2],
        urls=(f"https://www.jb.man.ac.uk/research/MiraBest/{path}",),
        checksum=f"md5:{md5}",
        other_checksums=tuple(f"md5:{other}" for other in others),
    )


_MIRABEST_MD5 = {
    "F": "7d4e3a623d29db7204bce81676ee8ce2",
    "N": "198337a1eb655a1f8642c590979d0e71",
    "full": "965b5daa83b9d8622bb407d718eecb51",
    "basic": "6c9a3e6ca3c0f3d27f9f6dca1b9730e1",
}
# The repository of the 792 sources holds its own archive.
_MIRABEST_OTHERS = (*_MIRABEST_MD5.values(), "fa9d6ad8fdde95b0a19df11433e8bca3")

MIRABEST = {
    variant: _jodrell_bank(path, _MIRABEST_MD5[variant], *_MIRABEST_OTHERS)
    for variant, path in (
        ("F", "MiraBest_F/MiraBest_F_batches.tar.gz"),
        ("N", "MiraBest_N/MiraBest_N_batches.tar.gz"),
        ("full", "full_dataset/MiraBest_full_batches.tar.gz"),
        ("basic", "basic/MiraBest_basic_batches.tar.gz"),
    )
}

CRUMB = _jodrell_bank("CRUMB/CRUMB_batches.tar.gz", "a33c0564b99d66fb825e224a0392bc78")

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
        summary="One or all of the published folds of first-radio-galaxies (1,405 + 353), and their test part of 400",
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
        downloads=tuple(MIRABEST.values()),
        options="benchmarker_radio.pickled_batches:MiraBestOptions",
        summary="MiraBest: FIRST or NVSS images of 150 x 150 pixels in ten sub-classes, with the published test part",
    ),
    Dataset(
        name="crumb",
        loader="benchmarker_radio.crumb:load",
        licence="none given with the batches; see the homepage",
        citation="https://github.com/fmporter/CRUMB",
        homepage="https://github.com/fmporter/CRUMB",
        task=Classification(classes=("FRI", "FRII", "Hybrid")),
        downloads=(CRUMB,),
        options="benchmarker_radio.crumb:CrumbOptions",
        summary="CRUMB: 2,100 FIRST images of 150 x 150 pixels from four catalogues, with the published test part",
    ),
)
