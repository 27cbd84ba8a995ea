"""An image encoded and decoded into its own domain equals the original.

Equation: `Q_id = sum_i l_id(g_s(f_s(x_i)), x_i) + sum_j l_id(g_t(f_t(y_j)), y_j)`; with `through: other` each image is
encoded by the other domain's encoder, which is CycleGAN's identity mapping (the same when encoders are tied); with
`corrupt` the encoder's input is `x~`, the image with some pixels set to black, and the target the image itself; with
`latent: sampled` a sample `z ~ q(z|x)` of the posterior is decoded, the reconstruction part of a VAE's bound.
Source: Murez et al. 2018 (I2I Adapt), equation 2; Zhu et al. 2017 (CycleGAN), section 5.2; Ghifary et al. 2016 (DRCN),
equation 3 and released code (impulse noise); Kingma and Welling 2013. Ours: a corrupted pixel is black in all three
channels, so that noise is the same for a grey image and its repeated channels.
**Gradients:** for each listed domain its decoder and the encoder of the image; with `latent: sampled` also the
posterior, through mean and variance.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.errors import ConfigError
from segda.losses.reconstruction import ReconstructionLoss, reconstruction
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term

BLACK = -1.0


@dataclass(frozen=True)
class Identity(Term):
    """Reconstruction of images within their domain.

    Attributes:
        domains: domains whose images are reconstructed.
        through: the encoder: the image's `own` domain's or the `other` domain's.
        loss: absolute (`l1`, the papers') or squared difference.
        corrupt: share of pixels that are black in the encoder's input, drawn for each sample; 0 for none.
        latent: input of the decoder: z itself (`point`) or a sample of the posterior (`sampled`).
    """

    domains: tuple[Domain, ...] = DOMAINS
    through: Literal["own", "other"] = "own"
    loss: ReconstructionLoss = "l1"
    corrupt: float = 0.0
    latent: Literal["point", "sampled"] = "point"

    def __post_init__(self) -> None:
        if not self.domains:
            raise ConfigError("terms.identity.domains: empty; list source, target or both")
        if not 0 <= self.corrupt < 1:
            raise ConfigError(f"terms.identity.corrupt: found {self.corrupt}, expected a share of at least 0, below 1")
        changes = {"through 'other'": self.through == "other", f"corrupt {self.corrupt}": self.corrupt > 0,
                   "latent 'sampled'": self.latent == "sampled"}  # fmt: skip
        chosen = [option for option, on in changes.items() if on]
        if len(chosen) > 1:
            raise ConfigError(f"terms.identity: {' and '.join(chosen)} exclude each other; use one of them")

    def needs(self) -> set[str]:
        """Encoder, a decoder for each listed domain, and the posterior if it is sampled."""
        posterior = {"posterior"} if self.latent == "sampled" else set()
        return {"encoder", *(f"decoder.{domain}" for domain in self.domains)} | posterior

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over the listed domains."""
        losses = [reconstruction(self._reconstructed(p, domain), p.image(domain), self.loss) for domain in self.domains]
        return torch.stack(losses).sum()

    def _reconstructed(self, p: ForwardPass, domain: Domain) -> Tensor:
        if self.through == "other":
            return p.reconstructed_through_other(domain)
        if self.corrupt:
            return p.decode(p.encode(self._corrupted(p, domain), domain), domain)
        if self.latent == "sampled":
            return p.decode(p.latent_sample(domain), domain)
        return p.reconstructed(domain)

    def _corrupted(self, p: ForwardPass, domain: Domain) -> Tensor:
        image = p.image(domain)
        height, width = image.shape[-2:]
        # A normal number lies below its quantile with the quantile's probability.
        drawn = p.normal("identity/corrupt", domain, (1, height, width))
        return image.where(drawn >= NormalDist().inv_cdf(self.corrupt), BLACK)


build = Identity
