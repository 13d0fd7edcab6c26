"""Free space, and sizes as people read them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarker.disk import MARGIN_BYTES, format_size, free_bytes, nearest_existing, require_free, reserve
from benchmarker.errors import StorageError

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (99_960, "100 kB"),
     (999_600, "1.0 MB"), (1_500_000_000, "1.5 GB"), (2.5e15, "2500 TB")],
)  # fmt: skip
def test_size_is_written_in_powers_of_1000(n_bytes: float, text: str) -> None:
    assert format_size(n_bytes) == text


def test_free_space_is_known_for_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    assert nearest_existing(folder) == tmp_path
    assert free_bytes(folder) > 0
    require_free(folder, 1, "one byte")


def test_require_free_names_what_is_needed_and_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=100 * MEGABYTE + MARGIN_BYTES))
    require_free(tmp_path, 100 * MEGABYTE, "three images")
    with pytest.raises(StorageError, match=r"three images need.*100 MB.*167 MB are free"):
        require_free(tmp_path, 100 * MEGABYTE + 1, "three images")


def test_reserve_leaves_no_file_and_refuses_more_than_the_disk_has(tmp_path: Path) -> None:
    reserve(tmp_path, 1000)
    with pytest.raises(StorageError, match=str(tmp_path)):
        reserve(tmp_path, 1 << 62)
    assert list(tmp_path.iterdir()) == []
