"""Nothing leaves the machine: settings by which libraries are kept from reporting to their makers.

Some libraries that plugins use report how they are used unless they are told not to, and some read the setting only
while they are loaded. It is made when `benchmarker` is imported, which is before any plugin, and every process that is
started afterwards inherits it. Streamlit takes it as an option of its command, see `benchmarker.browser_pages`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

SETTINGS: Mapping[str, str] = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime reads it while it is loaded; its function for that comes too late
    "RAY_USAGE_STATS_ENABLED": "0",
    "SE_AVOID_STATS": "true",  # Selenium, which examples and the gallery open pages with
}
"""Environment variables and their values."""


def switch_off() -> None:
    """Set the variables, whatever they were."""
    os.environ.update(SETTINGS)
