"""Steps on trial: as much memory as training takes, and nothing that outlasts them."""

from collections.abc import Iterator
from contextlib import ExitStack

import torch

from segda.batch import Batch
from segda.engine.fit import Training
from segda.engine.session import Session


def trial(training: Training, batches: Iterator[Batch], session: Session, accumulate: int) -> None:
    """Make two steps as `fit` does: the second one beside the optimizers' states, which the first one makes.

    Processes exchange nothing, so that one of them may run out of memory while others do not. What they would hold for
    the exchange, about as much as the gradients, is therefore not part of the trial.

    Args:
        training: changed in place; to be thrown away.
        batches: micro-batches on the device.
        session: the processes.
        accumulate: micro-batches a step; no more than two are tried, the second beside the gradients of the first.

    Raises:
        RuntimeError: lack of memory is among the reasons.
        MemoryError: likewise.
    """
    training.objective.networks.train()
    for _ in range(2):
        for _ in range(min(2, accumulate)):
            batch = next(batches)
            with ExitStack() as stack:
                for module in training.prepared.values():
                    stack.enter_context(session.accelerator.no_sync(module))
                forward = training.objective.forward(batch, 0.5)
                for losses in (training.objective.generator_losses, training.objective.discriminator_losses):
                    values = list(losses(forward).values())
                    if values:
                        session.backward(torch.stack(values).sum() / accumulate)
            del forward, values
        for optimizer in training.optimizers().values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
