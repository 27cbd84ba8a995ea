"""What every discriminator answers."""

from typing import NamedTuple

from torch import Tensor


class DiscriminatorOutput(NamedTuple):
    """A discriminator's answer.

    Attributes:
        realness: `[B, 1, h, w]` raw scores, unbounded; one for each patch that the network sees.
        semantic: `[B, K, h, w]` class logits of a discriminator that segments its input too, else `None`.
    """

    realness: Tensor
    semantic: Tensor | None = None
