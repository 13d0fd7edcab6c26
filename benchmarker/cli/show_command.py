"""``benchmarker show``: a study's plan with the status of each cell, or one run in full."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli import output
from benchmarker.cli.options import command_settings, study_argument
from benchmarker.errors import ConfigurationError
from benchmarker.study.selectors import select_runs

if TYPE_CHECKING:
    from benchmarker.results.study import CellRecord, GeneratorRecord, Study


@click.command(
    **command_settings(
        "benchmarker show results/quickstart",
        "benchmarker show results/quickstart convxpress/real/8901",
        "benchmarker show results/quickstart 3fa9c1",
    )
)
@study_argument
@click.argument("cell", required=False)
def show(study: Path, cell: str | None) -> None:
    """Show the cells of a study with their results, or all details of one cell.

    CELL is network/arm/seed, network/arm or network, as far as that is unique, or the beginning of a key.
    """
    from benchmarker.cli import show_views
    from benchmarker.results.study import read_study

    found = read_study(study)
    if cell is None:
        output.show(show_views.study_view(found))
        return
    output.show(show_views.run_view(found, find_cell(found, cell)))


def find_cell(study: Study, selector: str) -> CellRecord | GeneratorRecord:
    """Return the one cell or generator that a selector names.

    Raises
    ------
    ConfigurationError
        If there are none or several.
    """
    known: list[CellRecord | GeneratorRecord] = [*study.cells, *study.generators]
    found = select_runs(known, selector, where=str(study.folder))
    if len(found) > 1:
        names = ", ".join(f"{record.name} ({record.key[:8]})" for record in found[:8])
        more = " ..." if len(found) > 8 else ""
        raise ConfigurationError(f"{selector!r} may be {len(found)} cells: {names}{more}")
    return found[0]
