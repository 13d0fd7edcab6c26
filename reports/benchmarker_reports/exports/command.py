"""``benchmarker export``: export a study's runs to TensorBoard or MLflow."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path

import rich_click as click

from benchmarker import UserPath, command_settings, echo

# Libraries that each program needs; the extra that installs them has the same name.
NEEDS = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}


@click.command(
    name="export",
    **command_settings(
        "benchmarker export results/quickstart --to tensorboard --out logs",
        "benchmarker export results/quickstart --to mlflow --out mlflow.db",
        "benchmarker export results/quickstart --to mlflow --out http://localhost:5000",
    ),
)
@click.argument("study", type=UserPath())
@click.option("--to", "program", type=click.Choice(list(NEEDS)), required=True, help="Program to export to.")
@click.option("--out", required=True, metavar="TARGET",
              help="Folder of logs for TensorBoard; SQLite file or tracking URI for MLflow.")  # fmt: skip
@click.option("--cells", metavar="CELL[,CELL...]",
              help="Runs to export: network, network/arm, network/arm/seed or the beginning of a key. "
              "[default: all finished runs]")  # fmt: skip
@click.option("--name", metavar="NAME",
              help="Name that tells this study from others in the target. [default: path of the study]")  # fmt: skip
def command(*, study: Path, program: str, out: str, cells: str | None, name: str | None) -> None:
    """Export the finished runs of STUDY to TensorBoard or MLflow.

    Another export to the same target adds runs that have finished since, replaces those that were trained again, and
    leaves the others as they are. Runs of other studies are never touched. Give a study that was moved since its last
    export, or studies of one path on several machines, a --name.
    """
    from benchmarker import open_results
    from benchmarker_reports.exports.runs import Exported, finished_runs

    require(program)
    exporter = importlib.import_module(f"benchmarker_reports.exports.{program}")
    results = open_results(study)
    exported = Exported(
        title=results.title,
        study=name or str(results.folder.resolve()),
        runs=tuple(finished_runs(results, cells or "")),
    )
    echo(exporter.export(exported, out))


def require(program: str) -> None:
    """Check that the libraries of a program are installed.

    Raises
    ------
    ConfigurationError
        If one is missing; the message names the extra that installs it.
    """
    from benchmarker import ConfigurationError

    missing = [name for name in NEEDS[program] if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"--to {program} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            f"python -m pip install 'galaxy-benchmarker[{program}]'"
        )
