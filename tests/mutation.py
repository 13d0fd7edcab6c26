"""Change one operator, number or condition at a time, and see whether a test fails; run by `make mutation`.

Run ``python -m tests.mutation [MODULE ...] [--sample N] [--jobs N]`` in the checkout. ``tests/mutation.toml`` names the
modules, the tests that each is judged by, and the mutants that no test can notice, with the reason. Mutants are made by
Cosmic Ray; annotations, decorators and the messages of errors are left alone. Each one is tested in a fork of this
process, which has imported the libraries once, so that no file changes and a mutant costs about a second.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import time
import tomllib
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any, NamedTuple

import cosmic_ray.plugins
import grimp
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from rich.console import Console
from rich.table import Table

CHECKOUT = Path(__file__).resolve().parent.parent
CONFIGURATION = Path(__file__).with_suffix(".toml")
FOLDER = Path("build") / "mutation"
RESULT = "found.json"
PRELOADED = ("numpy", "scipy.stats", "pydantic", "pandas", "sklearn.metrics", "psutil", "keras")
SHARE = 0.9
# A mutant may loop for ever. The machine may be busy, so that a test has ten times as long as it took before.
SECONDS, FACTOR = 30.0, 10.0
POLL_SECONDS = 0.02
_EXCEPTIONS = "core/ExceptionReplacer"
# Cosmic Ray needs to be told which variables to use, and a removed decorator mostly breaks everything.
_SKIPPED = ("core/Variable", "core/RemoveDecorator")


class Place(NamedTuple):
    """A possible change: its rank, the operator of Cosmic Ray, and which of its occurrences changes."""

    rank: str
    operator: str
    occurrence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one change.

    Parameters
    ----------
    module : str
        Path of the module in the checkout.
    line : int
        Number of the line.
    before, after : str
        The line as it is, and as the change leaves it.
    source : str
        Text of the changed module.
    """

    module: str
    line: int
    before: str
    after: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A module and what it is judged by.

    Parameters
    ----------
    module : str
        Path of the module in the checkout.
    tests : tuple of str
        Arguments of pytest.
    equivalents : frozenset of (str, str)
        Lines before and after changes that no test can notice.
    """

    module: str
    tests: tuple[str, ...]
    equivalents: frozenset[tuple[str, str]]


class MutatedFinder(importlib.abc.MetaPathFinder):
    """Finds one module with another source.

    Parameters
    ----------
    path : Path
        File of the module.
    source : str
        Text to run instead.
    """

    def __init__(self, path: Path, source: str) -> None:
        self._path = path
        self._source = source
        self._name = module_name(str(path.relative_to(CHECKOUT)))

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        """Return a specification of the module, and None for any other."""
        if fullname != self._name:
            return None
        source = self._source

        class Loader(SourceFileLoader):
            def get_code(self, fullname: str) -> Any:
                return self.source_to_code(source.encode(), self.get_filename(fullname))

        return importlib.util.spec_from_file_location(fullname, self._path, loader=Loader(fullname, str(self._path)))


def module_name(path: str) -> str:
    """Return the name of a module from its path in the checkout."""
    return ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")


def places_of(module: str, source: str) -> list[Place]:
    """Return where a module can change: one kind of operator at each place, in an order that a hash draws.

    The order depends on the text of a line and not on its number, so that a sample changes little when the module does.
    """
    tree = get_ast(source)
    kept = _kept_positions(source)
    lines = source.splitlines()
    drawn: dict[tuple[Any, str], Place] = {}
    for name in sorted(cosmic_ray.plugins.operator_names()):
        if name.startswith(_SKIPPED):
            continue
        operator = cosmic_ray.plugins.get_operator(name)()
        places = [place for node in ast_nodes(tree) for place in operator.mutation_positions(node)]
        for occurrence, (start, _stop) in enumerate(places):
            line = lines[start[0] - 1]
            if name == _EXCEPTIONS and "." in line.partition("except ")[2].partition("#")[0]:
                continue  # Cosmic Ray cannot replace names such as zipfile.BadZipFile
            if kept(*start) and not line.startswith("*,", start[1]):  # parameters by name are not a product
                about = f"{module}\n{line.strip()}\n{start[1]}\n{name}\n{occurrence % 2}"
                place = Place(hashlib.sha256(about.encode()).hexdigest(), name, occurrence)
                family = name.split("_", maxsplit=1)[0]
                drawn[start, family] = min(place, drawn.get((start, family), place))
    return sorted(drawn.values())


def mutant_at(place: Place, module: str, source: str) -> Mutant:
    """Return the mutant that a change makes."""
    changed = mutate_code(source, cosmic_ray.plugins.get_operator(place.operator)(), place.occurrence)
    both = zip(source.splitlines(), changed.splitlines(), strict=False)
    line, (before, after) = next((k, pair) for k, pair in enumerate(both, start=1) if pair[0] != pair[1])
    return Mutant(module=module, line=line, before=before.strip(), after=after.strip(), source=changed)


def _kept_positions(source: str) -> Callable[[int, int], bool]:
    """Return which positions may change: those outside the parts that `_fixed` names."""
    fixed = [
        ((part.lineno, part.col_offset), (part.end_lineno or 0, part.end_col_offset or 0))
        for node in ast.walk(ast.parse(source))
        for part in _fixed(node)
    ]
    return lambda line, column: not any(start <= (line, column) < stop for start, stop in fixed)


def _fixed(node: ast.AST) -> Sequence[ast.stmt | ast.expr]:
    """Return which parts of a node do not change.

    Annotations, decorators, messages of errors, what is for type checkers only, and the ``strict`` of `zip`.
    """
    match node:
        case ast.arg(annotation=ast.expr() as annotation) | ast.AnnAssign(annotation=annotation):
            return [annotation]
        case ast.FunctionDef(decorator_list=decorators, returns=returns):
            return [*decorators, *([returns] if returns else [])]
        case ast.ClassDef(decorator_list=parts) | ast.Raise(exc=ast.Call(args=parts)):
            return parts
        case ast.keyword(arg="strict", value=value):
            return [value]
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return [node]
    return []


def pytest_of(tests: Sequence[str], *options: str) -> int:
    """Run pytest in this process with no plugins but that of the project's settings; return its exit code."""
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", *options, *tests]))


