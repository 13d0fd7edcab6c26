"""Takes the place of `benchmarker.run.worker`: has no network, and ends as the test's script says.

``python quick_worker.py command ...`` is the command line with such workers; ``python quick_worker.py`` is a worker.
``QUICK_WORKER`` names a folder: ``script.json`` there holds for each model what its attempts do, one after the other
(the last one from then on), and ``attempts`` gets a line for each.
Imports nothing of the benchmarker, so that it is quick.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

SCORES = {"mean_per_class_accuracy": 50.0, "accuracy": 0.5, "macro_f1": 0.5, "loss": 0.7}

FINGERPRINT = {
    "benchmarker": "0.2.0",
    "python": "3.12.1",
    "system": "Linux",
    "isa": [],
    "packages": {},
    "plugins": {},
    "backend": {"name": "tensorflow"},
    "threads": 1,
    "precision": "float32",
}


def command(arguments: list[str]) -> int:
    """Run the command line with these workers."""
    from benchmarker.cli import main
    from benchmarker.run import processes

    processes.COMMAND = (sys.executable, "-P", __file__)  # type: ignore[assignment]
    processes.FORKING = False
    return main(arguments)


def work() -> int:
    """Do what the script says."""
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    place = Path(os.environ["QUICK_WORKER"])
    planned = job[job["kind"]]
    model, key = planned["model"], planned["key"]
    line = json.dumps({"model": model, "key": key, "pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")})
    attempts = place / "attempts"
    with attempts.open("a") as stream:
        stream.write(line + "\n")
    earlier = sum(json.loads(each)["key"] == key for each in attempts.read_text().splitlines())
    script = json.loads((place / "script.json").read_text()).get(model, ["ok"])
    for word in script[min(earlier, len(script)) - 1].split():
        act(word, job)
    return 0


def act(word: str, job: dict[str, Any]) -> None:
    """Do one thing."""
    name, _, value = word.partition("=")
    folder = work_folder(job)
    if name == "sleep":
        time.sleep(float(value))
    elif name == "until":  # the test says so
        while not (Path(os.environ["QUICK_WORKER"]) / value).exists():
            time.sleep(0.02)
    elif name == "epoch":
        (folder / "snapshot-000001.npz").write_bytes(b"")
        event = {"event": "epoch", "epoch": int(value), "epochs": 9, "values": {"loss": 0.5}}
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    elif name == "waits":  # for another process, or has waited
        event = {"event": "waiting", "what": "the generator", "over": value == "over"}
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    elif name == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif name in {"child", "stray"}:
        start(name)
    elif name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "code":
        os._exit(int(value))
    else:
        end(name, value, job)


def start(name: str) -> None:
    """Start a process that holds this one's output open, or one in its own session, which signals to the group miss."""
    started = subprocess.Popen(["sleep", "600"], start_new_session=name == "stray")
    if name == "stray":
        (Path(os.environ["QUICK_WORKER"]) / "stray").write_text(str(started.pid))


def end(status: str, kind: str, job: dict[str, Any]) -> None:
    """Finish the run, with a score that depends on the seed where the script says so (``ok=90:2``), or fail."""
    folder, planned = work_folder(job), job[job["kind"]]
    if status == "ok" and kind:
        mean, _, spread = kind.partition(":")
        place = zlib.crc32(f"{planned['model']} {planned['seed']}".encode()) / 2**32
        SCORES["mean_per_class_accuracy"] = float(mean) + float(spread) * (2 * place - 1)
    manifest = {name: planned[name] for name in ("key", "configuration", "model", "architecture", "arm", "seed")}
    manifest |= {"format": 1, "status": status, "finished": "2026-01-02T03:04:05+00:00"}
    if status == "failed":
        manifest |= {"kind": kind, "message": f"as told: {kind}", "traceback": ""}
    else:
        manifest |= {"trained": True, "fingerprint": FINGERPRINT, "digests": {}}
    metrics, costs = cell_results() if job["kind"] == "cell" else generator_results()
    for name, content in (("metrics", metrics), ("costs", costs), ("manifest", manifest)):
        aside = folder / f".{name}.json.partial"
        aside.write_text(json.dumps(content))
        aside.rename(folder / f"{name}.json")  # it may be stopped at any moment
    folder.rename(job["paths"]["finished" if status == "ok" else "failed"])


def work_folder(job: dict[str, Any]) -> Path:
    """Return the folder that a worker writes to."""
    return Path(job["paths"]["tested" if job.get("weights") else "working"])


def cell_results() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metrics and costs of a cell."""
    evaluation = {"epoch": 1, "test": SCORES, "validation": SCORES, "train": SCORES, "ratios": {}}
    primary = {"name": "mean_per_class_accuracy", "higher_is_better": True}
    parts = {"train": 12, "validation": 6, "test": 6}
    metrics = {"primary": primary, "parts": parts, "best": evaluation, "final": evaluation}
    costs = {
        "parameters": {"total": 1, "trainable": 1, "convolutional": 0, "dense": 1},
        "flops": None,
        "peak_memory_bytes": 1,
        "inference_seconds": [1.0],
        "inference_images": 6,
        "inference_images_per_second": 6.0,
    }
    return metrics, costs


def generator_results() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metrics and costs of a generator."""
    metrics = {"primary": None, "epochs": 2, "final": {"epoch": 2.0}, "quality": None}
    training = {"peak_memory_bytes": 1, "training_seconds": 1.0, "training_images_per_second": 1.0}
    return metrics, {"parameters": {"total": 1, "sampling": 1}, **training, "trained": True}


def end_with_parent() -> None:
    """End when standard input does, as workers do."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]) if len(sys.argv) > 1 else work())
