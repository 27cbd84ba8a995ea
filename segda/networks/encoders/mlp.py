"""A multilayer perceptron for points in the plane, such as the intertwining moons.

Source: Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016, section 5.1.1: one hidden layer of 15
sigmoid units.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from segda.networks.layers.normalisation import Norm, convolution
from segda.networks.layers.option_checks import demand_counts, demand_square

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class MlpEncoder(nn.Module):
    """The point as an image of one pixel, and every hidden layer; z is `[B, C, 1, 1]`."""

    def __init__(
        self,
        widths: list[int] | None = None,
        activation: Literal["relu", "sigmoid", "tanh"] = "relu",
        norm: Norm = "none",
    ) -> None:
        """Build fully connected layers from a point to z.

        Args:
            widths: units of each hidden layer, the last of which is z; 15 in one layer by default.
            activation: after each layer; DANN's moons have `sigmoid`.
            norm: normalisation before each activation.

        Raises:
            ConfigError: there is no layer, or one without units.
        """
        super().__init__()
        chosen = [15] if widths is None else widths
        demand_counts("encoder mlp", "widths", chosen)
        self.channels = (3, *chosen)
        self.strides = (1,) * len(self.channels)
        # 1x1 convolutions: on a single pixel they are fully connected layers.
        self.stages = nn.ModuleList(
            nn.Sequential(*convolution(inside, outside, 1, norm, _ACTIVATIONS[activation]()))
            for inside, outside in pairwise(self.channels)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, 1, 1]`, a point's coordinates x, y and 0, shallow to deep.

        Raises:
            ConfigError: the image has more than one pixel.
        """
        demand_square(image, 1, "encoder mlp", "use it for points, and an encoder such as lenet for images")
        features = [image]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features


build = MlpEncoder
