"""Text of strangers for a terminal: what would move the cursor, colour or turn a line is shown, not done."""

import unicodedata

#: Besides control characters, halves of pairs and what has no character: marks that turn the order of letters around.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN = frozenset(("Cc", "Cs", "Co", "Cn", "Zl", "Zp"))


def escape(text: object) -> str:
    r"""`text` on one line, with control characters, line breaks and marks of direction written out as escapes.

    >>> escape("a\nb\x1b[31m.png")
    'a\\nb\\x1b[31m.png'
    """
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(_written(letter) for letter in shown)


def _written(letter: str) -> str:
    if letter in _TURNING or unicodedata.category(letter) in _HIDDEN:
        return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
    return letter
