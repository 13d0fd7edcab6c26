"""Train every registered network twice on a GPU, each time in a new process, and compare the bits.

``python -m benchmarks.gpu_check [name ...]`` in the checkout, with the name of the backend in ``KERAS_BACKEND``.
Without a GPU nothing is checked; ``--cpu`` checks the small size on the CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarker.backends import chosen, worker_environment
from benchmarker.discovery import installed

THREADS = 2
# Sizes in pixels: one that most networks can process, and the one that the radio networks were designed for.
SMALL, NATIVE = 64, 300
RESULTS = Path("build") / "gpu_check.json"
_STEP = "benchmarks.gpu_check_step"


class Check:
    """A backend whose networks are checked.

    Parameters
    ----------
    backend : str
        Name of the backend.
    cpu : bool
        Whether GPUs are hidden from it.
    batch_size : int
        Number of images in a batch.
    timeout : float
        Time after which a process is ended, in seconds.
    """

    def __init__(self, backend: str, *, cpu: bool, batch_size: int, timeout: float) -> None:
        self.backend = backend
        self.cpu = cpu
        self._batch_size = batch_size
        self._timeout = timeout
        self._environment = worker_environment(backend, THREADS)
        if cpu:
            self._environment["CUDA_VISIBLE_DEVICES"] = "-1"

    def devices(self) -> list[str]:
        """Return the names of the devices that the backend uses."""
        found, error = self._start()
        if error:
            sys.exit(f"{self.backend} does not start: {error}")
        return list(found[0]["devices"])

    def network(self, name: str, minimum: int) -> list[dict[str, Any]]:
        """Train a network twice at each size, and return a row of results for each size."""
        sizes = sorted({max(size, minimum) for size in ((SMALL,) if self.cpu else (SMALL, NATIVE))})
        arguments = [name, str(self._batch_size), *map(str, sizes)]
        (first, broken), (again, broken_again) = self._start(*arguments), self._start(*arguments)
        rows = []
        for k, size in enumerate(sizes):
            row: dict[str, Any] = {"network": name, "size": size, "batch_size": self._batch_size}
            if k < min(len(first), len(again)):
                differing = difference(first[k]["bits"], again[k]["bits"])
                row |= {"status": "differs" if differing else "same bits", "first_difference": differing}
                row |= {
                    key: [first[k][key], again[k][key]]
                    for key in ("images_per_second", "device_bytes", "process_bytes")
                }
            else:
                row |= {"status": "failed", "message": broken or broken_again}
            rows.append(row)
        return rows

    def _start(self, *arguments: str) -> tuple[list[dict[str, Any]], str]:
        """Run a process; return its complete lines of JSON, and the last line of its error if it fails."""
        command = [sys.executable, "-m", _STEP, *arguments]
        try:
            done = subprocess.run(
                command, env=self._environment, capture_output=True, text=True, check=False, timeout=self._timeout
            )
        except subprocess.TimeoutExpired as expired:
            printed = expired.stdout or b""  # bytes, although text was requested
            text = printed.decode() if isinstance(printed, bytes) else printed
            return _complete(text), f"took more than {self._timeout:g} s"
        last = done.stderr.strip().splitlines()[-1:] or [f"ended with code {done.returncode}"]
        return _complete(done.stdout), last[0] if done.returncode else ""


def _complete(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines(keepends=True) if line.startswith("{") and line[-1] == "\n"]


def difference(first: Mapping[str, str], again: Mapping[str, str]) -> str | None:
    """Return the first entry whose digests differ, in the order of the training, or None."""
    return next((name for name, digest in first.items() if again.get(name) != digest), None)


def table(rows: Sequence[Mapping[str, Any]], title: str) -> Table:
    """Return the rows as a table."""
    shown = Table("network", "px", "bits", "images/s", "device MiB", "process MiB", title=title)
    for row in rows:
        if row["status"] == "failed":
            shown.add_row(row["network"], str(row["size"]), "[red]FAILED[/]", "", "", "")
            continue
        bits = "[green]same[/]" if row["status"] == "same bits" else f"[red]DIFFER: {row['first_difference']}[/]"
        memory = [_mebibytes(row[key]) for key in ("device_bytes", "process_bytes")]
        shown.add_row(row["network"], str(row["size"]), bits, f"{max(row['images_per_second']):.1f}", *memory)
    return shown


def _mebibytes(found: Sequence[int | None]) -> str:
    known = [each for each in found if each is not None]
    return f"{max(known) / 2**20:.0f}" if known else "-"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train every network twice and compare the bits.")
    parser.add_argument("names", nargs="*", help="networks; all registered ones by default")
    parser.add_argument("--cpu", action="store_true", help="check the small size on the CPU")
    parser.add_argument("--batch-size", type=int, default=32, help="number of images in a batch (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=600, help="time for one process in seconds (default: %(default)s)"
    )
    return parser.parse_args()


def main() -> int:
    """Check the requested networks; return 1 if bits differ or a network fails."""
    given = _arguments()
    check = Check(chosen(), cpu=given.cpu, batch_size=given.batch_size, timeout=given.timeout)
    console = Console(width=None if sys.stdout.isatty() else 160)
    devices = check.devices()
    found: dict[str, Any] = {"backend": check.backend, "devices": devices, "gpu": devices != ["CPU"], "networks": []}
    RESULTS.parent.mkdir(exist_ok=True)
    if not found["gpu"] and not given.cpu:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        console.print(f"No GPU: {check.backend} does not see one, so nothing was checked.")
        if any(Path("/dev").glob("nvidia[0-9]*")):
            console.print(
                f"This machine has one, but {check.backend} may be installed without it; see docs/how-to/use_a_gpu.md."
            )
        console.print("--cpu (make gpu-check GPU_CHECK=--cpu) checks the small size on the CPU.", markup=False)
        return 0
    plugins = installed()
    known = [each.plugin.name for each in plugins.all("architecture")]
    for name in given.names or known:
        architecture = plugins.architecture(name)
        for row in check.network(architecture.name, architecture.minimum_size):
            found["networks"].append(row)
            console.print(
                f"{row['network']} at {row['size']} px: {row['status']}", row.get("message", ""), markup=False
            )
            RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    console.print(table(found["networks"], f"{check.backend} on {', '.join(devices)}"))
    console.print(f"written to {RESULTS}")
    return 0 if all(row["status"] == "same bits" for row in found["networks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
