"""``benchmarker airflow``: a registry as a DAG of Airflow."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from benchmarker import UserPath, command_settings, echo


@click.command(
    name="airflow",
    **command_settings(
        "benchmarker airflow registries/quickstart.yaml --out dags",
        "benchmarker airflow mine.yaml --out dags --image galaxy-benchmarker:cpu --mount /data",
    ),
)
@click.argument("registry", type=UserPath())
@click.option("--out", "folder", type=UserPath(), required=True, metavar="FOLDER", help="Folder of DAG files.")
@click.option("-p", "--results-path", "results", type=UserPath(), metavar="FOLDER",
              help="Folder of the study. [default: results/<registry name>]")  # fmt: skip
@click.option("--image", default="", metavar="IMAGE",
              help="Container image that runs the commands. [default: none, they run where Airflow runs]")  # fmt: skip
@click.option("--mount", "mounts", multiple=True, metavar="FOLDER",
              help="Folder that containers mount under the same path; repeat for several.")  # fmt: skip
def command(*, registry: Path, folder: Path, results: Path | None, image: str, mounts: tuple[str, ...]) -> None:
    """Write a DAG file for Airflow 3 that runs REGISTRY: validate, train, report and export.

    The registry, the seeds and the folder of results are parameters of the DAG. A task that fails is tried again after
    five minutes; one that ran before finds its runs finished.
    """
    from benchmarker import registry_outline, write_bytes
    from benchmarker_serving.airflow.writing import StudyDag, write_dag

    outline = registry_outline(registry)
    path = results or Path("results", registry.stem)
    dag = StudyDag(
        name=registry.stem,
        registry=str(registry.absolute()),
        results=str(path.absolute()),
        seeds=outline.seeds,
        generators=outline.generators,
        networks=outline.networks,
        image=image,
        mounts=mounts,
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{registry.stem}.py"
    write_bytes(file, write_dag(dag).encode())
    echo(f"{file}: {len(dag.tasks)} tasks.")
