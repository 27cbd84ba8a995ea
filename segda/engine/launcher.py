"""What launchers say in the environment: how many processes they started, and which of them this one is.

torch and Accelerate read torchrun's variables alone (on a CPU some of MPI's, too), so that a process that was started
in another way would believe that it is the only one.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from segda.data import workers
from segda.errors import ConfigError, SegdaError


class Launcher(NamedTuple):
    """A launcher, and the variables that it sets in each of its processes."""

    name: str
    world: str
    rank: str
    local_rank: str
    local_world: str


class Place(NamedTuple):
    """The place of a process among those of its launcher: its rank, from 0, and the variable that has their number."""

    launcher: Launcher
    world: int
    rank: int
    size: str


TORCH = Launcher("torchrun", "WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
SLURM = Launcher("SLURM", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "")
# In the order in which they are believed: `mpirun` may start its processes as tasks of SLURM, one a machine.
OTHERS = (
    Launcher(
        "Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_LOCAL_SIZE",
    ),
    Launcher(
        "MVAPICH", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_LOCAL_RANK",
        "MV2_COMM_WORLD_LOCAL_SIZE",
    ),
    Launcher("MPICH", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),  # and Intel MPI
    Launcher("Horovod", "HOROVOD_SIZE", "HOROVOD_RANK", "HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    Launcher(
        "jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_LOCAL_RANK", "JSM_NAMESPACE_LOCAL_SIZE"
    ),
    Launcher("Flux", "FLUX_JOB_SIZE", "FLUX_TASK_RANK", "FLUX_TASK_LOCAL_ID", ""),
    SLURM,
)  # fmt: skip


class SharedError(SegdaError):
    """Raised on the other ranks when one rank fails and tells the user why.

    It has a text where that is not certain: one that is printed unless this process is ended for the other's sake.
    """


def join(processes: int | None = 1) -> None:
    """Find this process's place among those of its launcher, and name it as torch and Accelerate expect.

    Processes of MPI or SLURM form a group where MASTER_ADDR and MASTER_PORT say where to meet. To be called before
    torch is imported: each process computes with its share of the processors, unless OMP_NUM_THREADS says otherwise.

    Args:
        processes: how many this one will start, if it is none of several; `None` for a command that starts none.

    Raises:
        ConfigError: the variables contradict one another, or more processes were started than would work together.
        SharedError: the same, in the other processes.
    """
    own = _torch_place()
    if own is not None and processes not in (None, 1, own.world):
        raise _refusal(own, f"--processes: {processes}, but {_said(own)}; leave --processes out")
    world = processes or 1 if own is None else own.world
    for place in _other_places():
        # The script of a job has a rank of SLURM's, too, but is none of its tasks; it starts processes itself.
        is_script = place.launcher is SLURM and place.rank == 0 and "SLURM_STEP_ID" not in os.environ
        if place.world <= world or (is_script and (own is not None or processes != 1)):
            continue
        if world > 1 or own is not None:
            raise _refusal(own or place, f"{_said(place)}, but {world} work together; {_remedy(place)}")
        _take(place)
        own, world = place, place.world
        break
    if own is None and world == 1 and "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_ADDR" in os.environ:
        raise ConfigError(
            "accelerate launch was asked for several processes and has started one; without GPUs, too, it starts "
            "several with --multi_gpu --num_processes N (or leave accelerate out: --processes N)"
        )
    if world > 1:
        here = workers.available() // workers.here(world)
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, here)))


def _torch_place() -> Place | None:
    """Rank and number of processes by torchrun's variables, whoever set them; `None` for a single process."""
    given = [name for name in TORCH[1:] if name in os.environ]
    if "RANK" not in given and "LOCAL_RANK" not in given and _number("WORLD_SIZE", "1") == 1:
        return None
    world = _number("WORLD_SIZE") if "WORLD_SIZE" in given else 0
    needed = ("WORLD_SIZE", "RANK", *(("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if world != 1 else ()))
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        raise ConfigError(
            f"{missing[0]}: not set, but {given[0]} is {os.environ[given[0]]!r}; a launcher sets {', '.join(needed)}: "
            f"set them all, or unset {', '.join(given)} where this process is alone"
        )
    place = Place(TORCH, world, _number("RANK"), "WORLD_SIZE")
    for rank, size in (("RANK", "WORLD_SIZE"), ("LOCAL_RANK", "LOCAL_WORLD_SIZE"), ("LOCAL_RANK", "WORLD_SIZE")):
        if rank in os.environ and size in os.environ and not 0 <= _number(rank) < _number(size):
            raise ConfigError(
                f"{rank}: {os.environ[rank]} of {size} {os.environ[size]}; expected 0 to {_number(size) - 1}: start "
                f"all processes by one launcher, or unset {', '.join(given)} where this process is alone"
            )
    if world == 1 and not (os.environ.get("MASTER_ADDR") and os.environ.get("MASTER_PORT")):
        os.environ.pop("LOCAL_RANK", None)  # left over: with it Accelerate would wait at an address that nobody gave
        return None
    return place


def _other_places() -> Iterator[Place]:
    """The places that the variables of other launchers give, where those started more than one process."""
    for launcher in OTHERS:
        if not os.environ.get(launcher.rank):
            continue  # sizes alone are those of an allocation, whose processes are yet to be started
        rank = _number(launcher.rank)
        # Within a job's allocation, a step may have fewer tasks.
        size = "SLURM_STEP_NUM_TASKS" if launcher is SLURM and "SLURM_STEP_NUM_TASKS" in os.environ else launcher.world
        world = _number(size, str(rank + 1))
        if not 0 <= rank < world:
            raise ConfigError(
                f"{launcher.rank}: {rank} of {size} {world}; expected 0 to {world - 1}: start all processes by one "
                f"launcher, or unset {launcher.rank} where this process is alone"
            )
        if world > 1:
            yield Place(launcher, world, rank, size)


def _take(place: Place) -> None:
    """Name a place by torchrun's variables."""
    if not (os.environ.get("MASTER_ADDR") and os.environ.get("MASTER_PORT")):
        raise _refusal(place, f"{_said(place)}, but this one knows of no other; {_remedy(place)}")
    local = os.environ.get(place.launcher.local_rank)
    if local is None:
        raise _refusal(place, f"{place.launcher.local_rank}: not set, but {_said(place)}; {_remedy(place)}")
    if place.launcher is SLURM:
        here = len(os.environ.get("SLURM_GTIDS", ",".join(map(str, range(place.world)))).split(","))
    else:
        here = _number(place.launcher.local_world, str(place.world))
    os.environ.update(RANK=str(place.rank), WORLD_SIZE=str(place.world), LOCAL_RANK=local, LOCAL_WORLD_SIZE=str(here))


def _said(place: Place) -> str:
    return f"{place.launcher.name} started {place.world} processes ({place.size})"


def _remedy(place: Place) -> str:
    meet = "export MASTER_ADDR (the machine of process 0) and MASTER_PORT (a free port there)"
    alone = f"unset {place.launcher.rank} where this process is to work alone"
    return f"{meet}, start them by torchrun or --processes {place.world}, or {alone}"


def _refusal(place: Place, message: str) -> SegdaError:
    """An error that process 0 prints, and another one only if it is still there some seconds later."""
    return ConfigError(message) if place.rank == 0 else SharedError(f"process {place.rank}: {message}")


def _number(name: str, default: str | None = None) -> int:
    """The whole number in a variable."""
    text = os.environ.get(name) or default or ""
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            f"{name}: {text!r}; expected a whole number; set it as a launcher does, or unset it"
        ) from None
