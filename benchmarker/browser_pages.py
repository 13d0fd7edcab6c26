"""Show a Streamlit script as a page on this machine that uses no network beyond its own address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarker.errors import ConfigurationError
from benchmarker.printing import echo

SETTINGS = "BENCHMARKER_PAGE"
"""Environment variable with the settings of the page as JSON."""


def require_page_packages(extra: str, packages: Sequence[str] = ()) -> None:
    """Refuse to go on where Streamlit, or something else that a page needs, is not installed.

    Parameters
    ----------
    extra : str
        Extra of this distribution that installs them.
    packages : sequence of str
        Names of further modules that are needed.

    Raises
    ------
    ConfigurationError
        If one is missing.
    """
    missing = [name for name in ("streamlit", *packages) if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the page needs {', '.join(missing)}: python -m pip install 'galaxy-benchmarker[{extra}]'"
        )


def show_page(
    script: Path, settings: Mapping[str, Any], *, host: str, port: int, options: Mapping[str, Any] | None = None
) -> int:
    """Show a Streamlit script until the user ends it, and return its exit status.

    Streamlit runs in the folder of the script, because it reads settings from the working folder, which may be that of
    a stranger's study. It sends no statistics of its use to its makers.

    Parameters
    ----------
    script : Path
        Path of the script.
    settings : mapping of str to JSON value
        What the script gets from `page_settings`.
    host : str
        Address to listen at.
    port : int
        Port to listen at.
    options : mapping of str to value, optional
        Further settings of Streamlit by their names.
    """
    echo(f"http://{host}:{port}", err=True)
    words = {
        "server.address": host,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "runner.magicEnabled": "false",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        **(options or {}),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "streamlit", "run", str(script), *(f"--{k}={v}" for k, v in words.items())],
        env={**os.environ, SETTINGS: json.dumps(settings)},
        cwd=script.parent,
        check=False,
    )
    return done.returncode


def page_settings() -> dict[str, Any]:
    """Return the settings that `show_page` was called with, inside the script."""
    found: dict[str, Any] = json.loads(os.environ[SETTINGS])
    return found
