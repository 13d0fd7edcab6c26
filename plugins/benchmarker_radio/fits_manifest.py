"""Dataset ``fits-manifest``: the user's own FITS images, with a sub-folder for each class and a manifest.

The layout is that of the comparison of Becker et al. 2021, MNRAS 503, 1828::

    my_galaxies/manifest.csv        Name,Type
    my_galaxies/FRI/3C_305.fits
    my_galaxies/FRII/3C_212.fits

The types are 1 COMP, 2 FRI, 3 FRII and 4 BENT; sources of type 1F (FR0) are left out. Without a manifest every
sub-folder is a class. Files and rows that cannot be used are reported with a reason, not dropped silently.
"""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import Field, NonNegativeInt

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Member,
    Options,
    SkippedImage,
    SkyImage,
    UnreadableImageError,
    digest_file,
    framework_grey,
    read_fits,
    read_sky_image,
    read_text_rows,
    remark,
)

_SUFFIXES = (".fits", ".fit", ".fts")
_COMPRESSED = ("", ".gz", ".fz", ".bz2")
_LISTED = 10
_DEFAULT_MANIFEST = "manifest.csv"
_NO_CLASS = "no class: neither in the folder of a class nor in a manifest"
_NAME_COLUMNS = ("name", "object", "source", "file", "filename")
_TYPE_COLUMNS = ("type", "class", "label")
_LEFT_OUT = {"1F": "sub-class 1F (FR0) is left out"}

# Other spellings of the classes in folder names and manifests, compared without case, hyphens, underscores and spaces.
_ALIASES = {
    "COMP": ("comp", "compact", "point"),
    "FRI": ("fri", "fr1"),
    "FRII": ("frii", "fr2"),
    "BENT": ("bent", "bt", "benttail", "wat", "nat"),
}


class FitsManifestOptions(Options):
    """Where the manifest is, and what its types mean."""

    manifest: str = _DEFAULT_MANIFEST
    """CSV or other text with the columns Name and Type; a relative path starts at the folder with the images."""

    classes: dict[str, str] = Field(default={"1": "COMP", "2": "FRI", "3": "FRII", "4": "BENT"}, min_length=1)
    """Class of each type, which is also the name of its sub-folder; networks number the classes in this order."""

    extension: str | None = None
    """Extension of the image files, such as `.fits` or `_cutout.fits`; by default .fits, .fit and .fts, also with .gz,
    .fz or .bz2."""

    hdu: int | str | None = None
    """Number (0 is the primary one) or EXTNAME of the HDU with the image; by default the science image is found."""

    # Left out of what decides a cell's key where they are not used, so that keys stay what they were before.
    planes: Literal["all"] | tuple[NonNegativeInt, ...] | None = Field(
        default=None, min_length=1, exclude_if=lambda value: value is None
    )
    """Planes of cubes that become channels: `all`, or their numbers, such as `[0, 2]`; cubes are skipped by default."""

    colour: Literal["as-it-is", "radio-framework"] = Field(
        default="as-it-is", exclude_if=lambda value: value == "as-it-is"
    )
    """What becomes of the channels of cubes: nothing (`as-it-is`), or one of them, 0.3 R + 0.59 G + 0.11 B of three and
    the mean of others (`radio-framework`)."""

    separator: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """Character between the fields of the manifest; by default it is found."""

    name_column: str | None = None
    """Column of the manifest with the names of the sources; by default Name, Object, Source, File or Filename."""

    type_column: str | None = None
    """Column of the manifest with the types; by default Type, Class or Label, or a column that begins so."""

    manifest_order: bool = False
    """Keep the place of each source in the manifest, which `draw: manifest` of the split needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    name: str
    label: str
    path: Path
    row: str = ""
    """Name as the manifest writes it, where there is one."""

    number: bool = False
    """Whether a number in the manifest is all that says which class it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    sources: Sequence[_Source]
    skipped: Sequence[SkippedImage]
    order: Mapping[str, int]
    """Place of each name in the manifest, counted from 0 without those that are left out; empty without a manifest."""


