"""Describe a dataset in Croissant, the metadata format of MLCommons that data hubs and search engines read."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.plugins import Dataset, Download
from benchmarker.contracts.tasks import Classification
from benchmarker.data.overview import NO_PART, PARTS, indices_by_part
from benchmarker.data.splits import Parts

METADATA_FILE = "croissant.json"
TABLE_FILE = "images.csv"
_VERSION = "http://mlcommons.org/croissant/1.0"
_SPLIT_URLS = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}
_TYPES = {".zip": "application/zip", ".gz": "application/gzip", ".h5": "application/x-hdf5", ".npz": "application/zip"}


def image_table(data: LabelledImages, parts: Parts | None) -> bytes:
    """Return the table of images that the metadata describe, as CSV in UTF-8.

    Parameters
    ----------
    data : LabelledImages
        The images.
    parts : Parts, optional
        Their parts.

    Returns
    -------
    bytes
        A row for each image: its source, its part (empty if it is in none), its class or targets, and its attributes;
        empty where a value is unknown. Numbers have all digits that are needed to read the same value again.
    """
    part = np.full(len(data), "", dtype="<U10")
    for name, indices in indices_by_part(data, parts).items():
        part[indices] = "" if name == NO_PART else name
    stream = io.StringIO(newline="")
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["source", "part", *_target_columns(data), *_attribute_columns(data)])
    columns = [data.attributes[name].values for name in data.attributes]
    for index, source in enumerate(data.source_ids):
        target = data.targets[index]
        if isinstance(data.task, Classification):
            values = [data.task.classes[int(target)]]
        else:
            values = [repr(float(value)) for value in target]
        known = [repr(float(column[index])) if np.isfinite(column[index]) else "" for column in columns]
        table.writerow([source, part[index], *values, *known])
    return stream.getvalue().encode()


def _target_columns(data: LabelledImages) -> dict[str, str]:
    """Return the columns of the targets, with the description of each."""
    if isinstance(data.task, Classification):
        return {"class": f"Class: {', '.join(data.task.classes)}."}
    return {target.name: _quantity(f"Target {target.name}", target.unit) for target in data.task.targets}


def _attribute_columns(data: LabelledImages) -> dict[str, str]:
    """Return the columns of the attributes by name, with the description of each."""
    taken = {"source", "part", *_target_columns(data)}
    return {
        f"attribute_{name}" if name in taken else name: _quantity(f"Attribute {name}", found.unit)
        for name, found in data.attributes.items()
    }


def _quantity(what: str, unit: str) -> str:
    return f"{what} in {unit}." if unit else f"{what}."


def croissant(dataset: Dataset, data: LabelledImages, parts: Parts | None, *, seed: int | None) -> dict[str, Any]:
    """Return the metadata of a dataset in Croissant 1.0.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    data : LabelledImages
        Its prepared images.
    parts : Parts, optional
        Their parts.
    seed : int, optional
        Seed of the parts.

    Returns
    -------
    dict
        JSON-LD: licence, citation, published files with their checksums, the table `image_table` with its SHA-256, a
        record set ``splits``, and a record set ``images`` whose records are the rows of the table.

    Notes
    -----
    The pixels stay in the published files, whose formats differ from set to set; the table says which source has which
    label and is in which part. Its SHA-256 changes with every label and every part, so the metadata name exactly one
    split of one dataset. A dataset has no version number and no date here, so a validator recommends to add both.

    References
    ----------
    Akhtar et al. 2024, "Croissant: A Metadata Format for ML-Ready Datasets", doi:10.1145/3650203.3663326.
    """
    table = image_table(data, parts)
    drawn = "" if parts is None else f" The split is that of seed {seed}." if seed is not None else ""
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _VERSION,
        "name": dataset.name,
        "description": f"{dataset.summary or dataset.name}. {len(data):,} images can be used.{drawn}",
        "license": dataset.licence,
        "citeAs": dataset.citation,
        "identifier": f"sha256:{data.digest}",
        "distribution": [*map(_file, dataset.downloads), _table_file(table)],
        "recordSet": [_splits(), _images(data)],
    }
    return {**described, "url": dataset.homepage} if dataset.homepage else described


def _file(download: Download) -> dict[str, Any]:
    """Return a published file."""
    kind, _, digest = download.checksum.partition(":")
    suffix = f".{download.filename.rpartition('.')[2]}"
    return {
        "@type": "cr:FileObject",
        "@id": download.filename,
        "name": download.filename,
        "description": "Published file with the pixels.",
        "contentUrl": download.urls[0],
        "encodingFormat": _TYPES.get(suffix, "application/octet-stream"),
        kind: digest,
    }


def _table_file(table: bytes) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": TABLE_FILE,
        "name": TABLE_FILE,
        "description": "Source, part and label of each image.",
        "contentUrl": TABLE_FILE,
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(table).hexdigest(),
    }


def _splits() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "Parts of the dataset; all images of a source are in one of them.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [_field("splits", "name", "sc:Text", "Name of the part."),
                  _field("splits", "url", "sc:URL", "What the part is for.")],
        "data": [{"splits/name": name, "splits/url": _SPLIT_URLS[name]} for name in PARTS],
    }  # fmt: skip


def _images(data: LabelledImages) -> dict[str, Any]:
    """Return the record set whose records are the rows of the table."""
    label = "sc:Text" if isinstance(data.task, Classification) else "sc:Float"
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "The images that can be used, in the order in which they are read.",
        "field": list(_image_fields(data, label)),
    }


def _image_fields(data: LabelledImages, label: str) -> Iterator[dict[str, Any]]:
    yield _column("source", "sc:Text", "Source in the image.")
    yield {**_column("part", "sc:Text", "Part of the split; empty if the image is in none."),
           "references": {"field": {"@id": "splits/name"}}}  # fmt: skip
    for name, text in _target_columns(data).items():
        yield _column(name, label, text)
    for name, text in _attribute_columns(data).items():
        yield _column(name, "sc:Float", text)


def _field(record_set: str, name: str, kind: str, text: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": f"{record_set}/{name}",
        "description": text,
        "dataType": kind,
    }


def _column(name: str, kind: str, text: str) -> dict[str, Any]:
    source = {"fileObject": {"@id": TABLE_FILE}, "extract": {"column": name}}
    return {**_field("images", name, kind, text), "source": source}


_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification asks for."""
