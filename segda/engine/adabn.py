"""Batch normalisation between domains: whose mean and variance a network normalises by.

Source: Li et al., Revisiting Batch Normalization for Practical Domain Adaptation (arXiv:1603.04779), "AdaBN": replacing
the running statistics by the target's own needs no label and no training.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segda.networks.networks import Networks


def layers(modules: Mapping[str, nn.Module]) -> list[_BatchNorm]:
    """The batch normalisation layers of some networks, in a fixed order."""
    return [layer for name in sorted(modules) for layer in modules[name].modules() if isinstance(layer, _BatchNorm)]


def normalise_by_batch(modules: Mapping[str, nn.Module]) -> None:
    """Let frozen networks normalise by the batch that they see and leave their running statistics alone.

    A teacher that has seen source images judges target batches far better this way (so do the authors of DACS).
    """
    for layer in layers(modules):
        layer.train()
        layer.momentum = 0.0


@torch.no_grad()
def estimate(networks: Networks, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by the plain mean over batches of target images.

    Args:
        networks: an encoder and a head, unwrapped; left in evaluation mode.
        batches: float32 `[B, 3, H, W]` in `[-1, 1]`, of equal sizes for a fair mean.
    """
    networks.train(False)
    found = layers(networks.modules)
    kept = [layer.momentum for layer in found]
    for layer in found:
        layer.reset_running_stats()
        layer.momentum = None  # torch's cumulative average
        layer.train()
    for image in batches:
        networks.classify(networks.encode(image, "target"))
    for layer, momentum in zip(found, kept, strict=True):
        layer.momentum = momentum
        layer.eval()
