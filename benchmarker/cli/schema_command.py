"""``benchmarker schema``: the JSON Schema of registries, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from benchmarker.cli.options import command_settings, output_option
from benchmarker.cli.output import show, write


@click.command(**command_settings("benchmarker schema", "benchmarker schema --output registry.schema.json"))
@output_option
def schema(output: Path | None) -> None:
    """Print the JSON Schema of registries.

    Editors that understand the YAML language server complete and check a registry that begins with the line
    `# yaml-language-server: $schema=registry.schema.json`.
    """
    from benchmarker.discovery import installed
    from benchmarker.registry import registry_schema

    text = json.dumps(registry_schema(installed()), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        show(text)
    else:
        write(text, output)
