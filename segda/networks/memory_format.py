"""The memory format of the networks that are trained on a CPU: channels last, where that is faster."""

from collections.abc import Iterable

import torch
from torch import nn


def use_faster_format(modules: Iterable[nn.Module]) -> None:
    """Keep the parameters of all networks of a stage channels last, if an encoder says that this trains it faster.

    An encoder says so by its attribute `channels_last`. A convolution's output then has that format, too, and so has
    all that follows it. Values differ by rounding only. On a GPU, and where no encoder asks for it, nothing changes.

    Nothing changes either where a network has an `nn.InstanceNorm2d`: its backward pass on CPUs is wrong for gradients
    in this format (torch 2.13, a batch of one image; `tests/unit/networks/test_memory_format.py` watches it).
    """
    networks = list(modules)
    layers = [layer for network in networks for layer in network.modules()]
    on_cpu = all(parameter.device.type == "cpu" for network in networks for parameter in network.parameters())
    asked = any(getattr(network, "channels_last", False) for network in networks)
    if on_cpu and asked and not any(isinstance(layer, nn.InstanceNorm2d) for layer in layers):
        for network in networks:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it


def has_depthwise_convolutions(network: nn.Module) -> bool:
    """Whether some convolution treats each channel by itself, as in MobileNets and EfficientNets.

    Such networks train 1.15 to 1.2 times as fast channels last, ResNets and DenseNets as fast or slower.
    """
    return any(isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1 for layer in network.modules())
