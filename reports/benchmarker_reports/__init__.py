"""Formats that leaderboards are shown in; one module for each. The same study gives the same bytes."""

from __future__ import annotations

from benchmarker import Command, Registrar, Report, hookimpl


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the formats and the commands."""
    for name, suffix, summary in (
        ("terminal", ".txt", "a table as wide as the terminal; plain text into a file"),
        ("csv", ".csv", "one line for each model, arm and checkpoint, with every metric"),
        ("tidy", ".csv", "one line for each model, arm, checkpoint, seed and metric"),
        ("json", ".json", "everything, with the value of each seed"),
        ("markdown", ".md", "tables for a README or an issue"),
    ):
        renderer = f"benchmarker_reports.{name}_report:render"
        registrar.report(Report(name=name, renderer=renderer, suffix=suffix, summary=summary))
    for name, suffix, summary in (
        ("html", ".html", "one page with everything: works without a network, on a phone and in print"),
        ("latex", ".tex", "a document, its tables, and one macro for each number"),
        ("figures", ".svg", "the figures of a paper as PNG, SVG and PDF"),
    ):
        registrar.report(
            Report(name=name, renderer=f"benchmarker_reports.{name}:render", suffix=suffix, summary=summary)
        )
    for name, summary in (
        ("compare", "What differs between two studies, networks or runs, and what that did to the results."),
        ("power", "How many more seeds until a difference can be told, and how long they will take."),
    ):
        command = f"benchmarker_reports.commands.{name}_command:command"
        registrar.command(Command(name=name, command=command, summary=summary))
    registrar.command(
        Command(
            name="export",
            command="benchmarker_reports.exports.export_command:command",
            summary="Hand a study's runs to TensorBoard or MLflow.",
        )
    )
