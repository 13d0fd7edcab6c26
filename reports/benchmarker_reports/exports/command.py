"""``benchmarker export``: a study's runs for TensorBoard or MLflow."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

import rich_click as click

from benchmarker import command_settings

# What each needs to be installed; the extra has the same name.
NEEDS = {"tensorboard": ("tensorboard",), "mlflow": ("mlflow", "sqlalchemy", "alembic")}


@click.command(
    name="export",
    **command_settings(
        "benchmarker export results/quickstart --to tensorboard --out logs",
        "benchmarker export results/quickstart --to mlflow --out mlflow.db",
        "benchmarker export results/quickstart --to mlflow --out http://localhost:5000",
    ),
)
@click.argument("study")
@click.option("--to", "program", type=click.Choice(list(NEEDS)), required=True, help="Whose format.")
@click.option("--out", required=True, metavar="TARGET",
              help="Folder of logs for TensorBoard; SQLite file or tracking URI for MLflow.")  # fmt: skip
def command(*, study: str, program: str, out: str) -> None:
    """Hand a study's finished runs to TensorBoard or MLflow.

    A second export adds what has finished since, replaces what was trained again, and leaves the rest alone.
    """
    from benchmarker import open_results

    require(program)
    exporter = importlib.import_module(f"benchmarker_reports.exports.{program}")
    exporter.export(open_results(study), out, click.echo)


def require(program: str) -> None:
    """Refuse to export for a program whose library is not there.

    Raises
    ------
    ConfigurationError
        Which names the extra that brings it.
    """
    from benchmarker import ConfigurationError

    missing = [name for name in NEEDS[program] if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"--to {program} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed: "
            f"python -m pip install 'galaxy-benchmarker[{program}]'"
        )
