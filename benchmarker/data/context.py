"""What the harness offers a dataset's loader: the user's own path, downloads and cached folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker.contracts.plugins import Download
from benchmarker.data.cache import cache_folder, produce
from benchmarker.data.downloads import fetch, user_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Implements `benchmarker.DatasetContext`.

    Parameters
    ----------
    dataset : str
        Name of the dataset; its downloads go to a folder of that name.
    path : Path, optional
        The user's own file or folder.
    offline : bool
        Never use the network.
    progress : bool
        Show a progress bar while downloading.
    """

    dataset: str
    path: Path | None = None
    offline: bool = False
    progress: bool = True

    def fetch(self, download: Download) -> Path:
        """Return the user's own file or folder, or the downloaded file."""
        if self.path is not None:
            return user_file(download, self.path)
        folder = cache_folder() / "downloads" / self.dataset
        return fetch(download, folder, offline=self.offline, progress=self.progress)

    def produce(self, name: str, key: Any, write: Callable[[Path], None]) -> Path:
        """Return a cached folder, written once."""
        return produce(name, key, write)
