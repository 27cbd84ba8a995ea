"""A discriminator of fully connected layers on the flattened input: one score for a sample.

Source: I2I paper (arXiv:1712.00479), section 5.1 (500, 500, 1, leaky ReLU; the score itself stays raw here); ADDA
(arXiv:1702.05464), section 5.1 (500, 500, ReLU); DANN (JMLR 2016), section 5.2.4 (100 for MNIST, else 1024, 1024).
"""

from torch import Tensor, nn

from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.initialisation import initialise_glorot
from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_at_least, demand_counts, demand_probability, demand_square


class FullyConnectedDiscriminator(nn.Module):
    """One score for all of a sample's features."""

    def __init__(
        self,
        channels: int,
        classes: int,
        widths: list[int] | None = None,
        side: int = 1,
        slope: float = 0.2,
        norm: Norm = "none",
        dropout: float = 0.0,
        glorot: bool = False,
    ) -> None:
        """Build fully connected layers from all features of a sample to one score.

        Args:
            channels: of its input.
            classes: number of classes; not used.
            widths: units of each hidden layer, 500 and 500 by default; CDAN has 1024 and 1024, the tutorial's DANN 64.
            side: height and width of its input: 1 after a fully connected encoder, 2 for `lenet` and 32x32 images.
            slope: of the leaky ReLU; 0 makes it a plain one, as in ADDA and DANN.
            norm: normalisation of each hidden layer; `batch` does not go with a gradient penalty.
            dropout: probability that a hidden unit is dropped in training; CDAN's code has 0.5.
            glorot: start from Keras's weights rather than torch's.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        chosen = [500, 500] if widths is None else widths
        demand_counts("discriminator fully_connected", "widths", chosen, least=0)
        demand_at_least("discriminator fully_connected", 1, side=side)
        demand_probability("discriminator fully_connected", "dropout", dropout)
        self.side = side
        inputs = channels * side**2
        # 1x1 convolutions on a single pixel are fully connected layers that leave the shape of a map.
        body: list[nn.Module] = [nn.Flatten(), nn.Unflatten(1, (inputs, 1, 1))]
        for width in chosen:
            body += [*convolution(inputs, width, 1, norm, nn.LeakyReLU(slope)), nn.Dropout(dropout)]
            inputs = width
        self.layers = nn.Sequential(*body, nn.Conv2d(inputs, 1, 1))
        if glorot:
            initialise_glorot(self)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Scores `[B, 1, 1, 1]` of `[B, C, side, side]`.

        Raises:
            ConfigError: the input has another size; or batch normalisation, in training, of a single sample.
        """
        demand_square(
            x, self.side, "discriminator fully_connected", "set the discriminator's `side`, or use `feature` for maps"
        )
        return DiscriminatorOutput(self.layers(x))


build = FullyConnectedDiscriminator
