"""Divergence of each image's posterior from the prior: the regulariser of a variational auto-encoder.

Equation: `KL(q(z|x) || N(0, I)) = 1/2 sum(mu^2 + sigma^2 - log sigma^2 - 1)`, the mean over images, summed over the
listed domains. With `identity` on samples it is the negative bound `-E_q log p(x|z) + KL`. There the reconstruction is
summed over an image's values; ours is their mean, so the bound's own weight of this term is `2 s^2 / (3 H W)` relative
to a squared reconstruction with noise `s`.
Source: Kingma and Welling 2013, equation 10 and appendix B.
**Gradients:** the posterior and the encoder of each listed domain.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.errors import ConfigError
from segda.losses.divergence import gaussian_divergence
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class LatentDivergence(Term):
    """Divergence of the posterior from a standard normal prior.

    Attributes:
        domains: domains whose images are regularised.
    """

    domains: tuple[Domain, ...] = DOMAINS

    def __post_init__(self) -> None:
        if not self.domains:
            raise ConfigError("terms.latent_divergence.domains: empty; list source, target or both")

    def needs(self) -> set[str]:
        """Encoder and posterior."""
        return {"encoder", "posterior"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over the listed domains."""
        return torch.stack([gaussian_divergence(*p.posterior(domain)) for domain in self.domains]).sum()


build = LatentDivergence
