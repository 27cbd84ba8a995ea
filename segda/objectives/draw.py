"""Random draws as functions of the seed, their purpose and a sample's position in the data order."""

import torch
from torch import Tensor

from segda.seeds import derive_seed


def sample_generator(seed: int, purpose: str, position: int) -> torch.Generator:
    """The random generator of one sample and one purpose, the same in every process and after a restart."""
    return torch.Generator().manual_seed(derive_seed(seed, f"{purpose}/{position}"))


def uniform(seed: int, purpose: str, position: Tensor) -> Tensor:
    """One number in `[0, 1)` for each sample.

    Args:
        seed: the run's seed.
        purpose: what the draw is for; other purposes give independent numbers.
        position: int64 `[B]`.

    Returns:
        float32 `[B]` on the CPU.
    """
    return torch.stack(
        [torch.rand((), generator=sample_generator(seed, purpose, index)) for index in position.tolist()]
    )


def normal(seed: int, purpose: str, position: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers for each sample.

    Args:
        seed: the run's seed.
        purpose: what the draw is for; other purposes give independent numbers.
        position: int64 `[B]`.
        shape: of one sample's numbers.

    Returns:
        float32 `[B, *shape]` on the CPU.
    """
    return torch.stack(
        [torch.randn(shape, generator=sample_generator(seed, purpose, index)) for index in position.tolist()]
    )
