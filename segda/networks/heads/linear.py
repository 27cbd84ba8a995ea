"""The I2I paper's head: one convolution from the encoder's last map to class logits."""

from typing import Literal

from torch import Tensor, nn

from segda.networks.layers.initialisation import initialise_glorot


class LinearHead(nn.Module):
    """Logits at the encoder's output stride, a linear function of z."""

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        classes: int,
        kernel: Literal[1, 3] = 1,
        dropout: float = 0.0,
        glorot: bool = False,
    ) -> None:
        """Build one convolution.

        Args:
            channels: of the encoder's maps.
            strides: of the encoder's maps.
            classes: number of classes.
            kernel: size of the convolution.
            dropout: probability that a whole feature map is dropped in training.
            glorot: start from Keras's weights, as the tutorial's network does, rather than torch's.
        """
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(channels[-1], classes, kernel, padding=kernel // 2)
        if glorot:
            initialise_glorot(self)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, h, w]` from the last of `features`, at its size."""
        logits: Tensor = self.classifier(self.dropout(features[-1]))
        return logits


build = LinearHead
