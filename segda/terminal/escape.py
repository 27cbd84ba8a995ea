"""Escape names from outside for a terminal, so that none moves the cursor, sets a colour or reverses a line."""

import unicodedata

# Marks of direction reverse the order of letters. The categories: control, surrogate, private use, unassigned, and
# separators of lines and paragraphs.
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNPRINTABLE = frozenset(("Cc", "Cs", "Co", "Cn", "Zl", "Zp"))


def escape(text: object) -> str:
    r"""`text` on one line, with control characters, line breaks and marks of direction as escape sequences.

    >>> escape("a\nb\x1b[31m.png")
    'a\\nb\\x1b[31m.png'
    """
    line = str(text)
    if line.isascii() and line.isprintable():
        return line
    return "".join(_escaped(letter) for letter in line)


def _escaped(letter: str) -> str:
    if letter in _DIRECTION or unicodedata.category(letter) in _UNPRINTABLE:
        return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
    return letter
