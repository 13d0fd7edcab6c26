"""Digests the code of a generator, so that what older code has trained or drawn is not taken for its work."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

from benchmarker.digests import digest_file, digest_json

_SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)


def digest_code(reference: str) -> str:
    """Return the SHA-256 of the code that a builder is part of: of its package, or of its module alone.

    The same files give the same digest wherever and whenever they were installed. What the package imports from others
    is not looked at.

    Parameters
    ----------
    reference : str
        ``"package.module:function"``, which can be imported.
    """
    names = reference.partition(":")[0].split(".")
    files: dict[str, Path] = {}
    for length in range(1, len(names) + 1):
        spec = find_spec(".".join(names[:length]))
        if spec is None or spec.origin is None:  # a namespace, which packages of others share
            continue
        for folder in map(Path, spec.submodule_search_locations or ()):
            found = (path for path in folder.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())
            files |= {path.relative_to(folder).as_posix(): path for path in found}
        files = files or {Path(spec.origin).name: Path(spec.origin)}
        break
    return digest_json({name: digest_file(path) for name, path in files.items() if path.is_file()})
