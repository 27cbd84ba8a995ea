"""The two players' optimizers: generators (encoders, heads, decoders) and discriminators."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from segda.errors import ConfigError


def build(
    modules: Mapping[str, nn.Module],
    players: Iterable[str],
    *,
    name: str,
    learning_rate: float,
    betas: tuple[float, float],
    momentum: float,
    weight_decay: float,
    encoder_factor: float,
    clip_gradient_norm: float | None = None,
) -> torch.optim.Optimizer | None:
    """One optimizer over the trainable parameters of the named networks, one parameter group a network.

    Each group remembers its undamped rate as `base_rate`; encoders' is `learning_rate * encoder_factor`. With
    `clip_gradient_norm` it remembers that, too, for `clip_gradients`.
    Parameters are held in the order of sorted network names, so that a checkpoint fits whatever was built first.
    One kernel updates all of them.

    Returns:
        The optimizer, or `None` when the player has nothing to train (a method without discriminators).

    Raises:
        ConfigError: `name` is none of adam, adamw, sgd.
    """
    groups = []
    for player in sorted(players):
        parameters = [parameter for parameter in modules[player].parameters() if parameter.requires_grad]
        if parameters:
            rate = learning_rate * (encoder_factor if player.split(".")[0] == "encoder" else 1.0)
            clipping = {} if clip_gradient_norm is None else {"clip_gradient_norm": clip_gradient_norm}
            groups.append({"params": parameters, "lr": rate, "base_rate": rate, **clipping})
            device = parameters[0].device
    if not groups:
        return None
    fused = True if fuses(device) else None
    if name == "adam":
        return torch.optim.Adam(groups, lr=learning_rate, betas=betas, weight_decay=weight_decay, fused=fused)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, weight_decay=weight_decay, fused=fused)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, weight_decay=weight_decay, fused=fused)
    raise ConfigError(f"optimizer.name: unknown optimizer {name!r}; valid: adam, adamw, sgd")


def fuses(device: torch.device) -> bool:
    """Whether parameters on a device are updated by one kernel: not those without values, on the meta device."""
    return device.type != "meta"


def clips(optimizer: torch.optim.Optimizer) -> bool:
    """Whether gradients are clipped before the optimizer's step."""
    return "clip_gradient_norm" in optimizer.param_groups[0]


def clip_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Shorten the gradient of all parameters of an optimizer together, where it is longer than they say.

    Source: Pascanu et al. 2013, On the difficulty of training recurrent neural networks, algorithm 1.
    """
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    clip_grad_norm_(held, optimizer.param_groups[0]["clip_gradient_norm"])


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to `factor` times its undamped one."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_rate"] * factor
