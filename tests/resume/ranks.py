"""Several processes of one job as forks, all killed when one is, as when a machine fails."""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from accelerate.state import AcceleratorState

from tests.pipelines import tiny
from tools.soaking.faults import injected


def killed(work: Callable[[], None], fatal: int, kinds: tuple[str, ...], world: int = 1, victim: int = 0) -> bool:
    """Do `work` in `world` processes, one of which kills itself at event number `fatal`; return whether it did."""
    if world == 1:
        return tiny.killed(work, fatal, kinds)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [tiny.fork(lambda rank=rank: _rank(work, rank, world, port, fatal, kinds, victim))  # type: ignore[misc]
                for rank in range(world)]  # fmt: skip
    if not tiny.died(children[victim]):
        for child in children:
            assert child == children[victim] or not tiny.died(child)
        return False
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if child != children[victim]:
            os.waitpid(child, 0)
    return True


def _rank(
    work: Callable[[], None], rank: int, world: int, port: int, fatal: int, kinds: tuple[str, ...], victim: int
) -> None:
    """One process, as a launcher would start it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), LOCAL_WORLD_SIZE=str(world),
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), ACCELERATE_USE_CPU="1",
    )  # fmt: skip
    with injected(Path("/"), fatal if rank == victim else 0, kinds=kinds):
        work()
