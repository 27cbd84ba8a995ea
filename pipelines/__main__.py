"""The command line: `segda COMMAND …` and `python -m pipelines COMMAND …` are the same program."""

import io
import os
import sys
from collections.abc import Sequence

from pipelines.command_line import COMMANDS, dispatch, explain
from pipelines.running import launch


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what stands after the program's name; a bare pipeline name means `run`.

    Returns:
        The exit code: 0; 2 after an error that the user can mend; 75 after SIGTERM, 130 when interrupted; 1 after any
        other error.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        words.insert(0, "run")
    for stream in (sys.stdout, sys.stderr):
        # A file may be called what the terminal cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = dispatch(words)
        sys.stdout.flush()  # here a full disk can still be told of
        return code
    except BrokenPipeError:
        # The reader (head, say) has gone; there is no one to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (Exception, KeyboardInterrupt) as error:
        text, code = explain(error, "--debug" in words)
        if text:
            print(launch.explained(error, text), file=sys.stderr)
        _give_up_full_output()
        if launch.is_worker():
            launch.exit_process(code, wait=launch.is_secondary_failure(error) or not text)
        return code


def _give_up_full_output() -> None:
    """What standard output still holds would else be written at the very end, and its disk be full once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
