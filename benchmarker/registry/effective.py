"""The registry that a study keeps: as it was run, with the settings of the command line in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from benchmarker.registry.yaml_loader import scalar

if TYPE_CHECKING:
    from benchmarker.registry.loading import LoadedRegistry

_HEADER = "# {name} with the settings of the command line, as it was run.\n"


def effective_registry(loaded: LoadedRegistry, data_path: str | None) -> bytes:
    """Return the content of a registry file that makes the same cells without any option of the command line.

    Parameters
    ----------
    loaded : LoadedRegistry
        Registry that is run.
    data_path : str or None
        Path of the user's images, relative to the folder that the content is kept in.

    Returns
    -------
    bytes
        The file itself, with all its comments, where no option changed anything; otherwise YAML that is written anew.
    """
    if not loaded.overridden:
        return loaded.content
    data = loaded.registry.model_dump(mode="json", exclude_unset=True)
    if data_path is not None:
        data["dataset"]["path"] = data_path
    return (_HEADER.format(name=" ".join(loaded.path.name.split())) + write_yaml(data)).encode()


def write_yaml(data: Any) -> str:
    """Return plain data as YAML that `load_yaml` reads back as the same data.

    Examples
    --------
    >>> print(write_yaml({"name": "no", "epochs": "16", "learning_rate": 1e-05}), end="")
    name: 'no'
    epochs: "16"
    learning_rate: 1.0e-05
    """
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_LONGEST_LINE)


_TEXT = "tag:yaml.org,2002:str"
_LONGEST_LINE = 1 << 20
"""Characters of a line, so that PyYAML does not fold texts."""


class _Dumper(yaml.SafeDumper):
    """Puts every text in quotes that PyYAML (YAML 1.1) or this project (YAML 1.2) would read as something else."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write repeated values out, as people would."""
        return True

    def write_text(self, text: str) -> yaml.ScalarNode:
        """Return the node of a text."""
        quoted = not _is_text(text)
        return self.represent_scalar(_TEXT, text, style='"' if quoted else None)


def _is_text(text: str) -> bool:
    try:
        return isinstance(scalar(text), str)
    except ValueError:
        return False


_Dumper.add_representer(str, _Dumper.write_text)
