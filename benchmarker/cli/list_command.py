"""``benchmarker list``: the installed plugins and the shipped registries.

The benchmarks measure how fast this command starts. Therefore it draws its tables itself instead of importing rich.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.options import command_settings
from benchmarker.cli.output import on_terminal
from benchmarker.entry_points import DISABLE_VARIABLE, switched_off
from benchmarker.printing import echo

if TYPE_CHECKING:
    from benchmarker.discovery import BrokenPlugin, Plugins

SECTIONS = (
    *("architectures", "datasets", "augmentations", "generators", "reports", "commands", "executors", "registries"),
)
_GAP = "  "
_NARROWEST_SUMMARY = 20


@click.command(
    name="list",
    **command_settings(
        "benchmarker list",
        "benchmarker list architectures datasets",
        "benchmarker list -v --strict",
    ),
)
@click.argument("sections", nargs=-1, metavar="[SECTION]...", type=click.Choice(SECTIONS))
@click.option("-v", "--verbose", is_flag=True, help="Also show aliases, and tracebacks of broken plugins.")
@click.option("--strict", is_flag=True, help="Exit with 1 if any plugin is broken.")
def list_plugins(sections: tuple[str, ...], verbose: bool, strict: bool) -> int:
    """List installed plugins and shipped registries.

    SECTION is architectures, datasets, augmentations, generators, reports, commands, executors or registries; by
    default all are listed. Broken plugins are listed with the distribution that contains them.
    """
    from benchmarker.discovery import installed

    plugins = installed()
    for section in sections or SECTIONS:
        head, rows = _section(section, plugins, verbose=verbose)
        echo(f"{section.capitalize()} ({len(rows)})", style="bold")
        for number, line in enumerate(_table(head, rows)):
            echo(line, style=None if number else "dim")
        echo()
    _list_broken(plugins.broken, verbose=verbose)
    _list_disabled()
    return 1 if strict and plugins.broken else 0


def _section(section: str, plugins: Plugins, *, verbose: bool) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    if section == "registries":
        from benchmarker.paths import shipped_folder

        return ("name", "file"), [(path.stem, str(path)) for path in sorted(shipped_folder().glob("*.yaml"))]
    found = plugins.all(section.removesuffix("s"))
    heads = {
        "architectures": ("name", "from px", "citation"),
        "datasets": ("name", "task", "citation"),
        "augmentations": ("name", "kind", "citation"),
        "generators": ("name", "citation"),
        "reports": ("name", "file"),
        "commands": ("name",),
        "executors": ("name",),
    }
    return (*heads[section], "distribution", "summary"), [
        (*_facts(section, entry.plugin), entry.distribution, _summary(entry.plugin, verbose=verbose)) for entry in found
    ]


def _facts(section: str, plugin: Any) -> tuple[str, ...]:
    if section == "architectures":
        return plugin.name, str(plugin.minimum_size), plugin.citation or "-"
    if section == "datasets":
        return plugin.name, plugin.task.kind if plugin.task else "by options", plugin.citation or "-"
    if section == "augmentations":
        return plugin.name, plugin.kind, plugin.citation or "-"
    if section == "generators":
        return plugin.name, plugin.citation or "-"
    return (plugin.name,) if section in ("commands", "executors") else (plugin.name, plugin.suffix)


def _summary(plugin: Any, *, verbose: bool) -> str:
    aliases = getattr(plugin, "aliases", ())
    also = f" (also: {', '.join(aliases)})" if verbose and aliases else ""
    return f"{plugin.summary}{also}".strip()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table that fits the terminal; into a file, lines are as long as they need to be."""
    if not rows:
        yield f"{_GAP}none"
        return
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    available = _terminal_width() if on_terminal() else None
    if available is None or _indented(widths) <= available:
        yield from (_line(head, widths), *(_line(row, widths) for row in rows))
    elif available - _indented(widths[:-1]) - len(_GAP) >= _NARROWEST_SUMMARY:
        yield from _wrapped_summary(head, rows, widths, available)
    else:
        yield from _columns_below(head, rows, widths, available)


def _wrapped_summary(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], available: int
) -> Iterator[str]:
    """Yield the lines of a table whose last column is wrapped beside the others."""
    import textwrap

    start = _indented(widths[:-1]) + len(_GAP)
    yield _line(head, widths)
    for row in rows:
        first, *others = textwrap.wrap(row[-1], available - start) or [""]
        yield _line((*row[:-1], first), widths)
        yield from (" " * start + piece for piece in others)


def _columns_below(
    head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], available: int
) -> Iterator[str]:
    """Yield the lines of a table for a narrow terminal: columns that do not fit are below their row."""
    import textwrap

    beside = list(range(len(head) - 1))
    while len(beside) > 1 and _indented([widths[column] for column in beside]) > available:
        beside.remove(max(beside[1:], key=lambda column: widths[column]))
    below = [column for column in range(len(head)) if column not in beside]
    yield _line([head[column] for column in beside], [widths[column] for column in beside])
    for row in rows:
        yield _line([row[column] for column in beside], [widths[column] for column in beside])
        for column in below:
            yield from textwrap.wrap(row[column], available, initial_indent=_GAP * 3, subsequent_indent=_GAP * 3)


def _indented(widths: Sequence[int]) -> int:
    return sum(width + len(_GAP) for width in widths)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return (_GAP + _GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True))).rstrip()


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def _list_broken(broken: Sequence[BrokenPlugin], *, verbose: bool) -> None:
    if not broken:
        return
    echo(f"Broken plugins ({len(broken)})", style="bold")
    for plugin in broken:
        echo(f"{_GAP}{plugin.name} from {plugin.distribution}: {plugin.error}")
        if verbose and plugin.traceback:
            echo("".join(f"{_GAP * 2}{line}\n" for line in plugin.traceback.splitlines()), nl=False)
    if not verbose and any(plugin.traceback for plugin in broken):
        echo(f"{_GAP}Tracebacks: benchmarker list -v")


def _list_disabled() -> None:
    disabled = switched_off()
    if disabled:
        echo(f"Disabled plugins ({len(disabled)})", style="bold")
        for name in disabled:
            echo(f"{_GAP}{name}: switched off by {DISABLE_VARIABLE}")
