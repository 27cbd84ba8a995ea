"""Options shared by all adversarial terms, and the losses of both players under them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor

from segda.batch import moved
from segda.errors import ConfigError
from segda.losses import adversarial
from segda.losses.adversarial import AdversarialLoss
from segda.objectives.term import Term

AdversaryLoss = Literal["minimax", "bce", "lsgan", "hinge", "wgan", "wgan_gp"]

PENALTY = 10.0
CLIPPING = 0.01


class Scored(NamedTuple):
    """Samples and a discriminator's scores of them.

    Attributes:
        samples: images or features `[B, C, H, W]`, without gradient.
        score: raw scores `[B, ...]`.
        weight: a factor for each score; `None` for 1.
    """

    samples: Tensor
    score: Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class AdversarialTerm(Term):
    """A term with discriminators. A subclass defines their inputs, these options the losses of both players.

    Attributes:
        loss: `minimax` (the generator's gradient vanishes where it fails), `bce` (non-saturating cross entropy),
            `lsgan` (least squares), `hinge`, `wgan` (Wasserstein with clipped parameters) or `wgan_gp` (Wasserstein
            with gradient penalty).
        penalty: weight of the gradient penalty, for `wgan_gp`.
        clipping: bound of the discriminators' parameters, which stay in `[-clipping, clipping]`, for `wgan`.
        r1: gamma of the penalty `gamma / 2 E|gradient|^2` at real samples; 0 is none, 10 is usual.
        r2: the same at fake samples.
    """

    loss: AdversaryLoss = "lsgan"
    penalty: float = PENALTY
    clipping: float = CLIPPING
    r1: float = 0.0
    r2: float = 0.0

    def __post_init__(self) -> None:
        name = self.yaml_name()
        self.check_not_negative("penalty", "r1", "r2")
        if not (math.isfinite(self.clipping) and self.clipping > 0):
            raise ConfigError(f"{name}.clipping: found {self.clipping}, expected a finite number above 0")
        if self.penalty != PENALTY and self.loss != "wgan_gp":
            raise ConfigError(f"{name}.penalty: loss {self.loss!r} has none; drop it, or use loss 'wgan_gp'")
        if self.clipping != CLIPPING and self.loss != "wgan":
            raise ConfigError(f"{name}.clipping: loss {self.loss!r} does not clip; drop it, or use loss 'wgan'")
        if self.loss == "wgan_gp" and (self.r1 or self.r2):
            raise ConfigError(
                f"{name}: r1 {self.r1} and r2 {self.r2} pull gradients to 0, loss 'wgan_gp' pulls them to 1; "
                "drop them, or use another loss"
            )

    def family(self) -> AdversarialLoss:
        """The loss of `segda.losses.adversarial` that the option `loss` stands for."""
        return "wgan" if self.loss == "wgan_gp" else self.loss

    def clipped(self) -> dict[str, float]:
        """This term's discriminators, under `wgan`."""
        return dict.fromkeys(self._own_discriminators(), self.clipping) if self.loss == "wgan" else {}

    def differentiated_twice(self) -> set[str]:
        """This term's discriminators, where their gradient is penalised."""
        return self._own_discriminators() if self.loss == "wgan_gp" or self.r1 or self.r2 else set()

    def _own_discriminators(self) -> set[str]:
        return {need for need in self.needs() if need.startswith("discriminator.")}

    def generator_loss(self, fake: Tensor, weight: Tensor | None = None) -> Tensor:
        """The generator's loss on the scores of fakes `[B, ...]`, with gradient."""
        return adversarial.generator(fake, self.family(), weight)

    def discriminator_loss(
        self, real: Scored, fake: Scored, discriminator: Callable[[Tensor], Tensor], mixing: Callable[[], Tensor]
    ) -> Tensor:
        """The discriminator's loss on detached samples, with the penalties that the options set.

        For penalties alone, `discriminator` scores samples, and `mixing` draws, for `wgan_gp`, the share of `real`,
        `[B]` in `[0, 1]`, in the points where it penalises.

        Raises:
            ConfigError: `wgan_gp` cannot pair real samples with fakes.
        """
        loss = adversarial.discriminator(real.score, fake.score, self.family(), real.weight, fake.weight)
        if self.loss == "wgan_gp":
            if real.samples.shape != fake.samples.shape:
                raise ConfigError(
                    f"{self.yaml_name()}.loss: 'wgan_gp' mixes real samples {tuple(real.samples.shape)} with fakes "
                    f"{tuple(fake.samples.shape)}; give both domains the same crop and batch size, or use another loss"
                )
            share = moved(mixing(), real.samples.device)
            loss = loss + self.penalty * adversarial.gradient_penalty(discriminator, real.samples, fake.samples, share)
        for gamma, samples in ((self.r1, real.samples), (self.r2, fake.samples)):
            if gamma:
                loss = loss + gamma * adversarial.zero_centred_penalty(discriminator, samples)
        return loss

    def measure(self, real: Tensor, fake: Tensor, name: str = "") -> dict[str, Tensor]:
        """The discriminator's `accuracy` and `advantage`, or a critic's estimate of the `distance`, from raw scores.

        `name` is a prefix of the measures' names, where a term has several discriminators.
        """
        family = self.family()
        prefix = f"{name}_" if name else ""
        value = adversarial.accuracy(real, fake, family)
        if family == "wgan":
            return {f"{prefix}distance": value}
        return {f"{prefix}accuracy": value, f"{prefix}advantage": adversarial.advantage(real, fake, family)}
