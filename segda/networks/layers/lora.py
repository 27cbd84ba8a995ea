"""Low-rank adaptation: a pretrained layer keeps its weights and learns a small change to them.

Source: Hu et al., LoRA (arXiv:2106.09685), section 4.1: `W x + alpha / r * B A x`, `A` random and `B` 0 at first.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class LoraLinear(nn.Module):
    """A linear layer whose weight and bias are kept, plus `lora_up @ lora_down`, which learns.

    The layer's parameters keep their names, so that a file of its weights fits before and after.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        """Freeze the parameters of `linear`, `[out, in]`; the change starts at 0."""
        super().__init__()
        self.weight = linear.weight.requires_grad_(False)
        self.bias = None if linear.bias is None else linear.bias.requires_grad_(False)
        self.scale = alpha / rank
        outside, inside = linear.weight.shape
        self.lora_down = nn.Parameter(torch.empty(rank, inside))
        self.lora_up = nn.Parameter(torch.zeros(outside, rank))
        nn.init.kaiming_uniform_(self.lora_down, a=math.sqrt(5))  # as the authors' code, and torch's linear layers

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in]` to `[..., out]`."""
        change = functional.linear(functional.linear(x, self.lora_down), self.lora_up)
        return functional.linear(x, self.weight, self.bias) + self.scale * change


def add_lora(module: nn.Module, rank: int, alpha: float) -> None:
    """Replace every linear layer inside `module`, in place."""
    for parent in list(module.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Linear):
                setattr(parent, name, LoraLinear(layer, rank, alpha))
