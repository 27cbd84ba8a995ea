"""The two players' optimizers: generators (encoders, heads, decoders) and discriminators."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from segda.errors import ConfigError

EMBEDDINGS = ("pos_embed", "cls_token", "reg_token", "mask_token")
"""Names of parameters of transformers that are no weights, though they have more than one dimension."""


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
    weight_decay_on: Literal["all", "weights"] = "all",
    layer_decay: float = 1.0,
) -> torch.optim.Optimizer | None:
    """One optimizer over the trainable parameters of the named networks.

    A network is one parameter group, or several: with `weight_decay_on: weights` those of one dimension (biases, scales
    and shifts of normalisations) and embeddings of positions are a group that does not decay; with a `layer_decay`
    below 1 each layer of an encoder is one, whose rate is multiplied by it once more for each layer between it and the
    encoder's output.

    Each group remembers its undamped rate as `base_rate`; encoders' is `learning_rate * encoder_factor`. With
    `clip_gradient_norm` it remembers that, too, for `clip_gradients`.
    Parameters are held in the order of sorted network names, so that a checkpoint fits whatever was built first.
    One kernel updates all of them.

    Returns:
        The optimizer, or `None` when the player has nothing to train (a method without discriminators).

    Raises:
        ConfigError: `name` is none of adam, adamw, sgd; `layer_decay` of an encoder that names no layers.
    """
    groups = []
    clipping = {} if clip_gradient_norm is None else {"clip_gradient_norm": clip_gradient_norm}
    for player in sorted(players):
        is_encoder = player.split(".")[0] == "encoder"
        factor = learning_rate * (encoder_factor if is_encoder else 1.0)
        layers = _by_layer(player, modules[player], layer_decay) if is_encoder and layer_decay < 1 else None
        for share, parameters in layers or [(1.0, list(modules[player].named_parameters()))]:
            for decay, kept in _by_decay(parameters, weight_decay, weight_decay_on):
                rate = factor * share
                groups.append({"params": kept, "lr": rate, "base_rate": rate, "weight_decay": decay, **clipping})
                device = kept[0].device
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


Named = list[tuple[str, nn.Parameter]]


def _by_decay(parameters: Named, weight_decay: float, on: str) -> Iterator[tuple[float, list[nn.Parameter]]]:
    """Those that learn, in one group or two, with their weight decay.

    Source: Loshchilov and Hutter 2019 (AdamW) decay weights; leaving out the rest is what Vision Transformers and
    SegFormer are trained with.
    """
    spared = {
        name for name, parameter in parameters
        if on == "weights" and (parameter.ndim <= 1 or name.rpartition(".")[2] in EMBEDDINGS)
    }  # fmt: skip
    for decay, chosen in ((weight_decay, False), (0.0, True)):
        kept = [parameter for name, parameter in parameters if parameter.requires_grad and (name in spared) == chosen]
        if kept:
            yield decay, kept


def _by_layer(player: str, encoder: nn.Module, layer_decay: float) -> list[tuple[float, Named]]:
    """The encoder's parameters layer by layer, each with its share of the rate; those outside go with the nearest.

    Source: Clark et al. 2020 (ELECTRA), section 3.2; Bao et al. 2022 (BEiT).
    """
    layers: list[nn.Module] | None = getattr(encoder, "layers", None)
    if layers is None:
        raise ConfigError(
            f"optimizer.layer_decay: {layer_decay}, but {player} names no layers; use a plain transformer (encoder "
            "vit), or leave layer_decay out"
        )
    place = {id(parameter): index for index, layer in enumerate(layers, 1) for parameter in layer.parameters()}
    by_layer: list[Named] = [[] for _ in range(len(layers) + 2)]
    reached = 0
    for name, parameter in encoder.named_parameters():
        # Embeddings come before the layers, the last normalisation after them.
        reached = place.get(id(parameter), len(layers) + 1 if reached else 0)
        by_layer[reached].append((name, parameter))
    deepest = len(layers) + 1
    return [(layer_decay ** (deepest - index), each) for index, each in enumerate(by_layer)]


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
