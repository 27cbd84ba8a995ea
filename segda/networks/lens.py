"""The lens of tempered adversarial networks, which real images pass on their way to a discriminator."""

from torch import Tensor, nn

from segda.networks.layers.residual_block import ResidualBlock


class Lens(nn.Module):
    """A residual convolutional network with `width` feature maps inside, that starts as the identity.

    Source: Sajjadi et al. 2018 (Tempered Adversarial Networks), section 3: fully convolutional, with residual blocks.
    That the last convolution starts at 0, so that real images are unchanged at first, is our choice; so is the size.
    """

    def __init__(self, width: int = 32, blocks: int = 2) -> None:
        super().__init__()
        last = nn.Conv2d(width, 3, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), *(ResidualBlock(width, "none") for _ in range(blocks)), last
        )

    def forward(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` in `[-1, 1]` to the same shape; the range is not enforced."""
        change: Tensor = self.layers(image)
        return image + change
