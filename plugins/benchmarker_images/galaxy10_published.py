"""What was published of Galaxy10: names of classes, addresses and checksums; no library is imported for these."""

from __future__ import annotations

from benchmarker import Download

DECALS_CLASSES = (
    "Disturbed",
    "Merging",
    "Round Smooth",
    "In-between Round Smooth",
    "Cigar Shaped Smooth",
    "Barred Spiral",
    "Unbarred Tight Spiral",
    "Unbarred Loose Spiral",
    "Edge-on without Bulge",
    "Edge-on with Bulge",
)
"""Classes of Galaxy10 DECaLS in the order of their numbers."""

SDSS_CLASSES = (
    "Disk, Face-on, No Spiral",
    "Smooth, Completely round",
    "Smooth, in-between round",
    "Smooth, Cigar shaped",
    "Disk, Edge-on, Rounded Bulge",
    "Disk, Edge-on, Boxy Bulge",
    "Disk, Edge-on, No Bulge",
    "Disk, Face-on, Tight Spiral",
    "Disk, Face-on, Medium Spiral",
    "Disk, Face-on, Loose Spiral",
)
"""Classes of Galaxy10 SDSS in the order of their numbers."""

DECALS_FILE = Download(
    filename="Galaxy10_DECals.h5",
    urls=("https://zenodo.org/records/10845026/files/Galaxy10_DECals.h5",),
    checksum="sha256:19aefc477c41bb7f77ff07599a6b82a038dc042f889a111b0d4d98bb755c1571",
)
SDSS_FILE = Download(
    filename="Galaxy10.h5",
    urls=("https://zenodo.org/records/10844811/files/Galaxy10.h5",),
    checksum="sha256:969a6b1cefcc36e09fffa86febd2f699a4aa19b837ba0427f01b0bc6ded458af",
)
