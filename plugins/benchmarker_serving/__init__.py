"""Use what was trained: predict new images, export networks and generators, serve them, and show them on a page."""

from __future__ import annotations

from benchmarker import Command, Registrar, hookimpl

COMMANDS = (
    ("predict", "prediction.command", "Classify or measure new images with a trained network."),
    ("model", "models.command", "Export trained networks and generators, and make them smaller."),
    ("serve", "server.command", "Answer programs with trained networks and generators."),
    ("page", "page.command", "Show a page on which people draw galaxies and classify images."),
    ("airflow", "airflow.command", "Write a registry as a DAG file for Airflow."),
)
"""Name, module and summary of each command."""


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the commands."""
    for name, module, summary in COMMANDS:
        registrar.command(Command(name=name, command=f"benchmarker_serving.{module}:command", summary=summary))
