"""The output of every discriminator."""

from typing import NamedTuple

from torch import Tensor


class DiscriminatorOutput(NamedTuple):
    """Scores and, of a discriminator that segments, class logits.

    Attributes:
        realness: `[B, 1, h, w]` raw scores, unbounded; one for each patch or position.
        semantic: `[B, K, h, w]` class logits, or `None`.
    """

    realness: Tensor
    semantic: Tensor | None = None
