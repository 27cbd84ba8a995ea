"""The exponential moving average of the networks: teacher during training, published result after it."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """`average = decay * average + (1 - decay) * current`, after every step, of parameters and running statistics.

    The decay rises as `min(decay, (1 + step) / (1 + warmup + step))`, so that early averages are not ruled by the
    start; DAFormer's `1 - 1 / (step + 1)` is a warm-up of 1, a step earlier. Averages are frozen and stay in eval mode.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float, warmup: float = 9.0) -> None:
        """Copy the (unwrapped) networks as they are now; `decay` is in `(0, 1)`, `warmup` at least 0 (none)."""
        self.decay, self.warmup = decay, warmup
        self.modules = {name: copy.deepcopy(module).eval().requires_grad_(False) for name, module in modules.items()}

    @torch.no_grad()
    def update(self, modules: Mapping[str, nn.Module], step: int) -> None:
        """Move towards the networks as they are after `step` (counted from 0)."""
        decay = min(self.decay, (1 + step) / (1 + self.warmup + step))
        for name, average in self.modules.items():
            current = modules[name].state_dict()
            floating: list[tuple[Tensor, Tensor]] = []
            for key, tensor in average.state_dict().items():
                if tensor.is_floating_point():
                    floating.append((tensor, current[key]))
                else:
                    tensor.copy_(current[key])  # counters
            torch._foreach_lerp_([a for a, _ in floating], [c for _, c in floating], 1.0 - decay)
