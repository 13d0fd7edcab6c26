"""``benchmarker gc``: frees what nobody needs any more, and says first what that is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.options import PATH, command_settings, json_option
from benchmarker.cli.output import show

if TYPE_CHECKING:
    from benchmarker.maintenance.gc import Inventory

DEFAULT_DAYS = 30.0


@click.command(
    **command_settings(
        "benchmarker gc",
        "benchmarker gc results/quickstart --older-than 0",
        "benchmarker gc --cache --older-than 90 --yes",
    )
)
@click.argument("studies", nargs=-1, metavar="[STUDY]...", type=PATH)
@click.option(
    "--cache", is_flag=True, help="Look through prepared data and downloads; without STUDY, through these alone."
)
@click.option("--older-than", metavar="DAYS", type=click.FloatRange(min=0), default=DEFAULT_DAYS, show_default=True,
              help="For what might still be wanted: unused for so long.")  # fmt: skip
@click.option("--dry-run/--yes", default=True, help="Only show what would be freed (the default), or free it.")
@json_option
def gc(studies: tuple[Path, ...], cache: bool, older_than: float, dry_run: bool, as_json: bool) -> int:
    """Free disk space: what would go, with reason and size, and with --yes its removal.

    At any age go remains of commands that were ended, and unfinished or failed runs of cells that have finished since.
    After --older-than days go snapshots of runs that could go on, failed runs with their tracebacks (their cells are
    pending then), and runs that no cell of the plan has; with --cache prepared data and downloads. Finished runs of the
    plan stay, and so does everything of a study that a run works on. Without STUDY: all studies in results/.
    """
    from benchmarker.data.cache import cache_folder
    from benchmarker.maintenance.gc import free, look_through, studies_below

    chosen = list(studies) or ([] if cache else studies_below(Path("results")))
    found = look_through(chosen, cache_folder() if cache else None, older_than=older_than)
    freed = 0 if dry_run else free(found.items)
    if as_json:
        import json

        items = [item.to_json() for item in found.items]
        value = {"items": items, "bytes": found.n_bytes, "kept": found.kept, "freed_bytes": freed}
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        _tell(found, dry_run=dry_run, freed=freed)
    return 0


def _tell(found: Inventory, *, dry_run: bool, freed: int) -> None:
    from rich.table import Table

    from benchmarker.disk import format_size

    for line in found.kept:
        click.echo(f"kept: {line}")
    if not found.items:
        click.echo("There is nothing to free.")
        return
    table = Table("size", "what", "why", "where", box=None, pad_edge=False, header_style="bold")
    table.columns[0].justify = "right"
    table.columns[3].overflow = "fold"
    for item in sorted(found.items, key=lambda item: (-item.n_bytes, str(item.path))):
        table.add_row(format_size(item.n_bytes), item.kind, item.reason, str(item.path))
    show(table)
    n = len(found.items)
    if dry_run:
        click.echo(f"{n} item(s), {format_size(found.n_bytes)} in all. Nothing was removed; --yes frees it.")
    else:
        click.echo(f"{n} item(s), {format_size(freed)} freed.")
