"""The parser of all commands, the call of one, and an error as one line with an exit code."""

import argparse
import errno
import importlib
from collections.abc import Sequence
from types import ModuleType

from segda import __version__
from segda.engine import out_of_memory
from segda.engine.signals import StoppedError
from segda.errors import SegdaError
from segda.terminal.escape import escape

COMMANDS = ("run", "status", "check", "pack", "evaluate", "predict", "report", "table", "distance", "select", "import")

# A module cannot be called by a word of the language.
MODULES = {"import": "import_weights"}

MENDABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)

UNEXPECTED = (
    "error: a fault of segda, not of your files or config; the same command goes on from what is finished: should it "
    "end here again, please report the lines above"
)


def _command(name: str) -> ModuleType:
    return importlib.import_module(f"pipelines.commands.{MODULES.get(name, name)}")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands. Nothing heavy is imported for it."""
    top = argparse.ArgumentParser(prog="segda", description="Domain adaptation for segmentation, as one staged job.")
    top.add_argument("--version", action="version", version=f"segda {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = _command(name)
        summary = str(module.__doc__).splitlines()[0]
        below = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(below)
        below.add_argument("--debug", action="store_true", help="show the traceback of an error")
        below.add_argument(
            "--plugin", action="append", default=[], metavar="PACKAGE", help="let configs name components of PACKAGE"
        )
    return top


def dispatch(words: Sequence[str]) -> int:
    """Run the command that `words` name, and let its errors through; returns the exit code."""
    given = parser().parse_args(words)
    if given.plugin:
        from segda.config import lookup

        for plugin in given.plugin:
            lookup.allow_plugin(plugin)
    return int(_command(given.command).execute(given, words))


def explain(error: BaseException, debug: bool) -> tuple[str, int]:
    """What to print for an error, and the exit code: one line and 2 if the user can mend it, else a traceback and 1."""
    if isinstance(error, StoppedError):
        return str(error), error.code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command goes on from the last checkpoint", 130
    lack = out_of_memory.out_of_memory_reason(error)
    full_or_closed = isinstance(error, OSError) and error.errno in MENDABLE
    mendable = isinstance(error, SegdaError) or lack is not None or full_or_closed
    if debug or not mendable:
        import traceback

        lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
        told = "\n".join(escape(line) for line in lines)
        return (told, 2) if mendable else (f"{told}\n{UNEXPECTED}", 1)
    line = " ".join(str(error).split())
    if lack is not None and not isinstance(error, SegdaError):
        line = f"{lack}; raise the stage's `accumulate`, or lower its `batch`, `crop` or `workers`, then run again"
    elif isinstance(error, OSError):
        # An open file that cannot grow raises without its name, and never with a remedy.
        remedy = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend the permissions"
        line = f"{line}; {remedy}, then run the same command again: it goes on where it stopped"
    return (f"error: {escape(line)}" if line else ""), 2
