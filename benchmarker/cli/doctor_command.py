"""``benchmarker doctor``: the properties of this machine that determine results, and what is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.options import PATH, command_settings, json_option
from benchmarker.printing import counted, echo

if TYPE_CHECKING:
    from benchmarker.maintenance.doctor import Comparison, Diagnosis
    from benchmarker.maintenance.speed import Setting

UNHEALTHY = 1
_WIDTH = 14


@click.command(
    **command_settings(
        "benchmarker doctor",
        "benchmarker doctor results/quickstart",
        "benchmarker doctor results/quickstart --json",
        "benchmarker doctor --speed registries/quickstart.yaml",
    )
)
@click.argument("study", required=False, type=PATH)
@click.option("--timeout", metavar="SECONDS", type=click.FloatRange(min=1), default=120.0, show_default=True,
              help="Longest time to wait for the backend, and for the plugins.")  # fmt: skip
@click.option("--speed", "registry", metavar="REGISTRY", type=PATH,
              help="Only measure how fast the networks of this registry train under several settings.")  # fmt: skip
@json_option
def doctor(study: Path | None, timeout: float, registry: Path | None, as_json: bool) -> int:
    """Check the installation: backend, devices, determinism, disk space and plugins.

    With STUDY, also list what would keep results computed here from agreeing with the study bit for bit, with the most
    important reason first.

    The backend is started in a separate process, exactly as for a run. The exit code is 1 if anything is broken or
    differs.

    With --speed, each network of REGISTRY is trained for some steps on noise, with each installed backend, in each
    precision, and with the threads of the registry as well as with one, each time in a new process. One of these
    settings is recommended. The data are prepared first, as by a run.
    """
    if registry is not None:
        return _speed(registry, timeout, as_json=as_json)
    from benchmarker.maintenance.doctor import diagnose
    from benchmarker.results.study import read_study

    found = diagnose(read_study(study) if study else None, seconds=timeout)
    if as_json:
        import json

        echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        echo("\n".join(_lines(found)))
    return 0 if found.healthy else UNHEALTHY


def _speed(registry: Path, timeout: float, *, as_json: bool) -> int:
    """Measure the networks of a registry, and return the exit code."""
    import json
    import tempfile
    from pathlib import Path

    from benchmarker.cli.progress import observer
    from benchmarker.discovery import installed
    from benchmarker.maintenance.speed import lines, measure_speed
    from benchmarker.registry import Overrides, load_registry
    from benchmarker.results.study import read_study
    from benchmarker.run import plan_study

    plugins = installed()
    loaded = load_registry(registry, Overrides(), plugins)
    with tempfile.TemporaryDirectory() as name:
        planned = Path(name) / "study"
        with observer(planned) as watching:
            plan_study(loaded, planned, observer=watching, plugins=plugins)
        speeds = measure_speed(
            read_study(planned),
            seconds=timeout,
            on_network=lambda network, setting: echo(f"measuring {network}, {_in_words(setting)} ...", err=True),
        )
    echo(json.dumps(speeds.to_json(), indent=2, ensure_ascii=False) if as_json else "\n".join(lines(speeds)))
    return 0 if speeds.gains() else UNHEALTHY


def _in_words(setting: Setting) -> str:
    return f"{setting.backend}, {setting.precision}, {counted(setting.threads, 'thread')}"


def _lines(found: Diagnosis) -> Iterator[str]:
    yield from _section("Machine", found.machine)
    yield from _section("Backend", _backend(found))
    if found.ignored:
        yield from _section("Not passed to workers", found.ignored)
    yield from _section("Disk", dict(_disks(found)))
    yield from _plugins(found)
    if found.comparison is not None:
        yield from _comparison(found.comparison)
    yield f"Problems ({len(found.problems)})"
    for problem in found.problems or ["none"]:
        yield f"  {problem}"
    for about, output in found.details.items():
        yield f"  Last output of {about}:"
        yield from (f"    {line}" for line in output.splitlines())


def _section(title: str, facts: Mapping[str, str]) -> Iterator[str]:
    yield title
    width = max((_WIDTH, *(len(name) for name in facts)))
    yield from (f"  {name.ljust(width)}  {value}".rstrip() for name, value in facts.items())
    yield ""


def _backend(found: Diagnosis) -> dict[str, str]:
    fingerprint = found.fingerprint
    facts = {"name": found.backend or "none"}
    if fingerprint is None:
        return facts | {"state": "does not start; see below"}
    for name, value in fingerprint.backend.to_json().items():
        if name != "name":
            facts[name.replace("_", " ")] = _text(name, value)
    facts |= {
        "threads": f"{fingerprint.threads} for one operation, unless a registry says otherwise",
        "precision": f"{fingerprint.precision}, unless a registry says otherwise",
        "isa": " ".join(fingerprint.isa) or "unknown",
        "packages": ", ".join(f"{name} {version}" for name, version in fingerprint.packages.items()),
    }
    if found.environment:
        facts["environment"] = " ".join(f"{name}={value}" for name, value in sorted(found.environment.items()))
    return facts


def _text(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool) or name == "onednn":
        return "on" if value in {True, "1"} else "off"
    return str(value)


def _disks(found: Diagnosis) -> Iterator[tuple[str, str]]:
    from benchmarker.disk import format_size

    for disk in found.disks:
        free = "unknown" if disk.free_bytes is None else format_size(disk.free_bytes)
        state = "" if disk.writable else ", cannot be written"
        yield disk.name, f"{disk.path}: {free} free{state}"
        if disk.file_system is not None:
            yield "", disk.file_system.summary
        if disk.parts:
            parts = ", ".join(f"{name} {format_size(size)}" for name, size in disk.parts.items())
            at_least = "" if disk.complete else "at least "
            yield "", f"{at_least}{parts}; benchmarker gc --cache lists what may be removed"


def _plugins(found: Diagnosis) -> Iterator[str]:
    if found.plugins is None:
        return
    broken = {plugin.name: plugin for plugin in found.plugins.broken}
    yield f"Plugins ({len(found.plugins.entries)})"
    for entry in found.plugins.entries:
        state = "  BROKEN" if entry.name in broken else ""
        yield f"  {entry.name}  {entry.distribution}  {entry.path}{state}"
    for plugin in broken.values():
        yield f"  {plugin.name} from {plugin.distribution}: {plugin.error}"
        yield from (f"    {line}" for line in plugin.traceback.splitlines())
    yield ""


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield f"Compared with {comparison.study}"
    yield f"  {comparison.verdict[:1].upper()}{comparison.verdict[1:]}."
    for environment in comparison.environments:
        if environment.reasons:
            shown = ", ".join(environment.runs[:3]) + (" ..." if len(environment.runs) > 3 else "")
            yield f"  {len(environment.runs)} run(s) ({shown}):"
            yield from (f"    - {reason}" for reason in environment.reasons)
    yield from (f"  note: {note}" for note in comparison.notes)
    yield ""
