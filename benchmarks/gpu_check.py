"""Check what a GPU computes: whether networks repeat their bits, and what cells gain that share it.

``python -m benchmarks.gpu_check [name ...]`` in the checkout, with the name of the backend in ``KERAS_BACKEND``. Each
measurement is a function in `MEASUREMENTS`. Without a GPU nothing is checked; ``--cpu`` runs the same on the CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarker.backends import WITH_LANES, chosen, worker_environment
from benchmarker.discovery import installed
from benchmarker.run.gpus import gpu_names
from benchmarks.gpu_seeds import measure_seeds
from benchmarks.gpu_sharing import measure_sharing

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


class Report:
    """Prints results, and keeps them in a file as they come.

    Parameters
    ----------
    found : dict of str to Any
        Contents of the file.
    """

    def __init__(self, **found: Any) -> None:
        self.found = found
        self.console = Console(width=None if sys.stdout.isatty() else 160)
        RESULTS.parent.mkdir(exist_ok=True)
        self.save()

    def save(self) -> None:
        """Write the file."""
        RESULTS.write_text(json.dumps(self.found, indent=2) + "\n", encoding="utf-8")

    def print(self, *words: str) -> None:
        """Print text."""
        self.console.print(*words, markup=False, highlight=False)


def check_networks(check: Check, given: argparse.Namespace, report: Report) -> bool:
    """Train networks twice; return whether all have the same bits."""
    plugins = installed()
    known = [each.plugin.name for each in plugins.all("architecture")]
    rows = report.found["networks"] = []
    for name in given.names or known:
        architecture = plugins.architecture(name)
        for row in check.network(architecture.name, architecture.minimum_size):
            rows.append(row)
            report.print(f"{row['network']} at {row['size']} px: {row['status']}", row.get("message", ""))
            report.save()
    report.console.print(table(rows, f"{check.backend} on {', '.join(report.found['devices'])}"))
    return all(row["status"] == "same bits" for row in rows)


def check_sharing(check: Check, given: argparse.Namespace, report: Report) -> bool:
    """Let small cells share one GPU; return whether they have the same bits as one after the other."""
    gpu = None if check.cpu else next(iter(gpu_names(None)), None)
    if gpu is None and not check.cpu:
        report.print("nvidia-smi lists no GPU, so cells that share one were not measured")
        return True
    shared = measure_sharing(gpu, cells=given.cells, at_once=given.at_once, epochs=given.epochs)
    report.found["sharing"] = shared.to_json()
    report.save()
    for line in shared.lines():
        report.print(line)
    return not shared.differences


def check_seeds(check: Check, given: argparse.Namespace, report: Report) -> bool:
    """Train seeds of a network in one program; return whether each has the bits that it has without the others."""
    gpu = None if check.cpu else next(iter(gpu_names(None)), None)
    if check.backend not in WITH_LANES:
        report.print(f"{check.backend} trains no seeds in one program: KERAS_BACKEND={WITH_LANES[0]} measures it")
        return True
    if gpu is None and not check.cpu:
        report.print("nvidia-smi lists no GPU, so seeds in one program were not measured")
        return True
    seeds = measure_seeds(gpu, seeds=given.seeds, epochs=given.epochs)
    report.found["seeds"] = seeds.to_json()
    report.save()
    for line in seeds.lines():
        report.print(line)
    return not seeds.differences


MEASUREMENTS: dict[str, Callable[[Check, argparse.Namespace, Report], bool]] = {
    "networks": check_networks,
    "sharing": check_sharing,
    "seeds": check_seeds,
}
"""What is measured, in this order; each returns whether all is well."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check what a GPU computes.")
    parser.add_argument("names", nargs="*", help="networks to train twice; all registered ones by default")
    parser.add_argument("--cpu", action="store_true", help="run the same on the CPU, networks at the small size only")
    parser.add_argument(
        "--measure",
        choices=list(MEASUREMENTS),
        action="append",
        help="measure this only; may be repeated (default: everything, or only the networks that are named)",
    )
    parser.add_argument("--batch-size", type=int, default=32, help="number of images in a batch (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=600, help="time for one process in seconds (default: %(default)s)"
    )
    sharing = parser.add_argument_group("small cells that share a GPU")
    sharing.add_argument("--cells", type=int, default=8, help="(default: %(default)s)")
    sharing.add_argument("--at-once", type=int, default=4, help="(default: %(default)s)")
    sharing.add_argument("--epochs", type=int, default=10, help="of seeds in one program, too (default: %(default)s)")
    seeds = parser.add_argument_group("seeds of a small network in one program, on JAX")
    seeds.add_argument("--seeds", type=int, default=8, help="(default: %(default)s)")
    return parser.parse_args()


def main() -> int:
    """Measure what is requested; return 1 if bits differ or a network fails."""
    given = _arguments()
    check = Check(chosen(), cpu=given.cpu, batch_size=given.batch_size, timeout=given.timeout)
    devices = check.devices()
    report = Report(backend=check.backend, devices=devices, gpu=devices != ["CPU"])
    if not report.found["gpu"] and not given.cpu:
        report.print(f"No GPU: {check.backend} does not see one, so nothing was checked.")
        if any(Path("/dev").glob("nvidia[0-9]*")):
            report.print(
                f"This machine has one, but {check.backend} may be installed without it; see docs/how-to/use_a_gpu.md."
            )
        report.print("--cpu (make gpu-check GPU_CHECK=--cpu) runs the same on the CPU.")
        return 0
    wanted = given.measure or (["networks"] if given.names else list(MEASUREMENTS))
    well = [measure(check, given, report) for name, measure in MEASUREMENTS.items() if name in wanted]
    report.print(f"written to {RESULTS}")
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
