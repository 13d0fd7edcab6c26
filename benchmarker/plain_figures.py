"""Draw figures that look the same on every machine, whatever a ``matplotlibrc`` says.

Matplotlib reads a file of that name in the working folder, which may be a stranger's, before that of the user. Such a
file can run LaTeX on text of its own, and would change the bytes of figures that are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

Stretch = Literal["auto", "linear", "sqrt", "log", "asinh", "zscale"]
"""How the pixels of pictures become shades."""


@contextmanager
def figure_style(style: Mapping[Any, Any] | None = None) -> Iterator[None]:
    """Draw with matplotlib's own defaults and some changes; also a decorator of functions that draw.

    Figures must be saved inside the block, because matplotlib looks some settings up only then.

    Parameters
    ----------
    style : mapping of str to value, optional
        Changes, by the names that matplotlib gives its settings.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with mpl.rc_context({"text.usetex": True}), figure_style({"font.size": 8}):
    ...     mpl.rcParams["text.usetex"], mpl.rcParams["font.size"]
    (False, 8.0)
    """
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(style or {})
        yield