def in_fork(run: Callable[[], int], log: Path) -> int:
    """Run a function in a fork of this process; return its id. Its exit code is what the function returns."""
    if pid := os.fork():
        return pid
    code = 70
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(output, stream)
        code = run()
    except BaseException:  # noqa: BLE001 - the parent shows the log of a fork that ends with an error
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)  # without the cleaning up that is the parent's


def import_all_but(module: str, tests: Sequence[str], graph: grimp.ImportGraph) -> None:
    """Import what tests need, except for a module and what depends on it, so that each fork imports only that."""
    pytest_of(tests, "--collect-only")
    changed = {module, *graph.find_downstream_modules(module)}
    for name in list(sys.modules):
        if name in changed or name.split(".")[0].startswith(("tests", "benchmarker_")):
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(child, None)
    facade = sys.modules["benchmarker"]
    for name in dir(facade):  # it keeps what was asked for
        vars(facade).pop(name, None)


@dataclass(slots=True)
class _Running:
    mutant: Mutant
    until: float


def judge(target: Target, mutants: Sequence[Mutant], jobs: int, folder: Path) -> Iterator[tuple[Mutant, str]]:
    """Test mutants; yield each with ``killed``, ``timeout`` or ``survived``, in the order in which they end."""

    def test(mutant: Mutant | None) -> int:
        if mutant is not None:
            sys.meta_path.insert(0, MutatedFinder(CHECKOUT / mutant.module, mutant.source))
        return pytest_of(target.tests)

    log = folder / "unchanged.txt"
    started = time.monotonic()
    _, status = os.waitpid(in_fork(lambda: test(None), log), 0)
    if status:
        raise SystemExit(f"{target.module}: its tests fail without a change:\n{log.read_text()[-4000:]}")
    limit = SECONDS + FACTOR * (time.monotonic() - started)
    running: dict[int, _Running] = {}
    waiting = list(reversed(mutants))
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            pid = in_fork(partial(test, mutant), folder / f"output-{len(waiting)}.txt")
            running[pid] = _Running(mutant, time.monotonic() + limit)
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended and time.monotonic() > running[pid].until:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                yield running.pop(pid).mutant, "timeout"
            elif ended:
                yield running.pop(pid).mutant, "killed" if status else "survived"
        time.sleep(POLL_SECONDS)


