"""`runtime.fit_memory`: the least number of micro-batches with which a stage's steps fit into memory.

It is no part of the stage's key, which holds the `accumulate` of the config: gradients are the same up to rounding.
What goes by a batch is not: batch normalisation and terms of batch statistics (CORAL, MMD) see smaller batches.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from pipelines.definition.schema import TrainingConfig
from segda.artefacts.manifest import read_json, write_json
from segda.batch import Batch
from segda.engine import out_of_memory
from segda.engine.dry_run import dry_run
from segda.engine.session import Local, Session
from segda.engine.state import TrainingState
from segda.errors import ResourceError

CHOICE = "accumulate.json"
"""Keeps the choice in the stage's folder, so that a restart makes the same steps."""
RESERVE = 128 << 20
"""Bytes that stay free in a trial, since free memory may be in smaller pieces when the steps are made."""


def with_fitting_accumulate(
    config: TrainingConfig,
    folder: Path,
    assemble: Callable[[Local], TrainingState],
    stream: Callable[[TrainingConfig], Iterator[Batch]],
    session: Session,
) -> TrainingConfig:
    """The config with an `accumulate` that fits, by trial; all processes come to the same.

    `assemble` makes all that trains, which the dry run throws away; `stream` gives the micro-batches of a config.

    Raises:
        ResourceError: a single sample at a time does not fit.
    """
    earlier = session.broadcast(read_json(folder / CHOICE) if session.is_main and (folder / CHOICE).is_file() else {})
    share = config.batch // session.world

    def fits(accumulate: int) -> bool:
        tried = config.model_copy(update={"accumulate": accumulate})
        # Networks that do not fit by themselves fail here: no micro-batch is small enough for that.
        state = assemble(Local(session))

        def attempt() -> None:
            reserve = torch.empty(RESERVE, dtype=torch.uint8, device=session.device)
            dry_run(state, stream(tried), accumulate, session)
            del reserve

        enough = out_of_memory.fits_in_memory(attempt)
        session.release()
        return int(session.sum(torch.tensor(int(enough)))) == session.world

    accumulate = out_of_memory.smallest_accumulate(share, int(earlier.get("accumulate", config.accumulate)), fits)
    if accumulate is None:
        raise ResourceError(
            f"{folder.name}: a step does not fit into memory even one sample at a time; lower its crop or resize, or "
            "take smaller networks"
        )
    if session.is_main:
        write_json(folder / CHOICE, {"accumulate": accumulate})
        size = share // accumulate
        change = "as configured" if accumulate == config.accumulate else f"configured was {config.accumulate}"
        session.print(f"{folder.name}: fits memory with accumulate {accumulate} ({change}), {size} samples at a time")
    return config.model_copy(update={"accumulate": accumulate})
