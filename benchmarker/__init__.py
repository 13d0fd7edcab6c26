"""Galaxy benchmarker: compare galaxy networks deterministically, and honestly over few seeds.

This module is the public API: plugins import from here, and from `benchmarker.testing` in their tests. `__init__.pyi`
lists the names. Each is imported when it is first used, so that a plugin can register itself without importing numpy.
"""

import os
import sys


def _without_working_folder(folders: list[str]) -> list[str]:
    """Return the folders to import from without the first one, if that is the working folder."""
    try:
        return folders[1:] if folders[:1] == [os.getcwd()] else folders  # noqa: PTH109 - as Python writes it
    except OSError:  # the folder is gone
        return folders


# `python -m benchmarker` looks for modules in the working folder first, which may be that of a stranger's study. While
# Python looks for the module to run, `sys.argv` begins with "-m".
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    sys.path[:] = _without_working_folder(sys.path)

import lazy_loader  # noqa: E402

from benchmarker.telemetry import switch_off  # noqa: E402

switch_off()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
