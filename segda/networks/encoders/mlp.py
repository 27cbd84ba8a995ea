"""A multilayer perceptron for points in the plane, such as the intertwining moons.

Source: Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016, section 5.1.1: one hidden layer of 15
sigmoid units.
"""

from typing import Literal

from torch import Tensor, nn

from segda.networks.layers.normalisation import Norm, has_bias, normalisation
from segda.networks.layers.option_checks import demand_counts, demand_square

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class MlpEncoder(nn.Module):
    """The point as an image of one pixel, and every hidden layer; z is `[B, C, 1, 1]`."""

    def __init__(self, widths: list[int], activation: str, norm: Norm) -> None:
        """Build the layers; see `build`."""
        super().__init__()
        self.channels = (3, *widths)
        self.strides = (1,) * len(self.channels)
        # 1x1 convolutions: on a single pixel they are fully connected layers.
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inside, outside, 1, bias=has_bias(norm)),
                normalisation(norm, outside),
                _ACTIVATIONS[activation](),
            )
            for inside, outside in zip(self.channels, self.channels[1:], strict=False)
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


def build(
    widths: list[int] | None = None,
    activation: Literal["relu", "sigmoid", "tanh"] = "relu",
    norm: Norm = "none",
) -> MlpEncoder:
    """Fully connected layers from a point to z.

    Args:
        widths: units of each hidden layer, the last of which is z; 15 in one layer by default.
        activation: after each layer; DANN's moons have `sigmoid`.
        norm: normalisation before each activation.

    Raises:
        ConfigError: there is no layer, or one without units.
    """
    chosen = [15] if widths is None else widths
    demand_counts("encoder mlp", "widths", chosen)
    return MlpEncoder(chosen, activation, norm)
