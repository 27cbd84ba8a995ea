"""Steps on trial: as much memory as training takes, and nothing that outlasts them."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from segda.batch import Batch
from segda.engine import checkpoint, diagnostics
from segda.engine.background import BackgroundWriter
from segda.engine.safetensors_bytes import serialize
from segda.engine.session import Session
from segda.engine.state import TrainingState


def dry_run(training: TrainingState, batches: Iterator[Batch], accumulate: int, session: Session) -> None:
    """Make two steps as `fit` does: the second one beside the optimizers' states, which the first one makes.

    Processes exchange nothing, so that one of them may run out of memory while others do not. What they would hold for
    the exchange, about as much as the gradients, is therefore not part of the trial.

    Args:
        training: changed in place; to be thrown away.
        batches: micro-batches on the device.
        accumulate: micro-batches a step; no more than two are tried, the second beside the gradients of the first.
        session: the processes.

    Raises:
        RuntimeError: lack of memory is among the reasons.
        MemoryError: likewise.
    """
    training.objective.networks.train()
    with BackgroundWriter() as beside:
        for number in range(2):
            # A step may be made while a checkpoint is written: beside a thread, and a copy of what it writes.
            content = serialize(_state(training) if number else {})
            beside.begin(partial(_hash, content))
            for micro in range(min(2, accumulate)):
                forward_backward(training, next(batches), accumulate, session, first=micro == 0)
            for optimizer in training.optimizers().values():
                optimizer.step()


def _state(training: TrainingState) -> dict[str, Tensor]:
    """Most of what a checkpoint holds."""
    found = checkpoint.flatten(training.modules)
    if training.average:
        found |= {f"average/{name}": value for name, value in checkpoint.flatten(training.average.modules).items()}
    for player, optimizer in training.optimizers().items():
        tensors, _ = checkpoint.collect_optimizer(optimizer)
        found |= {f"{player}/{name}": value for name, value in tensors.items()}
    return found


def _hash(content: memoryview) -> None:
    checkpoint.checksum(content, {})


def forward_backward(
    training: TrainingState, batch: Batch, accumulate: int = 1, session: Session | None = None, first: bool = True
) -> None:
    """Forward and backward of both players on one micro-batch, and what is measured in steps that are logged.

    Args:
        training: gets the gradients.
        batch: on the device.
        accumulate: what losses are divided by.
        session: the processes; none is needed for networks that were not prepared.
        first: of the step's micro-batches, which lets go of earlier gradients; those of others are added to them.
    """
    with ExitStack() as stack:
        if session is not None:
            for module in training.prepared.values():
                stack.enter_context(session.accelerator.no_sync(module))
        objective = training.objective
        forward = objective.forward(batch, 0.5)
        both = (objective.generator_losses, objective.discriminator_losses)
        for number, (player, losses) in enumerate(zip(objective.players(), both, strict=True)):
            values = losses(forward)
            diagnostics.term_norms(values, diagnostics.last_layers(training.modules, player), 1.0)
            if first and number == 0:
                training.clear_gradients()
            if values:
                total = torch.stack(list(values.values())).sum() / accumulate
                total.backward() if session is None else session.backward(total)
        # One class asks for as much memory as many, since it is the images that do.
        diagnostics.class_shares(objective.networks, forward, 1)
