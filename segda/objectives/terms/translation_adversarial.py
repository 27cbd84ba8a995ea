"""Translated images look like the domain they were translated to.

Equation: `Q_tr = sum_i l_a(d_t(g_t(f_s(x_i))), c_s) + sum_j l_a(d_s(g_s(f_t(y_j))), c_t)`; real images enter the
discriminators' losses.
With `domains: [source]`, translation has one direction: the first sum alone, against `d_t`.
Source: Murez et al. 2018 (I2I Adapt), equation 4: `wgan_gp` for digits and GTA5, least squares for Office; Zhu et al.
2017 (CycleGAN): `lsgan` with a pool of 50.
**Gradients:** generators: the decoder of the translated image and the encoder of the original.
Discriminators: real images (through lenses, if the method has any) and detached translated ones.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain, other
from segda.errors import ConfigError
from segda.objectives.adversarial_term import AdversarialTerm, AdversaryLoss, Scored
from segda.objectives.forward_pass import ForwardPass


@dataclass(frozen=True)
class TranslationAdversarial(AdversarialTerm):
    """Adversarial losses of one or both directions of translation; other options as in `AdversarialTerm`.

    Attributes:
        loss: Wasserstein with gradient penalty by default, the I2I paper's.
        domains: whose images are translated, each to the other domain.
        pool: number of earlier translated images that the discriminators also train on; 0 for this step's only.
    """

    loss: AdversaryLoss = "wgan_gp"
    domains: tuple[Domain, ...] = DOMAINS
    pool: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.domains:
            raise ConfigError(f"{self.yaml_name()}.domains: empty; list source, target or both")
        if self.pool < 0:
            raise ConfigError(f"{self.yaml_name()}.pool: found {self.pool}, expected at least 0")

    def needs(self) -> set[str]:
        """Encoder, and the decoder and image discriminator of each domain that is translated to."""
        return {"encoder", *(f"{kind}.{other(d)}" for d in self.domains for kind in ("decoder", "discriminator"))}

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over the directions."""
        return torch.stack(
            [self.generator_loss(p.discriminate_translated(domain).realness) for domain in self.domains]
        ).sum()

    def discriminator(self, p: ForwardPass) -> Tensor:
        """The sum over the discriminators, each with its penalties."""
        return torch.stack([self._discriminator(p, domain) for domain in self._adversaries()]).sum()

    def pool_size(self) -> int:
        """The option `pool`."""
        return self.pool

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """Each discriminator's accuracy, or a critic's estimate of the distance."""
        measures: dict[str, Tensor] = {}
        for domain in self._adversaries():
            real, fake = p.discriminate_real(domain).realness, p.discriminate_from_pool(other(domain)).realness
            measures |= self.measure(real, fake, domain)
        return measures

    def _adversaries(self) -> list[Domain]:
        """The domains that are translated to."""
        return [domain for domain in DOMAINS if other(domain) in self.domains]

    def _discriminator(self, p: ForwardPass, domain: Domain) -> Tensor:
        return self.discriminator_loss(
            Scored(p.real(domain).detach(), p.discriminate_real(domain).realness),
            Scored(p.translated_from_pool(other(domain)), p.discriminate_from_pool(other(domain)).realness),
            lambda image: p.realness(domain, image),
            lambda: p.uniform("gradient_penalty", domain),
        )


build = TranslationAdversarial