def load(options: FitsManifestOptions, context: DatasetContext) -> DatasetContents:
    """Find the images in the user's folder.

    Parameters
    ----------
    options : FitsManifestOptions
        Manifest, classes and extension.
    context : DatasetContext
        The user's folder.

    Returns
    -------
    DatasetContents
        One record per source, and one `SkippedImage` per file or row that cannot be used.
        A source has its name in the manifest, or else the path of its file without the extension, such as
        ``FRI/3C_305``; the same file name in the folders of two classes means two sources.

    Raises
    ------
    ConfigurationError
        If no folder is given, or the manifest does not exist.
    DataError
        If nothing in the folder can be used, or no image of one class; the message gives the reasons.
    """
    folder = context.path
    if folder is None or not folder.is_dir():
        given = "no folder was given" if folder is None else f"{folder} is not a folder"
        raise ConfigurationError(
            f"fits-manifest reads your own FITS images, but {given}: "
            "give `-d FOLDER`, or `path: FOLDER` under `dataset`"
        )
    files = _Files(folder, options)
    selection, manifest_digest = _select(files, folder / options.manifest, options)
    if options.manifest_order and not selection.order:
        raise ConfigurationError(f"manifest_order needs a manifest, but there is no {folder / options.manifest}")
    order = selection.order if options.manifest_order else {}
    units = {"manifest_row": "", "manifest_rows": ""} if order else {}
    present = {source.label for source in selection.sources}
    classes = (*(c for c in files.classes if c in present), *sorted(present.difference(files.classes)))

    def records() -> Iterator[ImageRecord | SkippedImage]:
        yield from selection.skipped
        unread: dict[str, list[SkippedImage]] = {label: [] for label in classes}
        for source in selection.sources:
            try:
                image = _read_fits(source.path, options)
            except UnreadableImageError as error:
                skipped = SkippedImage(name=files.relative(source.path), reason=error.reason)
                unread[source.label].append(skipped)
                yield skipped
            else:
                if source.number and "classes" not in options.model_fields_set:
                    meaning = ", ".join(f"{kind} {label}" for kind, label in options.classes.items())
                    remark(
                        f"only a number in the manifest gives the class, taken as {meaning}; `classes` says so",
                        files.relative(source.path),
                    )
                attributes = {"manifest_row": order[source.row], "manifest_rows": len(order)} if order else {}
                target = classes.index(source.label)
                yield ImageRecord(
                    image=image.pixels, target=target, source_id=source.name, attributes=attributes, sky=image.sky
                )
        for label, failed in unread.items():
            if failed and len(failed) == sum(source.label == label for source in selection.sources):
                raise DataError(files.report(f"no image of the class {label} can be read", failed))

    return DatasetContents(
        task=Classification(classes=classes),
        records=records,
        signature={"files": files.signature(), "manifest": manifest_digest},
        count=len(selection.sources) + len(selection.skipped),
        attribute_units=units,
    )


def _select(files: _Files, manifest: Path, options: FitsManifestOptions) -> tuple[_Selection, str]:
    """Select the images, and return them with the digest of the manifest, which is empty without one."""
    if manifest.is_file():
        return _select_listed(files, manifest, options), digest_file(manifest)
    if manifest.exists():
        raise ConfigurationError(f"the manifest {manifest} is not a regular file: correct `-f`")
    if options.manifest != _DEFAULT_MANIFEST:
        raise ConfigurationError(
            f"there is no manifest {manifest}: correct `-f`, or write one with the header Name,Type"
        )
    return _select_by_folder(files), ""


