"""Clusters of test sources that are not independent: read from and written to a study's ``clusters.csv``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import read_ordinary_text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CLUSTERS_FILE = "clusters.csv"
"""File in the folder of a study that names the cluster of each source."""

_HEAD = ("source_id", "cluster")


def read_clusters(path: Path) -> dict[str, str]:
    """Return the cluster of each source from a CSV file with the columns ``source_id`` and ``cluster``.

    Parameters
    ----------
    path : Path
        Path of the file.

    Returns
    -------
    dict of str to str
        Empty where there is no such file.

    Raises
    ------
    StorageError
        If the file cannot be read, lacks a column or names a source twice with two clusters.
    """
    try:
        if not path.is_file():
            return {}
        text = read_ordinary_text(path).removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    if missing := [name for name in _HEAD if name not in (reader.fieldnames or ())]:
        raise StorageError(f"{path} has no column {missing[0]!r}. It needs the columns source_id and cluster.")
    found: dict[str, str] = {}
    for row in reader:
        source, cluster = row["source_id"], row["cluster"]
        if not source or not cluster:
            raise StorageError(f"{path}, line {reader.line_num}: a source and its cluster are needed.")
        if found.setdefault(source, cluster) != cluster:
            raise StorageError(f"{path}, line {reader.line_num}: {source} is in two clusters.")
    return found


def clusters_text(clusters: Mapping[str, str]) -> str:
    """Return the text of a file of clusters, sorted by source."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows([_HEAD, *sorted(clusters.items())])
    return stream.getvalue()


def clusters_by_value(sources: Sequence[str], values: ArrayLike) -> dict[str, str]:
    """Return clusters of the sources with the same value of an attribute, such as the number of a mosaic.

    Parameters
    ----------
    sources : sequence of str
        Source of each of n images.
    values : array_like of shape (n,)
        The attribute of each image; a source without a value (NaN) is in a cluster of its own.

    Raises
    ------
    ConfigurationError
        If two images of a source have different values.
    """
    import numpy as np

    found: dict[str, str] = {}
    for source, value in zip(sources, np.asarray(values, dtype=np.float64).tolist(), strict=True):
        name = source if np.isnan(value) else f"{value:.10g}"
        if found.setdefault(source, name) != name:
            raise ConfigurationError(f"images of {source} have different values of the attribute, so it is no cluster.")
    return found


def clusters_by_position(sources: Sequence[str], ra: ArrayLike, dec: ArrayLike, radius: float) -> dict[str, str]:
    """Return clusters of sources that are linked by distances of at most a radius (friends of friends).

    Parameters
    ----------
    sources : sequence of str
        Source of each of n images.
    ra, dec : array_like of shape (n,)
        Right ascension and declination in degrees; a source without a position (NaN) is in a cluster of its own.
    radius : float
        Linking length in arcminutes.

    Returns
    -------
    dict of str to str
        Each cluster is named after its first source.

    References
    ----------
    Huchra and Geller 1982, ApJ 257, 423, doi:10.1086/160000.

    Examples
    --------
    >>> clusters_by_position(["a", "b", "c"], [10.0, 10.01, 20.0], [0.0, 0.0, 0.0], radius=1.0)
    {'a': 'a', 'b': 'a', 'c': 'c'}
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if radius <= 0:
        raise ConfigurationError(f"the radius must be positive. Received: {radius}")
    names = list(dict.fromkeys(sources))
    number = {name: k for k, name in enumerate(names)}
    longitude, latitude = np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
    known = np.isfinite(longitude) & np.isfinite(latitude)
    across = np.cos(latitude[known])
    points = np.stack(
        [across * np.cos(longitude[known]), across * np.sin(longitude[known]), np.sin(latitude[known])], 1
    )
    chord = 2 * np.sin(np.radians(min(radius / 60, 180.0)) / 2)
    pairs = cKDTree(points).query_pairs(chord, output_type="ndarray") if len(points) else np.zeros((0, 2), dtype=int)
    place = np.array([number[source] for source in sources])[known]
    links = coo_array((np.ones(len(pairs)), (place[pairs[:, 0]], place[pairs[:, 1]])), shape=(len(names), len(names)))
    _, labels = connected_components(links, directed=False)
    first: dict[int, str] = {}
    return {name: first.setdefault(int(label), name) for name, label in zip(names, labels, strict=True)}
