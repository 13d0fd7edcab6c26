"""Report formats, commands that compare studies, and exports. The same study gives the same bytes."""

from __future__ import annotations

from benchmarker import Command, Registrar, Report, hookimpl

FORMATS = (
    ("terminal", "terminal:render", ".txt", "a table as wide as the terminal; plain text into a file"),
    ("csv", "csv:render", ".csv", "one line for each model, arm and checkpoint, with every metric"),
    ("tidy", "csv:render_tidy", ".csv", "one line for each model, arm, checkpoint, seed and metric"),
    ("comparisons", "csv:render_comparisons", ".csv", "one line for each comparison, with interval and verdict"),
    ("json", "json:render", ".json", "everything, with the value of each seed"),
    ("markdown", "markdown:render", ".md", "tables for a README or an issue"),
    ("html", "html:render", ".html", "one page with everything: works without a network, on a phone and in print"),
    ("latex", "latex:render", ".tex", "a document, its tables, and one macro for each number"),
    ("crate", "crate:render", ".zip", "an archive for a referee (RO-Crate): registry, trails, results and commands"),
    ("sources", "sources:render", ".csv", "sources that some network gets wrong, as CSV, ECSV and VOTable"),
    ("figures", "figures:render", ".svg", "the figures of a paper as PNG, SVG and PDF, in the widths of MNRAS"),
    ("figures-aa", "figures:render_wide", ".svg", "the same figures in the widths of Astronomy & Astrophysics"),
)
"""Name, renderer, suffix and summary of each format."""

COMMANDS = (
    (
        "compare",
        "commands.compare_command",
        "Show how two studies, networks or runs differ, and what that changed.",
    ),
    (
        "clusters",
        "commands.clusters_command",
        "Declare which test sources are not independent, such as those of a field.",
    ),
    ("power", "commands.power_command", "Estimate how many more seeds resolve a difference, and how long they take."),
    ("dashboard", "dashboard.command", "Follow a study in a browser while it runs."),
    ("export", "exports.command", "Export a study's runs to TensorBoard or MLflow."),
)
"""Name, module and summary of each command."""


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the formats and the commands."""
    for name, renderer, suffix, summary in FORMATS:
        path = f"benchmarker_reports.formats.{renderer}"
        registrar.report(Report(name=name, renderer=path, suffix=suffix, summary=summary))
    for name, module, summary in COMMANDS:
        command = f"benchmarker_reports.{module}:command"
        registrar.command(Command(name=name, command=command, summary=summary))
