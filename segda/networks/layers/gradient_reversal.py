"""The gradient reversal layer: identity forwards, negated gradient backwards."""

from typing import Any

import torch
from torch import Tensor


class _GradientReversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return -ctx.scale * gradients[0], None


def reverse_gradient(x: Tensor, scale: float = 1.0) -> Tensor:
    """Return `x`; what is computed from it gives `x` the gradient times `-scale`.

    Source: Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016, equations 16 and 17.
    """
    reversed_: Tensor = _GradientReversal.apply(x, scale)
    return reversed_
