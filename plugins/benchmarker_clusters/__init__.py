"""Clusters: runs the cells of a study on Slurm or Ray."""

from __future__ import annotations

from benchmarker import Executor, Registrar, hookimpl


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the executors."""
    registrar.executor(
        Executor(
            name="slurm",
            executor="benchmarker_clusters.on_slurm:SlurmExecutor",
            options="benchmarker_clusters.on_slurm:SlurmOptions",
            summary="array jobs of Slurm, with readable job scripts",
        )
    )
    registrar.executor(
        Executor(
            name="ray",
            executor="benchmarker_clusters.on_ray:RayExecutor",
            options="benchmarker_clusters.on_ray:RayOptions",
            summary="tasks on a Ray cluster, or on Ray on this machine",
        )
    )
