"""Initialisations: DCGAN's, for networks that make images or tell them apart, and Keras's."""

from collections.abc import Callable
from typing import Literal

from torch import nn

STANDARD_DEVIATION = 0.02

Initialisation = Literal["normal", "glorot"]


def initialise_normal(module: nn.Module) -> None:
    """Draw all convolution weights from N(0, 0.02) and normalisation scales from N(1, 0.02); biases are zero.

    Source: Radford et al., DCGAN (arXiv:1511.06434), section 4; CycleGAN's code.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, STANDARD_DEVIATION)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.normal_(layer.weight, 1.0, STANDARD_DEVIATION)
            nn.init.zeros_(layer.bias)


def initialise_glorot(module: nn.Module, gain: float = 1.0, bias: float = 0.0) -> None:
    """Draw all weights evenly from `gain * sqrt(6 / (fan in + fan out))` either side of zero; every bias is `bias`.

    With its defaults this is how Keras starts every dense and convolutional layer; normalisation stays as it is.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (AISTATS
    2010), equation 16.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, bias)


#: How to initialise all layers inside a module, by name.
INITIALISE: dict[Initialisation, Callable[[nn.Module], None]] = {
    "normal": initialise_normal,
    "glorot": initialise_glorot,
}
