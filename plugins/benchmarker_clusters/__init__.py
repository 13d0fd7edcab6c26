"""Clusters: submits the cells of a study to a batch system, and shows how far they are."""

from __future__ import annotations

from benchmarker import Command, Registrar, hookimpl


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the commands."""
    for name, summary in (
        ("submit", "Submit what is left of a registry to Slurm or Ray, one task for each cell or group of cells."),
        ("status", "Show what of a study is finished, running, queued, failed or lost."),
        ("cancel", "Cancel the queued and running tasks of a study."),
    ):
        registrar.command(Command(name=name, command=f"benchmarker_clusters.commands:{name}", summary=summary))
