"""What the objective asks of the networks and the task, which reach it as arguments."""

from typing import Literal, Protocol

from torch import Tensor, nn

from segda.batch import Domain


class DiscriminatorOutput(Protocol):
    """A discriminator's answer: raw scores `realness` `[B, 1, h, w]` and, if it segments, `semantic` `[B, K, h, w]`."""

    @property
    def realness(self) -> Tensor:
        """Raw scores, high for real."""

    @property
    def semantic(self) -> Tensor | None:
        """Logits of the segmenting decoder."""


class Networks(Protocol):
    """The named networks; see `segda.networks.networks.Networks`."""

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Every network by name."""

    @property
    def tied(self) -> bool | Literal["partly"]:
        """Whether both domains share one encoder, or all but its first layers."""

    @property
    def noise(self) -> int:
        """How many numbers the sampler makes an image from."""

    def train(self, mode: bool = True) -> None:
        """Training (or evaluation) mode; frozen networks stay in evaluation mode."""

    def encode(self, image: Tensor, domain: Domain) -> list[Tensor]:
        """Image to feature pyramid, by the encoder of `domain`."""

    def classify(self, features: list[Tensor]) -> Tensor:
        """Feature pyramid to logits."""

    def decode(self, features: list[Tensor], domain: Domain) -> Tensor:
        """Feature pyramid to an image of `domain`."""

    def sample(self, noise: Tensor, domain: Domain) -> Tensor:
        """Noise `[B, N]` to an image of `domain`."""

    def posterior(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent variable."""

    def lens(self, image: Tensor, domain: Domain) -> Tensor:
        """A real image as the discriminator of `domain` is shown it."""

    def judge(self, name: str, x: Tensor) -> DiscriminatorOutput:
        """The verdict of the discriminator `discriminator.<name>`."""


class Task(Protocol):
    """The part of a task that the terms use."""

    @property
    def offers(self) -> frozenset[str]:
        """What it gives to terms that need it: `label_map`, a label for every pixel."""

    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        """Logits against labels, a mean over images."""
