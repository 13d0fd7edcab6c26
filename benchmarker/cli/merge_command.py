"""``benchmarker merge``: joins studies that ran on several machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from benchmarker.cli.options import PATH, command_settings, json_option
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.maintenance.merge import Merged

CONFLICTS = 1


@click.command(
    **command_settings(
        "benchmarker merge results/laptop results/cluster --into results/all",
        "benchmarker merge results/cluster --into results/laptop",
    )
)
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...", type=PATH)
@click.option("--into", required=True, metavar="FOLDER", type=PATH,
              help="A new folder, or a study to which the others are added.")  # fmt: skip
@json_option
def merge(studies: tuple[Path, ...], into: Path, as_json: bool) -> int:
    """Join studies of the same data, for example from several machines.

    The new study has all cells of the others and each finished run once; a failed run is copied only if no study has a
    result for its cell. The studies themselves stay as they are, and no result is ever overwritten.

    If two studies have different runs of a cell, the first is kept, and the first link of their trails that differs is
    shown. Runs that are still in progress are not copied. The exit code is 1 if any run was not copied.
    """
    from benchmarker.maintenance.merge import merge_studies

    merged = merge_studies(studies, into)
    if as_json:
        import json

        echo(json.dumps(merged.to_json(), indent=2, ensure_ascii=False))
    else:
        _report(merged, into)
    return 0 if merged.clean else CONFLICTS


def _report(merged: Merged, into: Path) -> None:
    for conflict in merged.conflicts:
        echo(
            f"conflict: {conflict.cell}: the runs differ at {conflict.link!r}: {conflict.detail}\n"
            f"  kept {conflict.kept}\n  left {conflict.left}"
        )
    for line in merged.damaged:
        echo(f"not copied: {line}")
    for line in merged.notes:
        echo(f"note: {line}")
    rest = "".join(f", {n} {word}" for n, word in ((merged.failed, "failed"), (merged.pending, "pending")) if n)
    there = f", {merged.identical} were there already" if merged.identical else ""
    bad = f", {len(merged.conflicts)} in conflict" if merged.conflicts else ""
    echo(f"{into}: {merged.copied} run(s) copied{there}{bad}; {merged.ok} of {merged.cells} cells finished{rest}.")
