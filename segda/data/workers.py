"""Available processors, and the number of processes that load data."""

import os

MOST = 8
"""The most loading processes of one training process: more would cost memory and save little time."""


def available() -> int:
    """Processors that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loading(processes: int) -> int:
    """Processes that load data for each of some training processes on one machine: 1 to `MOST`.

    Training takes one processor, the others load. There is always one, since it works while a GPU does.
    """
    return min(max(available() // processes - 1, 1), MOST)


def here(processes: int) -> int:
    """The number of a launch's processes on this machine, according to its launcher."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", processes))
