"""The options that stand wherever an adversary stands, and what both of its sides minimise under them."""

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
    """What a discriminator was shown, and what it said.

    Attributes:
        samples: images or features `[B, C, H, W]`, without gradient.
        score: its raw scores of them, `[B, ...]`.
        weight: a factor for each score; 1 without.
    """

    samples: Tensor
    score: Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class AdversarialTerm(Term):
    """A term with discriminators. A subclass says what they see; these options say how the two sides play.

    Attributes:
        loss: `minimax` (the generator's gradient vanishes where it fails), `bce` (non-saturating cross entropy),
            `lsgan` (least squares), `hinge`, `wgan` (Wasserstein with clipped parameters) or `wgan_gp` (Wasserstein
            with gradient penalty).
        penalty: weight of the gradient penalty, for `wgan_gp`.
        clipping: the parameters of this term's discriminators stay in `[-clipping, clipping]`, for `wgan`.
        r1: gamma of the penalty `gamma / 2 E|gradient|^2` at real samples; 0 is none, 10 is usual.
        r2: the same at fake samples.
    """

    loss: AdversaryLoss = "lsgan"
    penalty: float = PENALTY
    clipping: float = CLIPPING
    r1: float = 0.0
    r2: float = 0.0

    def __post_init__(self) -> None:
        """Refuse combinations without sense.

        Raises:
            ConfigError: names the option.
        """
        name = self.yaml_name()
        for option, value in (("penalty", self.penalty), ("r1", self.r1), ("r2", self.r2)):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name}.{option}: found {value}, expected a finite number of at least 0")
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

    def yaml_name(self) -> str:
        """Where the term stands in a method's YAML: a component's file is its name there."""
        return f"terms.{type(self).__module__.rpartition('.')[2]}"

    def family(self) -> AdversarialLoss:
        """The loss of `segda.losses.adversarial` that the option `loss` stands for."""
        return "wgan" if self.loss == "wgan_gp" else self.loss

    def clip(self) -> float | None:
        """The bound of the discriminators' parameters under `wgan`."""
        return self.clipping if self.loss == "wgan" else None

    def clipped(self) -> set[str]:
        """Names of the networks whose parameters are clipped: this term's discriminators, under `wgan`."""
        return {need for need in self.needs() if need.startswith("discriminator.")} if self.loss == "wgan" else set()

    def differentiated_twice(self) -> set[str]:
        """This term's discriminators, where their gradient is penalised."""
        penalised = self.loss == "wgan_gp" or self.r1 or self.r2
        return {need for need in self.needs() if need.startswith("discriminator.")} if penalised else set()

    def generator_loss(self, fake: Tensor, weight: Tensor | None = None) -> Tensor:
        """The fooling side, on the attached scores of fakes `[B, ...]`."""
        return adversarial.generator(fake, self.family(), weight)

    def discriminator_loss(
        self, real: Scored, fake: Scored, judge: Callable[[Tensor], Tensor], mixing: Callable[[], Tensor]
    ) -> Tensor:
        """The discriminator's side: its loss on detached samples, and the penalties that the options ask for.

        Args:
            real: what it saw of the real samples.
            fake: what it saw of the fakes.
            judge: the discriminator as a function from samples to raw scores, for penalties; called only for them.
            mixing: gives `[B]` in `[0, 1]`, the place on each segment where `wgan_gp` penalises; called only for it.

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
            loss = loss + self.penalty * adversarial.gradient_penalty(judge, real.samples, fake.samples, share)
        for gamma, samples in ((self.r1, real.samples), (self.r2, fake.samples)):
            if gamma:
                loss = loss + gamma * adversarial.zero_centred_penalty(judge, samples)
        return loss

    def measure(self, real: Tensor, fake: Tensor, name: str = "") -> dict[str, Tensor]:
        """The discriminator's `accuracy` and `advantage`; a critic's estimate of the `distance`.

        Args:
            real: raw scores of real samples.
            fake: raw scores of fakes.
            name: of the discriminator, where a term has several; it stands before the measure's.
        """
        family = self.family()
        head = f"{name}_" if name else ""
        value = adversarial.accuracy(real, fake, family)
        if family == "wgan":
            return {f"{head}distance": value}
        return {f"{head}accuracy": value, f"{head}advantage": adversarial.advantage(real, fake, family)}
