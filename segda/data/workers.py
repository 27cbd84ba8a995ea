"""How many processors there are to work with, and how many processes should load data."""

import os

MOST = 8
"""Loading processes of one training process: beyond, their batches take more memory than they save time."""


def available() -> int:
    """Processors that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def loading(processes: int) -> int:
    """Processes that load data for each of some training processes on one machine: 1 to `MOST`.

    Training takes a processor itself; the other ones load. One there always is, since it works while a GPU does, and
    starts within a tenth of a second.
    """
    return min(max(available() // processes - 1, 1), MOST)


def here(processes: int) -> int:
    """How many of a launch's processes share this machine, as far as its launcher says."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", processes))
