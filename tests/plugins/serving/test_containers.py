"""Container files: services run commands that exist, as a user without rights, on a root that cannot be written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import rich_click as click
import yaml

from benchmarker.cli.entry import cli


@pytest.fixture(scope="module")
def services(checkout: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((checkout / "containers" / "compose.yaml").read_text())["services"]
    return found


def test_services_run_commands_of_the_benchmarker(services: dict[str, Any]) -> None:
    assert {"etl", "train", "serve", "page"} <= set(services)
    context = click.RichContext(cli)
    for name, service in services.items():
        command = service["command"]
        assert command[0] in cli.list_commands(context), name
        loaded = cli.load(context, command[0])
        known = {option for each in (loaded, *getattr(loaded, "commands", {}).values()) for parameter in each.params
                 for option in parameter.opts}  # fmt: skip
        assert {word for word in command if word.startswith("-")} <= known, name


def test_services_have_no_rights_and_are_open_to_this_machine_only(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["user"] == "10001:10001", name
        assert service["cap_drop"] == ["ALL"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name


def test_images_are_built_in_stages_that_end_without_root(checkout: Path) -> None:
    text = (checkout / "containers" / "Dockerfile").read_text()
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", text, re.MULTILINE | re.DOTALL))
    assert {"cpu", "gpu", "serve"} <= set(stages)
    for name in ("cpu", "gpu", "serve"):
        assert re.findall(r"^USER (\S+)$", stages[name], re.MULTILINE)[-1] == "10001:10001", name
        assert "HEALTHCHECK" in stages[name], name
