"""The command `segda`: it finds its own packages whatever stands in the current folder and on PYTHONPATH.

A module of its own, since a project may well have a `pipelines` or a `segda` of its own, but hardly this.
"""

import os
import sys
from typing import NoReturn


def own_packages_first() -> None:
    """Let what the user adds to Python's path, PYTHONPATH and the current folder, come after all that is installed."""
    own = os.path.dirname(os.path.abspath(__file__))
    added = {os.path.abspath(folder) for folder in ("", *os.environ.get("PYTHONPATH", "").split(os.pathsep))} - {own}
    last = [folder for folder in sys.path if os.path.abspath(folder) in added]
    first = [folder for folder in sys.path if folder not in last]
    sys.path[:] = [*([] if own in first else [own]), *first, *last]


def main() -> NoReturn:
    """Run the command line's command, and leave with its exit code."""
    own_packages_first()
    from pipelines.__main__ import main as command
    from pipelines.running import launch

    launch.leave(command())


if __name__ == "__main__":
    main()
