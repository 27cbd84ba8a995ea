"""The last layers of heads that give one class for the whole image."""

from torch import nn

from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least, demand_probability


def classifier(head: str, inputs: int, classes: int, width: int, norm: Norm, dropout: float) -> list[nn.Module]:
    """From `[B, inputs, 1, 1]` to logits `[B, K, 1, 1]`; a 1x1 convolution of a single pixel is a linear layer.

    `head` is what messages call the head. A hidden layer of `width` units, 0 for none, is normalised by `norm`; inputs
    of the last layer are dropped in training with probability `dropout`.

    Raises:
        ConfigError: an option is out of range.
    """
    demand_at_least(head, 0, width=width)
    demand_probability(head, "dropout", dropout)
    hidden = convolution(inputs, width, 1, norm, nn.ReLU()) if width else []
    return [*hidden, nn.Dropout(dropout), nn.Conv2d(width or inputs, classes, 1)]
