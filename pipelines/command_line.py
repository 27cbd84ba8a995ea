"""The parser of all commands, the call of one, and an error as one line with an exit code."""

import argparse
import errno
import importlib
from collections.abc import Sequence
from itertools import takewhile
from types import ModuleType
from typing import NoReturn

from segda import __version__
from segda.config.lookup import nearest, nearest_of
from segda.engine import out_of_memory
from segda.engine.signals import StoppedError
from segda.errors import ConfigError, SegdaError, without_terminal_codes
from segda.terminal.escape import escape

COMMANDS = (
    "run", "status", "check", "pack", "evaluate", "predict", "report", "table", "distance", "select", "import", "clean",
    "score", "list", "init", "schema", "share", "load", "export-network", "completion",
)  # fmt: skip

# A module cannot be named by a keyword of the language, nor with a dash.
MODULES = {"import": "import_weights", "export-network": "export_network"}

FIXABLE_OS_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)

EXAMPLES = "examples:"

UNEXPECTED = (
    "error: a fault of segda, not of your files or config; the same command goes on from what is finished: if it ends "
    "here again, please report the lines above"
)


def _command(name: str) -> ModuleType:
    return importlib.import_module(f"pipelines.commands.{MODULES.get(name, name)}")


class Help(argparse.HelpFormatter):
    """Help whose examples are lines of their own, and whose column of names is as wide as the longest command."""

    def add_argument(self, action: argparse.Action) -> None:
        """As argparse, which forgets that commands are indented once more."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(EXAMPLES) else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all others are, and name an option that there is not before all else."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse, which would say first what is missing because of an option that is misspelt.

        Raises:
            ConfigError: an option that there is not, or other wrong arguments.
        """
        options = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        own = takewhile(lambda word: word.startswith("-"), args) if self._subparsers else args
        for word in takewhile(lambda word: word != "--", own):
            option = word.partition("=")[0]
            long = option.startswith("--") and not any(name.startswith(option) for name in options)
            if long or f"-{option}" in options:
                raise ConfigError(f"{self.prog}: unknown option {option!r}; {nearest(option, options)}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.prog}: {message}; see {self.prog} --help")


def with_command(argv: Sequence[str]) -> list[str]:
    """The arguments with their command: a bare pipeline name means `run`.

    Raises:
        ConfigError: it is neither a command nor a pipeline.
    """
    if not argv or argv[0].startswith("-") or argv[0] in COMMANDS:
        return list(argv)
    from segda.config.loading import find, names

    try:
        find(argv[0], "pipelines")
    except ConfigError as error:
        meant = nearest_of(argv[0], (*COMMANDS, *names("pipelines")), cutoff=0.6)
        if meant in COMMANDS:
            raise ConfigError(f"no command or pipeline {argv[0]!r}; did you mean {meant!r}?") from None
        raise ConfigError(f"no command {argv[0]!r} (there are {', '.join(COMMANDS)}) and {error}") from None
    return ["run", *argv]


def parser() -> argparse.ArgumentParser:
    """The parser of all commands. Nothing heavy is imported for it."""
    top = Parser(
        prog="segda", description="Domain adaptation for segmentation, as one staged job.", formatter_class=Help
    )
    top.add_argument("--version", action="version", version=f"segda {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = _command(name)
        summary = str(module.__doc__).splitlines()[0]
        command = commands.add_parser(
            name, help=summary, description=summary, formatter_class=Help,
            epilog="\n  ".join([EXAMPLES, *module.EXAMPLES]),
        )  # fmt: skip
        module.add_arguments(command)
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
        command.add_argument(
            "--plugin", action="append", default=[], metavar="PACKAGE", help="let configs name components of PACKAGE"
        )
    return top


def dispatch(argv: Sequence[str]) -> int:
    """Run the command that `argv` names, and let its errors through; returns the exit code."""
    args, unknown = parser().parse_known_args(argv)
    if unknown:
        raise ConfigError(f"segda {args.command}: unexpected {unknown[0]!r}; see segda {args.command} --help")
    from segda.config import lookup

    lookup.forget_shadowing()
    for plugin in args.plugin:
        lookup.allow_plugin(plugin)
    return int(_command(args.command).execute(args, argv))


def explain(error: BaseException, debug: bool) -> tuple[str, int]:
    """What to print for an error, and the exit code: one line and 2 if the user can fix it, else a traceback and 1."""
    if isinstance(error, StoppedError):
        return str(error), error.code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command goes on from the last checkpoint", 130
    reason = out_of_memory.out_of_memory_reason(error)
    full_or_closed = isinstance(error, OSError) and error.errno in FIXABLE_OS_ERRORS
    from pipelines import installation
    from segda.config import lookup

    fixable = isinstance(error, SegdaError) or reason is not None or full_or_closed
    package = None if fixable else installation.explain_package(error)
    if not fixable and package is None:
        package = installation.unmet_requirement(error)
    if debug or not (fixable or package):
        import traceback

        lines = "".join(traceback.format_exception(error)).rstrip().split("\n")
        message = "\n".join(escape(without_terminal_codes(line)) for line in lines)
        last = f"\nerror: {escape(package)}" if package else "" if fixable else f"\n{UNEXPECTED}"
        return f"{message}{last}", 2 if fixable or package else 1
    line = package or " ".join(str(error).split())
    if reason is not None and not isinstance(error, SegdaError):
        line = f"{reason}; raise the stage's `accumulate`, or lower its `batch`, `crop` or `workers`, then run again"
    elif isinstance(error, OSError) and full_or_closed:
        # The error of an open file that cannot grow names neither the file nor a remedy.
        remedy = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "change the permissions"
        line = f"{line}; {remedy}, then run the same command again: it goes on where it stopped"
    elif isinstance(error, SegdaError) and lookup.shadowing():
        line = f"{line} ({lookup.shadowing()})"
    return (f"error: {escape(line)}" if line else ""), 2
