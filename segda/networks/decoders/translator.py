"""The second half of CycleGAN's ResNet generator: residual blocks, u128, u64, c7s1-3; nothing shared by the domains.

Source: Zhu et al., CycleGAN (arXiv:1703.10593), appendix 7.2; `nearest`: Odena et al., Deconvolution and Checkerboard
Artifacts (Distill, 2016). With `blocks: 0`, `norm: batch`, `grey`, `padding: zeros` and `initialisation: glorot` it is
the second half of the domain adaptation tutorial's generator for digits.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from segda.networks.layers.grey import from_grey
from segda.networks.layers.initialisation import INITIALISE, Initialisation
from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.residual_block import ResidualBlock
from segda.networks.layers.resolution import doublings

# Inside a tanh, saturated colours (a rendered sky's) hardly get a gradient: at 0.995 a hundredth of grey's, at 0.9 a
# fifth. So the image is scaled by this factor before, and translation starts as nearly the identity.
_CONTRAST = 0.9


class TranslatorDecoder(nn.Module):
    """One tail for each domain, from z to an image."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        domains: tuple[str, ...],
        blocks: int = 4,
        norm: Norm = "instance",
        residual: bool = False,
        upsample: Literal["transposed", "nearest"] = "transposed",
        padding: Literal["zeros", "reflect"] = "reflect",
        initialisation: Initialisation = "normal",
        grey: bool = False,
    ) -> None:
        """Build the second half of CycleGAN's generator; each doubling halves the feature maps.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            domains: the domains to make images of.
            blocks: residual blocks before the doublings.
            norm: normalisation after each convolution but the last.
            residual: learn the change to the input image, added before the tanh; it starts at zero, so that translation
                starts as nearly the identity.
            upsample: double by a transposed 3x3 convolution (CycleGAN), or by repeating pixels before a 3x3 one.
            padding: what surrounds the maps; `reflect` avoids dark rims.
            initialisation: `normal` is CycleGAN's, `glorot` Keras's.
            grey: make one channel and repeat it; a residual one is added to all three of the image's.

        Raises:
            ConfigError: the encoder's output stride is no power of two.
        """
        super().__init__()
        demand_at_least("decoder translator", 0, blocks=blocks)
        self.residual = residual
        self.grey = grey
        tails: dict[str, nn.Module] = {}
        for domain in domains:
            layers: list[nn.Module] = [ResidualBlock(channels[-1], norm, padding=padding) for _ in range(blocks)]
            width = channels[-1]
            for _ in range(doublings(strides[-1])):
                layers.append(_double(width, max(width // 2, 1), norm, upsample))
                width = max(width // 2, 1)
            last = nn.Conv2d(width, 1 if grey else 3, 7, padding=3, padding_mode=padding)
            tails[domain] = nn.Sequential(*layers, last)
        self.tails = nn.ModuleDict(tails)
        if norm != "none" or initialisation == "glorot":
            INITIALISE[initialisation](self)
        if residual:
            for tail in tails.values():
                for parameter in list(tail.children())[-1].parameters():
                    nn.init.zeros_(parameter)

    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        """Decode z, the last of the encoder's maps, as an image `[B, 3, H, W]` of `domain` in `[-1, 1]`.

        The first map is the encoder's image, to whose size the result is cut, and which `residual` changes.
        """
        image = features[0]
        change: Tensor = self.tails[domain](features[-1])[..., : image.shape[-2], : image.shape[-1]]
        if self.residual:
            change = change + torch.atanh(_CONTRAST * image.float())
        translated = torch.tanh(change)
        return from_grey(translated) if self.grey and not self.residual else translated


build = TranslatorDecoder


def _double(inside: int, outside: int, norm: Norm, upsample: Literal["transposed", "nearest"]) -> nn.Sequential:
    """A layer that doubles height and width, normalised, with ReLU."""
    bias = has_bias(norm)
    layers: list[nn.Module] = (
        [nn.ConvTranspose2d(inside, outside, 3, stride=2, padding=1, output_padding=1, bias=bias)]
        if upsample == "transposed"
        else [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inside, outside, 3, padding=1, bias=bias)]
    )
    return nn.Sequential(*layers, normalisation(norm, outside), nn.ReLU())
