"""One class for the whole image: a linear layer on all of z, as in LeNet.

Source: I2I paper (arXiv:1712.00479), section 5.1 (z is 2x2 there).
"""

from torch import Tensor, nn

from segda.networks.layers.classifier import classifier
from segda.networks.layers.normalisation import Norm
from segda.networks.layers.option_checks import demand_at_least, demand_square


class FlatHead(nn.Module):
    """Logits `[B, K, 1, 1]`, a linear function of all of z."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        classes: int,
        side: int = 2,
        width: int = 0,
        norm: Norm = "none",
        dropout: float = 0.0,
    ) -> None:
        """Build a linear classifier of the flattened z.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            classes: number of classes.
            side: height and width of z: 2 for `lenet` and 32x32 images.
            width: units of a hidden layer before the classifier; 0 for none.
            norm: normalisation of the hidden layer.
            dropout: probability that an input of the classifier is dropped in training.

        Raises:
            ConfigError: an option is out of range.
        """
        super().__init__()
        demand_at_least("head flat", 1, side=side)
        self.side = side
        inputs = channels[-1] * side**2
        layers = classifier("head flat", inputs, classes, width, norm, dropout)
        self.layers = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (inputs, 1, 1)), *layers)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, 1, 1]` from the last of `features`.

        Raises:
            ConfigError: z has another size than the one that was configured.
        """
        demand_square(features[-1], self.side, "head flat", "set the head's `side`, or use the head `pooled`")
        logits: Tensor = self.layers(features[-1])
        return logits


build = FlatHead
