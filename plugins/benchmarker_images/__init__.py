"""Images of any survey in common layouts: a folder of images for each class, and arrays."""

from __future__ import annotations

from benchmarker import Dataset, Registrar, hookimpl


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the datasets `images-folder` and `arrays`."""
    registrar.dataset(
        Dataset(
            name="images-folder",
            loader="benchmarker_images.images_folder:load",
            reader="benchmarker_images.images_folder:read_image",
            licence="that of your images",
            citation="that of your images",
            options="benchmarker_images.images_folder:ImagesFolderOptions",
            summary="Your own PNG, JPEG, TIFF or FITS images in a folder for each class, with or without a split",
        )
    )
    registrar.dataset(
        Dataset(
            name="arrays",
            loader="benchmarker_images.arrays:load",
            licence="that of your images",
            citation="that of your images",
            options="benchmarker_images.arrays:ArraysOptions",
            summary="Your own images and labels as arrays of an HDF5 or npz file, or as a folder of npy files",
        )
    )
