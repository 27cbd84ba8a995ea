"""From a z of one pixel to an image: a dense layer to a small map, then transposed convolutions.

Source: Radford et al., DCGAN (arXiv:1511.06434), section 3; it stands in for DRCN's decoder (Ghifary et al.,
arXiv:1607.03516), which mirrors an encoder with 5x5 convolutions and unpooling.
"""

from torch import Tensor, nn

from segda.networks.layers.normalisation import Norm, has_bias
from segda.networks.layers.option_checks import demand_at_least, demand_counts, demand_square
from segda.networks.layers.trunk_and_tails import TrunkAndTails, finished


class FlatDecoder(TrunkAndTails):
    """A trunk shared by the domains and one tail for each of them."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        domains: tuple[str, ...],
        side: int = 7,
        features: list[int] | None = None,
        shared_layers: int = 2,
        norm: Norm = "batch",
        grey: bool = False,
    ) -> None:
        """Build a decoder for encoders that end in a fully connected layer; 28x28 images by default.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            domains: the domains to make images of.
            side: height and width of the dense layer's map.
            features: feature maps of the dense layer and of each transposed convolution before the last; every
                convolution doubles the size, so 128 and 64 (the default) make images four times as large as `side`.
            shared_layers: how many of the first layers the domains share, the dense one among them.
            norm: normalisation after each layer but the last.
            grey: make one channel and repeat it.

        Raises:
            ConfigError: an option is out of range, or no layer would be left to a domain of its own.
        """
        chosen = [128, 64] if features is None else features
        demand_at_least("decoder flat", 1, side=side)
        demand_counts("decoder flat", "features", chosen)
        widths = [channels[-1], *chosen, 1 if grey else 3]

        def layer(index: int) -> list[nn.Module]:
            # On the single pixel of z, a transposed convolution as large as the map is a dense layer.
            kernel, stride, padding = (4, 2, 1) if index else (side, 1, 0)
            inside, outside, last = widths[index], widths[index + 1], index == len(chosen)
            bias = last or has_bias(norm)
            transposed = nn.ConvTranspose2d(inside, outside, kernel, stride=stride, padding=padding, bias=bias)
            return finished(transposed, outside, norm, last)

        super().__init__("decoder flat", layer, len(chosen) + 1, shared_layers, domains, norm, grey)
        self.size = side * 2 ** len(chosen)

    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        """Decode z, the last of the encoder's maps, of one pixel, as an image `[B, 3, H, W]` of `domain` in `[-1, 1]`.

        Raises:
            ConfigError: z has more than one pixel, or the image another size than this decoder makes.
        """
        demand_square(features[-1], 1, "decoder flat: z", "use the decoder `transposed` for maps")
        demand_square(features[0], self.size, "decoder flat: the image", "the size is `side` doubled in each layer")
        return self.decode(features[-1], domain)


build = FlatDecoder