def read_targets(path: Path = CONFIGURATION) -> list[Target]:
    """Read which modules are changed, and what they are judged by."""
    read = tomllib.loads(path.read_text())
    equivalents = read.get("equivalent", [])
    return [
        Target(
            module=module,
            tests=(*tests, *_examples(module)),
            equivalents=frozenset((e["before"], e["after"]) for e in equivalents if e["module"] == module),
        )
        for module, tests in read["modules"].items()
    ]


def _examples(module: str) -> list[str]:
    """Return the test that runs the examples in a module's docstrings, if it has any."""
    has_any = ">>>" in (CHECKOUT / module).read_text()
    return [f"tests/test_project.py::test_examples_in_docstrings_run[{module}]"] if has_any else []


def _report(results: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="Mutants")
    for name in ("module", "places", "tested", "equivalent", "killed", "of them timeouts", "share"):
        table.add_column(name, justify="left" if name == "module" else "right")
    for module, row in results.items():
        numbers = [row[name] for name in ("places", "tested", "equivalent", "killed", "timeout")]
        table.add_row(module, *map(str, numbers), f"{row['share']:.0%}")
    return table


def _test_module(target: Target, sample: int, jobs: int, graph: grimp.ImportGraph) -> int:
    """Test the mutants of a module, write what was found, and return 0."""
    source = (CHECKOUT / target.module).read_text()
    places = places_of(target.module, source)
    chosen = [mutant_at(place, target.module, source) for place in (places[:sample] if sample else places)]
    tested = [mutant for mutant in chosen if (mutant.before, mutant.after) not in target.equivalents]
    import_all_but(module_name(target.module), target.tests, graph)
    counts = {"killed": 0, "timeout": 0, "survived": 0}
    survivors = []
    for mutant, outcome in judge(target, tested, jobs, folder_of(target)):
        counts[outcome] += 1
        if outcome == "survived":
            survivors.append({"line": mutant.line, "before": mutant.before, "after": mutant.after})
    killed = counts["killed"] + counts["timeout"]
    found = {
        "places": len(places),
        "tested": len(tested),
        "equivalent": len(chosen) - len(tested),
        "killed": killed,
        "timeout": counts["timeout"],
        "share": killed / len(tested) if tested else 1.0,
        "survivors": survivors,
    }
    (folder_of(target) / RESULT).write_text(json.dumps(found, indent=2) + "\n")
    return 0


def folder_of(target: Target) -> Path:
    """Return the folder of what is found about a module."""
    folder = FOLDER / module_name(target.module)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_module(target: Target, sample: int, jobs: int, graph: grimp.ImportGraph, console: Console) -> dict[str, Any]:
    """Test the mutants of a module in a fork, show the survivors, and return what was found."""
    started = time.monotonic()
    log = folder_of(target) / "log.txt"
    _, status = os.waitpid(in_fork(lambda: _test_module(target, sample, jobs, graph), log), 0)
    if status:
        raise SystemExit(log.read_text()[-4000:])
    found: dict[str, Any] = json.loads((folder_of(target) / RESULT).read_text())
    for each in found["survivors"]:
        place = f"{target.module}:{each['line']}"
        console.print(f"{place}\n  - {each['before']}\n  + {each['after']}", highlight=False, markup=False)
    seconds = time.monotonic() - started
    console.print(f"{target.module}: {found['killed']} of {found['tested']} killed, {seconds:.0f} s", highlight=False)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Test mutants of all modules; return 1 if one module has too many survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="parts of the paths of modules; all by default")
    parser.add_argument(
        "--sample", type=int, default=40, help="mutants of each module, 0 for all; default: %(default)s"
    )
    parser.add_argument("--jobs", type=int, default=2, help="mutants tested side by side; default: %(default)s")
    given = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    for name in PRELOADED:
        importlib.import_module(name)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    graph = grimp.build_graph("benchmarker", cache_dir=None)
    targets = [
        each for each in read_targets() if not given.modules or any(part in each.module for part in given.modules)
    ]
    results = {each.module: test_module(each, given.sample, given.jobs, graph, console) for each in targets}
    console.print(_report(results))
    return int(any(row["share"] < SHARE for row in results.values()))


if __name__ == "__main__":
    sys.exit(main())
