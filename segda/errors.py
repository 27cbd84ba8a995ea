"""The errors a caller can act on. Each message names the file or key, the fault, what was expected and the remedy."""

import re

# Colours, titles and moves of the cursor: CSI and OSC sequences (ECMA-48), and two-letter ones.
_TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


def without_terminal_codes(text: str) -> str:
    """`text` of another package without the sequences by which it colours its messages."""
    return _TERMINAL_CODES.sub("", text)


def reason(error: BaseException, limit: int = 200) -> str:
    """What an error of another package says: on one line, without terminal codes; its class if it says nothing."""
    return " ".join(without_terminal_codes(str(error)).split())[:limit] or type(error).__name__


class SegdaError(Exception):
    """Base of every error that a user can cause; the command line prints it as one line and exits with 2."""


class ConfigError(SegdaError):
    """A configuration that cannot run: unknown key, wrong type, impossible combination."""


class DataError(SegdaError):
    """A data set that cannot be used: missing root, missing pair, broken file, label outside its map."""


class ArtefactError(SegdaError):
    """A run folder that cannot be used: damaged, of another config, not finished, not writable."""


class TrainingError(SegdaError):
    """A training step that failed: a loss that is not finite, a network without gradient."""


class ResourceError(SegdaError):
    """Too little memory or disk space."""
