"""The losses of the steps since the last line of the log: fetched from the device together, and looked at there."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from segda.batch import Batch
from segda.engine.health import Finding
from segda.engine.session import Session


@dataclass
class StepLosses:
    """The named losses of one step, still on the device, and the files they were computed on."""

    step: int
    names: list[str]
    values: Tensor
    keys: list[str]


def named(step: int, generator: dict[str, Tensor], discriminator: dict[str, Tensor], batch: Batch) -> StepLosses:
    """Both players' losses of one micro-batch, named `generator.term` and `discriminator.term`."""
    named = {f"generator.{name}": loss for name, loss in generator.items()}
    named.update({f"discriminator.{name}": loss for name, loss in discriminator.items()})
    keys = batch.source.key + (batch.target.key if batch.target else [])
    return StepLosses(step, list(named), torch.stack([loss.detach().float() for loss in named.values()]), keys)


def not_finite(pending: list[StepLosses], session: Session) -> Finding | None:
    """The first loss of any process that is not finite, among those that were not looked at yet; on every process."""

    def own() -> Finding | None:
        stacked = torch.stack([losses.values for losses in pending])
        for losses, values in zip(pending, stacked.tolist(), strict=True):
            for name, value in zip(losses.names, values, strict=True):
                if not math.isfinite(value):
                    what = f"the loss {name} became {value} on {', '.join(losses.keys)}"
                    return Finding(what, f"losses.{name}", losses.step + 1, fatal=True)
        return None

    return next((trouble for trouble in session.gather_objects(own()) if trouble is not None), None)


def means(pending: list[StepLosses], session: Session) -> dict[str, float]:
    """The mean of the losses that were not logged yet, over steps and processes."""
    found = session.sum(torch.stack([losses.values for losses in pending]).mean(0)) / session.world
    return dict(zip(pending[0].names, found.tolist(), strict=True))
