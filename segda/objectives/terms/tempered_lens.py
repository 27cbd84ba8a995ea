"""A lens in front of each discriminator makes real images harder to recognise, and fades to the identity.

Equation: `L_L = lambda L_adv(d(L(x))) + |x - L(x)|^2`, `lambda = 1 - sin(pi t / 2 K)` until step `K`, then 0; `L_adv`
makes real samples score as fake, for `minimax` minus the discriminator's loss.
Source: Sajjadi et al. 2018 (Tempered Adversarial Networks); the norm is a mean over pixels here, so that it does not
depend on the image's size, and `K` is a share of training, as the paper's number of steps is not comparable.
**Gradients:** both lenses; the discriminators are frozen here, and train on detached images.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.errors import ConfigError
from segda.losses import adversarial
from segda.losses.adversarial import AdversarialLoss
from segda.losses.reconstruction import reconstruction
from segda.objectives.adversarial_term import AdversaryLoss
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class TemperedLens(Term):
    """The lenses' loss against the discriminators of `translation_adversarial`, in both domains.

    Attributes:
        loss: as in `translation_adversarial`.
        over: share of training after which only the distance to the identity is left, above 0 and at most 1.
    """

    loss: AdversaryLoss = "minimax"
    over: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.over <= 1:
            raise ConfigError(
                f"terms.tempered_lens.over: found {self.over}, expected a share of training above 0 and at most 1"
            )

    def needs(self) -> set[str]:
        """Encoder, both lenses, both image discriminators."""
        return {"encoder", "lens.source", "lens.target", "discriminator.source", "discriminator.target"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over both lenses."""
        first, second = (self._lens(p, domain) for domain in DOMAINS)
        return first + second

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The adversarial weight `lambda`, and the mean change of each lens."""
        changes = {f"{domain}_change": (p.real(domain) - p.image(domain)).abs().mean() for domain in DOMAINS}
        return {"lambda": torch.tensor(self.adversarial_weight(p.progress)), **changes}

    def adversarial_weight(self, progress: float) -> float:
        """`lambda` at `progress` in `[0, 1]`: 1 at first, 0 from `over` on."""
        return 1 - math.sin(math.pi / 2 * min(1.0, progress / self.over))

    def _lens(self, p: ForwardPass, domain: Domain) -> Tensor:
        image = p.through_lens(domain)
        score = p.discriminate(domain, "real through the lens", image).realness
        family: AdversarialLoss = "wgan" if self.loss == "wgan_gp" else self.loss
        weight = self.adversarial_weight(p.progress)
        return weight * adversarial.real_as_fake(score, family) + reconstruction(image, p.image(domain), "l2")


build = TemperedLens
