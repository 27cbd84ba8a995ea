"""The tensors of one training step, with their shapes, dtypes and value ranges."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Domain = Literal["source", "target"]
DOMAINS: tuple[Domain, Domain] = ("source", "target")


class DomainBatch(NamedTuple):
    """The samples of one domain.

    Attributes:
        image: float32 `[B, C, H, W]` in `[-1, 1]`.
        label: int64 `[B, H, W]` of class indices (segmentation) or `[B]` (classification), 255 where ignored;
            `None` for the target domain, whose labels no adapting stage opens.
        position: int64 `[B]`, each sample's index in the endless data order. Every random draw made for a sample is
            a function of the seed and this number, so neither the number of processes nor a restart changes it.
        key: each sample's path relative to the root of its data set, for messages.
    """

    image: Tensor
    label: Tensor | None
    position: Tensor
    key: list[str]


class Batch(NamedTuple):
    """One step's samples; `target` is `None` only in plain supervised training."""

    source: DomainBatch
    target: DomainBatch | None


def other(domain: Domain) -> Domain:
    """The other one of the two domains."""
    return "target" if domain == "source" else "source"


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor that was just made on the CPU, moved to the step's device without waiting for a GPU."""
    # MPS may read the memory after the call, when it has been reused.
    return tensor.to(device, non_blocking=device.type != "mps")
