"""The distribution of a domain's latent representations matches a prior: an adversarial auto-encoder.

Equation: `sum over domains of l_a(d_p(z), prior)`; `d_p` separates samples of the prior `N(0, I)`, "real", from `z`.
Source: Makhzani et al. 2015 (1511.05644), section 2: a deterministic code (`latent: point`) or a Gaussian posterior
(`latent: sampled`); their loss is cross entropy. Ours: z is a map, and each of its positions is scored.
**Gradients:** the encoder of each listed domain, with `latent: sampled` also the posterior. The discriminator trains on
detached tensors.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.errors import ConfigError
from segda.objectives.adversarial_term import AdversarialTerm, AdversaryLoss, Scored
from segda.objectives.forward_pass import ForwardPass


@dataclass(frozen=True)
class LatentAdversarial(AdversarialTerm):
    """Adversarial matching of the latent distribution with a standard normal prior.

    Attributes:
        loss: see `AdversarialTerm`; the paper's is `bce`.
        domains: domains whose representations match the prior.
        latent: the representation: z itself (`point`; an encoder that ends in ReLU cannot match) or a sample of its
            posterior (`sampled`).
    """

    loss: AdversaryLoss = "bce"
    domains: tuple[Domain, ...] = DOMAINS
    latent: Literal["point", "sampled"] = "point"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.domains:
            raise ConfigError("terms.latent_adversarial.domains: empty; list source, target or both")

    def needs(self) -> set[str]:
        """Encoder, the discriminator of latent representations, and the posterior if it is sampled."""
        return {"encoder", "discriminator.latent"} | ({"posterior"} if self.latent == "sampled" else set())

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over the listed domains."""
        scores = [
            p.discriminate("latent", f"{domain}, {self.latent}", self._code(p, domain)) for domain in self.domains
        ]
        return torch.stack([self.generator_loss(score.realness) for score in scores]).sum()

    def discriminator(self, p: ForwardPass) -> Tensor:
        """The sum over the listed domains: the prior is real, representations are fake."""
        return torch.stack([self._discriminator_loss(p, domain) for domain in self.domains]).sum()

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The discriminator's accuracy for each listed domain, 0.5 by chance."""
        measures: dict[str, Tensor] = {}
        for domain in self.domains:
            prior, code = self._scored(p, domain)
            measures |= self.measure(prior.score, code.score, domain)
        return measures

    def _code(self, p: ForwardPass, domain: Domain) -> Tensor:
        return p.z(domain) if self.latent == "point" else p.latent_sample(domain)[-1]

    def _scored(self, p: ForwardPass, domain: Domain) -> tuple[Scored, Scored]:
        code = self._code(p, domain).detach()
        prior = p.normal("latent_adversarial", domain, tuple(code.shape[1:]))
        return (
            Scored(prior, p.discriminate("latent", f"{domain}, prior", prior).realness),
            Scored(code, p.discriminate("latent", f"{domain}, {self.latent}, detached", code).realness),
        )

    def _discriminator_loss(self, p: ForwardPass, domain: Domain) -> Tensor:
        prior, code = self._scored(p, domain)
        return self.discriminator_loss(
            prior, code, lambda x: p.realness("latent", x), lambda: p.uniform("latent_adversarial/penalty", domain)
        )


build = LatentAdversarial
