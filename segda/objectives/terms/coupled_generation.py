"""Images of both domains generated from the same noise, against discriminators that share their last layers.

Equation: the sampler minimises `mean over domains of l_a(d(f_D(s_D(n))), real)`, where `s_D(n)` is its image of the
noise `n` in domain `D`. Encoder, discriminator and head minimise `sum over domains of L_D(real image, s_D(n))
+ class_weight CE(h(f_s(x)), c) + feature_weight sum (f_s(s_s(n)) - f_t(s_t(n)))^2`, the last a mean over images.
Source: Liu and Tuzel 2016 (CoGAN), equation 4 and section 4; factors and the matching of features from the released
code, whose adversarial parts have the same factors. Domains adapt because the encoder (`tied: partly`) is the
discriminators' body: first layers of each domain, last ones of both.
**Gradients:** generators: the sampler alone. Discriminators: encoder, discriminator and head, on real images and
detached samples.

The term is a mean over images, but the sampler `coupled` normalises by its batch: with several processes each by its
own part, unless `runtime.gather_statistics: true` gathers them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.objectives.adversarial_term import AdversarialTerm, AdversaryLoss, Scored
from segda.objectives.forward_pass import ForwardPass


@dataclass(frozen=True)
class CoupledGeneration(AdversarialTerm):
    """Coupled adversarial networks with a classifier on the discriminators' shared features.

    Attributes:
        loss: see `AdversarialTerm`; the paper's is `bce`.
        class_weight: of the source images' supervised loss on the discriminators' side; 10 in the released code.
        feature_weight: of the squared distance between a coupled pair's features; 0.01 in the released code.
    """

    loss: AdversaryLoss = "bce"
    class_weight: float = 10.0
    feature_weight: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_not_negative("class_weight", "feature_weight")

    def needs(self) -> set[str]:
        """Encoder, head, sampler and the discriminator of features."""
        return {"encoder", "head", "sampler", "discriminator.feature"}

    def discriminators(self) -> set[str]:
        """Encoder and head train with the discriminators."""
        return {"encoder", "head"}

    def clipped(self) -> dict[str, float]:
        """Encoder and discriminator, which together are the critic, under `wgan`."""
        return super().clipped() | {"encoder": self.clipping} if self.loss == "wgan" else {}

    def generator(self, p: ForwardPass) -> Tensor:
        """The generator's loss on samples of both domains."""
        losses = [
            self.generator_loss(
                p.discriminate("feature", f"{domain}, sampled", p.encode(p.sampled(domain), domain)[-1]).realness
            )
            for domain in DOMAINS
        ]
        return torch.stack(losses).mean()

    def discriminator(self, p: ForwardPass) -> Tensor:
        """Real against sampled images of both domains, the source's classes, and a coupled pair's features."""
        loss = torch.stack([self._discriminator_loss(p, domain) for domain in DOMAINS]).sum()
        if self.class_weight:
            supervised = p.task.supervised_loss(p.classify(self._real(p, "source")), p.label())
            loss = loss + self.class_weight * supervised
        if self.feature_weight:
            difference = self._fake(p, "source") - self._fake(p, "target")
            loss = loss + self.feature_weight * difference.square().flatten(1).sum(dim=1).mean()
        return loss

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The discriminator's accuracy for each domain, 0.5 by chance."""
        measures: dict[str, Tensor] = {}
        for domain in DOMAINS:
            measures |= self.measure(*self._scores(p, domain), domain)
        return measures

    # Not `p.features`: for the generators' losses, those were computed by a frozen encoder.

    def _real(self, p: ForwardPass, domain: Domain) -> list[Tensor]:
        return p.once(("coupled_generation", "real", domain), lambda: p.encode(p.image(domain), domain))

    def _fake(self, p: ForwardPass, domain: Domain) -> Tensor:
        return p.once(("coupled_generation", "fake", domain), lambda: p.encode(p.sampled(domain).detach(), domain)[-1])

    def _scores(self, p: ForwardPass, domain: Domain) -> tuple[Tensor, Tensor]:
        return (
            p.discriminate("feature", f"{domain}, real", self._real(p, domain)[-1]).realness,
            p.discriminate("feature", f"{domain}, sampled, detached", self._fake(p, domain)).realness,
        )

    def _discriminator_loss(self, p: ForwardPass, domain: Domain) -> Tensor:
        real, fake = self._scores(p, domain)
        return self.discriminator_loss(
            Scored(p.image(domain), real),
            Scored(p.sampled(domain).detach(), fake),
            lambda image: p.realness("feature", p.encode(image, domain)[-1]),
            lambda: p.uniform("coupled_generation", domain),
        )


build = CoupledGeneration
