"""Random draws as functions of the seed, their purpose and a sample's position in the data order."""

import torch
from torch import Tensor

from segda.seeds import derive_seed


def sample_generator(seed: int, purpose: str, position: int) -> torch.Generator:
    """The random generator of one sample and one purpose, the same in every process and after a restart."""
    return torch.Generator().manual_seed(derive_seed(seed, f"{purpose}/{position}"))


def uniform(seed: int, purpose: str, position: Tensor, shape: tuple[int, ...] = ()) -> Tensor:
    """Numbers in `[0, 1)` for each sample at `position`, int64 `[B]`: float32 `[B, *shape]` on the CPU.

    Other purposes give independent numbers.
    """
    generators = (sample_generator(seed, purpose, index) for index in position.tolist())
    return torch.stack([torch.rand(shape, generator=generator) for generator in generators])


def places(seed: int, purpose: str, position: Tensor, count: int, total: int) -> Tensor:
    """`count` of `total` places, or all of fewer, in random order for each sample: int64 `[B, N]` on the CPU."""
    generators = (sample_generator(seed, purpose, index) for index in position.tolist())
    return torch.stack([torch.randperm(total, generator=generator)[:count] for generator in generators])


def normal(seed: int, purpose: str, position: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers for each sample at `position`, int64 `[B]`: float32 `[B, *shape]` on the CPU."""
    generators = (sample_generator(seed, purpose, index) for index in position.tolist())
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators])