class _Files:
    """The FITS files of a folder and of its immediate sub-folders."""

    def __init__(self, folder: Path, options: FitsManifestOptions) -> None:
        self.folder = folder
        self.classes = tuple(dict.fromkeys(options.classes.values()))
        self.type_of = _spellings(options.classes)
        self.class_of_type: Mapping[str, str] = options.classes
        endings = (options.extension,) if options.extension else _SUFFIXES
        self._endings = tuple((e if "." in e else f".{e}").lower() + z for e in endings for z in _COMPRESSED)
        self.unnameable: list[SkippedImage] = []
        visible = self._visible(folder)
        self.folders = [path for path in visible if path.is_dir()]
        self.paths: list[Path] = [path for path in visible if self._is_fits(path)]
        self.other: list[Path] = []
        for sub_folder in self.folders:
            for path in (path for path in self._visible(sub_folder) if path.is_file()):
                (self.paths if self._is_fits(path) else self.other).append(path)
        self._by_label_and_stem: dict[tuple[str | None, str], list[Path]] = {}
        for path in self.paths:
            self._by_label_and_stem.setdefault((self.label(path), self.stem(path)), []).append(path)

    def _visible(self, folder: Path) -> list[Path]:
        """Return what a folder holds, sorted; files whose names are not text are skipped by name."""
        visible = []
        for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
            try:
                path.name.encode()
            except UnicodeEncodeError:
                name = os.fsencode(path.relative_to(self.folder)).decode("utf-8", "backslashreplace")
                self.unnameable.append(SkippedImage(name=name, reason="its name is not UTF-8; rename it"))
            else:
                visible.append(path)
        return visible

    def _is_fits(self, path: Path) -> bool:
        return path.is_file() and path.name.lower().endswith(self._endings)

    def stem(self, path: Path) -> str:
        """Return the file name without its extension, in composed Unicode: macOS writes accents as separate letters."""
        return PurePosixPath(self.source(path.name)).name

    def source(self, name: str) -> str:
        """Return a name as manifests or relative paths give it, without its extension and in composed Unicode."""
        ending = max((e for e in self._endings if name.lower().endswith(e)), key=len, default="")
        return unicodedata.normalize("NFC", name[: len(name) - len(ending)])

    def label(self, path: Path) -> str | None:
        """Return the class of the folder that a file is in, or None for a file in the top folder."""
        if path.parent == self.folder:
            return None
        kind = self.type_of.get(_spelling(path.parent.name))
        return self.class_of_type[kind] if kind else path.parent.name

    def find(self, name: str, label: str) -> list[Path]:
        """Return the files of a source in the folder of its class or else in the top folder."""
        if "/" in name:
            return [path for path in self.paths if self.source(self.relative(path)) == name]
        stem = self.stem(Path(name))
        for folder_label in (label, None):
            if found := self._by_label_and_stem.get((folder_label, stem)):
                return found
        return []

    def relative(self, path: Path) -> str:
        """Return the path of a file relative to the user's folder."""
        return path.relative_to(self.folder).as_posix()

    def skip(self, path: Path, reason: str) -> SkippedImage:
        """Return the record of a file that is not used."""
        return SkippedImage(name=self.relative(path), reason=reason)

    def skip_other(self) -> list[SkippedImage]:
        """Return the records of the files without the extension of an image."""
        return [*self.unnameable, *(self.skip(path, "no FITS extension in its name") for path in self.other)]

    def signature(self) -> list[Any]:
        """Return name, size and modification time of each file."""
        stats = [(self.relative(path), path.stat()) for path in sorted([*self.paths, *self.other])]
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]

    def report(self, problem: str, skipped: Sequence[SkippedImage]) -> str:
        """Return an error message with a line for each of the first files or rows that are not used."""
        lines = [f"  {entry.name}: {entry.reason}" for entry in skipped[:_LISTED]]
        if len(skipped) > _LISTED:
            lines.append(f"  ... and {len(skipped) - _LISTED:,} more")
        return "\n".join([f"{self.folder}: {problem}.", *lines])


