"""The meeting of the processes that a launcher started."""

import os
from datetime import timedelta

import torch
from torch.distributed.rendezvous import rendezvous

from segda.errors import ConfigError

EXCHANGE_TIMEOUT = timedelta(hours=12)
"""How long processes wait for one another: rank 0 alone hashes whole data sets, and the default is ten minutes."""

JOIN_TIMEOUT = timedelta(minutes=3)
"""How long they wait at the start for those that the launcher speaks of."""


def form_group(cpu: bool) -> bool:
    """Let the processes that the launcher speaks of meet, if there are several.

    Returns:
        Whether they compute on CPUs: with `cpu`, and several also where there is no GPU.

    Raises:
        ConfigError: some do not come, there are fewer GPUs than processes, or only some have one.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    cpu = cpu or (world > 1 and not torch.cuda.is_available())
    if world == 1 or torch.distributed.is_initialized():
        return cpu
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if not cpu and here > gpus and "TORCHELASTIC_RUN_ID" in os.environ:  # SLURM may show each task a GPU of its own
        raise ConfigError(f"{here} processes on this machine, but {gpus} GPUs; start at most {gpus}, or add --cpu")
    try:
        store, *_ = next(rendezvous("env://", timeout=JOIN_TIMEOUT))
        store.set(f"device/{rank}", "CPU" if cpu else "GPU")
        devices = [store.get(f"device/{other}").decode() for other in range(world)]
    except (torch.distributed.DistError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"process {rank} of {world} did not meet the others at "
            f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')} ({reason}); expected all {world} to be "
            "started at about the same time, and MASTER_PORT to be free on MASTER_ADDR and open to all machines"
        ) from error
    if len(set(devices)) > 1:
        raise ConfigError(
            f"process {devices.index('GPU')} has a GPU, process {devices.index('CPU')} has none; repair the latter's "
            "driver (nvidia-smi), or add --cpu"
        )
    store.set_timeout(EXCHANGE_TIMEOUT)
    torch.distributed.init_process_group(
        "gloo" if cpu else "nccl", store=store, rank=rank, world_size=world, timeout=EXCHANGE_TIMEOUT
    )
    return cpu
