"""DenseNet for small images: three dense blocks at the image's resolution, a half and a quarter of it.

Source: Huang et al., DenseNet (arXiv:1608.06993), sections 3 and 4.2: depth 40 and growth 12 for 32x32 images; with
`bottleneck` and compression 0.5, DenseNet-BC. I2I paper (arXiv:1712.00479), section 5.1: without the last layer.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.layers.grey import to_grey
from segda.networks.layers.option_checks import demand_at_least, demand_probability

# A bottleneck makes this many times the growth before the 3x3 convolution.
_BOTTLENECK = 4


class DenseLayer(nn.Module):
    """Batch normalisation, ReLU and a 3x3 convolution; its maps are appended to its input's."""

    def __init__(self, inside: int, growth: int, bottleneck: bool, dropout: float) -> None:
        """Build the layers; the options are the encoder's."""
        super().__init__()
        layers: list[nn.Module] = []
        if bottleneck:
            layers += [nn.BatchNorm2d(inside), nn.ReLU(), nn.Conv2d(inside, _BOTTLENECK * growth, 1, bias=False)]
            inside = _BOTTLENECK * growth
        layers += [nn.BatchNorm2d(inside), nn.ReLU(), nn.Conv2d(inside, growth, 3, padding=1, bias=False)]
        self.layers = nn.Sequential(*layers, nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to `[B, C + growth, H, W]`."""
        return torch.cat([x, self.layers(x)], dim=1)


class DenseNetEncoder(nn.Module):
    """Pyramid of the image and each dense block's maps; z is the last block's, normalised, at output stride 4."""

    def __init__(
        self,
        depth: int = 40,
        growth: int = 12,
        blocks: int = 3,
        stem_stride: Literal[1, 2] = 1,
        bottleneck: bool = False,
        compression: float = 1.0,
        dropout: float = 0.0,
        grey: bool = False,
    ) -> None:
        """Build a DenseNet for small images; pooling over positions is the head's (`pooled`).

        Args:
            depth: number of layers as the paper counts them: the stem, a transition after each block but the last, the
                classifier, and the dense layers, of which every block has equally many (two each with `bottleneck`).
            growth: feature maps that a dense layer adds.
            blocks: dense blocks; each after the first halves the size.
            stem_stride: of the first convolution; 2 is a quarter of the work, and with 4 blocks gives 2x2 maps of 32x32
                images, as the paper's LeNet does.
            bottleneck: a 1x1 convolution before each 3x3 one.
            compression: share of the feature maps that a transition keeps.
            dropout: probability that a feature is dropped in training; the paper has 0.2 where images are not
                augmented.
            grey: average the channels first.

        Raises:
            ConfigError: the depth does not divide into equal blocks, or another option is out of range.
        """
        super().__init__()
        demand_at_least("encoder densenet", 1, growth=growth, blocks=blocks)
        demand_probability("encoder densenet", "dropout", dropout)
        if not 0 < compression <= 1:
            raise ConfigError(f"encoder densenet: compression is {compression}; expected more than 0 and at most 1")
        each = blocks * (2 if bottleneck else 1)
        layers, rest = divmod(depth - blocks - 1, each)
        if layers < 1 or rest:
            fitting = blocks + 1 + each * max(layers, 1)
            raise ConfigError(
                f"encoder densenet: depth is {depth}, must be {blocks + 1} and a multiple of {each} for {blocks} "
                f"blocks; use {fitting}, for example"
            )
        self.grey = grey
        channels = 2 * growth if bottleneck else 16
        self.stem = nn.Conv2d(1 if grey else 3, channels, 3, stride=stem_stride, padding=1, bias=False)
        self.blocks = nn.ModuleList()
        self.transitions = nn.ModuleList()
        made: list[int] = []
        for block in range(blocks):
            if block:
                narrowed = max(int(compression * channels), 1)
                self.transitions.append(_transition(channels, narrowed, dropout))
                channels = narrowed
            dense = [DenseLayer(channels + layer * growth, growth, bottleneck, dropout) for layer in range(layers)]
            self.blocks.append(nn.Sequential(*dense))
            channels += layers * growth
            made.append(channels)
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.channels: tuple[int, ...] = (3, *made)
        self.strides: tuple[int, ...] = (1, *(stem_stride * 2**block for block in range(blocks)))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up."""
        x = self.blocks[0](self.stem(to_grey(image) if self.grey else image))
        features = [image, x]
        for transition, block in zip(self.transitions, list(self.blocks)[1:], strict=True):
            x = block(transition(x))
            features.append(x)
        return [*features[:-1], self.last(x)]


build = DenseNetEncoder


def _transition(inside: int, outside: int, dropout: float) -> nn.Sequential:
    """From one block to the next: a 1x1 convolution, and pooling that rounds odd sizes up."""
    return nn.Sequential(
        nn.BatchNorm2d(inside),
        nn.ReLU(),
        nn.Conv2d(inside, outside, 1, bias=False),
        nn.Dropout(dropout),
        nn.AvgPool2d(2, ceil_mode=True),
    )