def _spelling(text: str) -> str:
    """Return a word in the form in which words are compared: lower case without hyphens, underscores and spaces."""
    return text.lower().replace("-", "").replace("_", "").replace(" ", "")


def _spellings(classes: Mapping[str, str]) -> dict[str, str]:
    """Return the type for each spelling of a type or of its class."""
    known: dict[str, str] = {}
    for kind, label in classes.items():
        for word in (kind, label, *_ALIASES.get(label.upper(), ())):
            known.setdefault(_spelling(word), kind)
    return known


def _select_listed(files: _Files, path: Path, options: FitsManifestOptions) -> _Selection:
    """Select the sources in the manifest; everything else in the folder is reported as skipped."""
    manifest = _read_manifest(path, files, options)
    skipped = [SkippedImage(name=name, reason=reason) for name, reason in manifest.left_out.items()]
    sources: list[_Source] = []
    used = {path for path in files.paths if files.stem(path) in manifest.left_out}
    for name, kind in manifest.types.items():
        label = files.class_of_type[kind]
        found = files.find(name, label)
        if not found:
            reason = f"in the manifest (type {kind}), but there is no file {label}/{name}.fits"
            skipped.append(SkippedImage(name=name, reason=reason))
        else:
            number = name in manifest.numbers and found[0].parent == files.folder
            sources.append(_Source(name=name, label=label, path=found[0], row=name, number=number))
            used.update(found[:1])
    missing = [entry for entry in skipped if entry.name in manifest.types]
    if manifest.types and len(missing) == len(manifest.types):
        raise DataError(
            f"{files.folder}: none of the {len(missing)} sources in {path.name} has a file there; expected for example "
            f"{missing[0].reason.rpartition(' ')[2]}. Folders: {', '.join(f.name for f in files.folders) or 'none'}"
        )
    if not sources:
        raise DataError(files.report(f"{path.name} lists no source that can be used", skipped))
    skipped += [files.skip(other, "not in the manifest") for other in files.paths if other not in used]
    return _Selection(sources=sources, skipped=[*skipped, *files.skip_other()], order=manifest.order)


def _select_by_folder(files: _Files) -> _Selection:
    """Select every FITS file in a sub-folder, whose name is the class."""
    by_name: dict[str, list[Path]] = {}
    for path in files.paths:
        if files.label(path) is not None:
            by_name.setdefault(files.source(files.relative(path)), []).append(path)
    sources: list[_Source] = []
    skipped = [files.skip(path, _why_unused(path)) for path in files.paths if files.label(path) is None]
    for name, paths in sorted(by_name.items()):
        if len(paths) > 1:
            copies = " and ".join(files.relative(path) for path in paths)
            skipped += [files.skip(path, f"the same source twice: {copies}") for path in paths]
        else:
            sources.append(_Source(name=name, label=str(files.label(paths[0])), path=paths[0]))
    if not sources:
        advice = "put them into a sub-folder for each class, or write manifest.csv with the header Name,Type"
        raise DataError(
            files.report(f"no FITS image can be used: {advice}", skipped)
            if skipped
            else f"{files.folder} contains no FITS files: expected a sub-folder for each class and manifest.csv"
        )
    return _Selection(sources=sources, skipped=[*skipped, *files.skip_other()], order={})


def read_image(member: Member, options: FitsManifestOptions) -> SkyImage:
    """Read one image file as the data set does; pictures and arrays as they are."""
    return read_sky_image(member, hdu=options.hdu, planes=options.planes, colour=options.colour)


def _read_fits(path: Path, options: FitsManifestOptions) -> SkyImage:
    image = read_fits(path, hdu=options.hdu, planes=options.planes)
    return replace(image, pixels=framework_grey(image.pixels)) if options.colour == "radio-framework" else image


