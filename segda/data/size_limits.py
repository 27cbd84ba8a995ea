"""Limits to the size that a file claims, so that a small one cannot make a reader fill the memory."""

import os

from segda.errors import ConfigError

MAX_DEFLATE_RATIO = 1033
"""The most bytes that one byte of zlib can unpack to: a file that claims more is damaged."""


def most(variable: str, default: int, unit: str) -> int:
    """A limit that users may raise: a variable of the environment, else the default.

    Raises:
        ConfigError: the variable is no whole number above 0.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text)):
        raise ConfigError(f"{variable}: found {text[:40]!r}; expected a whole number of {unit} above 0")
    return int(text)
