"""Images of any survey: in a folder for each class, in a catalogue, as arrays, and the colour galaxies of Galaxy10."""

from __future__ import annotations

from benchmarker import Classification, Dataset, Registrar, hookimpl
from benchmarker_images.galaxy10_published import DECALS_CLASSES, DECALS_FILE, SDSS_CLASSES, SDSS_FILE

_DATASETS = (
    Dataset(
        name="images-folder",
        loader="benchmarker_images.images_folder:load",
        reader="benchmarker_images.images_folder:read_image",
        licence="that of your images",
        citation="that of your images",
        options="benchmarker_images.images_folder:ImagesFolderOptions",
        summary="Your own PNG, JPEG, TIFF or FITS images in a folder for each class, with or without a split",
    ),
    Dataset(
        name="fits-cutouts",
        loader="benchmarker_images.fits_cutouts:load",
        reader="benchmarker_images.fits_cutouts:read_image",
        licence="that of your images",
        citation="that of your images",
        options="benchmarker_images.fits_cutouts:FitsCutoutsOptions",
        summary="Your own FITS images or pictures, listed in a catalogue (CSV, ECSV, VOTable, FITS table, Parquet)",
    ),
    Dataset(
        name="arrays",
        loader="benchmarker_images.arrays:load",
        licence="that of your images",
        citation="that of your images",
        options="benchmarker_images.array_records:ArraysOptions",
        summary="Your own images and labels as arrays of HDF5 or npz files, or as a folder of npy files",
    ),
    Dataset(
        name="parquet",
        loader="benchmarker_images.parquet:load",
        licence="that of your images",
        citation="that of your images",
        options="benchmarker_images.parquet:ParquetOptions",
        summary="Your own images or embeddings in Parquet files, as on Hugging Face and in the Multimodal Universe",
    ),
    Dataset(
        name="galaxy10-decals",
        loader="benchmarker_images.galaxy10:load_decals",
        licence="see the homepage",
        citation="2022MNRAS.509.3966W",
        homepage="https://zenodo.org/records/10845026",
        task=Classification(classes=DECALS_CLASSES),
        downloads=(DECALS_FILE,),
        default_preparation={"resize": 128},
        default_split={"train": 0.8, "validation": 0.1},
        summary="Galaxy10 DECaLS: 17,736 colour images of 256 x 256 pixels in ten classes, resized to 128",
    ),
    Dataset(
        name="galaxy10-sdss",
        loader="benchmarker_images.galaxy10:load_sdss",
        licence="see the homepage",
        citation="2011MNRAS.410..166L",
        homepage="https://zenodo.org/records/10844811",
        task=Classification(classes=SDSS_CLASSES),
        downloads=(SDSS_FILE,),
        default_split={"train": 0.8, "validation": 0.1},
        summary="Galaxy10 SDSS: 21,785 colour images of 69 x 69 pixels in ten classes",
    ),
)


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the datasets."""
    for dataset in _DATASETS:
        registrar.dataset(dataset)
