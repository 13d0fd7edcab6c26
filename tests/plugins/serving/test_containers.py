"""Container files: services run commands that exist, as a user without rights, on a root that cannot be written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rich_click as click
import yaml

from benchmarker.cli.entry import cli

# What the parser of Apptainer 1.3 takes for a definition with one stage and without apps.
SHELL_SECTIONS = {"pre", "setup", "post", "environment", "runscript", "startscript", "test"}
SECTIONS = SHELL_SECTIONS | {"arguments", "files", "labels", "help"}
KEYS = {
    *("bootstrap", "from", "stage", "fingerprints", "include", "includecmd", "library", "mirrorurl", "namespace"),
    *("osversion", "registry", "setopt", "updateurl"),
}


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


def test_dockerfile_passes_its_linter(checkout: Path) -> None:
    assert lint("hadolint", checkout / "containers" / "Dockerfile") == ""


def lint(program: str, *words: Path | str, text: str | None = None) -> str:
    """Return what a linter of this environment finds."""
    path = Path(sys.executable).with_name(program)
    if not path.exists():
        pytest.skip(f"needs {program}, which `make install` installs")
    done = subprocess.run([path, *words], input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


class Definition:
    """An Apptainer definition: its header, and the text of each section.

    Parameters
    ----------
    text : str
        The file.
    """

    def __init__(self, text: str) -> None:
        head, *parts = re.split(r"^%", text, flags=re.MULTILINE)
        lines = [line for line in head.splitlines() if line.strip() and not line.startswith("#")]
        self.header = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        self.sections: dict[str, str] = {}
        for part in parts:
            title, _, body = part.partition("\n")
            if title.strip() in self.sections:
                raise ValueError(f"two sections %{title}")
            self.sections[title.strip()] = body

    def problems(self, folder: Path) -> list[str]:
        """Return what is wrong with it if it is built from a folder."""
        found = [f"unknown key {key}" for key in self.header.keys() - KEYS]
        found += [f"no {key}" for key in ("bootstrap", "from") if not self.header.get(key)]
        found += [f"unknown section %{name}" for name in self.sections.keys() - SECTIONS]
        for line in self.sections.get("files", "").splitlines():
            source, _, target = line.strip().partition(" ")
            if source and (not (folder / source).exists() or not target.startswith("/")):
                found.append(f"%files: {line.strip()}")
        for name in sorted(SHELL_SECTIONS & self.sections.keys()):
            script = self.sections[name]
            done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, check=False)
            found += [f"%{name}: {done.stderr.strip()}"] if done.returncode else []
        return found


@pytest.fixture
def definition(checkout: Path) -> str:
    return (checkout / "containers" / "benchmarker.def").read_text()


def test_apptainer_definition_is_well_formed(checkout: Path, definition: str) -> None:
    assert Definition(definition).problems(checkout) == []
    for old, new, problem in (
        ("Bootstrap:", "Bootstrop:", "unknown key bootstrop"),
        ("From: ", "From:\n#", "no from"),
        ("%runscript", "%runscripts", "unknown section %runscripts"),
        ("    plugins ", "    plugin ", "%files: plugin /src/plugins"),
        (" /src/plugins", " src/plugins", "%files: plugins src/plugins"),
        ("cd /src &&", "if cd /src &&", "%post: "),
    ):
        found = Definition(definition.replace(old, new)).problems(checkout)
        assert any(each.startswith(problem) for each in found), (new, found)


def test_apptainer_image_has_the_files_of_the_others(checkout: Path, definition: str) -> None:
    copied = {line.split()[0] for line in Definition(definition).sections["files"].splitlines() if line.strip()}
    ignore = (checkout / "containers" / "Dockerfile.dockerignore").read_text()
    assert copied == set(re.findall(r"^!(.+)$", ignore, re.MULTILINE))


@pytest.mark.parametrize("name", ["post", "environment", "runscript", "test"])
def test_sections_of_the_apptainer_definition_pass_shellcheck(name: str, definition: str) -> None:
    assert lint("shellcheck", "--shell=sh", "-", text=Definition(definition).sections[name]) == ""
