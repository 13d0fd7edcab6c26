"""Show text that comes from studies, plugins, archives and servers as text, whatever it is written to.

Names and messages may hold escape sequences that retitle a window, write to the clipboard, or hide and forge lines
(OSC 0, OSC 52, CSI), also where output goes through a pipe before anybody looks at it; links and pictures for a page of
Markdown; or formulas for a spreadsheet. There is one function for each of these.
"""

from __future__ import annotations

import os
import re
from typing import Literal

Style = Literal["bold", "dim"]

# C0 controls other than line feed and tab, DEL, C1 controls, marks that reverse the direction of text, lone surrogates.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\N{ARABIC LETTER MARK}\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}"
    "\N{LEFT-TO-RIGHT EMBEDDING}-\N{RIGHT-TO-LEFT OVERRIDE}\N{LEFT-TO-RIGHT ISOLATE}-\N{POP DIRECTIONAL ISOLATE}"
    "\ud800-\udfff]"
)
# What CommonMark and its dialects read as markup, as little as possible: names with underscores stay readable.
_MARKDOWN = re.compile(
    r"[\\|*<>`\[\]~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis, but not within words
    r"|&(?=#?\w+;)"  # entities
    r"|(?<=\bwww)\.|(?<=:/)/"  # addresses, which become links by themselves
    r"|^(?:[#=]|[-+](?=[\s-]|$))|(?<=^\d)[.)](?=\s|$)",  # headings, lines and lists
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^(\d{2,9})([.)])(?=\s|$)")
# Spreadsheets of some countries also take the wide forms of East Asian type.
_FORMULA = (*"=+-@\t", *"\uff1d\uff0b\uff0d\uff20")
_HOME = re.compile(
    r"(?<![\w.~])(?:/home/|/Users/|[A-Z]:\\Users\\)[^/\\\s'\"<>]+([/\\])"  # of anybody
    r"|(?<![\w.~])/root(?=/)"
)


def printable(text: str) -> str:
    r"""Return text with its control characters shown as escapes; line feeds and tabs stay.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> printable("3C 31\x1b]0;owned\x07")
    '3C 31\\x1b]0;owned\\x07'
    """
    return _CONTROLS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def markdown_text(text: str) -> str:
    r"""Return text as one line that is neither markup, a link, a picture nor HTML to those who render Markdown.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> markdown_text("[a](http://b.c) | <i>")
    '\\[a\\](http:/\\/b.c) \\| \\<i\\>'
    """
    return _NUMBERED.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\g<0>", " ".join(printable(text).split())))


def table_cell(value: object) -> object:
    """Return a cell of a CSV file; text that spreadsheets take for a formula gets the apostrophe that makes it text.

    Parameters
    ----------
    value : object
        Text, a number, or whatever `csv` writes; only text is changed.

    Examples
    --------
    >>> table_cell("=1+1"), table_cell(-1.5)
    ("'=1+1", -1.5)
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def counted(number: int, noun: str) -> str:
    """Return a number of things, with the noun in the plural where needed.

    Parameters
    ----------
    number : int
        How many there are.
    noun : str
        What they are called, in the singular.

    Examples
    --------
    >>> counted(1, "seed"), counted(1200, "image")
    ('1 seed', '1,200 images')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def without_home(text: str) -> str:
    """Return text with the paths of home folders written as ``~``, for whatever is published.

    Parameters
    ----------
    text : str
        Any text. Home folders of other users, and of other systems, are found as well.

    Examples
    --------
    >>> without_home("/home/cannon/galaxies/3C 31.fits and /Users/cannon/networks")
    '~/galaxies/3C 31.fits and ~/networks'
    """
    own = os.path.expanduser("~")  # noqa: PTH111 - `Path.home` fails where there is none
    if len(own) > 1 and own != "~":
        text = text.replace(f"{own}/", "~/")
    return _HOME.sub(r"~\1", text)


def echo(text: str = "", *, nl: bool = True, err: bool = False, style: Style | None = None) -> None:
    """Print text with its control characters shown as escapes, so that no terminal obeys them.

    Parameters
    ----------
    text : str
        What to print.
    nl : bool
        Whether to end with a line feed.
    err : bool
        Whether to print to standard error.
    style : {"bold", "dim"}, optional
        How terminals show it, unless NO_COLOR is set.
    """
    import click

    shown = printable(text)
    if style is not None and "NO_COLOR" not in os.environ:
        shown = click.style(shown, bold=style == "bold" or None, dim=style == "dim" or None)
    click.echo(shown, nl=nl, err=err)  # noqa: TID251 - everything else comes here
