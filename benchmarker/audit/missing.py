"""What an audit lacks on this machine: plugins that the runs used, by the distributions that bring them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarker.discovery import Plugins
from benchmarker.errors import PluginError, UnknownPluginError
from benchmarker.results.study import CellRecord, GeneratorRecord
from benchmarker.study.fingerprint import Fingerprint


def missing_plugins(
    cell: CellRecord, generators: Mapping[str, GeneratorRecord], plugins: Plugins
) -> dict[tuple[str, str], str]:
    """Return why plugins that a cell used cannot be used here, by kind and name.

    Parameters
    ----------
    cell : CellRecord
        Cell with a run, whose fingerprint names the distribution of each plugin.
    generators : mapping of str to GeneratorRecord
        Generators of the study, by key.
    plugins : Plugins
        The installed plugins.
    """
    found = _missing(cell.spec.plugins, cell.fingerprint, plugins)
    generator = generators.get(cell.spec.arm.generator or "")
    return found if generator is None else found | _missing(generator.spec.plugins, generator.fingerprint, plugins)


def _missing(
    used: Iterable[tuple[str, str]], fingerprint: Fingerprint | None, plugins: Plugins
) -> dict[tuple[str, str], str]:
    distributions = {} if fingerprint is None else fingerprint.plugins
    found = {}
    for kind, name in used:
        try:
            plugins.code([(kind, name)])
        except (UnknownPluginError, PluginError) as error:
            distribution = distributions.get(f"{kind} {name}", "")
            remedy = f"; the run used the one of {distribution}: install that" if distribution else ""
            found[kind, name] = f"the {kind} {name!r} is missing{remedy} ({error})"
    return found
