"""The command line: `segda COMMAND …` and `python -m pipelines COMMAND …` are the same program."""

import io
import os
import sys
from collections.abc import Sequence

if __name__ == "__main__":  # before anything else is imported: the current folder comes first on Python's path
    from segda_command import own_packages_first

    own_packages_first()

from pipelines.command_line import dispatch, explain, with_command
from pipelines.running import launch
from segda.engine.launcher import SharedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what follows the program's name; a bare pipeline name means `run`.

    Returns:
        The exit code: 0; 2 after an error that the user can fix; 75 after SIGTERM or SIGUSR1, 130 when interrupted; 1
        after any other error.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # The terminal may be unable to show a file's name.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        argv = with_command(argv)
        code = dispatch(argv)
        sys.stdout.flush()  # a full disk can still be reported here
        return code
    except BrokenPipeError:
        # The reader, such as head, has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (Exception, KeyboardInterrupt) as error:
        message, code = explain(error, "--debug" in argv)
        if launch.is_worker() or isinstance(error, SharedError):
            launch.exit_worker(error, message, code)
        if message:
            print(message, file=sys.stderr)
        _discard_full_output()
        return code
    except SystemExit as left:
        if not launch.is_worker():
            raise
        # Code outside segda left; the other processes would wait for this one.
        message = f"error: process {os.environ.get('RANK')} left before the end, with sys.exit({left.code!r})"
        launch.exit_worker(left, message, left.code if isinstance(left.code, int) and left.code else 1)


def _discard_full_output() -> None:
    """Give up what standard output still holds: written at the very end, it would meet the full disk once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    launch.leave(main())
