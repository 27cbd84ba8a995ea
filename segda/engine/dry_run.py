"""Steps that are thrown away: they need as much memory as training does, and leave nothing behind."""

from collections.abc import Iterator
from functools import partial

from torch import Tensor

from segda.batch import Batch
from segda.engine import checkpoint
from segda.engine.background import BackgroundWriter
from segda.engine.diagnostics import Diagnostics
from segda.engine.fit import Schedule, update
from segda.engine.safetensors_bytes import serialize
from segda.engine.session import Local, Session
from segda.engine.state import TrainingState


def dry_run(state: TrainingState, batches: Iterator[Batch], accumulate: int, session: Session) -> None:
    """Make two steps, the second one next to the optimizers' states, which the first one makes.

    Processes exchange nothing, so that one of them may run out of memory while others do not. What they would hold for
    the exchange, about as much as the gradients, is therefore not part of it.

    `state` is changed in place, to be thrown away. Of the `accumulate` micro-batches of a step no more than two are
    made, the second next to the gradients of the first.

    Raises:
        RuntimeError: out of memory, among other reasons.
        MemoryError: likewise.
    """
    state.objective.networks.train()
    state.step = 1  # of two, so that weights which rise from 0 count
    local = Local(session)
    # One class takes as much memory as many, since it is the images that do.
    diagnostics = Diagnostics(state, local, classes=1)
    with BackgroundWriter() as background:
        for number in range(2):
            # A step may be made while a checkpoint is written, from a copy, by another thread.
            content = serialize(_tensors(state) if number else {})
            background.begin(partial(_hash, content))
            update(state, batches, local, Schedule(steps=2, accumulate=min(2, accumulate)), diagnostics)


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    """Most of what a checkpoint holds."""
    tensors = checkpoint.flatten(state.modules)
    if state.average:
        tensors |= {f"average/{name}": value for name, value in checkpoint.flatten(state.average.modules).items()}
    for player, optimizer in state.optimizers().items():
        own, _ = checkpoint.collect_optimizer(optimizer)
        tensors |= {f"{player}/{name}": value for name, value in own.items()}
    return tensors


def _hash(content: memoryview) -> None:
    checkpoint.checksum(content, {})
