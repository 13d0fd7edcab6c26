"""``benchmarker schema``: the JSON Schema of registries, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from benchmarker.cli.base import PATH, examples, settings


@click.command(
    epilog=examples(
        "benchmarker schema",
        "benchmarker schema --output registry.schema.json",
    ),
    context_settings=settings(),
)
@click.option("--output", type=PATH, metavar="FILE", help="Write to a file.")
def schema(output: Path | None) -> None:
    """Print the JSON Schema of registries.

    Editors complete and check a registry that begins with the line
    `# yaml-language-server: $schema=registry.schema.json`.
    """
    from benchmarker.cli.leaderboard_command import write
    from benchmarker.discovery import installed
    from benchmarker.registry import registry_schema

    text = json.dumps(registry_schema(installed()), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write(text, output)
