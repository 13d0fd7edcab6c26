"""Text for LaTeX: escaping that makes any text inert, and definitions of macros.

Names in registries and files may hold anything. They are printed, never executed, and the document compiles with
pdflatex's own fonts whatever they are. Decision 0013 says why no library does this.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # at the start of a row, LaTeX would take [ or * for an argument of the row's end before it
    "*": "{*}",
    "'": r"\textquotesingle{}",
    "±": r"\ensuremath{\pm}",
    "\N{MINUS SIGN}": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",  # noqa: RUF001
    "µ": r"\ensuremath{\mu}",
    "°": r"\ensuremath{^\circ}",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "\N{RIGHT SINGLE QUOTATION MARK}": r"\textquoteright{}",
    "\N{LEFT SINGLE QUOTATION MARK}": r"\textquoteleft{}",
    "\N{RIGHT DOUBLE QUOTATION MARK}": r"\textquotedblright{}",
    "\N{LEFT DOUBLE QUOTATION MARK}": r"\textquotedblleft{}",
    "\N{HORIZONTAL ELLIPSIS}": r"\dots{}",
}
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau "
    "upsilon phi chi psi omega"
)
_GREEK = {
    chr(0x3B1 + k): rf"\ensuremath{{\{name}}}" for k, name in enumerate(_GREEK_NAMES.split()) if name != "omicron"
}
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


class Raw(str):
    """Text that is LaTeX already."""

    __slots__ = ()


def escaped(value: object) -> str:
    """Return LaTeX that prints a value, whatever it holds.

    Characters that pdflatex's own fonts lack are printed as their code points, ``[U+4E2D]``; line breaks and control
    characters become spaces.
    """
    if isinstance(value, Raw):
        return value
    text = unicodedata.normalize("NFC", str(value))
    found = "".join(_SPECIAL.get(c) or _GREEK.get(c) or _other(c) for c in text)
    # Two hyphens would become a dash, and two commas a quotation mark.
    return found.replace("--", "-{}-").replace("--", "-{}-").replace(",,", ",{},").replace(",,", ",{},")


def _other(character: str) -> str:
    if character.isspace() or unicodedata.category(character).startswith("C"):
        return " "
    if character.isascii() or ("À" <= character <= "ÿ" and character not in "×÷"):  # noqa: RUF001
        return character
    return f"{{[}}U+{ord(character):04X}]"


def comment(value: object) -> str:
    """Return a text that is safe in a comment: on one line, in ASCII."""
    return "".join(c if c.isascii() and c.isprintable() else " " for c in str(value))


def letters(text: str) -> str:
    """Return a text as part of a macro's name, which may only have letters: ``fr_deep 2`` becomes ``FrDeepTwo``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    spelled = "".join(_DIGITS[int(c)] if c.isdigit() else c for c in plain)
    words = "".join(c if c.isalpha() else " " for c in spelled).split()
    return "".join(word[0].upper() + word[1:] for word in words)


class Macros:
    r"""Definitions of macros, such as ``\GBConvxpressRealAccuracyMean``.

    Each name is defined once; a second value for the same name gets ``Again`` at its end.
    """

    PREFIX = "GB"

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, str]] = {}

    def add(self, parts: Sequence[str], value: object, meaning: str) -> None:
        """Define a macro.

        Parameters
        ----------
        parts : sequence of str
            Parts of the name; digits are spelled out, and everything but letters is left out.
        value : object
            What the macro prints.
        meaning : str
            Comment beside the definition.
        """
        name = self.PREFIX + "".join(letters(part) or "Unnamed" for part in parts)
        while name in self._values:
            name += "Again"
        self._values[name] = (escaped(value), comment(meaning))

    def text(self) -> str:
        """Return the definitions, one on each line."""
        lines = [f"\\newcommand{{\\{name}}}{{{value}}} % {meaning}" for name, (value, meaning) in self._values.items()]
        return "\n".join(lines) + "\n"

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)
