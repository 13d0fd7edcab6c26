"""How a registry describes a catalogue: which column means what, and what other catalogues add."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from benchmarker import Options, Radius
from benchmarker_images.labels import two_classes


class ColumnMap(Options):
    """Names of the columns of a catalogue: the exact name, or the one that differs from it only in case."""

    id: str | None = None
    """Name of the source; images with the same one show the same source. By default the name of the file."""

    file: str | tuple[str, ...] | None = None
    """Name of the image file, with or without its extension; several columns for one file in each band."""

    label: str | None = None
    """Class of the source."""

    ra: str | None = None
    """Right ascension: degrees, another unit that the catalogue names, or hours, minutes and seconds as text."""

    dec: str | None = None
    """Declination: degrees, another unit that the catalogue names, or degrees, minutes and seconds as text."""

    part: str | None = None
    """Part of the published split: train, validation (valid, val) or test."""

    attributes: dict[str, str] = Field(default_factory=dict)
    """Further quantities: the column for each name of an attribute, such as `{redshift: z_spec}`."""

    @model_validator(mode="after")
    def _both_axes(self) -> Self:
        if (self.ra is None) is not (self.dec is None):
            raise ValueError("'ra' and 'dec' belong together; give both or neither")
        return self


class TableOptions(Options):
    """A file with a catalogue."""

    catalogue: str
    """CSV or other text, ECSV, VOTable, FITS table or Parquet; a relative path starts at the folder with the images."""

    separator: str | None = None
    """Character between the fields of a text file; by default it is found."""

    table_hdu: int | str | None = None
    """Number or EXTNAME of the HDU with the table of a FITS file; by default the first table."""


class Join(TableOptions):
    """Another catalogue that is joined by identifier, or by position if a radius is given."""

    id: str | None = None
    """Column with the identifiers of the main catalogue."""

    ra: str | None = None
    """Column of the right ascension, as in the main catalogue."""

    dec: str | None = None
    """Column of the declination, as in the main catalogue."""

    radius: Radius | None = None
    """Take the nearest row within this angle: a number of arcsec, or a text such as `5 arcsec`."""

    label: str | None = None
    """Column with classes, for sources without one in the main catalogue."""

    attributes: dict[str, str] = Field(default_factory=dict)
    """Quantities to add: the column for each name of an attribute."""

    required: bool = False
    """Leave sources out that have no partner; otherwise their quantities are unknown."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_position = (self.ra is not None, self.dec is not None, self.radius is not None)
        if any(by_position) and not all(by_position):
            raise ValueError("a join by position needs 'ra', 'dec' and 'radius'")
        if all(by_position) is (self.id is not None):
            raise ValueError("a join needs either 'id', or 'ra', 'dec' and 'radius'")
        return self


class QuantityOptions(Options):
    """The quantity of a regression."""

    name: str
    """Name of the quantity."""

    column: str | None = None
    """Column with its values; by default the column of the same name."""

    minimum: float | None = None
    """Lower limit, in the unit of the column; a smaller value stops the run. By default the smallest value."""

    maximum: float | None = None
    """Upper limit, in the unit of the column; by default the largest value."""


class CatalogueOptions(TableOptions):
    """A catalogue, the meaning of its columns, and what other catalogues add."""

    columns: ColumnMap = ColumnMap()
    """Names of the columns."""

    units: dict[str, str] = Field(default_factory=dict)
    """Units of attributes and of the target, where the catalogue names none or another, as in `astropy.units`."""

    joins: tuple[Join, ...] = ()
    """Other catalogues to join, in this order."""

    classes: dict[str, str] | tuple[str, ...] | None = None
    """Class of each label, such as `{"1": FRI, "2": FRII}`, or the labels to use; by default all texts, sorted. Rows
    with other labels are left out and counted."""

    target: QuantityOptions | None = None
    """The quantity of a regression, instead of classes."""

    @model_validator(mode="after")
    def _label_or_target(self) -> Self:
        two_classes(set(self.classes.values()) if isinstance(self.classes, dict) else self.classes)
        labelled = self.columns.label is not None or any(join.label is not None for join in self.joins)
        if labelled is (self.target is not None):
            raise ValueError("give either the column of the 'label', or the 'target' of a regression")
        if any(join.radius is not None for join in self.joins) and self.columns.ra is None:
            raise ValueError("a join by position needs the columns 'ra' and 'dec' of the main catalogue")
        return self
