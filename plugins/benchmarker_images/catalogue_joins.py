"""Join catalogues by identifier or by position on the sky."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarker import SourceTable
from benchmarker_images.catalogue_options import Join
from benchmarker_images.sky_columns import read_position

_log = logging.getLogger(__name__)

_ARCSEC = np.pi / 180 / 3600
_NOTHING = -1


@dataclass(slots=True, kw_only=True)
class Rows:
    """What is known of each row while catalogues are joined."""

    names: list[str]
    """Name of each row in messages."""

    ids: list[str]
    position: NDArray[np.float64]
    labels: list[str]
    attributes: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    """Why a row is left out: the first reason found."""

    def leave_out(self, row: int, reason: str) -> None:
        """Leave a row out, unless it is left out already for another reason."""
        self.reasons.setdefault(row, reason)


def join_table(table: SourceTable, join: Join, rows: Rows) -> None:
    """Add the labels and attributes of another catalogue to the rows that have a partner there.

    Parameters
    ----------
    table : SourceTable
        The other catalogue.
    join : Join
        How rows find their partners, and what is taken from them.
    rows : Rows
        The rows of the main catalogue, which are changed.

    Notes
    -----
    By identifier, the partner is the row with exactly the same text. An identifier that the other catalogue repeats
    joins its first row if all its rows agree in what is taken from them, and none otherwise. By position, the partner
    is the nearest row; how many sources have several within the radius is logged.
    """
    if join.id is not None:
        partners = _by_identifier(table, join, rows)
        missing = f"{join.catalogue} has no row for it"
    else:
        partners = _by_position(table, join, rows)
        missing = f"{join.catalogue} has no source within {join.radius:g} arcsec"
    found = partners != _NOTHING
    _log.info("%s: %d of %d sources have a partner", table.path, int(found.sum()), len(rows.names))
    if join.required:
        for row in np.flatnonzero(~found).tolist():
            rows.leave_out(row, missing)
    for name, column in join.attributes.items():
        rows.attributes[name] = np.where(found, table.numbers(column)[partners], np.nan)
        rows.units[name] = table.unit(column)
    if join.label is not None:
        labels = table.texts(join.label)
        rows.labels[:] = [
            own or (labels[partner] if partner != _NOTHING else "")
            for own, partner in zip(rows.labels, partners.tolist(), strict=True)
        ]


def _by_identifier(table: SourceTable, join: Join, rows: Rows) -> NDArray[np.int64]:
    taken = [*join.attributes.values(), *([join.label] if join.label is not None else [])]
    values = list(zip(*(table.texts(column) for column in taken), strict=True)) or [()] * len(table)
    first: dict[str, int] = {}
    ambiguous: set[str] = set()
    for row, name in enumerate(table.texts(join.id or "")):
        if values[first.setdefault(name, row)] != values[row]:
            ambiguous.add(name)
    first.pop("", None)
    for row in (row for row, name in enumerate(rows.ids) if name in ambiguous):
        rows.leave_out(row, f"{join.catalogue} has several different rows for it")
    return np.array([first.get(name, _NOTHING) for name in rows.ids], dtype=np.int64)


def _by_position(table: SourceTable, join: Join, rows: Rows) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree

    other = _unit_vectors(read_position(table, join.ra or "", join.dec or ""))
    own = _unit_vectors(rows.position)
    partners = np.full(len(own), _NOTHING, dtype=np.int64)
    known, usable = np.isfinite(own).all(axis=1), np.flatnonzero(np.isfinite(other).all(axis=1))
    if not len(usable) or not known.any():
        return partners
    # The chord of an angle grows with it, so the nearest in space is the nearest on the sky.
    chord = 2 * np.sin((join.radius or 0.0) * _ARCSEC / 2)
    distances, indices = cKDTree(other[usable]).query(own[known], k=min(2, len(usable)), distance_upper_bound=chord)
    distances, indices = distances.reshape(known.sum(), -1), indices.reshape(known.sum(), -1)
    near = np.isfinite(distances)
    several = int((near.sum(axis=1) > 1).sum())
    if several:
        _log.warning("%s: %d source(s) have several partners; the nearest is taken", table.path, several)
    partners[np.flatnonzero(known)[near[:, 0]]] = usable[indices[near[:, 0], 0]]
    return partners


def _unit_vectors(position: NDArray[np.float64]) -> NDArray[np.float64]:
    ra, dec = np.radians(position).T
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
