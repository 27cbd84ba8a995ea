"""An image encoded and decoded into its own domain comes back.

Equation: `Q_id = sum_i l_id(g_s(f_s(x_i)), x_i) + sum_j l_id(g_t(f_t(y_j)), y_j)`; with `through: other` each image is
read by the other domain's encoder, which is CycleGAN's identity mapping (the same thing when encoders are tied).
Source: Murez et al. 2018 (I2I Adapt), equation 2; Zhu et al. 2017 (CycleGAN), section 5.2.
**Gradients:** for each listed domain its decoder and the encoder that read the image.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.errors import ConfigError
from segda.losses.reconstruction import ReconstructionLoss, reconstruction
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class Identity(Term):
    """Reconstruction of images within their domain.

    Attributes:
        domains: whose images are reconstructed.
        through: the encoder that reads an image: its `own` domain's or the `other` one's.
        loss: absolute (`l1`, the papers') or squared difference.
    """

    domains: tuple[Domain, ...] = DOMAINS
    through: Literal["own", "other"] = "own"
    loss: ReconstructionLoss = "l1"

    def __post_init__(self) -> None:
        if not self.domains:
            raise ConfigError("terms.identity.domains: empty; list source, target or both")

    def needs(self) -> set[str]:
        """Encoder and a decoder for each listed domain."""
        return {"encoder", *(f"decoder.{domain}" for domain in self.domains)}

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over the listed domains."""
        again = p.reconstructed if self.through == "own" else p.reconstructed_through_other
        losses = [reconstruction(again(domain), p.image(domain), self.loss) for domain in self.domains]
        return torch.stack(losses).sum()


build = Identity
