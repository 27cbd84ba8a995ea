"""The I2I paper's decoder: transposed convolutions from z to an image, the first layers shared by the domains.

Source: I2I paper (arXiv:1712.00479), section 5.3 (output stride 8: a 3x3 convolution and three 4x4 transposed ones,
features 512, 256, 128, 3), 5.2 (output stride 32: five transposed ones, 512, 256, 128, 64, 3) and 5.1 (output stride
16: four transposed ones, 512, 256, 128, 1, which is `features: [512, 256, 128]` with `grey`).
"""

from torch import Tensor, nn

from segda.errors import ConfigError
from segda.networks.layers.normalisation import Norm, has_bias
from segda.networks.layers.option_checks import demand_at_least, demand_counts
from segda.networks.layers.resolution import doublings
from segda.networks.layers.trunk_and_tails import TrunkAndTails, finished


class TransposedDecoder(TrunkAndTails):
    """A trunk shared by the domains and one tail for each of them."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        domains: tuple[str, ...],
        width: int = 512,
        features: list[int] | None = None,
        shared_layers: int = 2,
        norm: Norm = "batch",
        grey: bool = False,
    ) -> None:
        """Build the I2I paper's decoder, for any output stride that is a power of two.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            domains: the domains to make images of.
            width: feature maps of the first layer, halved in each further one.
            features: instead of `width`, the feature maps of every layer before the image: as many as the encoder
                halves (the first layer is then a 3x3 convolution), or one fewer (all layers double the size).
            shared_layers: how many of the first layers the domains share.
            norm: normalisation after each layer but the last.
            grey: make one channel and repeat it.

        Raises:
            ConfigError: the layers do not undo the encoder's output stride, or no layer would be left to a domain of
                its own.
        """
        demand_at_least("decoder transposed", 1, width=width)
        needed = doublings(strides[-1])
        if features is None:
            # The paper starts with a plain convolution at output stride 8 and without one at 32.
            features = [max(width // 2**index, 1) for index in range(needed if needed < 5 else needed - 1)]
        if len(features) not in (needed, needed - 1):
            raise ConfigError(
                f"decoder transposed: {len(features)} features given for an encoder of output stride {strides[-1]}; "
                f"give {needed} (plain first layer) or {needed - 1}"
            )
        demand_counts("decoder transposed", "features", features, least=0)
        layers = len(features)
        widths = [channels[-1], *features, 1 if grey else 3]

        def layer(index: int) -> list[nn.Module]:
            inside, outside, last = widths[index], widths[index + 1], index == layers
            bias = last or has_bias(norm)
            # With as many layers as doublings every layer doubles; with one more the first keeps the size.
            convolution = (
                nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1, bias=bias)
                if index > 0 or layers < needed
                else nn.Conv2d(inside, outside, 3, padding=1, bias=bias)
            )
            return [nn.Sequential(*finished(convolution, outside, norm, last))]

        super().__init__("decoder transposed", layer, layers + 1, shared_layers, domains, norm, grey)
        self.stride = strides[-1]

    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        """Decode z, the last of the encoder's maps, as an image `[B, 3, H, W]` of `domain` in `[-1, 1]`.

        Raises:
            ConfigError: z is too small for the image: it was pooled.
        """
        z, (height, width) = features[-1], features[0].shape[-2:]
        if z.shape[-2] * self.stride < height or z.shape[-1] * self.stride < width:
            raise ConfigError(
                f"decoder transposed: a map of {z.shape[-2]}x{z.shape[-1]} at stride {self.stride} does not fill "
                f"{height}x{width}; use the decoder `flat`, or an encoder that does not pool"
            )
        return self.decode(z, domain)[..., :height, :width]


build = TransposedDecoder
