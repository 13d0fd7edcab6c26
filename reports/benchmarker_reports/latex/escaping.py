"""Makes any text inert in LaTeX: what a registry or a file name holds is printed, never obeyed."""

from __future__ import annotations

import unicodedata

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
    "[": "{[}",  # a line of a table may not begin with them: the end of the one before would take them
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
    """Return a value as LaTeX that prints it, whatever it holds.

    Letters that pdflatex's own fonts lack are printed by their code points, ``[U+4E2D]``; line breaks and control
    characters become spaces.
    """
    if isinstance(value, Raw):
        return value
    text = unicodedata.normalize("NFC", str(value))
    found = "".join(_SPECIAL.get(c) or _GREEK.get(c) or _other(c) for c in text)
    # Two of them would become a dash, or a quotation mark.
    return found.replace("--", "-{}-").replace("--", "-{}-").replace(",,", ",{},").replace(",,", ",{},")


def _other(character: str) -> str:
    if character.isspace() or unicodedata.category(character).startswith("C"):
        return " "
    if character.isascii() or ("À" <= character <= "ÿ" and character not in "×÷"):  # noqa: RUF001
        return character
    return f"{{[}}U+{ord(character):04X}]"


def comment(value: object) -> str:
    """Return a text for a comment: on one line, in ASCII."""
    return "".join(c if c.isascii() and c.isprintable() else " " for c in str(value))


def letters(text: str) -> str:
    """Return a text as part of a macro's name, which may hold letters alone: ``fr_deep 2`` becomes ``FrDeepTwo``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    spelled = "".join(_DIGITS[int(c)] if c.isdigit() else c for c in plain)
    words = "".join(c if c.isalpha() else " " for c in spelled).split()
    return "".join(word[0].upper() + word[1:] for word in words)