def _why_unused(path: Path) -> str:
    """Return why a file outside any class cannot be used: it is unreadable, it is blank, or it has no class."""
    import numpy as np

    try:
        image = read_fits(path).pixels
    except UnreadableImageError as error:
        return error.reason
    return "every pixel is NaN" if bool(np.isnan(image).all()) else _NO_CLASS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    """Type of each source that can be used, and the reason for each that cannot, both sorted by name."""

    types: Mapping[str, str]
    left_out: Mapping[str, str]
    order: Mapping[str, int]
    """Place of each name, in the order of the rows, without sub-classes that are left out."""

    numbers: frozenset[str]
    """Names of the sources whose type is written as a number."""


def _read_manifest(path: Path, files: _Files, options: FitsManifestOptions) -> _Manifest:
    """Read a manifest in UTF-8 with a header such as ``Name,Type``; columns may be in any order and spelling."""
    known = files.type_of
    try:
        lines = read_text_rows(path.read_bytes(), path, options.separator)
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: the manifest cannot be read as text: {error}") from error
    name_column, type_column = _columns(path, lines[0][1] if lines else [], options)
    found: dict[str, set[str]] = {}
    unknown: dict[str, str] = {}
    numbers: set[str] = set()
    for number, row in lines[1:]:
        name, given = (row[column] if column < len(row) else "" for column in (name_column, type_column))
        kind = known.get(_spelling(given.removesuffix(".0"))) or (given.upper() if given.upper() in _LEFT_OUT else None)
        if kind is None or not name:
            types = ", ".join(f"{kind} {label}" for kind, label in options.classes.items())
            expected = f"expected a name and one of the types {types}. Received: {','.join(row)!r}"
            unknown[name or f"line {number}"] = f"line {number} of the manifest: {expected}"
        else:
            found.setdefault(files.source(name), set()).add(kind)
            if given.removesuffix(".0").isdecimal():
                numbers.add(files.source(name))
    if not found and not unknown:
        raise DataError(f"{path}: the manifest lists no source")
    return _resolve_types(found, unknown, numbers)


def _columns(path: Path, header: list[str], options: FitsManifestOptions) -> tuple[int, int]:
    """Return the numbers of the columns with the names and the types."""
    words = [_spelling(word) for word in header]
    found = []
    for option, given, exact in (
        ("name_column", options.name_column, _NAME_COLUMNS),
        ("type_column", options.type_column, _TYPE_COLUMNS),
    ):
        wanted = exact if given is None else (_spelling(given),)
        columns = [column for column, word in enumerate(words) if word in wanted]
        if not columns and given is None and option == "type_column":
            columns = [column for column, word in enumerate(words) if word.startswith(_TYPE_COLUMNS)]
        if not columns:
            expected = "the columns Name and Type" if given is None else f"the column {given} ({option})"
            raise DataError(
                f"{path}:1: expected a header with {expected}. Received: {','.join(header) or 'an empty file'}"
            )
        if len(columns) > 1:
            names = " and ".join(header[column] for column in columns)
            raise DataError(f"{path}:1: {names} could all be the {option.replace('_', ' ')}: name one as `{option}`")
        found += columns
    return found[0], found[1]


def _resolve_types(found: Mapping[str, set[str]], unknown: Mapping[str, str], numbers: set[str]) -> _Manifest:
    """Separate the sources with one usable type from those that are left out."""
    types: dict[str, str] = {}
    left_out = dict(unknown)
    for name, kinds in sorted(found.items()):
        if len(kinds) > 1:
            left_out[name] = f"the manifest gives it the types {' and '.join(sorted(kinds))}"
        elif name not in unknown:
            (kind,) = kinds
            if kind in _LEFT_OUT:
                left_out[name] = _LEFT_OUT[kind]
            else:
                types[name] = kind
    listed = [name for name, kinds in found.items() if not kinds <= set(_LEFT_OUT)]
    order = {name: place for place, name in enumerate(listed)}
    return _Manifest(types=types, left_out=dict(sorted(left_out.items())), order=order, numbers=frozenset(numbers))
