"""Dataset ``fits-manifest``: a user's own folder of FITS images, with a sub-folder per class and a manifest.

The layout is that of the comparison of Becker et al. 2021, MNRAS 503, 1828::

    my_galaxies/manifest.csv        Name,Type
    my_galaxies/FRI/3C_305.fits
    my_galaxies/FRII/3C_212.fits

Types are 1 COMP, 2 FRI, 3 FRII, 4 BENT; 1F (FR0) is left out. Without a manifest every sub-folder is a class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    DatasetContext,
    ImageRecord,
    Options,
    SkippedImage,
    UnreadableImageError,
    digest_file,
    read_fits_image,
)
from benchmarker_radio.manifest import read_manifest, spelling

_SUFFIXES = (".fits", ".fit", ".fts")
_COMPRESSED = ("", ".gz", ".fz")
_DEFAULT_MANIFEST = "manifest.csv"
_NO_CLASS = "no class: neither in the folder of a class nor in a manifest"

# Other spellings of the classes, as folders or in manifests; compared without case, hyphens, underscores and spaces.
_ALIASES = {
    "COMP": ("comp", "compact", "point"),
    "FRI": ("fri", "fr1"),
    "FRII": ("frii", "fr2"),
    "BENT": ("bent", "bt", "benttail", "wat", "nat"),
}


class FitsManifestOptions(Options):
    """Where the manifest is, and what its types mean."""

    manifest: str = _DEFAULT_MANIFEST
    """CSV file with the columns Name and Type; a relative path starts at the folder with the images."""

    classes: dict[str, str] = Field(default={"1": "COMP", "2": "FRI", "3": "FRII", "4": "BENT"}, min_length=1)
    """Class, which is also the name of its sub-folder, for each type; networks number the classes in this order."""

    extension: str | None = None
    """Ending of the image files, for example `.fits`; .fits, .fit and .fts, also with .gz or .fz, where left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    name: str
    label: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    sources: Sequence[_Source]
    skipped: Sequence[SkippedImage]


def load(options: FitsManifestOptions, context: DatasetContext) -> DatasetContents:
    """Find the images of a user's folder.

    Raises
    ------
    ConfigurationError
        If no folder is given, or a manifest that does not exist.
    DataError
        If the folder holds nothing that can be used; names every file with the reason.
    """
    folder = context.path
    if folder is None or not folder.is_dir():
        given = "no folder was given" if folder is None else f"{folder} is not a folder"
        raise ConfigurationError(
            f"fits-manifest reads your own FITS images, but {given}: "
            "give `-d FOLDER`, or `path: FOLDER` under `dataset`"
        )
    files = _Files(folder, options)
    manifest = folder / options.manifest
    if manifest.is_file():
        selection, manifest_digest = _listed(files, manifest), digest_file(manifest)
    elif manifest.exists():
        raise ConfigurationError(f"the manifest {manifest} is not a regular file: correct `-f`")
    elif options.manifest != _DEFAULT_MANIFEST:
        raise ConfigurationError(
            f"there is no manifest {manifest}: correct `-f`, or write one with the header Name,Type"
        )
    else:
        selection, manifest_digest = _by_folder(files), ""
    present = {source.label for source in selection.sources}
    classes = (*(c for c in files.classes if c in present), *sorted(present.difference(files.classes)))

    def records() -> Iterator[ImageRecord | SkippedImage]:
        yield from selection.skipped
        for source in selection.sources:
            try:
                image = read_fits_image(source.path)
            except UnreadableImageError as error:
                yield SkippedImage(name=files.relative(source.path), reason=error.reason)
            else:
                yield ImageRecord(image=image, target=classes.index(source.label), source_id=source.name)

    return DatasetContents(
        task=Classification(classes=classes),
        records=records,
        signature={"files": files.signature(), "manifest": manifest_digest},
        count=len(selection.sources) + len(selection.skipped),
    )


