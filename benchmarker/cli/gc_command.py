"""``benchmarker gc``: list files that are no longer needed, and remove them on request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.options import PATH, command_settings, json_option
from benchmarker.cli.output import show
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.maintenance.gc import Inventory

DEFAULT_DAYS = 30.0
_MOST_SHOWN = 200


@click.command(
    **command_settings(
        "benchmarker gc",
        "benchmarker gc results/quickstart --older-than 0",
        "benchmarker gc --cache --older-than 90 --yes",
    )
)
@click.argument("studies", nargs=-1, metavar="[STUDY]...", type=PATH)
@click.option("--cache", is_flag=True, help="Also remove prepared data and downloads; without STUDY, only these.")
@click.option("--older-than", metavar="DAYS", type=click.FloatRange(min=0), default=DEFAULT_DAYS, show_default=True,
              help="Age at which files that may still be useful are removed.")  # fmt: skip
@click.option("--dry-run/--yes", default=True, help="Only list the files (default), or remove them.")
@json_option
def gc(studies: tuple[Path, ...], cache: bool, older_than: float, dry_run: bool, as_json: bool) -> int:
    """List files that are no longer needed, with reason and size, and remove them with --yes.

    Removed at any age: temporary files of commands that were killed, and unfinished or failed runs of cells that have
    finished since.

    Removed after --older-than days: snapshots of interrupted runs, failed runs (their cells become pending), and runs
    that do not belong to the plan; with --cache also prepared data and downloads.

    Finished runs of the plan are never removed, and nothing is removed from a study that is being run. Without STUDY,
    all studies in results/ are searched.
    """
    from benchmarker.maintenance.gc import find_garbage, free, studies_below
    from benchmarker.paths import cache_folder

    chosen = list(studies) or ([] if cache else studies_below(Path("results")))
    found = find_garbage(chosen, cache_folder() if cache else None, older_than=older_than)
    freed = 0 if dry_run else free(found.items)
    if as_json:
        import json

        items = [item.to_json() for item in found.items]
        value = {"items": items, "bytes": found.n_bytes, "kept": found.kept, "freed_bytes": freed}
        echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _report(found, dry_run=dry_run, freed=freed)
    return 0


def _report(found: Inventory, *, dry_run: bool, freed: int) -> None:
    from rich.table import Table

    from benchmarker.disk import format_size

    for line in found.kept:
        echo(f"kept: {line}")
    if not found.items:
        echo("There is nothing to remove.")
        return
    table = Table("size", "what", "why", "where", box=None, pad_edge=False, header_style="bold")
    table.columns[0].justify = "right"
    table.columns[3].overflow = "fold"
    largest_first = sorted(found.items, key=lambda item: (-item.n_bytes, str(item.path)))
    for item in largest_first[:_MOST_SHOWN]:
        table.add_row(format_size(item.n_bytes), item.kind, item.reason, str(item.path))
    show(table)
    n = len(found.items)
    if n > _MOST_SHOWN:
        echo(f"... and {n - _MOST_SHOWN:,} more, none of them larger; --json lists all.")
    if dry_run:
        echo(f"{n} item(s), {format_size(found.n_bytes)} in all. Nothing was removed; --yes removes them.")
    else:
        echo(f"{n} item(s), {format_size(freed)} freed.")
