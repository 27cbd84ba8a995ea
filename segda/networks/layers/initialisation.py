"""The initialisation of networks that make or judge images."""

from torch import nn

STANDARD_DEVIATION = 0.02


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