class _Files:
    """The FITS files of a folder and of its sub-folders, one level deep."""

    def __init__(self, folder: Path, options: FitsManifestOptions) -> None:
        self.folder = folder
        self.classes = tuple(dict.fromkeys(options.classes.values()))
        self.type_of = _spellings(options.classes)
        self.class_of_type: Mapping[str, str] = options.classes
        endings = (options.extension,) if options.extension else _SUFFIXES
        self._endings = tuple((e if e.startswith(".") else f".{e}").lower() + z for e in endings for z in _COMPRESSED)
        visible = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        self.folders = [path for path in visible if path.is_dir()]
        self.paths: list[Path] = [path for path in visible if self._is_fits(path)]
        self.foreign: list[Path] = []
        for sub_folder in self.folders:
            for path in sorted(p for p in sub_folder.iterdir() if p.is_file() and not p.name.startswith(".")):
                (self.paths if self._is_fits(path) else self.foreign).append(path)
        self._places: dict[tuple[str | None, str], list[Path]] = {}
        for path in self.paths:
            self._places.setdefault((self.label(path), self.stem(path)), []).append(path)

    def _is_fits(self, path: Path) -> bool:
        return path.is_file() and path.name.lower().endswith(self._endings)

    def stem(self, path: Path) -> str:
        """Return the name of the source in a file: its name without the ending."""
        ending = max((e for e in self._endings if path.name.lower().endswith(e)), key=len, default="")
        return path.name[: len(path.name) - len(ending)]

    def label(self, path: Path) -> str | None:
        """Return the class whose folder a file is in, in the spelling of the options; None in the folder itself."""
        if path.parent == self.folder:
            return None
        kind = self.type_of.get(spelling(path.parent.name))
        return self.class_of_type[kind] if kind else path.parent.name

    def find(self, name: str, label: str) -> list[Path]:
        """Return the files of a source of the manifest: in the folder of its class, else in the folder itself."""
        stem = self.stem(Path(name))
        return next((found for place in (label, None) if (found := self._places.get((place, stem)))), [])

    def relative(self, path: Path) -> str:
        """Return how the user knows a file."""
        return path.relative_to(self.folder).as_posix()

    def signature(self) -> list[Any]:
        """Return name, size and time of change of each file."""
        stats = [(self.relative(path), path.stat()) for path in sorted([*self.paths, *self.foreign])]
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def _spellings(classes: Mapping[str, str]) -> dict[str, str]:
    """Return the type for each spelling of a type or of its class."""
    known: dict[str, str] = {}
    for kind, label in classes.items():
        for word in (kind, label, *_ALIASES.get(label.upper(), ())):
            known.setdefault(spelling(word), kind)
    return known


def _listed(files: _Files, path: Path) -> _Selection:
    """Select what the manifest lists; everything else in the folder is named as skipped."""
    manifest = read_manifest(path, files.type_of)
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
            sources.append(_Source(name=files.stem(Path(name)), label=label, path=found[0]))
            used.update(found[:1])
    missing = [entry for entry in skipped if entry.name in manifest.types]
    if manifest.types and len(missing) == len(manifest.types):
        raise DataError(
            f"{files.folder}: none of the {len(missing)} sources of {path.name} has a file there; expected for example "
            f"{missing[0].reason.rpartition(' ')[2]}. Folders: {', '.join(f.name for f in files.folders) or 'none'}"
        )
    if not sources:
        raise DataError(_table(files.folder, f"{path.name} lists no source that can be used", skipped))
    skipped += [_skip(files, other, "not in the manifest") for other in files.paths if other not in used]
    return _Selection(sources=sources, skipped=[*skipped, *_foreign(files)])


def _by_folder(files: _Files) -> _Selection:
    """Select every FITS file in a sub-folder, the sub-folder being its class."""
    labels: dict[str, list[Path]] = {}
    for path in files.paths:
        if files.label(path) is not None:
            labels.setdefault(files.stem(path), []).append(path)
    sources: list[_Source] = []
    skipped = [_skip(files, path, _why(path)) for path in files.paths if files.label(path) is None]
    for name, paths in sorted(labels.items()):
        if len(paths) > 1:
            places = " and ".join(files.relative(path) for path in paths)
            skipped += [_skip(files, path, f"the same source twice: {places}") for path in paths]
        else:
            sources.append(_Source(name=name, label=str(files.label(paths[0])), path=paths[0]))
    if not sources:
        advice = "put them into a sub-folder for each class, or write manifest.csv with the header Name,Type"
        raise DataError(
            _table(files.folder, f"no FITS image can be used: {advice}", skipped)
            if skipped
            else f"{files.folder} holds no FITS files: expected a sub-folder for each class and manifest.csv"
        )
    return _Selection(sources=sources, skipped=[*skipped, *_foreign(files)])


def _why(path: Path) -> str:
    """Return why a file outside of any class cannot be used: because of the file itself, or for want of a class."""
    import numpy as np

    try:
        image = read_fits_image(path)
    except UnreadableImageError as error:
        return error.reason
    return "every pixel is NaN" if bool(np.isnan(image).all()) else _NO_CLASS


def _skip(files: _Files, path: Path, reason: str) -> SkippedImage:
    return SkippedImage(name=files.relative(path), reason=reason)


def _foreign(files: _Files) -> list[SkippedImage]:
    return [_skip(files, path, "not a FITS file by its name") for path in files.foreign]


def _table(folder: Path, problem: str, skipped: Sequence[SkippedImage]) -> str:
    return "\n".join([f"{folder}: {problem}.", *(f"  {entry.name}: {entry.reason}" for entry in skipped)])
