"""Translated images look like the domain they were translated to.

Equation: `Q_tr = sum_i l_a(d_t(g_t(f_s(x_i))), c_s) + sum_j l_a(d_s(g_s(f_t(y_j))), c_t)`, real images entering on the
discriminators' side.
Source: Murez et al. 2018 (I2I Adapt), equation 4: `wgan_gp` for digits and GTA5, least squares for Office; Zhu et al.
2017 (CycleGAN): `lsgan` with a pool of 50.
**Gradients:** generators: the decoder that made the image and the encoder of the image it was made from.
Discriminators: real images and detached translated ones.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from segda.batch import DOMAINS, Domain, other
from segda.errors import ConfigError
from segda.losses import adversarial
from segda.losses.adversarial import AdversarialLoss
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class TranslationAdversarial(Term):
    """Adversarial losses of both directions of translation.

    Attributes:
        loss: Wasserstein with gradient penalty, least squares, or cross entropy.
        penalty: weight of the gradient penalty, for `wgan_gp`.
        pool: how many earlier translated images the discriminators are shown from; 0 shows this step's only.
    """

    loss: Literal["wgan_gp", "lsgan", "bce"] = "wgan_gp"
    penalty: float = 10.0
    pool: int = 0

    def __post_init__(self) -> None:
        if self.pool < 0 or self.penalty < 0:
            raise ConfigError(
                f"terms.translation_adversarial: pool is {self.pool} and penalty {self.penalty}; neither may be below 0"
            )

    def needs(self) -> set[str]:
        """Encoder, both decoders, both image discriminators."""
        return {"encoder", "decoder.source", "decoder.target", "discriminator.source", "discriminator.target"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over both directions."""
        first, second = (adversarial.generator(p.judged_translated(d).realness, self._family()) for d in DOMAINS)
        return first + second

    def discriminator(self, p: ForwardPass) -> Tensor:
        """The sum over both discriminators, each with its gradient penalty under `wgan_gp`."""
        first, second = (self._discriminator(p, domain) for domain in DOMAINS)
        return first + second

    def pool_size(self) -> int:
        """The option `pool`."""
        return self.pool

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """Each discriminator's accuracy, or for `wgan_gp` its estimate of the distance."""
        name = "distance" if self.loss == "wgan_gp" else "accuracy"
        return {
            f"{domain}_{name}": adversarial.accuracy(
                p.judged_real(domain).realness, p.judged_from_pool(other(domain)).realness, self._family()
            )
            for domain in DOMAINS
        }

    def _family(self) -> AdversarialLoss:
        return "wgan" if self.loss == "wgan_gp" else self.loss

    def _discriminator(self, p: ForwardPass, domain: Domain) -> Tensor:
        real, fake = p.judged_real(domain).realness, p.judged_from_pool(other(domain)).realness
        loss = adversarial.discriminator(real, fake, self._family())
        if self.loss != "wgan_gp":
            return loss
        return loss + self.penalty * adversarial.gradient_penalty(
            lambda image: p.realness(domain, image),
            p.image(domain),
            p.translated_from_pool(other(domain)),
            p.uniform("gradient_penalty", domain),
        )


build = TranslationAdversarial
